// What changes a state otherwise than by gates. Each thread of these kernels takes every gridDim * blockDim-th index.
#include "memory.cuh"
#include "index.cuh"
#include "scalar.cuh"

#define for_each_index(i, end) \
  for (Index i = Index(blockIdx.x) * blockDim.x + threadIdx.x; i < (end); i += Index(gridDim.x) * blockDim.x)

// Makes states |0...0>, each `stride` amplitudes after the one before, all but for zeros that are not written.
template <class R>
__global__ void begin(Complex<R>* states, Index count, Index stride) {
  for_each_index(number, count) write_global(states, number * stride, (Complex<R>{R(1), R(0)}));
}

// Sets the amplitudes that have any of the index bits `where` to 0, in states of `size` amplitudes: the y axis of the grid
// is for several, of which the y-th begins at states[first[y]].
template <class R>
__global__ void clear(Complex<R>* states, Index size, Index where, const Index* first) {
  Complex<R>* const state = states + first[blockIdx.y];
  for_each_index(i, size) if (i & where) write_global(state, i, (Complex<R>{R(0), R(0)}));
}

// The state sum over j of |j>|j>: amplitude 1 where the upper `half` index bits equal the lower ones.
template <class R>
__global__ void set_identity(Complex<R>* state, Index size, unsigned half) {
  require(size == Index(1) << 2 * half);
  for_each_index(i, size) write_global(state, i, (Complex<R>{R(i >> half == (i & ((Index(1) << half) - 1)) ? 1 : 0), R(0)}));
}

// Projects: in the y-th of several states (see `clear`), amplitudes whose index bit `bit` is v are multiplied by
// factors[2 y + v], one of which is 0.
template <class R>
__global__ void collapse(Complex<R>* states, Index size, unsigned bit, const Index* first, const double* factors) {
  Complex<R>* const state = states + first[blockIdx.y];
  for_each_index(i, size) {
    const Complex<R> a = read_global(state, i);
    const R by = R(factors[2 * blockIdx.y + has_bit(i, bit)]);
    write_global(state, i, (Complex<R>{by * a.re, by * a.im}));
  }
}

// Puts qubits that are |0> into a state: the amplitude at i becomes `amplitudes[j]` times the one with these qubits 0,
// j being their value in i. `positions[q]` is the index bit of the q-th qubit. Each thread owns whole sets of amplitudes
// that differ in these bits only; `rest` are the other index bits.
template <class R>
__global__ void prepare(Complex<R>* state, Index sets, const Index* rest, unsigned rest_bits, const Index* columns,
                        unsigned qubits, const Complex<R>* amplitudes) {
  require(sets == Index(1) << rest_bits);
  for_each_index(number, sets) {
    const Index first = combine(number, rest, rest_bits);
    const Complex<R> was = read_global(state, first);
    for (Index j = 0; j < Index(1) << qubits; ++j)
      write_global(state, first ^ combine(j, columns, qubits), multiply(was, amplitudes[j]));
  }
}
