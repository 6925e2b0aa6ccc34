// What `run_pass` reads: a pass, its stages, and the operations of these.
#pragma once
#include "memory.cuh"
#include "index.cuh"
#include "limits.cuh"

// Where the amplitudes of a tile are in the state. Columns are combinations of index bits: load_register[b] is combined into
// an index that is read where bit b of the register's number is 1, and likewise for store_register.
//
// What the thread's and the block's number add to an index is read from tables. That of the block's includes what is always
// added.
struct alignas(16) Pass {
  Index load_register[MOST_REGISTER_BITS], store_register[MOST_REGISTER_BITS];
  Index zero;  // amplitudes whose index has any of these bits set are 0, and are not read
  unsigned load_threads, store_threads;  // where the tables for the thread's number begin
  unsigned load_blocks, store_blocks;    // and those for the block's
  unsigned thread_bits, register_bits, block_bits;  // how many bits the numbers have
  unsigned first_stage, stages;  // the pass's part of the array of stages
  unsigned store_after_barrier;  // 1 where a thread writes to an index that another one reads, with no exchange in between
};

enum Exchange {
  NO_EXCHANGE = 0,  // for the first stage, whose amplitudes have just been read from the state
  EXCHANGE = 1,     // each thread puts amplitudes where only it has read last, if any thread has
  EXCHANGE_AFTER_BARRIER = 2,  // a thread puts amplitudes where another one may still have to read
};

// An exchange through shared memory, then operations on amplitudes in registers, then a matrix on amplitudes of different lanes of
// a warp. Columns are combinations of places in
// shared memory: put_register[b] is combined into a place that is written where bit b of the register's number is 1.
struct alignas(16) Stage {
  unsigned put_register[MOST_REGISTER_BITS], get_register[MOST_REGISTER_BITS];
  unsigned places;  // what a thread combines into every place is places_of[places + thread]: into those that it writes, the
                    // lower 16 bits, and into those that it reads, the upper ones
  unsigned put_blocks, get_blocks;  // where the tables begin of what the block's number combines besides; NO_TABLES: nothing
  unsigned exchange;                // one of Exchange
  unsigned first_operation, operations;  // the stage's part of the array of operations
  unsigned lanes;  // where the constants of the matrix begin that acts on bits 0 and 1 of the thread's number; NO_LANES: none
  unsigned reserved, unused, spare;
};

// What an operation does. `constants` below begins at the operation's own numbers, constants[at] of the launch's.
//
// Gates that permute basis states linearly move no amplitudes: a wire becomes another function of the register's number. That
// number is always seen as (number ^ view), where `view` is 0 when a stage begins. Other operations than PHASE, TABLE, LAYER
// and VIEW are used only while each wire in registers is a bit of the register's number and `view` is 0.
enum OperationKind {
  PHASE = 0,  // multiplies amplitudes by constants[0]; for each bit g that is set in `bit` and, from 8 on, in `other`, by one
              // of the next 16 constants, as GROUP_BITS bits of (block << MOST_THREAD_BITS | thread) say, the g-th ones; and by
              // further constants where the operation's Factors say
  TABLE = 1,  // multiplies each amplitude by constants[i], where i combines columns of register, thread and block
  FLIP = 2,   // X on register bit `bit`: see Operation::at
  DENSE = 3,  // the matrix constants[2 * row + column] on register bit `bit`
  VIEW = 4,   // combines `other` into `view` where the parity of (thread & threads) and (block & columns) together is odd
  LAYER = 5,  // first, unless `other` is NO_DIAGONAL, multiplies each amplitude by a number for its register; then shears for
              // each bit b that is set in `bit`; then Rotations. The constants are the registers' numbers, in turn for each
              // value of the bits that Operation::registers says; they are aligned to 16 bytes, and `at` is a multiple of
              // 2^REGISTER_BITS with DIAGONAL_BY_VIEW. Before them are REGISTER_BITS numbers for shears, if `bit` is not
              // 0, and before these the tangents of the rotations
  PAIR = 6,   // the matrix constants[4 * row + column] on register bits `bit`, the row's lower bit, < `other`; these are any two
              // if there are at most MOST_PAIRED_BITS, otherwise 0 and 1, or 2 and 3
  SWAP = 7,   // exchanges register bits `bit` < `other`, if there are more than MOST_PAIRED_BITS
};

