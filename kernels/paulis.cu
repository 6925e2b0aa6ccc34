// Expectation values of products of Paulis: all products that flip the same bits are read in one pass over the state. Sums
// are in double precision whatever that of the state, and are always added in the same order.
#include "memory.cuh"
#include "index.cuh"
#include "limits.cuh"
#include "scalar.cuh"

// A product of Paulis sums, over the indices i, conj(state[i ^ flips]) * state[i], times -1 where i and `signs` share an odd
// number of bits. `flips` are the index bits of the X and Y, `signs` those of the Z and Y. For adjoint differentiation the
// conjugate may be that of another state, the bra; then nothing is flipped.
//
// The summands of i and i ^ flips are conjugates up to their sign, so it is enough to know the sum over half of the indices,
// those in which one bit of `flips`, the pivot, is 0, and of this sum either the real or the imaginary part. A number j stands
// for each of these indices: the index without its pivot.
struct Paulis {
  Index signs;  // as bits of j
  unsigned imaginary, reserved;
};

// Sums the summands of all products that flip the same bits.
//
// The numbers j are taken in tiles of 2^(thread_bits + PAULI_REGISTER_BITS). A Walsh-Hadamard transform of a tile gives the
// sums of its summands with every choice of signs within the tile; each product then takes the one it needs. Signs that
// depend on bits outside of the tile are the same for all of it.
//
// Launch: 2^thread_bits threads; any number of blocks in x, which take the tiles in turn, but no more than there are tiles;
// in y the states; shared memory for a tile of Complex<double>. State y begins at states[first[y]], its bra, which may be the
// state itself, at bras[first[y]]; it has 2^bits numbers j; `pivot` is the position of that bit, or `bits` where nothing is
// flipped. parts[(y * gridDim.x + b) * count + k] becomes
// what block b adds to product k.
template <class R>
__global__ void __launch_bounds__(MOST_THREADS)
sum_pauli_products(const Complex<R>* states, const Complex<R>* bras, const Index* first, Index flips, unsigned pivot, unsigned bits, unsigned thread_bits,
                   const Paulis* products, unsigned count, double* parts) {
  SHARED_MEMORY(Complex<double>, shared);
  constexpr int REGISTERS = power_of_two(PAULI_REGISTER_BITS);
  const int tile_bits = thread_bits + PAULI_REGISTER_BITS;
  const Index tiles = int(bits) > tile_bits ? power_of_two<Index>(bits - tile_bits) : 1;
  require(thread_bits <= MOST_THREAD_BITS && blockDim.x == power_of_two<unsigned>(thread_bits) && gridDim.x <= tiles &&
          bits <= MOST_INDEX_BITS && pivot <= bits && (bras == states || !flips));
  const Complex<R>* const state = states + first[blockIdx.y];
  const Complex<R>* const bra = bras + first[blockIdx.y];
  parts += (Index(blockIdx.y) * gridDim.x + blockIdx.x) * count;

  for (Index tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    Complex<double> sum[REGISTERS];
    int place = thread_bits;  // where the bits of the register's number stand in the number within the tile
    Index j = with_gap(tile, 0, tile_bits) + threadIdx.x;
#pragma unroll
    for (int r = 0; r < REGISTERS; ++r, j += blockDim.x) {
      sum[r] = {0, 0};
      if (j < power_of_two<Index>(bits)) {
        const Index i = with_gap(j, pivot, 1);
        const Complex<R> a = read_global(state, i);
        const bool is_norm = bra == state && !flips;
        sum[r] = is_norm ? Complex<double>{squared_modulus(a), 0} : conjugate_product(read_global(bra, i ^ flips), a);
      }
    }
    for (int done = tile_bits;; place = place > PAULI_REGISTER_BITS ? place - PAULI_REGISTER_BITS : 0) {
      // Bits of the tile from `done` on are transformed; these are transformed now, of a thread's own values:
#pragma unroll
      for (int p = 0; p < PAULI_REGISTER_BITS; ++p) {
        if (place + p >= done) continue;
#pragma unroll
        for (int r = 0; r < REGISTERS; ++r) {
          if (has_bit(r, p)) continue;
          const Complex<double> a = sum[r], b = sum[r | bit_at(p)];
          sum[r] = {a.re + b.re, a.im + b.im};
          sum[r | bit_at(p)] = {a.re - b.re, a.im - b.im};
        }
      }
      const unsigned own = with_gap<unsigned>(threadIdx.x, place, PAULI_REGISTER_BITS);
#pragma unroll
      for (int r = 0; r < REGISTERS; ++r) write_shared(shared, spread_slot(own + with_gap(unsigned(r), 0, place)), sum[r]);
      __syncthreads();
      done = place;
      if (done == 0) break;
      const int next = place > PAULI_REGISTER_BITS ? place - PAULI_REGISTER_BITS : 0;
      const unsigned others = with_gap<unsigned>(threadIdx.x, next, PAULI_REGISTER_BITS);
#pragma unroll
      for (int r = 0; r < REGISTERS; ++r) sum[r] = read_shared(shared, spread_slot(others + with_gap(unsigned(r), 0, next)));
    }
    for (unsigned k = threadIdx.x; k < count; k += blockDim.x) {
      const Paulis product = products[k];
      const Complex<double> both = read_shared(shared, spread_slot(lowest_bits(unsigned(product.signs), tile_bits)));
      const double part = product.imaginary ? both.im : both.re;
      const double before = tile == blockIdx.x ? 0 : read_global(parts, k);
      write_global(parts, k, parity(tile & shifted_down(product.signs, tile_bits)) ? before - part : before + part);
    }
    __syncthreads();  // the next tile is written to the same memory
  }
}

// sums[y * count + k] becomes the sum over the blocks of what sum_pauli_products wrote for product k of state y.
//
// Launch: any number of blocks and threads, which take the states * count sums in turn.
template <class R>
__global__ void add_parts(const double* parts, Index states, Index count, unsigned blocks, double* sums) {
  for (Index i = Index(blockIdx.x) * blockDim.x + threadIdx.x; i < states * count; i += Index(gridDim.x) * blockDim.x) {
    const Index begin = i / count * blocks * count + i % count;
    double sum = 0;
    for (unsigned b = 0; b < blocks; ++b) sum += read_global(parts, begin + b * count);
    write_global(sums, i, sum);
  }
}
