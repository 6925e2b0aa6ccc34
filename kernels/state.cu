// Kernels that change a state by other means than gates.
//
// Launch: any number of blocks and threads. Each thread takes every (gridDim.x * blockDim.x)-th of the numbers that its
// kernel goes through.
#include "memory.cuh"
#include "index.cuh"
#include "limits.cuh"
#include "scalar.cuh"

// Begins states |0...0>, where state k is at states[k * stride]: writes its amplitude 1. The zeros are left to `clear`.
template <class R>
__global__ void begin_states(Complex<R>* states, Index count, Index stride) {
  for_each_number(k, count) write_global(states, k * stride, (Complex<R>{R(1), R(0)}));
}

// Writes 0 to the amplitudes whose index has any bit of `mask` set.
//
// The y axis of the grid is for several states of `size` amplitudes each: the y-th begins at states[first[y]].
template <class R>
__global__ void clear(Complex<R>* states, Index size, Index mask, const Index* first) {
  Complex<R>* const state = states + first[blockIdx.y];
  for_each_number(i, size) if (i & mask) write_global(state, i, (Complex<R>{R(0), R(0)}));
}

// Makes the state sum over j of |j>|j>, which is the identity matrix: the upper `half` bits of an index are the column, the
// lower ones the row.
template <class R>
__global__ void set_identity(Complex<R>* state, Index size, unsigned half) {
  require(size == power_of_two<Index>(2 * half));
  for_each_number(i, size) {
    const Index column = shifted_down(i, half), row = i & all_ones(half);
    write_global(state, i, (Complex<R>{R(column == row ? 1 : 0), R(0)}));
  }
}

// Projects and renormalises: amplitudes of the y-th of several states (see `clear`) whose index has the value v at `bit` are
// multiplied by factors[2 * y + v], which is 0 for one v: what is projected away becomes 0 whatever it was.
template <class R>
__global__ void collapse(Complex<R>* states, Index size, unsigned bit, const Index* first, const double* factors) {
  Complex<R>* const state = states + first[blockIdx.y];
  for_each_number(i, size) {
    const Complex<R> a = read_global(state, i);
    const double factor = factors[2 * blockIdx.y + has_bit(i, bit)];
    const R by = R(factor);
    write_global(state, i, (factor == 0 ? Complex<R>{} : Complex<R>{by * a.re, by * a.im}));
  }
}

// Puts `qubits` qubits that are |0> into the state given by `amplitudes`, little-endian in these qubits.
//
// A set is the 2^qubits amplitudes whose indices agree in all bits but those of the qubits; `others` has one column for each
// of the `other_bits` bits in which they agree, and a set's number is made of these bits. columns[q] is the index bit of the
// q-th qubit. One thread writes a whole set: each amplitude is the one with all qubits 0, times amplitudes[j], where j is
// the value of the qubits.
template <class R>
__global__ void prepare(Complex<R>* state, Index sets, const Index* others, unsigned other_bits, const Index* columns,
                        unsigned qubits, const Complex<R>* amplitudes) {
  require(sets == power_of_two<Index>(other_bits));
  for_each_number(number, sets) {
    const Index first = combine(number, others, other_bits);  // index of the amplitude with all qubits 0
    const Complex<R> was = read_global(state, first);
    for (Index j = 0; j < power_of_two<Index>(qubits); ++j)
      write_global(state, first ^ combine(j, columns, qubits), multiply(was, amplitudes[j]));
  }
}