// Whether a LAYER has constants for registers, and whether constants[r ^ view] is taken for register r.
enum LayerDiagonal {
  NO_DIAGONAL = 0,
  DIAGONAL = 1,
  DIAGONAL_BY_VIEW = 2,
};

// The matrix (1, -t; t, 1) on a wire, t being a tangent: registers r and r ^ mask differ in the value of that wire alone. Its
// constant is t if the wire is 0 in register 0, otherwise -t; in register r it has another value where the parity of (r & row) is
// odd, r being seen as (r ^ view).
struct alignas(16) Rotation {
  unsigned mask, row;
  unsigned reserved, unused;
};

// Where a factor of a PHASE belongs: to threads and blocks with (number & on) == want.
struct alignas(16) Factor {
  unsigned on_thread, want_thread, on_block, want_block;
};

// What a TABLE combines to an index of its numbers: a column for each bit of the thread's and the register's number, and tables
// for the block's, from which nothing is read if they are NO_TABLES.
struct alignas(16) Columns {
  unsigned of_thread[MOST_THREAD_BITS], of_register[MOST_REGISTER_BITS];
  unsigned of_block;
  unsigned reserved, unused;
};

// An operation acts on the amplitudes whose register's number is a bit of `registers`; its Condition says more. It is aligned
// so that it is read in one load.
struct alignas(16) Operation {
  unsigned char kind;        // one of OperationKind
  unsigned char bit, other;  // register bits; VIEW, LAYER: see OperationKind
  unsigned char rotations;   // LAYER: how many Rotations it has. PHASE: how many bits are set in `bit` and `other`
  unsigned registers;  // LAYER: 0, or each of the lowest MOST_SELECTORS bytes says a bit on which the diagonal depends, that of
                       // the thread's number at this position, or of the block's from MOST_THREAD_BITS on
  unsigned at;  // the first of its constants. FLIP: bit r is set if X acts on register number r in threads where the parity
                // of (thread & threads) and (block & columns) together is even; where it is odd, X acts on the others. So a
                // sum modulo 2 of any wires controls X in one operation.
  unsigned columns;  // TABLE: the number of its Columns. FLIP, VIEW: a mask of bits of the block's number. PHASE,
                     // LAYER: the first of its Factors or Rotations.
};

// The fields of an Operation as numbers that take one load and few steps.
class Decoded {
 public:
  unsigned kind, bit, other, rotations, registers, at, columns;

  __device__ __forceinline__ explicit Decoded(const Operation* operation) {
    const Together<unsigned, 4> words = together<unsigned, 4>(operation);
    kind = lowest_bits(words.items[0], 8);
    bit = lowest_bits(shifted_down(words.items[0], 8), 8);
    other = lowest_bits(shifted_down(words.items[0], 16), 8);
    rotations = shifted_down(words.items[0], 24);
    registers = words.items[1];
    at = words.items[2];
    columns = words.items[3];
  }
};

// Of an operation that is no LAYER: it acts where (number & on) == want holds for the thread's and the block's number.
struct alignas(16) Condition {
  unsigned short on_thread, want_thread;
  unsigned on_block, want_block;
  unsigned threads;  // FLIP, VIEW: a mask of bits of the thread's number. PHASE: how many Factors it has.
};

// The fields of a Condition as numbers that take one load.
class DecodedCondition {
 public:
  unsigned on_thread, want_thread, on_block, want_block, threads;

  __device__ __forceinline__ explicit DecodedCondition(const Condition* condition) {
    const Together<unsigned, 4> words = together<unsigned, 4>(condition);
    on_thread = lowest_bits(words.items[0], 16);
    want_thread = shifted_down(words.items[0], 16);
    on_block = words.items[1];
    want_block = words.items[2];
    threads = words.items[3];
  }

  __device__ __forceinline__ bool holds(unsigned thread, unsigned block) const {
    return (((thread ^ want_thread) & on_thread) | ((block ^ want_block) & on_block)) == 0;
  }
};
