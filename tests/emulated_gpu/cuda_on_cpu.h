// Runs CUDA kernels on the CPU, for tests: g++ compiles the kernels' own source with this header before it.
//
// The threads of a block are fibers. Between two barriers they run one after another, in an order drawn anew for every segment,
// so that a missing __syncthreads shows as a wrong result. Blocks run one after another, in a drawn order too. Shared memory is
// all ones (NaN) when a block begins. A barrier that not all threads of the block reach, and __trap, end the launch with a
// message. What is defined here is what the kernels use, no more.
//
// Everything is in unnamed namespaces: each library has launches, fibers and counts of its own.
#pragma once
#include <pthread.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "fibers.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};

namespace {
dim3 threadIdx{0, 0, 0}, blockIdx{0, 0, 0}, blockDim, gridDim;

inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __popcll(unsigned long long bits) { return __builtin_popcountll(bits); }

template <class T>
inline T __ldg(const T* address) {
  return *address;
}
}  // namespace

namespace cuda_on_cpu {
namespace {

constexpr unsigned most_threads = 1024;  // per block, as on every card

// splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
struct Random {
  uint64_t state;

  uint64_t next() {
    uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }

  void shuffle(unsigned* items, size_t count) {
    for (size_t left = count; left > 1; --left) std::swap(items[left - 1], items[(next() >> 32) * left >> 32]);
  }
};

struct Thread {
  enum { unstarted, running, waiting, ended } state = unstarted;
  const char* barrier = nullptr;  // while waiting: "file:line" of the barrier
  Fiber fiber;
  explicit Thread(void (*body)()) : fiber(body) {}
};

pthread_mutex_t one_launch_at_a_time = PTHREAD_MUTEX_INITIALIZER;
Thread* threads[most_threads];  // made when first needed, then kept: a thread ends by waiting for the next block
void (*run_kernel)(void* launch);
void* launch_in_progress;
bool stopping;
char* message;
size_t message_bytes;
unsigned char* shared_memory;

// Lets the launch end with a message.
void fail(const char* what, const char* place) {
  stopping = true;
  std::snprintf(message, message_bytes, "%s at %s, block (%u, %u), thread %u", what, place, blockIdx.x, blockIdx.y, threadIdx.x);
}

// Ends the launch from within a thread, which is never resumed.
[[noreturn, gnu::noinline]] void stop(const char* what, const char* place) {
  fail(what, place);
  Fiber::pause();
  std::abort();
}

}  // namespace
}  // namespace cuda_on_cpu

#if defined(BASICAER_COUNTING)
#include "counting.h"
#endif

namespace cuda_on_cpu {
namespace {

[[gnu::noinline]] void wait_at_barrier(const char* place) {
  Thread& self = *threads[threadIdx.x];
  self.state = Thread::waiting;
  self.barrier = place;
  Fiber::pause();
  self.state = Thread::running;
}

const char* const between_lanes = "a product of matrices";  // where threads wait that is no barrier of the kernel

// What the threads of a warp hold of two matrices: see kernels/target.cuh, which says where in these each number stands.
struct Matrices {
  double first[16][8], second[8][8];
};
Matrices matrices[most_threads / 32];  // of each warp

// Stands in for what a card's `mma.sync` does, for all warps of a block at the same time.
[[gnu::noinline]] void multiply_matrices(const double (&a)[4], const double (&b)[2], double (&product)[4]) {
  if (blockDim.x % 32) stop("a product of matrices in a part of a warp", between_lanes);
  Matrices& own = matrices[threadIdx.x / 32];
  const unsigned i = threadIdx.x / 4 % 8, j = threadIdx.x % 4;
  for (unsigned h = 0; h < 2; ++h)
    for (unsigned k = 0; k < 2; ++k) own.first[i + 8 * h][j + 4 * k] = a[h + 2 * k];
  for (unsigned k = 0; k < 2; ++k) own.second[j + 4 * k][i] = b[k];
  wait_at_barrier(between_lanes);
  for (unsigned h = 0; h < 2; ++h)
    for (unsigned m = 0; m < 2; ++m) {
      double sum = 0;
      for (unsigned k = 0; k < 8; ++k) sum += own.first[i + 8 * h][k] * own.second[k][m + 2 * j];
      product[m + 2 * h] = sum;
    }
  wait_at_barrier(between_lanes);
}

void run_thread() {
  for (;;) {
    threads[threadIdx.x]->state = Thread::running;
    run_kernel(launch_in_progress);
    threads[threadIdx.x]->state = Thread::ended;
    Fiber::pause();
  }
}

void resume(unsigned thread) {
  threadIdx.x = thread;
  threads[thread]->fiber.resume();
}

// Whether the block goes on: all threads wait at one barrier. That some do and some do not is an error.
bool all_at_one_barrier() {
  const char* barrier = nullptr;
  unsigned here = 0;  // here = how many threads wait at that barrier
  for (unsigned t = 0; t < blockDim.x; ++t) {
    if (threads[t]->state != Thread::waiting) continue;
    if (barrier == nullptr) threadIdx.x = t, barrier = threads[t]->barrier;
    here += std::strcmp(threads[t]->barrier, barrier) == 0;
  }
  if (here == 0 || here == blockDim.x) return here != 0;
  char what[80];
  std::snprintf(what, sizeof what, "a barrier that %u of %u threads reach", here, blockDim.x);
  fail(what, barrier);
  return false;
}

void run_block(Random& random) {
  unsigned order[most_threads];
  for (unsigned t = 0; t < blockDim.x; ++t) {
    order[t] = t;
    threads[t]->state = Thread::unstarted;
  }
  bool goes_on;
#if defined(BASICAER_COUNTING)
  begin_block();
#endif
  do {
    random.shuffle(order, blockDim.x);
    for (unsigned i = 0; i < blockDim.x && !stopping; ++i) resume(order[i]);
    goes_on = !stopping && all_at_one_barrier();
#if defined(BASICAER_COUNTING)
    if (goes_on && threads[0]->barrier != between_lanes) pass_barrier();
#endif
  } while (goes_on);
#if defined(BASICAER_COUNTING)
  if (!stopping) end_block();
#endif
}

// Threads that were stopped in the middle cannot be used again. (An exception would end them properly; but AddressSanitizer
// cannot throw in a process that was started without the C++ library, as Python is.)
void replace_stopped_threads() {
  for (unsigned t = 0; t < blockDim.x; ++t) {
    if (threads[t]->state != Thread::running && threads[t]->state != Thread::waiting) continue;
    delete threads[t];
    threads[t] = nullptr;
  }
}

struct Shape {
  unsigned grid_x, grid_y, block_x;
  size_t shared_bytes;
};

// Runs all blocks. Returns 0, or 1 with the reason in message.
int run_grid(const Shape& shape, uint64_t seed) {
  gridDim = {shape.grid_x, shape.grid_y, 1};
  blockDim = {shape.block_x, 1, 1};
  stopping = false;
  for (unsigned t = 0; t < shape.block_x; ++t)
    if (threads[t] == nullptr) threads[t] = new Thread(run_thread);
  void* memory = nullptr;  // no longer than asked for, so that AddressSanitizer sees an access behind it
  if (posix_memalign(&memory, 256, shape.shared_bytes) != 0) std::abort();
  shared_memory = static_cast<unsigned char*>(memory);

  Random random{seed};
  std::vector<unsigned> order(size_t{shape.grid_x} * shape.grid_y);
  for (size_t b = 0; b < order.size(); ++b) order[b] = static_cast<unsigned>(b);
  random.shuffle(order.data(), order.size());
  for (unsigned b : order) {
    blockIdx = {b % shape.grid_x, b / shape.grid_x, 0};
    std::memset(shared_memory, 0xFF, shape.shared_bytes);
    run_block(random);
    if (stopping) break;
  }
  std::free(memory);
  if (stopping) replace_stopped_threads();
  return stopping;
}

template <class... P>
struct Call {
  void (*kernel)(P...);
  void** arguments;

