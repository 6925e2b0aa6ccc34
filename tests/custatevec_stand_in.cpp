// What benchmarks/gpu calls of NVIDIA's cuStateVec, naively and on the CPU, where the emulated GPU has its memory.
// Compiled with -DHEADER='"custatevecEx.h"', the compiler compares it with NVIDIA's own declarations.
// Compiled with -DOLD, it lacks the Ex interface, as versions before 1.10 do.
#include <algorithm>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>
#ifdef HEADER
#include HEADER
#else
typedef void* custatevecHandle_t;
typedef int64_t custatevecIndex_t;
typedef int custatevecStatus_t, cudaDataType_t, custatevecMatrixLayout_t, custatevecComputeType_t;
typedef int custatevecExMatrixType_t, custatevecExStateVectorProperty_t;
typedef struct custatevecExDictionary* custatevecExDictionaryDescriptor_t;
typedef struct custatevecExStateVector* custatevecExStateVectorDescriptor_t;
typedef struct custatevecExSVUpdater* custatevecExSVUpdaterDescriptor_t;
typedef struct custatevecExResourceManager* custatevecExResourceManagerDescriptor_t;
typedef void* cudaStream_t;
struct custatevecExSVUpdaterConfigItem_t {
  int name;
  union {
    int32_t int32;
    char placeholder[32];
  } value __attribute__((aligned(16)));
};
#endif

