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

// Launch: groups of all blocks in x together, 2^rest_bits; in y the states, of which the y-th begins at index first[y], a
// multiple of its size; any number of threads; shared memory for a block's groups. `matrix[row * 2^targets + column]` is
// that of the first state, the y-th is y * matrix_stride further on; for a permutation `goes_to[column]` is the row, the
// same for all states, and `matrix` is not read.
template <class R>
__global__ void __launch_bounds__(256)
multiply_wide(Complex<R>* states, const Wide* gate, const Complex<R>* matrix, const unsigned* goes_to, unsigned permutes,
              const Index* first, Index matrix_stride) {
  SHARED_MEMORY(Complex<R>, group);
  matrix += blockIdx.y * matrix_stride;
  const unsigned size = 1u << gate->targets, all = size * gate->groups_each;
  require(Index(gridDim.x) * gate->groups_each == Index(1) << gate->rest_bits && gate->targets <= 16 && gate->rest_bits <= 40);
  const auto index = [&](unsigned i) {  // of the i-th amplitude of the block's groups
    const Index number = Index(blockIdx.x) * gate->groups_each + (i >> gate->targets);
    return first[blockIdx.y] ^ combine(number, gate->rest, gate->rest_bits) ^
           combine(i & (size - 1), gate->target, gate->targets) ^ gate->on;
  };
  for (unsigned i = threadIdx.x; i < all; i += blockDim.x) write_shared(group, i, read_global(states, index(i)));
  __syncthreads();
  for (unsigned i = threadIdx.x; i < all; i += blockDim.x) {
    const unsigned row = i & (size - 1), begin = i - row;  // begin = the first amplitude of the group
    if (permutes) {
      write_global(states, index(begin + goes_to[row]), read_shared(group, i));
      continue;
    }
    Complex<R> sum = {R(0), R(0)};
    for (unsigned column = 0; column < size; ++column)
      sum = multiply_add(matrix[Index(row) * size + column], read_shared(group, begin + column), sum);
    write_global(states, index(i), sum);
  }
}
