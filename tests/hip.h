// What HIP declares before a text that hipRTC compiles, as far as the kernels use it. Clang has the language; the names that
// are here come from headers of ROCm, which are not needed to compile.
#pragma once

#define __device__ __attribute__((device))
#define __host__ __attribute__((host))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __forceinline__ inline __attribute__((always_inline))

// __launch_bounds__(threads) and __launch_bounds__(threads, waves): HIP takes the second as waves of a SIMD unit.
#define HIP_BOUNDS(threads, waves, ...) \
  __attribute__((amdgpu_flat_work_group_size(1, threads), amdgpu_waves_per_eu(waves)))
#define __launch_bounds__(...) HIP_BOUNDS(__VA_ARGS__, 1, )

namespace hip {
struct ThreadIdx {
  static __device__ unsigned x() { return __builtin_amdgcn_workitem_id_x(); }
  static __device__ unsigned y() { return __builtin_amdgcn_workitem_id_y(); }
};
struct BlockIdx {
  static __device__ unsigned x() { return __builtin_amdgcn_workgroup_id_x(); }
  static __device__ unsigned y() { return __builtin_amdgcn_workgroup_id_y(); }
};
struct BlockDim {
  static __device__ unsigned x() { return __builtin_amdgcn_workgroup_size_x(); }
  static __device__ unsigned y() { return __builtin_amdgcn_workgroup_size_y(); }
};
struct GridDim {
  static __device__ unsigned x() { return __builtin_amdgcn_grid_size_x() / __builtin_amdgcn_workgroup_size_x(); }
  static __device__ unsigned y() { return __builtin_amdgcn_grid_size_y() / __builtin_amdgcn_workgroup_size_y(); }
};

// One coordinate of a place, read where it is used.
template <unsigned (*READ)()>
struct Coordinate {
  __device__ operator unsigned() const { return READ(); }
};
template <class Place>
struct Coordinates {
  Coordinate<Place::x> x;
  Coordinate<Place::y> y;
};
}  // namespace hip

static constexpr hip::Coordinates<hip::ThreadIdx> threadIdx{};
static constexpr hip::Coordinates<hip::BlockIdx> blockIdx{};
static constexpr hip::Coordinates<hip::BlockDim> blockDim{};
static constexpr hip::Coordinates<hip::GridDim> gridDim{};

__device__ inline void __syncthreads() {
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
  __builtin_amdgcn_s_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}
__device__ inline int __popc(unsigned value) { return __builtin_popcount(value); }
__device__ inline int __popcll(unsigned long long value) { return __builtin_popcountll(value); }