namespace {
constexpr auto OK = custatevecStatus_t(0), INVALID = custatevecStatus_t(3);
constexpr size_t WORKSPACE = 256;

bool right_types(int state, int matrix, int compute) { return state == matrix && compute == (state == 5 ? 16 : 4) && (state == 5 || state == 4); }

template <class R, class M = R>  // M is the type of the matrix
void apply(void* state, unsigned bits, const void* matrix, bool diagonal, const int32_t* targets, unsigned n_targets,
           const int32_t* controls, const int32_t* values, unsigned n_controls) {
  auto* amplitudes = static_cast<std::complex<R>*>(state);
  auto* numbers = static_cast<const std::complex<M>*>(matrix);
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
      std::complex<R> sum = diagonal ? std::complex<R>(numbers[row]) * before[row] : 0;
      for (size_t column = 0; column < rows && !diagonal; ++column) sum += std::complex<R>(numbers[row * rows + column]) * before[column];
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

#ifndef OLD
namespace {
struct Gate {
  std::vector<std::complex<double>> matrix;
  std::vector<int32_t> targets, controls, values;
};
constexpr int DENSE = 1, DIAGONAL = 2, ANTI_DIAGONAL = 4;
constexpr int DENSE_FUSION_SIZE = 1, WIRE_ORDERING = 3;
static_assert(sizeof(custatevecExSVUpdaterConfigItem_t) == 48 && offsetof(custatevecExSVUpdaterConfigItem_t, value) == 16);
}  // namespace

struct custatevecExDictionary {
  int type;
  int32_t wires;
};

struct custatevecExSVUpdater {
  int type;
  std::vector<Gate> queue;
};

struct custatevecExStateVector {
  int type;
  std::vector<int32_t> wires;  // wires[b] = the wire at index bit b
  std::vector<char> memory;
  std::vector<Gate> put_off;  // gates that the next synchronization applies

  size_t size() const { return size_t(1) << wires.size(); }
  size_t bytes_of_amplitude() const { return type == 5 ? 16 : 8; }

  void flush() {
    if (put_off.empty()) return;
    for (const Gate& gate : put_off) {
      std::vector<int32_t> targets, controls;
      for (int32_t wire : gate.targets) targets.push_back(bit_of(wire));
      for (int32_t wire : gate.controls) controls.push_back(bit_of(wire));
      (type == 5 ? apply<double> : apply<float, double>)(memory.data(), wires.size(), gate.matrix.data(), false, targets.data(),
                                                         targets.size(), controls.data(), gate.values.data(), controls.size());
    }
    put_off.clear();
    rotate_wires();
  }

 private:
  int32_t bit_of(int32_t wire) const { return int32_t(std::find(wires.begin(), wires.end(), wire) - wires.begin()); }

  // Leaves wires in another order than before, as the library may: what is at bit b goes to bit b + 1, the highest one to 0.
  void rotate_wires() {
    const std::vector<char> before = memory;
    for (size_t i = 0; i < size(); ++i) {
      const size_t to = (i << 1 | i >> (wires.size() - 1)) & (size() - 1);
      std::memcpy(&memory[to * bytes_of_amplitude()], &before[i * bytes_of_amplitude()], bytes_of_amplitude());
    }
    std::rotate(wires.begin(), wires.end() - 1, wires.end());
  }
};

extern "C" {
custatevecStatus_t custatevecExDictionaryDestroy(custatevecExDictionaryDescriptor_t dictionary) { return delete dictionary, OK; }

custatevecStatus_t custatevecExConfigureStateVectorSingleDevice(
    custatevecExDictionaryDescriptor_t* config, cudaDataType_t type, int32_t wires, int32_t device_wires, int32_t device, uint32_t capability) {
  if ((type != 4 && type != 5) || wires != device_wires || device || capability) return INVALID;
  return *config = new custatevecExDictionary{type, wires}, OK;
}

custatevecStatus_t custatevecExStateVectorCreateSingleProcess(
    custatevecExStateVectorDescriptor_t* state, const custatevecExDictionaryDescriptor_t config, cudaStream_t const* streams, int32_t n_streams,
    custatevecExResourceManagerDescriptor_t manager) {
  if (streams || n_streams || manager) return INVALID;
  auto* made = new custatevecExStateVector{config->type, std::vector<int32_t>(config->wires), {}, {}};
  std::iota(made->wires.begin(), made->wires.end(), 0);
  made->memory.assign(made->size() * made->bytes_of_amplitude(), char(-1));  // NaN
  return *state = made, OK;
}

custatevecStatus_t custatevecExStateVectorDestroy(custatevecExStateVectorDescriptor_t state) { return delete state, OK; }

custatevecStatus_t custatevecExStateVectorGetProperty(
    const custatevecExStateVectorDescriptor_t state, custatevecExStateVectorProperty_t property, void* value, size_t size) {
  if (property != WIRE_ORDERING || size < state->wires.size() * sizeof(int32_t)) return INVALID;
  return std::memcpy(value, state->wires.data(), state->wires.size() * sizeof(int32_t)), OK;
}

custatevecStatus_t custatevecExStateVectorSetZeroState(custatevecExStateVectorDescriptor_t state) {
  std::fill(state->memory.begin(), state->memory.end(), 0);
  if (state->type == 5) *reinterpret_cast<double*>(state->memory.data()) = 1;
  else *reinterpret_cast<float*>(state->memory.data()) = 1;
  return OK;
}

custatevecStatus_t custatevecExStateVectorGetState(
    const custatevecExStateVectorDescriptor_t state, void* to, cudaDataType_t type, custatevecIndex_t begin, custatevecIndex_t end, int32_t copies) {
  if (type != state->type || begin < 0 || end > custatevecIndex_t(state->size()) || copies < 1 || !state->put_off.empty()) return INVALID;
  const size_t bytes = state->bytes_of_amplitude();
  return std::memcpy(to, &state->memory[begin * bytes], (end - begin) * bytes), OK;
}

custatevecStatus_t custatevecExStateVectorReassignWireOrdering(
    custatevecExStateVectorDescriptor_t state, const int32_t* wires, int32_t length) {
  if (length != int32_t(state->wires.size())) return INVALID;
  return std::copy(wires, wires + length, state->wires.begin()), OK;
}

custatevecStatus_t custatevecExStateVectorGetResourcesFromDeviceSubSV(
    custatevecExStateVectorDescriptor_t state, int32_t number, int32_t* device, void** memory, cudaStream_t* stream, custatevecHandle_t*) {
  if (number || !device || !memory || !stream) return INVALID;
  return *device = 0, *memory = state->memory.data(), *stream = nullptr, OK;
}

custatevecStatus_t custatevecExStateVectorSynchronize(custatevecExStateVectorDescriptor_t state) { return state->flush(), OK; }

custatevecStatus_t custatevecExConfigureSVUpdater(
    custatevecExDictionaryDescriptor_t* config, cudaDataType_t type, const custatevecExSVUpdaterConfigItem_t* items, int32_t n_items) {
  if (!items != !n_items) return INVALID;
  for (int32_t i = 0; i < n_items; ++i)
    if (items[i].name != DENSE_FUSION_SIZE || items[i].value.int32 < 1 || items[i].value.int32 > 10) return INVALID;
  return *config = new custatevecExDictionary{type, 0}, OK;
}

custatevecStatus_t custatevecExSVUpdaterCreate(
    custatevecExSVUpdaterDescriptor_t* updater, const custatevecExDictionaryDescriptor_t config, custatevecExResourceManagerDescriptor_t manager) {
  if (manager) return INVALID;
  return *updater = new custatevecExSVUpdater{config->type, {}}, OK;
}

custatevecStatus_t custatevecExSVUpdaterDestroy(custatevecExSVUpdaterDescriptor_t updater) { return delete updater, OK; }

custatevecStatus_t custatevecExSVUpdaterEnqueueMatrix(
    custatevecExSVUpdaterDescriptor_t updater, const void* matrix, cudaDataType_t matrix_type, custatevecExMatrixType_t kind,
    custatevecMatrixLayout_t layout, int32_t adjoint, const int32_t* targets, int32_t n_targets, const int32_t* controls,
    const int32_t* values, int32_t n_controls) {
  if (matrix_type != 5 || layout != 1 || adjoint || n_targets < 1 || n_targets > 15) return INVALID;
  if (kind != DENSE && kind != DIAGONAL && kind != ANTI_DIAGONAL) return INVALID;
  const auto* numbers = static_cast<const std::complex<double>*>(matrix);
  const size_t rows = size_t(1) << n_targets;
  std::vector<std::complex<double>> dense(rows * rows);
  for (size_t row = 0; row < rows; ++row) {
    if (kind == DENSE) std::copy_n(numbers + row * rows, rows, &dense[row * rows]);
    else dense[row * rows + (kind == DIAGONAL ? row : rows - 1 - row)] = numbers[row];
  }
  updater->queue.push_back({dense, {targets, targets + n_targets}, {controls, controls + n_controls}, {values, values + n_controls}});
  return OK;
}

custatevecStatus_t custatevecExSVUpdaterApply(
    custatevecExSVUpdaterDescriptor_t updater, custatevecExStateVectorDescriptor_t state, const double* numbers, int32_t n_numbers) {
  if (updater->type != state->type || numbers || n_numbers) return INVALID;
  return state->put_off.insert(state->put_off.end(), updater->queue.begin(), updater->queue.end()), OK;
}
}
#endif
