// One gate that needs more amplitudes than a thread holds in registers: it reads and writes the state once.
#include "memory.cuh"
#include "index.cuh"
#include "limits.cuh"
#include "scalar.cuh"

// A group is the 2^targets amplitudes that the gate mixes: their indices agree in all bits but those of the targets.
struct Wide {
  Index target[MOST_WIDE_TARGETS];  // target[j] = the index bit of bit j of a row
  Index rest[MOST_INDEX_BITS];      // rest[p] = the index bit of bit p of a group's number
  Index on;                         // index bits of the controls that must be 1, combined with every index
  unsigned targets, rest_bits;      // how many columns `target` and `rest` have
  unsigned groups_each;             // how many groups a block takes, a power of two
  unsigned reserved;
};

// Applies a gate to several states, laid out alike.
//
// Launch: in x the blocks whose groups are together 2^rest_bits, in y the states, of which the y-th begins at index
// first[y], a multiple of its size; up to MOST_THREADS threads; shared memory for the amplitudes of a block's groups.
//
// matrix[row * 2^targets + column] is the first state's matrix, and that of the y-th begins y * matrix_stride later. For a
// permutation, goes_to[column] is the row, the same for all states, and `matrix` is not read.
template <class R>
__global__ void __launch_bounds__(MOST_THREADS)
multiply_wide(Complex<R>* states, const Wide* gate, const Complex<R>* matrix, const unsigned* goes_to, unsigned permutes,
              const Index* first, Index matrix_stride) {
  SHARED_MEMORY(Complex<R>, group);  // group[i] = the i-th amplitude of the block's groups, one group after another
  matrix += blockIdx.y * matrix_stride;
  const unsigned size = power_of_two<unsigned>(gate->targets), all = size * gate->groups_each;
  require(Index(gridDim.x) * gate->groups_each == power_of_two<Index>(gate->rest_bits) &&
          gate->targets <= MOST_WIDE_TARGETS && gate->rest_bits <= MOST_INDEX_BITS);
  const auto index_of = [&](unsigned i) {  // the index of the i-th amplitude of the block's groups
    const Index number = Index(blockIdx.x) * gate->groups_each + shifted_down(i, gate->targets);  // the number of its group
    return first[blockIdx.y] ^ combine(number, gate->rest, gate->rest_bits) ^
           combine(remainder_of(i, size), gate->target, gate->targets) ^ gate->on;
  };
  for (unsigned i = threadIdx.x; i < all; i += blockDim.x) write_shared(group, i, read_global(states, index_of(i)));
  __syncthreads();
  for (unsigned i = threadIdx.x; i < all; i += blockDim.x) {
    const unsigned row = remainder_of(i, size), begin = i - row;  // begin = where the group begins
    if (permutes) {
      write_global(states, index_of(begin + goes_to[row]), read_shared(group, i));
      continue;
    }
    Complex<R> sum = {R(0), R(0)};
    for (unsigned column = 0; column < size; ++column)
      sum = multiply_add(matrix[Index(row) * size + column], read_shared(group, begin + column), sum);
    write_global(states, index_of(i), sum);
  }
}
