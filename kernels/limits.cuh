// The numbers that size arrays and launches, each here once. src/basicaer/devices/gpu/structs.py repeats them under the
// same names for the host, and a test compares the two.
#pragma once
#include "index.cuh"

// A block has at most 256 threads. Of the 65536 registers of a multiprocessor, two such blocks may then take 128 for each
// thread, which is what run_pass needs to keep its amplitudes there.
constexpr int MOST_THREAD_BITS = 8;
constexpr int MOST_THREADS = power_of_two(MOST_THREAD_BITS);
constexpr int BLOCKS_ON_A_MULTIPROCESSOR = 2;

// If a thread holds at most 2^4 amplitudes, a matrix on two wires acts on any two bits of the register's number; otherwise on
// bits 0 and 1, or 2 and 3.
constexpr int MOST_PAIRED_BITS = 4;

// A diagonal may depend on so many bits of the thread's and the block's number, besides the register's.
constexpr int MOST_SELECTORS = 2;

// Factors for single bits of the thread's and the block's number are multiplied beforehand for so many bits together.
constexpr int GROUP_BITS = 4;

// A layer has at most so many rotations besides its shears: their number is a byte.
constexpr int MOST_ROTATIONS = 255;

// Tables for the thread's and the block's number have a part for each byte, so that a few reads replace many steps.
constexpr int TABLE_BITS = 8;

// Where such tables would begin if they are not needed.
constexpr unsigned NO_TABLES = 0xffffffff;

// Where the constants of a matrix in lanes would begin if there is none.
constexpr unsigned NO_LANES = 0xffffffff;

// A thread of run_pass holds at most 32 amplitudes: in single precision they take 64 registers.
constexpr int MOST_REGISTER_BITS = 5;

// The x axis of a grid has at most 2^31 - 1 blocks, so 2^30 is the largest power of two.
constexpr int MOST_BLOCK_BITS = 30;

// A thread of sum_pauli_products holds 16 sums in double precision, which take 64 registers.
constexpr int PAULI_REGISTER_BITS = 4;

// A thread of sum_transitions has one entry of each matrix, of which there are 4^wires, and of so many matrices at a time.
constexpr int MOST_TRANSITION_WIRES = MOST_THREAD_BITS / 2;
constexpr int MOST_TRANSITIONS = 3;

// Two tiles of so many bits, of a ket and of a bra in double precision, take 32 KiB.
constexpr int MOST_TRANSITION_TILE_BITS = 10;

// No card holds a state of more qubits: 2^40 amplitudes take 8 TiB in single precision.
constexpr int MOST_INDEX_BITS = 40;

// Targets of a gate for multiply_wide: 2^12 amplitudes take 64 KiB in double precision, which is what a block may have of
// shared memory since compute capability 7.0. On older cards, where it may have 48 KiB, the host refuses such a launch.
constexpr int MOST_WIDE_TARGETS = 12;
