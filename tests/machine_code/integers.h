// Moves, integers and bits. The comment at each function says what its operands and options are; opcodes.py uses these names.
#pragma once
#include <algorithm>

#include "call.h"

enum Comparison { LT, LE, EQ, NE, GE, GT };
enum Joining { AND, OR, XOR };

template <class T>
inline bool compares(int comparison, T a, T b) {
  switch (comparison) {
    case LT: return a < b;
    case LE: return a <= b;
    case EQ: return a == b;
    case NE: return a != b;
    case GE: return a >= b;
    default: return a > b;
  }
}

// Writes two predicates: what was found joined with another predicate, and the opposite joined with it.
inline void put_joined(const Call& c, int first, int second, int joining, u32 found, u32 other) {
  const auto joined = [&](u32 mask) { return joining == AND ? mask & other : joining == OR ? mask | other : mask ^ other; };
  c.put_predicate(first, joined(found));
  c.put_predicate(second, joined(~found));
}

inline u64 left(u64 value, u32 by) { return by > 63 ? 0 : value << by; }
inline u64 right(u64 value, u32 by) { return by > 63 ? 0 : value >> by; }

// to, from
void move(const Call& c) { c.put(0, c.integers(1)); }

// to, from: 64 bits
void move_pair(const Call& c) { c.put(0, c.pairs(1)); }

// to, a, b, which: a in lanes where `which` holds, else b
void select(const Call& c) {
  const Lanes<u32> a = c.integers(1), b = c.integers(2);
  const u32 which = c.predicate(3);
  c.put(0, each<u32>([&](u32 l) { return has(which, l) ? a[l] : b[l]; }));
}

// to, a, selector, b: four bytes of (b, a); a selector of 8 or more copies the byte's sign
void permute_bytes(const Call& c) {
  const Lanes<u32> a = c.integers(1), selectors = c.integers(2), b = c.integers(3);
  c.put(0, each<u32>([&](u32 l) {
          u32 result = 0;
          for (u32 k = 0; k < 4; ++k) {
            const u32 selector = selectors[l] >> 4 * k & 15, byte = u32(pair(a[l], b[l]) >> 8 * (selector & 7)) & 0xff;
            result |= (selector < 8 ? byte : byte & 0x80 ? 0xff : 0) << 8 * k;
          }
          return result;
        }));
}

// from; options: a mask of the predicates that take bits of the register
void register_to_predicates(const Call& c) {
  const Lanes<u32> from = c.integers(0);
  for (u32 p = 0; p < 7; ++p) {
    if (!has(u32(c.option(0)), p)) continue;
    const u32 set = lanes_where([&](u32 l) { return from[l] >> p & 1; });
    c.warp.predicates[p] = (c.warp.predicates[p] & ~c.acting) | (set & c.acting);
  }
}

// to, other bits; options: a mask of predicates, and where in the register their bits go
void predicates_to_register(const Call& c) {
  const Lanes<u32> others = c.integers(1);
  const u32 mask = u32(c.option(0)), shift = u32(c.option(1));
  c.put(0, each<u32>([&](u32 l) {
          u32 bits = 0;
          for (u32 p = 0; p < 7; ++p) bits |= u32(has(c.warp.predicates[p], l)) << p;
          return (others[l] & ~(mask << shift)) | (bits & mask) << shift;
        }));
}

// carry out, to, a, b, c, carry in, carry in, second carry out. A number that is subtracted is inverted and makes another 1 to
// add. Three numbers may carry 2, which then are both carries.
void add(const Call& c) {
  const Lanes<u32> in[] = {c.integers(2), c.integers(3), c.integers(4)};
  const u32 carries[] = {c.predicate(5), c.predicate(6)};
  const Lanes<u64> sums = each<u64>([&](u32 l) {
    u64 sum = u64(has(carries[0], l)) + has(carries[1], l);
    for (int k = 0; k < 3; ++k) sum += c.step.operands[2 + k].changes & NEGATED ? u64(u32(in[k][l] - 1)) + 1 : u64(in[k][l]);
    return sum;
  });
  c.put(1, each<u32>([&](u32 l) { return u32(sums[l]); }));
  c.put_predicate(0, lanes_where([&](u32 l) { return sums[l] >> 32 >= 1; }));
  c.put_predicate(7, lanes_where([&](u32 l) { return sums[l] >> 32 >= 2; }));
}

// nothing, to, a, b, c, carry in
void multiply_add(const Call& c) {
  const Lanes<u32> a = c.integers(2), b = c.integers(3), addend = c.integers(4);
  const u32 carry = c.predicate(5);
  c.put(1, each<u32>([&](u32 l) { return a[l] * b[l] + addend[l] + has(carry, l); }));
}

