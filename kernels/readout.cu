// Kernels that read a state: sums of probabilities, amplitudes, the places where draws fall. Sums are in double
// precision whatever that of the state, and are always added in the same order.
#include "memory.cuh"
#include "index.cuh"
#include "limits.cuh"
#include "scalar.cuh"

// Adds the values of the threads whose numbers differ only in the bits of `summed`. The thread that has 0 in all of these bits
// writes their sum at its own place, and may read it there.
//
// sums[t] is the value of thread t, in shared memory.
__device__ __forceinline__ void sum_over_threads(double* sums, unsigned summed) {
  for (unsigned bit = 1; bit < blockDim.x; bit *= 2) {
    if (!(summed & bit)) continue;
    __syncthreads();
    if (!(threadIdx.x & bit))
      write_shared(sums, threadIdx.x, read_shared(sums, threadIdx.x) + read_shared(sums, threadIdx.x + bit));
  }
}

// The order in which a launch goes through all indices of a state: each thread through 2^loop_bits of them. An index is the
// combination of the columns of the set bits of the thread's number, of the block's, and of the step in the thread's loop;
// each column is one index bit.
//
// Launch: 2^thread_bits threads; in x 2^block_bits blocks, in y the states, of which the y-th begins at states[first[y]].
struct Traversal {
  Index thread[MOST_THREAD_BITS], block[MOST_INDEX_BITS], loop[MOST_INDEX_BITS];
  unsigned thread_bits, block_bits, loop_bits;  // how many of the columns there are
  unsigned summed;                              // the bits of the thread's number over which is summed
  unsigned sum[MOST_THREAD_BITS];  // columns: which of the block's sums is with a thread that has 0 in all `summed` bits
  unsigned sums;                   // how many sums a block makes
  unsigned reserved;
};

// Calls `act` with each index of this thread.
template <class Act>
__device__ __forceinline__ void traverse(const Traversal& order, const Act& act) {
  require(blockDim.x == power_of_two<unsigned>(order.thread_bits) && gridDim.x == power_of_two<unsigned>(order.block_bits));
  require(order.thread_bits <= MOST_THREAD_BITS && order.block_bits <= MOST_BLOCK_BITS && order.loop_bits <= MOST_INDEX_BITS);
  Index i = combine(threadIdx.x, order.thread, order.thread_bits) ^ combine(blockIdx.x, order.block, order.block_bits);
  act(i);
  for (Index step = 1; step < power_of_two<Index>(order.loop_bits); ++step) {  // in Gray code order: one bit changes
    i ^= order.loop[lowest_position(step)];
    act(i);
  }
}

// Sums probabilities, separately for each value of some index bits: those that are columns of the block's number, and those
// that are columns of a bit of the thread's number outside of `summed`.
//
// Launch: as Traversal says; shared memory for a double of each thread. sums[(y * gridDim.x + b) * order->sums + s] is the
// s-th sum of block b of state y.
template <class R>
__global__ void __launch_bounds__(MOST_THREADS)
sum_probabilities(const Complex<R>* states, const Traversal* order, const Index* first, double* sums) {
  SHARED_MEMORY(double, shared);
  const Complex<R>* const state = states + first[blockIdx.y];
  double sum = 0;
  traverse(*order, [&](Index i) { sum += squared_modulus(read_global(state, i)); });
  write_shared(shared, threadIdx.x, sum);
  sum_over_threads(shared, order->summed);
  if (!(threadIdx.x & order->summed)) {
    const Index number =
        (Index(blockIdx.y) * gridDim.x + blockIdx.x) * order->sums + combine(threadIdx.x, order->sum, order->thread_bits);
    write_global(sums, number, read_shared(shared, threadIdx.x));
  }
}

