// What changes a state otherwise than by gates. Each thread of these kernels takes every gridDim * blockDim-th index.
#include "memory.cuh"
#include "index.cuh"
#include "scalar.cuh"

#define for_each_index(i, end) \
  for (Index i = Index(blockIdx.x) * blockDim.x + threadIdx.x; i < (end); i += Index(gridDim.x) * blockDim.x)

// Sets the amplitudes that have any of the index bits `where` to 0.
template <class R>
__global__ void clear(Complex<R>* state, Index size, Index where) {
  for_each_index(i, size) if (i & where) write_global(state, i, (Complex<R>{R(0), R(0)}));
}

// The state sum over j of |j>|j>: amplitude 1 where the upper `half` index bits equal the lower ones.
template <class R>
__global__ void set_identity(Complex<R>* state, Index size, unsigned half) {
  for_each_index(i, size) write_global(state, i, (Complex<R>{R(i >> half == (i & ((Index(1) << half) - 1)) ? 1 : 0), R(0)}));
}

// Projects: amplitudes whose index bit `bit` is not `outcome` become 0, the others are multiplied by `factor`.
template <class R>
__global__ void collapse(Complex<R>* state, Index size, unsigned bit, unsigned outcome, double factor) {
  for_each_index(i, size) {
    const Complex<R> a = read_global(state, i);
    const R by = has_bit(i, bit) == (outcome != 0) ? R(factor) : R(0);
    write_global(state, i, (Complex<R>{by * a.re, by * a.im}));
  }
}

// Puts qubits that are |0> into a state: the amplitude at i becomes `amplitudes[j]` times the one with these qubits 0,
// j being their value in i. `positions[q]` is the index bit of the q-th qubit. Each thread owns whole sets of amplitudes
// that differ in these bits only; `rest` are the other index bits.
template <class R>
__global__ void prepare(Complex<R>* state, Index sets, const Index* rest, unsigned rest_bits, const Index* columns,
                        unsigned qubits, const Complex<R>* amplitudes) {
  for_each_index(number, sets) {
    const Index first = combine(number, rest, rest_bits);
    const Complex<R> was = read_global(state, first);
    for (Index j = 0; j < Index(1) << qubits; ++j)
      write_global(state, first ^ combine(j, columns, qubits), multiply(was, amplitudes[j]));
  }
}