// As before, with 64 bits of product, addend and sum; options: signed, whether only the upper half of the sum is written
void multiply_add_wide(const Call& c) {
  const Lanes<u32> a = c.integers(2), b = c.integers(3);
  const Lanes<u64> addend = c.pairs(4);
  const u32 carry_in = c.predicate(5);
  u32 carries = 0;
  const Lanes<u64> sums = each<u64>([&](u32 l) {
    const u64 product = c.option(0) ? u64(i64(i32(a[l])) * i32(b[l])) : u64(a[l]) * b[l];
    const unsigned __int128 sum = (unsigned __int128)product + addend[l] + has(carry_in, l);
    carries |= u32(sum >> 64) << l;
    return u64(sum);
  });
  if (c.option(1)) c.put(1, each<u32>([&](u32 l) { return u32(sums[l] >> 32); }));
  else c.put(1, sums);
  c.put_predicate(0, carries);
}

// carry out, to, a, b, upper half of a, carry in; options: shift, whether the upper half of (a << shift) is added to b
void shift_add(const Call& c) {
  const Lanes<u32> a = c.integers(2), b = c.integers(3), upper = c.integers(4);
  const u32 carry = c.predicate(5);
  const Lanes<u64> sums = each<u64>([&](u32 l) {
    const u64 shifted = left(pair(a[l], upper[l]), u32(c.option(0)));
    return u64(u32(c.option(1) ? shifted >> 32 : shifted)) + b[l] + has(carry, l);
  });
  c.put(1, each<u32>([&](u32 l) { return u32(sums[l]); }));
  c.put_predicate(0, lanes_where([&](u32 l) { return sums[l] >> 32; }));
}

// to, low, by, high; options: whether to the left, largest shift, whether `by` wraps around, whether signed, whether the
// upper half of the shifted (high, low) is written
enum Shift { TO_LEFT = 1, WRAPS = 2, SIGNED = 4, UPPER = 8 };
void shift(const Call& c) {
  const Lanes<u32> low = c.integers(1), by = c.integers(2), high = c.integers(3);
  const u32 how = u32(c.option(0)), most = u32(c.option(1));
  c.put(0, each<u32>([&](u32 l) {
          const u32 places = how & WRAPS ? by[l] & most : std::min(by[l], most);
          const u64 both = pair(low[l], high[l]);
          const u64 moved = how & TO_LEFT  ? left(how & UPPER ? both : u64(low[l]), places)
                            : how & SIGNED ? u64(i64(both) >> std::min(places, 63u))
                                           : right(both, places);
          return u32(how & UPPER ? moved >> 32 : moved);
        }));
}

// result is not 0 (or `else`), to, a, b, c, else; options: a table whose bit (a, b, c) is the result for these three bits
void logic(const Call& c) {
  const Lanes<u32> a = c.integers(2), b = c.integers(3), d = c.integers(4);
  Lanes<u32> result = each<u32>([](u32) { return 0u; });
  for (u32 row = 0; row < 8; ++row) {
    if (!has(u32(c.option(0)), row)) continue;
    const u32 fa = row & 4 ? 0 : ~0u, fb = row & 2 ? 0 : ~0u, fd = row & 1 ? 0 : ~0u;
    for (u32 l = 0; l < LANES; ++l) result[l] |= (a[l] ^ fa) & (b[l] ^ fb) & (d[l] ^ fd);
  }
  c.put(1, result);
  c.put_predicate(0, lanes_where([&](u32 l) { return result[l] != 0; }) | c.predicate(5));
}

// to, other, a, b, c: predicates; options: the tables for `to` and for `other`
void logic_of_predicates(const Call& c) {
  const u32 in[] = {c.predicate(2), c.predicate(3), c.predicate(4)};
  for (int target = 0; target < 2; ++target) {
    u32 result = 0;
    for (u32 row = 0; row < 8; ++row)
      if (has(u32(c.option(target)), row))
        result |= (row & 4 ? in[0] : ~in[0]) & (row & 2 ? in[1] : ~in[1]) & (row & 1 ? in[2] : ~in[2]);
    c.put_predicate(target, result);
  }
}

// to, of
void count_ones(const Call& c) {
  const Lanes<u32> of = c.integers(1);
  c.put(0, each<u32>([&](u32 l) { return u32(__builtin_popcount(of[l])); }));
}

// to, a, b, whether the smaller one; options: signed
void smaller_or_larger(const Call& c) {
  const Lanes<u32> a = c.integers(1), b = c.integers(2);
  const u32 smaller = c.predicate(3);
  c.put(0, each<u32>([&](u32 l) {
          const bool is_less = c.option(0) ? i32(a[l]) < i32(b[l]) : a[l] < b[l];
          return is_less == has(smaller, l) ? a[l] : b[l];
        }));
}

// to, opposite, a, b, join with, how the lower halves compare; options: Comparison, Joining, signed, whether there are
// lower halves
void compare(const Call& c) {
  const Lanes<u32> a = c.integers(2), b = c.integers(3);
  const int comparison = c.option(0);
  const auto compared = [&](auto number) {
    typedef decltype(number) T;
    return lanes_where([&](u32 l) { return compares(comparison, T(a[l]), T(b[l])); });
  };
  u32 found = c.option(2) ? compared(i32()) : compared(u32());
  if (c.option(3)) {
    const u32 equal = lanes_where([&](u32 l) { return a[l] == b[l]; });
    found = (equal & c.predicate(5)) | (~equal & found);
  }
  put_joined(c, 0, 1, c.option(1), found, c.predicate(4));
}
