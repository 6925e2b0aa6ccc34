// One gate on more qubits than a thread holds in registers, applied by itself in one read and write of the state.
#include "memory.cuh"
#include "index.cuh"
#include "scalar.cuh"

// Columns are combinations of index bits. A *group* is the 2^targets amplitudes that the gate mixes.
struct Wide {
  Index target[16];  // target[j] = index bit of bit j of a row
  Index rest[40];    // index bits that say which group it is
  Index on;          // index bits of the controls that must be 1: combined with every index
  unsigned targets, rest_bits;
  unsigned groups_each;  // of a block, a power of two
  unsigned reserved;
};

// Launch: groups of all blocks together, 2^rest_bits; threads, a multiple of groups_each; shared memory for a block's groups.
// `matrix[row * 2^targets + column]`; for a permutation `goes_to[column]` is the row, and `matrix` is not read.
template <class R>
__global__ void __launch_bounds__(256)
multiply_wide(Complex<R>* state, const Wide* gate, const Complex<R>* matrix, const unsigned* goes_to, unsigned permutes) {
  SHARED_MEMORY(Complex<R>, group);
  const unsigned size = 1u << gate->targets, all = size * gate->groups_each;
  require(Index(gridDim.x) * gate->groups_each == Index(1) << gate->rest_bits);
  const auto index = [&](unsigned i) {  // of the i-th amplitude of the block's groups
    const Index number = Index(blockIdx.x) * gate->groups_each + (i >> gate->targets);
    return combine(number, gate->rest, gate->rest_bits) ^ combine(i & (size - 1), gate->target, gate->targets) ^ gate->on;
  };
  for (unsigned i = threadIdx.x; i < all; i += blockDim.x) write_shared(group, i, read_global(state, index(i)));
  __syncthreads();
  for (unsigned i = threadIdx.x; i < all; i += blockDim.x) {
    const unsigned row = i & (size - 1), first = i - row;
    if (permutes) {
      write_global(state, index(first + goes_to[row]), read_shared(group, i));
      continue;
    }
    Complex<R> sum = {R(0), R(0)};
    for (unsigned column = 0; column < size; ++column)
      sum = multiply_add(matrix[Index(row) * size + column], read_shared(group, first + column), sum);
    write_global(state, index(i), sum);
  }
}
