// What differs between the compilers of NVIDIA and AMD, and no other CUDA file says for which of them it is. No kernel needs to
// know how many threads run in lockstep, so all are right for warps of 32 threads and for wavefronts of 64.
#pragma once

#ifdef __HIP__
#define end_launch() __builtin_trap()

// For the end of each of several branches that write to different registers, with a number of its own. Otherwise clang moves
// the writes behind the branches and makes them one, to an address that the branch chooses; but registers have no addresses.
#define keep_apart(number) asm volatile("" ::"n"(number))

#define keep_in_register(value) asm volatile("" : "+v"(value))
#define keep_pointer_in_register(pointer) asm volatile("" : "+v"(pointer))
#else
#define end_launch() __trap()
#define keep_apart(number) ((void)0)
#define keep_in_register(value) asm volatile("" : "+r"(value))
#define keep_pointer_in_register(pointer) asm volatile("" : "+l"(pointer))
#endif

// How many bytes of a layer's diagonal are read by one load: with more, compilers find no room for all amplitudes in registers.
#if defined(__HIP__) || (defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800)
constexpr int MOST_BYTES_OF_A_LOAD = 8;
#else
constexpr int MOST_BYTES_OF_A_LOAD = 16;
#endif

// Hides from the compiler how a number was computed: it is not computed in another way, or again at each use.
__device__ __forceinline__ unsigned kept(unsigned value) {
  keep_in_register(value);
  return value;
}

// The same of a pointer to the card's memory.
template <class Item>
__device__ __forceinline__ Item* kept(Item* pointer) {
  keep_pointer_in_register(pointer);
#ifdef __CUDACC_RTC__
  __builtin_assume(__isGlobal(pointer));  // Otherwise loads would take the way of those that may be of shared memory.
#endif
  return pointer;
}