  template <size_t... I>
  void make(std::index_sequence<I...>) const {
    kernel(*static_cast<std::remove_cv_t<P>*>(arguments[I])...);
  }
  static void run(void* call) { static_cast<const Call*>(call)->make(std::index_sequence_for<P...>{}); }
};

template <class... P>
int launch(void (*kernel)(P...), void** arguments, Shape shape, uint64_t seed, void* counts_out, char* text, size_t text_bytes) {
  pthread_mutex_lock(&one_launch_at_a_time);
  Call<P...> call{kernel, arguments};
  run_kernel = Call<P...>::run;
  launch_in_progress = &call;
  message = text;
  message_bytes = text_bytes;
#if defined(BASICAER_COUNTING)
  counts = Counts{};
#endif
  const int failed = run_grid(shape, seed);
#if defined(BASICAER_COUNTING)
  std::memcpy(counts_out, &counts, sizeof counts);
#endif
  pthread_mutex_unlock(&one_launch_at_a_time);
  return failed;
}

// A kernel's parameters, two characters each: the kind (p pointer, f float, i signed, u unsigned, s other), the size in bytes.
template <class... P>
const char* parameters(void (*)(P...)) {
  struct Parameter {
    char kind;
    unsigned char bytes;
  };
  static const Parameter list[] = {{std::is_pointer_v<P>          ? 'p'
                                    : std::is_floating_point_v<P> ? 'f'
                                    : std::is_signed_v<P>         ? 'i'
                                    : std::is_unsigned_v<P>       ? 'u'
                                                                  : 's',
                                    sizeof(P) < 256 ? sizeof(P) : 255}...,
                                   {0, 0}};
  return reinterpret_cast<const char*>(list);
}

}  // namespace
}  // namespace cuda_on_cpu

#define CUDA_ON_CPU_TEXT_(number) #number
#define CUDA_ON_CPU_TEXT(number) CUDA_ON_CPU_TEXT_(number)
#define CUDA_ON_CPU_PLACE __FILE__ ":" CUDA_ON_CPU_TEXT(__LINE__)

using cuda_on_cpu::multiply_matrices;
#define __syncthreads() cuda_on_cpu::wait_at_barrier(CUDA_ON_CPU_PLACE)
#define __trap() cuda_on_cpu::stop("__trap", CUDA_ON_CPU_PLACE)
#define SHARED_MEMORY(Type, name) Type* name = reinterpret_cast<Type*>(cuda_on_cpu::shared_memory)

// What the stand-in for CuPy calls; the kernel's name comes last, because template arguments hold commas.
#define CUDA_ON_CPU_EXPORT extern "C" __attribute__((visibility("default")))
#define CUDA_ON_CPU_LAUNCHER(number, ...)                                                                                        \
  CUDA_ON_CPU_EXPORT const char* parameters_##number() { return cuda_on_cpu::parameters(__VA_ARGS__); }                         \
  CUDA_ON_CPU_EXPORT int launch_##number(void** arguments, unsigned grid_x, unsigned grid_y, unsigned block_x,                   \
                                         size_t shared_bytes, uint64_t seed, void* counts, char* message, size_t message_bytes) { \
    return cuda_on_cpu::launch(__VA_ARGS__, arguments, {grid_x, grid_y, block_x, shared_bytes}, seed, counts, message,            \
                               message_bytes);                                                                                   \
  }