// probabilities[i] becomes that of the index which combines `first` with the columns of the set bits of i.
//
// Launch: any number of blocks and threads, which take the 2^bits values of i in turn.
template <class R>
__global__ void read_probabilities(const Complex<R>* state, Index first, const Index* columns, unsigned bits, double* probabilities) {
  for (Index i = Index(blockIdx.x) * blockDim.x + threadIdx.x; i < power_of_two<Index>(bits); i += Index(gridDim.x) * blockDim.x)
    write_global(probabilities, i, squared_modulus(read_global(state, first ^ combine(i, columns, bits))));
}

// amplitudes[i] becomes the one that stands at places[i], for i below `count`.
//
// Launch: any number of blocks and threads, which take the values of i in turn.
template <class R>
__global__ void read_amplitudes(const Complex<R>* state, Index count, const Index* places, Complex<R>* amplitudes) {
  for (Index i = Index(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += Index(gridDim.x) * blockDim.x)
    write_global(amplitudes, i, read_global(state, places[i]));
}

// The amplitude at places[i] becomes amplitudes[i], for i below `count`; no two places are the same.
//
// Launch: any number of blocks and threads, which take the values of i in turn.
template <class R>
__global__ void write_amplitudes(Complex<R>* state, Index count, const Index* places, const Complex<R>* amplitudes) {
  for (Index i = Index(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += Index(gridDim.x) * blockDim.x)
    write_global(state, places[i], read_global(amplitudes, i));
}

// Finds the places where draws fall.
//
// A block serves the draws begin[b] to begin[b + 1] - 1, which all fall within the same 2^bits indices: those that combine
// first[b] with the columns of the set bits of a place, the number from 0 to 2^bits - 1 that is looked for. Draw d falls on
// the first place up to which the probabilities sum to more than targets[d]; where rounding keeps the sum below, on the last
// place that has any probability. That place is written to places[d].
//
// step[p] combines columns 0 to p: what changes in the index from one place to the next, whose lowest set bit is bit p.
//
// Launch: one block for each b; a power of two of threads that divides 2^bits; shared memory for a double of each thread.
template <class R>
__global__ void __launch_bounds__(MOST_THREADS)
find_draws(const Complex<R>* state, const Index* columns, const Index* step, unsigned bits, const Index* first, const Index* begin,
           const double* targets, Index* places) {
  SHARED_MEMORY(double, ends);  // ends[t] = the sum up to the last place of thread t
  const Index each = power_of_two<Index>(bits) / blockDim.x, start = first[blockIdx.x];  // each = places of one thread
  require(each * blockDim.x == power_of_two<Index>(bits));
  const auto go_through = [&](Index thread, const auto& act) {  // the places of a thread in order, until `act` returns true
    Index place = thread * each, i = start ^ combine(place, columns, bits);
    for (Index n = 0; n < each; ++n, ++place) {
      if (act(place, squared_modulus(read_global(state, i)))) return;
      if (n + 1 < each) i ^= step[lowest_position(place + 1)];
    }
  };
  double own = 0;
  go_through(threadIdx.x, [&](Index, double p) { return own += p, false; });
  write_shared(ends, threadIdx.x, own);
  __syncthreads();
  if (threadIdx.x == 0)
    for (unsigned t = 1; t < blockDim.x; ++t) write_shared(ends, t, read_shared(ends, t - 1) + read_shared(ends, t));
  __syncthreads();
  for (Index d = begin[blockIdx.x] + threadIdx.x; d < begin[blockIdx.x + 1]; d += blockDim.x) {
    const double target = read_global(targets, d);
    unsigned low = 0, high = blockDim.x - 1;  // bisected for the first thread whose end is above the target, or the last one
    while (low < high) {
      const unsigned middle = (low + high) / 2;
      if (read_shared(ends, middle) > target) high = middle;
      else low = middle + 1;
    }
    while (low > 0 && read_shared(ends, low) == read_shared(ends, low - 1)) --low;  // back over threads without probability
    double sum = low ? read_shared(ends, low - 1) : 0;
    Index found = low * each;
    go_through(low, [&](Index place, double p) {
      if (p > 0) found = place;
      return (sum += p) > target;
    });
    write_global(places, d, found);
  }
}
