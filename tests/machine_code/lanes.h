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
    if (has(c.acting, l) && !has(c.acting, source))
      c.machine.fail("lane %u shuffles with lane %u, which does not take part", l, source);
    seen[l] = from[source];
    inside |= u32(is_inside) << l;
  }
  c.put(1, seen);
  c.put_predicate(0, inside);
}

// to, first, second, added; options: rows and columns of the first matrix. All lanes hold parts of the matrices, in registers that
// follow one another: lane 4 * i + j has of the first what is in rows i, i + 8 and columns j, j + 4, of the second, which has 8
// columns, what is in rows j, j + 4 and column i, and of what is added and of the sum what is in rows i, i + 8 and columns 2 * j
// and 2 * j + 1. A card may add products in another order.
void multiply_matrices(const Call& c) {
  if (c.acting != ALL_LANES) c.machine.fail("a product of matrices by some lanes of a warp");
  const u32 rows = u32(c.option(0)) / 8, depth = u32(c.option(1)) / 4;
  Lanes<double> first[2][2], second[2];  // first[h][k] is what lanes have in rows i + 8 * h and columns j + 4 * k
  for (u32 k = 0; k < depth; ++k) {
    second[k] = c.doubles(2, 2 * k);
    for (u32 h = 0; h < rows; ++h) first[h][k] = c.doubles(1, 2 * (h + rows * k));
  }
  Lanes<double> sums[4];
  for (u32 h = 0; h < rows; ++h)
    for (u32 m = 0; m < 2; ++m) {
      const Lanes<double> added = c.doubles(3, 2 * (m + 2 * h));
      sums[m + 2 * h] = each<double>([&](u32 l) {
        double sum = added[l];
        for (u32 k = 0; k < 4 * depth; ++k)
          sum = std::fma(first[h][k / 4][l / 4 * 4 + k % 4], second[k / 4][4 * (2 * (l % 4) + m) + k % 4], sum);
        return sum;
      });
    }
  for (u32 n = 0; n < 2 * rows; ++n) c.put(0, sums[n], 2 * n);
}

// lanes that say yes, what they make together, yes or no; options: whether all must say yes
void vote(const Call& c) {
  const u32 yes = c.predicate(2) & c.acting;
  c.put(0, each<u32>([&](u32) { return yes; }));
  c.put_predicate(1, (c.option(0) ? yes == c.acting : yes != 0) ? ALL_LANES : 0);
}
