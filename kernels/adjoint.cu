// What adjoint differentiation does to states besides gates: observables are applied to them, and sums are taken of products
// of the amplitudes of a ket and a bra. Sums are in double precision whatever that of the states, and are always added in the
// same order.
#include "memory.cuh"
#include "index.cuh"
#include "limits.cuh"
#include "scalar.cuh"

// A product of Paulis in an observable: `flips` are the index bits of its X and Y, `signs` those of its Z and Y.
struct Term {
  Index flips, signs;
};

// bras[i] becomes the sum over all terms of factors[k] * kets[i ^ flips], times -1 where i ^ flips and `signs` share an odd
// number of bits. Terms that flip the same bits follow one another: the amplitude is read once for them.
//
// Launch: any number of blocks and threads, which take the 2^n = `size` indices in turn; in y the states, of which the y-th
// begins at kets[first[y]] and at bras[first[y]] and has factors[y * factors_stride + k].
template <class R>
__global__ void __launch_bounds__(MOST_THREADS)
apply_terms(const Complex<R>* kets, Index size, const Term* terms, unsigned count, const Complex<double>* factors,
            Index factors_stride, const Index* first, Complex<R>* bras) {
  const Complex<R>* const ket = kets + first[blockIdx.y];
  Complex<R>* const bra = bras + first[blockIdx.y];
  factors += blockIdx.y * factors_stride;
  for (Index i = Index(blockIdx.x) * blockDim.x + threadIdx.x; i < size; i += Index(gridDim.x) * blockDim.x) {
    Complex<double> sum = {0, 0};
    for (unsigned k = 0; k < count;) {
      const Index flips = terms[k].flips, from = i ^ flips;
      Complex<double> by = {0, 0};
      for (; k < count && terms[k].flips == flips; ++k)
        by = add_real_multiple(by, parity(from & terms[k].signs) ? -1.0 : 1.0, factors[k]);
      sum = multiply_add(by, in_double(read_global(ket, from)), sum);
    }
    write_global(bra, i, (Complex<R>{R(sum.re), R(sum.im)}));
  }
}

// The wires of a transition matrix, and the order in which amplitudes are read for it: in tiles, a thread for each of them.
struct Transition {
  Index thread[MOST_THREAD_BITS];    // thread[p] = the index bit of bit p of a thread's number
  Index rest[MOST_INDEX_BITS];       // rest[p] = the index bit of bit p of a tile's number
  Index on;                          // index bits of the controls that must be 1, combined with every index
  unsigned slot[MOST_THREAD_BITS];   // slot[p] = where bit p of a thread's number stands in shared memory: first are the wires
  unsigned wires, tile_bits, rest_bits, reserved;
};

// Sums transition matrices: the entry (row, column) is the sum of kets[row] * conj(bras[column]), where row and column are
// values of the wires, over all values of the other index bits; those of controls are fixed.
//
// Launch: MOST_THREADS threads; any number of blocks in x, which take the tiles in turn, but no more than there are tiles; in
// y the states, of which the y-th begins at kets[first[y]] and at bras[first[y]]; shared memory for two Complex<double> of
// each thread. parts[(y * gridDim.x + b) * 4^wires + row + column * 2^wires] becomes what block b adds to the entry.
template <class R>
__global__ void __launch_bounds__(MOST_THREADS)
sum_transitions(const Complex<R>* kets, const Complex<R>* bras, const Transition* transition, const Index* first,
                Complex<double>* parts) {
  SHARED_MEMORY(Complex<double>, shared);  // the amplitudes of the ket's tile, and behind them those of the bra's
  const unsigned wires = transition->wires, tile_bits = transition->tile_bits, rest_bits = transition->rest_bits;
  require(blockDim.x == MOST_THREADS && wires <= MOST_TRANSITION_WIRES && wires <= tile_bits &&
          tile_bits <= MOST_THREAD_BITS && rest_bits <= MOST_INDEX_BITS && gridDim.x <= power_of_two<Index>(rest_bits));
  const unsigned thread = threadIdx.x, threads = blockDim.x;
  const unsigned row = lowest_bits(thread, wires), column = lowest_bits(shifted_down(thread, wires), wires);
  const unsigned group = shifted_down(thread, 2 * wires);  // threads of one group have all entries
  const unsigned groups = shifted_down(threads, 2 * wires), vectors = power_of_two<unsigned>(tile_bits - wires);
  const bool reads = thread < power_of_two<unsigned>(tile_bits);
  const Index own = first[blockIdx.y] ^ transition->on ^ combine(thread, transition->thread, tile_bits);
  const unsigned slot = spread_slot(combine(thread, transition->slot, tile_bits));

  Complex<double> sum = {0, 0};
  for (Index tile = blockIdx.x; tile < power_of_two<Index>(rest_bits); tile += gridDim.x) {
    if (reads) {
      const Index i = own ^ combine(tile, transition->rest, rest_bits);
      write_shared(shared, slot, in_double(read_global(kets, i)));
      write_shared(shared, MOST_THREADS + slot, in_double(read_global(bras, i)));
    }
    __syncthreads();
    for (unsigned v = group; v < vectors; v += groups) {
      const unsigned begin = v * power_of_two<unsigned>(wires);
      const Complex<double> of_bra = read_shared(shared, MOST_THREADS + spread_slot(begin + column));
      sum = add_conjugate_product(sum, of_bra, read_shared(shared, spread_slot(begin + row)));
    }
    __syncthreads();  // the next tile is written to the same memory
  }

  write_shared(shared, thread, sum);
  __syncthreads();
  if (group > 0) return;
  for (unsigned other = 1; other < groups; ++other)
    sum = add_real_multiple(sum, 1.0, read_shared(shared, thread + other * power_of_two<unsigned>(2 * wires)));
  write_global(parts, (Index(blockIdx.y) * gridDim.x + blockIdx.x) * power_of_two<Index>(2 * wires) + thread, sum);
}
