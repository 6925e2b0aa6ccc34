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

// Transition matrices that are summed together, and the order in which amplitudes are read for them: in tiles.
struct Transitions {
  Index lane[MOST_TRANSITION_TILE_BITS];    // lane[p] = the index bit of bit p of a number within a tile
  Index rest[MOST_INDEX_BITS];              // rest[p] = the index bit of bit p of a tile's number
  Index on;                                 // index bits of the controls that must be 1, combined with every index
  unsigned slot[MOST_TRANSITION_TILE_BITS]; // slot[p] = where bit p stands in shared memory: first are the wires
  unsigned wires[MOST_TRANSITIONS];         // the wires of each matrix; in shared memory they follow those before it
  unsigned matrices, tile_bits, rest_bits;
};

// Where the amplitude of a tile stands in shared memory: threads whose numbers differ in four successive bits only, at most,
// use different banks.
__device__ __forceinline__ unsigned transition_slot(unsigned i) {
  return spread_slot(i) ^ lowest_bits(shifted_down(i, 8), 4);
}

// Sums transition matrices: the entry (row, column) is the sum of kets[row] * conj(bras[column]), where row and column are
// values of the wires of a matrix, over all values of the other index bits; those of controls are fixed. Both states are read
// once for all matrices.
//
// Launch: MOST_THREADS threads; any number of blocks in x, which take the tiles in turn, but no more than there are tiles; in
// y the states, of which the y-th begins at kets[first[y]] and at bras[first[y]]; shared memory for two Complex<double> of
// each amplitude of a tile, and at least for one of each thread and matrix. The matrices have `total` entries, the sum of
// their 4^wires.
// parts[(y * gridDim.x + b) * total + row + column * 2^wires], behind the entries of the matrices before it, becomes what
// block b adds to the entry.
template <class R>
__global__ void __launch_bounds__(MOST_THREADS)
sum_transitions(const Complex<R>* kets, const Complex<R>* bras, const Transitions* transitions, const Index* first,
                Complex<double>* parts) {
  SHARED_MEMORY(Complex<double>, shared);  // the amplitudes of the ket's tile, and behind them those of the bra's
  const unsigned tile_bits = transitions->tile_bits, rest_bits = transitions->rest_bits;
  const unsigned matrices = transitions->matrices, size = power_of_two<unsigned>(tile_bits);
  require(blockDim.x == MOST_THREADS && tile_bits <= MOST_TRANSITION_TILE_BITS && matrices <= MOST_TRANSITIONS &&
          rest_bits <= MOST_INDEX_BITS && gridDim.x <= power_of_two<Index>(rest_bits));
  const unsigned thread = threadIdx.x, threads = blockDim.x;
  const Index own = first[blockIdx.y] ^ transitions->on;

  Complex<double> sum[MOST_TRANSITIONS];
#pragma unroll
  for (int m = 0; m < MOST_TRANSITIONS; ++m) sum[m] = {0, 0};
  for (Index tile = blockIdx.x; tile < power_of_two<Index>(rest_bits); tile += gridDim.x) {
    const Index base = own ^ combine(tile, transitions->rest, rest_bits);
    for (unsigned j = thread; j < size; j += threads) {
      const Index i = base ^ combine(j, transitions->lane, tile_bits);
      const unsigned to = transition_slot(combine(j, transitions->slot, tile_bits));
      write_shared(shared, to, in_double(read_global(kets, i)));
      write_shared(shared, size + to, in_double(read_global(bras, i)));
    }
    __syncthreads();
    unsigned begin = 0;  // where the wires of the matrix begin
#pragma unroll
    for (int m = 0; m < MOST_TRANSITIONS; ++m) {
      if (m >= int(matrices)) break;
      const unsigned wires = transitions->wires[m];
      const unsigned row = with_gap(lowest_bits(thread, wires), 0, begin);
      const unsigned column = with_gap(lowest_bits(shifted_down(thread, wires), wires), 0, begin);
      const unsigned groups = shifted_down(threads, 2 * wires);  // the threads of each have all entries
      for (unsigned v = shifted_down(thread, 2 * wires); v < power_of_two<unsigned>(tile_bits - wires); v += groups) {
        const unsigned others = with_gap(v, begin, wires);
        const Complex<double> of_bra = read_shared(shared, size + transition_slot(others ^ column));
        sum[m] = add_conjugate_product(sum[m], of_bra, read_shared(shared, transition_slot(others ^ row)));
      }
      begin += wires;
    }
    __syncthreads();  // the next tile is written to the same memory
  }

#pragma unroll
  for (int m = 0; m < MOST_TRANSITIONS; ++m) {
    if (m >= int(matrices)) break;
    write_shared(shared, m * MOST_THREADS + thread, sum[m]);
  }
  __syncthreads();
  unsigned total = 0;
  for (unsigned m = 0; m < matrices; ++m) total += power_of_two<unsigned>(2 * transitions->wires[m]);
  parts += (Index(blockIdx.y) * gridDim.x + blockIdx.x) * total;
#pragma unroll
  for (int m = 0; m < MOST_TRANSITIONS; ++m) {
    if (m >= int(matrices)) break;
    const unsigned entries = power_of_two<unsigned>(2 * transitions->wires[m]);
    if (thread < entries) {
      for (unsigned other = thread + entries; other < threads; other += entries)
        sum[m] = add_real_multiple(sum[m], 1.0, read_shared(shared, m * MOST_THREADS + other));
      write_global(parts, thread, sum[m]);
    }
    parts += entries;
  }
}
