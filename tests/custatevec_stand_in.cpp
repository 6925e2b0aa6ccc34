// What benchmarks/gpu calls of NVIDIA's cuStateVec, naively and on the CPU, where the emulated GPU has its memory.
// Compiled with -DHEADER='"custatevec.h"', the compiler compares it with NVIDIA's own declarations.
#include <complex>
#include <cstddef>
#include <cstdint>
#include <vector>
#ifdef HEADER
#include HEADER
#else
typedef void* custatevecHandle_t;
typedef int64_t custatevecIndex_t;
typedef int custatevecStatus_t, cudaDataType_t, custatevecMatrixLayout_t, custatevecComputeType_t;
#endif

namespace {
constexpr auto OK = custatevecStatus_t(0), INVALID = custatevecStatus_t(3);
constexpr size_t WORKSPACE = 256;

bool right_types(int state, int matrix, int compute) { return state == matrix && compute == (state == 5 ? 16 : 4) && (state == 5 || state == 4); }

template <class R>
void apply(void* state, unsigned bits, const void* matrix, bool diagonal, const int32_t* targets, unsigned n_targets,
           const int32_t* controls, const int32_t* values, unsigned n_controls) {
  auto* amplitudes = static_cast<std::complex<R>*>(state);
  auto* numbers = static_cast<const std::complex<R>*>(matrix);
  const size_t rows = size_t(1) << n_targets;
  size_t all = 0;
  for (unsigned j = 0; j < n_targets; ++j) all |= size_t(1) << targets[j];
  std::vector<std::complex<R>> before(rows);
  for (size_t i = 0; i < size_t(1) << bits; ++i) {
    bool acts = !(i & all);
    for (unsigned j = 0; j < n_controls; ++j) acts = acts && int32_t(i >> controls[j] & 1) == values[j];
    if (!acts) continue;
    const auto place = [&](size_t row) {
      size_t at = i;
      for (unsigned j = 0; j < n_targets; ++j) at |= (row >> j & 1) << targets[j];
      return at;
    };
    for (size_t row = 0; row < rows; ++row) before[row] = amplitudes[place(row)];
    for (size_t row = 0; row < rows; ++row) {
      std::complex<R> sum = diagonal ? numbers[row] * before[row] : 0;
      for (size_t column = 0; column < rows && !diagonal; ++column) sum += numbers[row * rows + column] * before[column];
      amplitudes[place(row)] = sum;
    }
  }
}
}  // namespace

extern "C" {
custatevecStatus_t custatevecCreate(custatevecHandle_t* handle) { return *handle = custatevecHandle_t(handle), OK; }
custatevecStatus_t custatevecDestroy(custatevecHandle_t) { return OK; }
const char* custatevecGetErrorString(custatevecStatus_t) { return "the arguments are not what the stand-in expects"; }

custatevecStatus_t custatevecApplyMatrixGetWorkspaceSize(
    custatevecHandle_t, cudaDataType_t type, const uint32_t, const void*, cudaDataType_t matrix_type,
    custatevecMatrixLayout_t layout, const int32_t, const uint32_t, const uint32_t, custatevecComputeType_t compute, size_t* size) {
  *size = WORKSPACE;
  return right_types(type, matrix_type, compute) && layout == 1 ? OK : INVALID;
}

custatevecStatus_t custatevecApplyMatrix(
    custatevecHandle_t, void* state, cudaDataType_t type, const uint32_t bits, const void* matrix, cudaDataType_t matrix_type,
    custatevecMatrixLayout_t layout, const int32_t adjoint, const int32_t* targets, const uint32_t n_targets,
    const int32_t* controls, const int32_t* values, const uint32_t n_controls, custatevecComputeType_t compute, void* workspace,
    size_t size) {
  if (!right_types(type, matrix_type, compute) || layout != 1 || adjoint || !workspace || size < WORKSPACE) return INVALID;
  (type == 5 ? apply<double> : apply<float>)(state, bits, matrix, false, targets, n_targets, controls, values, n_controls);
  return OK;
}

custatevecStatus_t custatevecApplyGeneralizedPermutationMatrixGetWorkspaceSize(
    custatevecHandle_t, cudaDataType_t, const uint32_t, const custatevecIndex_t*, const void*, cudaDataType_t, const int32_t*,
    const uint32_t, const uint32_t, size_t* size) {
  return *size = WORKSPACE, OK;
}

custatevecStatus_t custatevecApplyGeneralizedPermutationMatrix(
    custatevecHandle_t, void* state, cudaDataType_t type, const uint32_t bits, custatevecIndex_t* permutation,
    const void* diagonals, cudaDataType_t diagonals_type, const int32_t adjoint, const int32_t* targets, const uint32_t n_targets,
    const int32_t* controls, const int32_t* values, const uint32_t n_controls, void* workspace, size_t size) {
  if (type != diagonals_type || permutation || adjoint || !workspace || size < WORKSPACE) return INVALID;
  (type == 5 ? apply<double> : apply<float>)(state, bits, diagonals, true, targets, n_targets, controls, values, n_controls);
  return OK;
}
}
