// What is read from a state: sums of probabilities, where draws fall, expectation values. Sums are in double precision
// whatever that of the state, and always in the same order.
#include "memory.cuh"
#include "index.cuh"
#include "scalar.cuh"

constexpr int SUM_THREADS = 256;

// Sums each of `parts` values over the threads whose numbers differ only in the bits `summed`; the sums are then with
// the threads that have 0 in all of them. `sums` is shared memory, parts * blockDim doubles.
__device__ __forceinline__ void sum_over_threads(double* sums, unsigned summed, int parts) {
  for (unsigned bit = 1; bit < blockDim.x; bit *= 2) {
    if (!(summed & bit)) continue;
    __syncthreads();
    if (!(threadIdx.x & bit))
      for (int p = 0; p < parts; ++p) {
        const unsigned own = p * blockDim.x + threadIdx.x;
        write_shared(sums, own, read_shared(sums, own) + read_shared(sums, own + bit));
      }
  }
  __syncthreads();
}

// How a launch walks through states: each thread through 2^loop_bits indices of one; the y axis of the grid is for several
// states, of which the y-th begins at states[first[y]] and has its sums after those of the one before.
struct Walk {
  Index thread[8], block[40], loop[40];  // index bits
  unsigned thread_bits, block_bits, loop_bits;
  unsigned summed;   // bits of the thread's number over which is summed
  unsigned sum[8];   // columns of the number of a thread's sum among the block's
  unsigned sums;     // of a block
  unsigned reserved;
};

template <class Act>
__device__ __forceinline__ void walk(const Walk& way, const Act& act) {
  require(blockDim.x == 1u << way.thread_bits && gridDim.x == 1u << way.block_bits);
  Index i = combine(threadIdx.x, way.thread, way.thread_bits) ^ combine(blockIdx.x, way.block, way.block_bits);
  act(i);
  for (Index step = 1; step < Index(1) << way.loop_bits; ++step) {
    i ^= way.loop[lowest_position(step)];
    act(i);
  }
}

// The sums of the probabilities of all that the threads walk through, where their numbers differ in `summed` bits only.
template <class R>
__global__ void __launch_bounds__(SUM_THREADS) sum_weights(const Complex<R>* states, const Walk* way, const Index* first, double* sums) {
  SHARED_MEMORY(double, shared);
  const Complex<R>* const state = states + first[blockIdx.y];
  double sum = 0;
  walk(*way, [&](Index i) { sum += weight(read_global(state, i)); });
  write_shared(shared, threadIdx.x, sum);
  sum_over_threads(shared, way->summed, 1);
  if (!(threadIdx.x & way->summed)) {
    // the number of the sum: a state's are those of its blocks, one block after another
    const Index number = (Index(blockIdx.y) * gridDim.x + blockIdx.x) * way->sums + combine(threadIdx.x, way->sum, way->thread_bits);
    write_global(sums, number, read_shared(shared, threadIdx.x));
  }
}

// The sum over i of conj(state[i ^ flips]) * state[i] * (-1)^(number of bits that i and `signs` share), for each block of
// each state: of the b-th of all of them, sums[2 b] is the real part, sums[2 b + 1] the imaginary part.
template <class R>
__global__ void __launch_bounds__(SUM_THREADS)
sum_products(const Complex<R>* states, const Walk* way, const Index* first, Index flips, Index signs, double* sums) {
  SHARED_MEMORY(double, shared);
  require(blockDim.x >= 2);  // two threads write
  const Complex<R>* const state = states + first[blockIdx.y];
  double re = 0, im = 0;
  walk(*way, [&](Index i) {
    const Complex<R> a = read_global(state, i), b = read_global(state, i ^ flips);
    const double sign = parity(i & signs) ? -1 : 1;
    re += sign * (double(a.re) * b.re + double(a.im) * b.im);
    im += sign * (double(a.im) * b.re - double(a.re) * b.im);
  });
  write_shared(shared, threadIdx.x, re);
  write_shared(shared, blockDim.x + threadIdx.x, im);
  sum_over_threads(shared, blockDim.x - 1, 2);
  const Index block = Index(blockIdx.y) * gridDim.x + blockIdx.x;  // number of the block among those of all states
  if (threadIdx.x < 2) write_global(sums, 2 * block + threadIdx.x, read_shared(shared, threadIdx.x * blockDim.x));
}

// probabilities[i] = that of the index made of `first` and the bits of i at `columns`.
template <class R>
__global__ void read_weights(const Complex<R>* state, Index first, const Index* columns, unsigned bits, double* probabilities) {
  for (Index i = Index(blockIdx.x) * blockDim.x + threadIdx.x; i < Index(1) << bits; i += Index(gridDim.x) * blockDim.x)
    write_global(probabilities, i, weight(read_global(state, first ^ combine(i, columns, bits))));
}

// amplitudes[i] = the one that stands at places[i], for i below `count`.
template <class R>
__global__ void read_amplitudes(const Complex<R>* state, const Index* places, Index count, Complex<R>* amplitudes) {
  for (Index i = Index(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += Index(gridDim.x) * blockDim.x)
    write_global(amplitudes, i, read_global(state, places[i]));
}

// Where draws fall. Block b of the launch serves draws begin[b] to begin[b + 1], all within the 2^bits indices that are
// made of first[b] and a place's bits at the columns; draw d falls on the first place at which the sum of probabilities,
// in the order of places, is above targets[d], or on the last place with any if rounding keeps the sum below.
// `step[p]` combines columns 0 to p: what changes when a place ending in p ones is followed by the next.
template <class R>
__global__ void __launch_bounds__(SUM_THREADS)
find_draws(const Complex<R>* state, const Index* columns, const Index* step, unsigned bits, const Index* first, const Index* begin,
           const double* targets, Index* places) {
  SHARED_MEMORY(double, ends);  // ends[t] = sum up to the end of the places of thread t
  const Index each = (Index(1) << bits) / blockDim.x, start = first[blockIdx.x];
  require(each * blockDim.x == Index(1) << bits);
  const auto walk_part = [&](Index part, const auto& act) {  // through the places of a thread, until `act` says stop
    Index place = part * each, i = start ^ combine(place, columns, bits);
    for (Index n = 0; n < each; ++n, ++place) {
      if (act(place, weight(read_global(state, i)))) return;
      if (n + 1 < each) i ^= step[lowest_position(place + 1)];
    }
  };
  double own = 0;
  walk_part(threadIdx.x, [&](Index, double p) { return own += p, false; });
  write_shared(ends, threadIdx.x, own);
  __syncthreads();
  if (threadIdx.x == 0)
    for (unsigned t = 1; t < blockDim.x; ++t) write_shared(ends, t, read_shared(ends, t - 1) + read_shared(ends, t));
  __syncthreads();
  for (Index d = begin[blockIdx.x] + threadIdx.x; d < begin[blockIdx.x + 1]; d += blockDim.x) {
    const double target = read_global(targets, d);
    unsigned low = 0, high = blockDim.x - 1;  // the first part whose end is above the target; the last if none is
    while (low < high) {
      const unsigned middle = (low + high) / 2;
      if (read_shared(ends, middle) > target) high = middle;
      else low = middle + 1;
    }
    while (low > 0 && read_shared(ends, low) == read_shared(ends, low - 1)) --low;  // back over parts without weight
    double sum = low ? read_shared(ends, low - 1) : 0;
    Index found = low * each;
    walk_part(low, [&](Index place, double p) {
      if (p > 0) found = place;
      return (sum += p) > target;
    });
    write_global(places, d, found);
  }
}
