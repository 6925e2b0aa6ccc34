// What lanes know of themselves, and how they see each other.
#pragma once
#include "machine.h"

enum Special { THREAD_X, BLOCK_X, BLOCK_Y, LANE, ALWAYS_ZERO };

// to; options: Special
void read_special(const Call& c) {
  const Machine& m = c.machine;
  c.put(0, each<u32>([&](u32 l) {
          switch (c.option(0)) {
            case THREAD_X: return c.warp.first_thread + l;
            case BLOCK_X: return m.block_x;
            case BLOCK_Y: return m.block_y;
            case LANE: return l;
            default: return 0u;
          }
        }));
}

// inside, to, from, distance or lane, limits; options: which lane is read. `inside` says whether it lies within the limits;
// where it does not, a lane reads itself.
enum Shuffle { INDEX, UP, DOWN, EXCLUSIVE_OR };
void shuffle(const Call& c) {
  const Lanes<u32> from = c.integers(2), by = c.integers(3), limits = c.integers(4);
  Lanes<u32> seen;
  u32 inside = 0;
  for (u32 l = 0; l < LANES; ++l) {
    const u32 segment = limits[l] >> 8 & 31, last = (l & segment) | (limits[l] & 31 & ~segment), distance = by[l] & 31;
    const i32 other = c.option(0) == INDEX ? i32((l & segment) | (distance & ~segment))
                      : c.option(0) == UP  ? i32(l) - i32(distance)
                      : c.option(0) == DOWN ? i32(l + distance)
                                            : i32(l ^ distance);
    const bool is_inside = c.option(0) == UP ? other >= i32(last) : other <= i32(last);
    const u32 source = is_inside ? u32(other) : l;
    if (has(c.acting, l) && !has(c.acting, source)) c.machine.fail("lane %u shuffles with lane %u, which does not take part", l, source);
    seen[l] = from[source];
    inside |= u32(is_inside) << l;
  }
  c.put(1, seen);
  c.put_predicate(0, inside);
}

// lanes that say yes, what they make together, yes or no; options: whether all must say yes
void vote(const Call& c) {
  const u32 yes = c.predicate(2) & c.acting;
  c.put(0, each<u32>([&](u32) { return yes; }));
  c.put_predicate(1, (c.option(0) ? yes == c.acting : yes != 0) ? ALL_LANES : 0);
}
