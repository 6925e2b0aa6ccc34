// What differs between the compilers of NVIDIA and AMD, and no other CUDA file says for which of them it is. No kernel needs to
// know how many threads run in lockstep, so all are right for warps of 32 threads and for wavefronts of 64.
#pragma once

#ifdef __HIP__
#define end_launch() __builtin_trap()

// For the end of each of several branches that write to different registers, with a number of its own. Otherwise clang moves
// the writes behind the branches and makes them one, to an address that the branch chooses; but registers have no addresses.
#define keep_apart(number) asm volatile("" ::"n"(number))
#else
#define end_launch() __trap()
#define keep_apart(number) ((void)0)
#endif
