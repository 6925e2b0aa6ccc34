// What Python and the runner share: steps, a launch and what comes of it. launching.py and decoding.py have the same structures.
#pragma once
#include <cstdint>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;
typedef int64_t i64;

constexpr u32 LANES = 32;

enum Kind : u8 {
  NOTHING,            // a target that is thrown away
  REGISTER,           // of each lane; where 64 bits are meant, `number` and the next one
  UNIFORM,            // a register that a warp has once
  NUMBER,             // `value` itself
  LAUNCH_BANK,        // constant bank 0, from byte `value` on: the launch's shape and arguments
  LITERAL_BANK,       // constant bank 2: numbers that the compiler put beside the kernel
  VARIABLE_BANK,      // constant bank 3: __constant__ variables
  PREDICATE,          // of each lane
  UNIFORM_PREDICATE,  // a predicate that a warp has once
  TRUE,
};

enum Change : u8 { NEGATED = 1, INVERTED = 2, ABSOLUTE = 4 };

// A source or a target of an instruction.
struct Operand {
  u8 kind, changes;
  u8 byte;  // 1 to 4: only byte 0 to 3 of a register is read; 0: all of it
  u8 scale;  // of an address: the register counts so many bytes
  u32 number;
  u64 value;
};

// An instruction. What `options` mean is said where each is carried out.
struct Step {
  Operand guard, operands[8];
  u32 handler;
  i32 options[4];
};

// What the warps of a launch did at one instruction. Sectors of 32 bytes and wavefronts are counted if the launch asks for it.
struct Counts {
  u64 issued;       // by warps
  u64 acting;       // by warps of which a lane's guard held
  u64 lanes;        // whose guard held
  u64 bytes;        // of global memory that lanes asked for, in allocations that are large
  u64 sectors;      // distinct ones of each warp's access to global memory
  u64 new_sectors;  // those of them in large allocations that the block had not read, or not written, before
  u64 wavefronts;   // of shared memory; of global memory lines of 128 bytes
};

// An instruction that a warp issued. Blocks are numbered in the order in which they ran.
struct Issued {
  u32 step, block;
  u16 sectors, new_sectors, wavefronts;
  u8 warp, acts;
};

// An allocation of global memory. What is large is what no cache holds.
struct Range {
  u64 begin, end, is_large;
};

struct Launch {
  const Step* steps;
  u64 step_count;
  const void *arguments, *literals, *variables;
  u64 argument_bytes, argument_place, literal_bytes, variable_bytes;
  u64 shared_place;  // where shared memory begins, as an address
  u64 shared_bytes, local_bytes;
  u32 blocks_x, blocks_y, threads, reserved;
  u64 seed;
  u64 sample;       // how many randomly chosen blocks run; 0: all
  u64 most_issued;  // more instructions than that are an error
  const Range* ranges;
  u64 range_count;
  i64 ignored_barrier;  // a step that is passed over; -1: none
  u64 counts_memory;    // whether sectors and wavefronts are counted
  Counts* counts;       // counts[step], added to
  Issued* issued;       // what was issued, in order, up to issued_room; null: not wanted
  u64 issued_room;
  // Results
  u64 issued_count, blocks_run;
  char why[400];  // why the launch failed; empty if it did not
};
