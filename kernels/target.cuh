// What differs between the compilers of NVIDIA and AMD, and no other CUDA file says for which of them it is. No kernel needs to
// know how many threads run in lockstep, so all are right for warps of 32 threads and for wavefronts of 64.
#pragma once

#ifdef __HIP__
#define end_launch() __builtin_trap()

// For the end of each of several branches that write to different registers, with a number of its own. Otherwise clang moves
// the writes behind the branches and makes them one, to an address that the branch chooses; but registers have no addresses.
#define keep_apart(number) asm volatile("" ::"n"(number))

#define keep_in_register(value) asm volatile("" : "+v"(value))
#define keep_pointer_in_register(pointer) asm volatile("" : "+v"(pointer))
#else
#define end_launch() __trap()
#define keep_apart(number) ((void)0)
#define keep_in_register(value) asm volatile("" : "+r"(value))
#define keep_pointer_in_register(pointer) asm volatile("" : "+l"(pointer))
#endif

// How many bytes of a layer's diagonal are read by one load: with more, compilers find no room for all amplitudes in registers.
#if defined(__HIP__) || (defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800)
constexpr int MOST_BYTES_OF_A_LOAD = 8;
#else
constexpr int MOST_BYTES_OF_A_LOAD = 16;
#endif

// Whether a warp multiplies matrices in double precision faster than its threads do, so that there is code for it. Tests on the
// CPU bring `multiply_matrices` along.
#if defined(__HIP__) || (defined(__CUDA_ARCH__) && __CUDA_ARCH__ != 800 && __CUDA_ARCH__ != 900)
constexpr bool MULTIPLIES_MATRICES = false;
#else
constexpr bool MULTIPLIES_MATRICES = true;
#endif

#if defined(__CUDA_ARCH__) && (__CUDA_ARCH__ == 800 || __CUDA_ARCH__ == 900)
// The product of a matrix of 16 rows and 8 columns with one of 8 rows and 8 columns, which a warp holds together. Thread 4 * i + j
// of the warp has a[h + 2 * k] in row i + 8 * h and column j + 4 * k of the first, b[k] in row j + 4 * k and column i of the second,
// and is given product[m + 2 * h] in row i + 8 * h and column m + 2 * j, for h, k and m of 0 and 1.
__device__ __forceinline__ void multiply_matrices(const double (&a)[4], const double (&b)[2], double (&product)[4]) {
#if __CUDA_ARCH__ == 900
  asm("mma.sync.aligned.m16n8k8.row.col.f64.f64.f64.f64 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %10, %10, %10};"
               : "=d"(product[0]), "=d"(product[1]), "=d"(product[2]), "=d"(product[3])
               : "d"(a[0]), "d"(a[1]), "d"(a[2]), "d"(a[3]), "d"(b[0]), "d"(b[1]), "d"(0.0));
#else
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    double first[2];
    asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%4, %4};"
                 : "=d"(first[0]), "=d"(first[1])
                 : "d"(a[h]), "d"(b[0]), "d"(0.0));
    asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%4, %5};"
                 : "=d"(product[2 * h]), "=d"(product[2 * h + 1])
                 : "d"(a[2 + h]), "d"(b[1]), "d"(first[0]), "d"(first[1]));
  }
#endif
}
#endif

// Hides from the compiler how a number was computed: it is not computed in another way, or again at each use.
__device__ __forceinline__ unsigned kept(unsigned value) {
  keep_in_register(value);
  return value;
}

// The same of a pointer to the card's memory.
template <class Item>
__device__ __forceinline__ Item* kept(Item* pointer) {
  keep_pointer_in_register(pointer);
#ifdef __CUDACC_RTC__
  __builtin_assume(__isGlobal(pointer));  // Otherwise loads would take the way of those that may be of shared memory.
#endif
  return pointer;
}
