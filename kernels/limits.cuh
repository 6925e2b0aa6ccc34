// The numbers that size arrays and launches, each here once. src/basicaer/devices/gpu/structs.py repeats them under the
// same names for the host, and a test compares the two.
#pragma once
#include "index.cuh"

// A block has at most 256 threads. Of the 65536 registers of a multiprocessor, two such blocks may then take 128 for each
// thread, which is what run_pass needs to keep its amplitudes there.
constexpr int MOST_THREAD_BITS = 8;
constexpr int MOST_THREADS = power_of_two(MOST_THREAD_BITS);
constexpr int BLOCKS_ON_A_MULTIPROCESSOR = 2;

// A thread of run_pass holds at most 32 amplitudes: in single precision they take 64 registers.
constexpr int MOST_REGISTER_BITS = 5;

// The x axis of a grid has at most 2^31 - 1 blocks, so 2^30 is the largest power of two.
constexpr int MOST_BLOCK_BITS = 30;

// A thread of sum_pauli_products holds 16 sums in double precision, which take 64 registers.
constexpr int PAULI_REGISTER_BITS = 4;

// No card holds a state of more qubits: 2^40 amplitudes take 8 TiB in single precision.
constexpr int MOST_INDEX_BITS = 40;

// Targets of a gate for multiply_wide: 2^12 amplitudes take 64 KiB in double precision, which is what a block may have of
// shared memory since compute capability 7.0. On older cards, where it may have 48 KiB, the host refuses such a launch.
constexpr int MOST_WIDE_TARGETS = 12;
