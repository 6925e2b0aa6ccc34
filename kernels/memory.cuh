// Access to arrays. Kernels read and write amplitudes, and whatever else each thread or block has of its own, through these
// macros, so that a build for tests can count the accesses. What all threads of a launch read alike is not counted.
#pragma once
#include "index.cuh"
#include "target.cuh"

// Declares a pointer to the block's shared memory, whose size the launch gives.
#ifndef SHARED_MEMORY
#define SHARED_MEMORY(Type, name)                                        \
  extern __shared__ __align__(16) unsigned char name##_bytes[];          \
  Type* const name = reinterpret_cast<Type*>(name##_bytes)
#endif

#ifdef BASICAER_COUNTING
#define count_access_to(space, array, i, is_store) \
  cuda_on_cpu::count_access(cuda_on_cpu::Space::space, &(array)[i], sizeof((array)[i]), is_store, __LINE__ * 4096 + __COUNTER__)
#define read_global(array, i) (count_access_to(global, array, i, false), (array)[i])
#define write_global(array, i, value) (count_access_to(global, array, i, true), (array)[i] = (value))
#define read_shared(array, i) (count_access_to(shared, array, i, false), (array)[i])
#define write_shared(array, i, value) (count_access_to(shared, array, i, true), (array)[i] = (value))
#define count_multiply_adds(number) cuda_on_cpu::count_arithmetic(number)
#else
#define read_global(array, i) ((array)[i])
#define write_global(array, i, value) ((array)[i] = (value))
#define read_shared(array, i) ((array)[i])
#define write_shared(array, i, value) ((array)[i] = (value))
#define count_multiply_adds(number) ((void)0)
#endif

// A pointer into an array, so many bytes from its begin.
template <class Item>
__device__ __forceinline__ Item* at_byte(Item* array, unsigned bytes) {
  return reinterpret_cast<Item*>(reinterpret_cast<char*>(array) + bytes);
}

// Items that are read in as few accesses as possible. `from` is aligned for it.
template <class Item, int COUNT>
struct alignas(sizeof(Item) * COUNT < 16 ? sizeof(Item) * COUNT : 16) Together {
  Item items[COUNT];
};
template <class Item, int COUNT>
__device__ __forceinline__ Together<Item, COUNT> together(const void* from) {
  return *static_cast<const Together<Item, COUNT>*>(from);
}

// Where the value that belongs to number i within a tile stands in shared memory: threads whose numbers differ in four
// successive bits only, at most, use different banks.
__device__ __forceinline__ unsigned spread_slot(unsigned i) { return i ^ lowest_bits(shifted_down(i, 4), 4); }

// Ends the launch with an error if a precondition does not hold.
#define require(condition)          \
  do {                              \
    if (!(condition)) end_launch(); \
  } while (false)
