// A warp: its registers, and where its lanes are.
#pragma once
#include <cstring>

#include "structures.h"

constexpr u32 REGISTERS = 256, UNIFORM_REGISTERS = 64, MEETINGS = 16, ALL_LANES = ~0u;
constexpr u32 UNWRITTEN = 0xdeadbeef;  // what registers hold before they are written
constexpr u64 BANK_BYTES = 1 << 16;

template <class T>
struct Lanes {
  alignas(64) T of[LANES];

  T& operator[](u32 lane) { return of[lane]; }
  const T& operator[](u32 lane) const { return of[lane]; }
};

struct Warp {
  u32 registers[REGISTERS + 4][LANES];  // the last ones are for a wide access that begins at the highest register
  u32 uniform[UNIFORM_REGISTERS + 4];
  u32 predicates[8], uniform_predicates;  // predicates[p] has a bit for each lane, uniform_predicates one for each predicate
  u32 first_thread;
  u32 place[LANES];         // of the instruction that a lane comes to next
  u32 live;                 // lanes that have not exited
  u32 at_barrier;           // lanes that wait for other warps
  u32 at_warp_barrier;      // lanes that wait for the other lanes of the warp
  u32 meeting[MEETINGS];    // meeting[b] = lanes that BSYNC of b waits for
  u32 met[MEETINGS];        // met[b] = lanes that wait there
  u32 warp_barriers;        // how many of these the warp has passed
  Lanes<u64> address;       // of the access to memory that is carried out
};

struct Banks {  // constant memory
  alignas(8) unsigned char launch[BANK_BYTES], literals[BANK_BYTES], variables[BANK_BYTES];

  const unsigned char* of(const Operand& o) const {
    return (o.kind == LAUNCH_BANK ? launch : o.kind == LITERAL_BANK ? literals : variables) + o.value;
  }
};

inline bool has(u32 mask, u32 lane) { return mask >> lane & 1; }
inline u32 lowest(u32 mask) { return u32(__builtin_ctz(mask)); }
inline u64 pair(u32 low, u32 high) { return low | u64(high) << 32; }

template <class To, class From>
inline To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

// The value of `of(lane)` for each lane.
template <class T, class Of>
inline Lanes<T> each(const Of& of) {
  Lanes<T> values;
  for (u32 l = 0; l < LANES; ++l) values[l] = of(l);
  return values;
}

// The lanes for which `of(lane)` holds.
template <class Of>
inline u32 lanes_where(const Of& of) {
  u32 mask = 0;
  for (u32 l = 0; l < LANES; ++l) mask |= u32(bool(of(l))) << l;
  return mask;
}
