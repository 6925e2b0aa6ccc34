// Floating point. All rounding is to nearest unless a name says otherwise; g++ is told not to contract a * b + c.
#pragma once
#include "integers.h"

enum FloatOption { FLUSH = 1 };  // subnormal single-precision operands and results become 0

inline Lanes<float> rounded(const Call& c, const Lanes<float>& values) {
  if (!(c.option(0) & FLUSH)) return values;
  return each<float>([&](u32 l) { return flushed(values[l]); });
}

// to, a, b, which: as `select`; signs of a and b may be changed
void select_float(const Call& c) {
  const Lanes<u32> a = c.float_bits(1), b = c.float_bits(2);
  const u32 which = c.predicate(3);
  c.put(0, each<u32>([&](u32 l) { return has(which, l) ? a[l] : b[l]; }));
}

// to, a, b
void add_doubles(const Call& c) {
  const Lanes<double> a = c.doubles(1), b = c.doubles(2);
  c.put(0, each<double>([&](u32 l) { return a[l] + b[l]; }));
}

// to, a, b
void multiply_doubles(const Call& c) {
  const Lanes<double> a = c.doubles(1), b = c.doubles(2);
  c.put(0, each<double>([&](u32 l) { return a[l] * b[l]; }));
}

// to, a, b, c
void fused_doubles(const Call& c) {
  const Lanes<double> a = c.doubles(1), b = c.doubles(2), addend = c.doubles(3);
  c.put(0, each<double>([&](u32 l) { return std::fma(a[l], b[l], addend[l]); }));
}

// to, opposite, a, b, join with; options: Comparison, Joining, whether it holds too if a or b is not a number
void compare_doubles(const Call& c) {
  const Lanes<double> a = c.doubles(2), b = c.doubles(3);
  const u32 found = lanes_where([&](u32 l) {
    const bool is_unordered = std::isnan(a[l]) || std::isnan(b[l]);
    return is_unordered ? c.option(2) != 0 : compares(c.option(0), a[l], b[l]);
  });
  put_joined(c, 0, 1, c.option(1), found, c.predicate(4));
}

// to, a, b; options: FloatOption. This holds for all that follow.
void add_floats(const Call& c) {
  const Lanes<float> a = c.floats(1, c.option(0) & FLUSH), b = c.floats(2, c.option(0) & FLUSH);
  c.put(0, rounded(c, each<float>([&](u32 l) { return a[l] + b[l]; })));
}

// to, a, b
void multiply_floats(const Call& c) {
  const Lanes<float> a = c.floats(1, c.option(0) & FLUSH), b = c.floats(2, c.option(0) & FLUSH);
  c.put(0, rounded(c, each<float>([&](u32 l) { return a[l] * b[l]; })));
}

// to, a, b, c
void fused_floats(const Call& c) {
  const bool flush = c.option(0) & FLUSH;
  const Lanes<float> a = c.floats(1, flush), b = c.floats(2, flush), addend = c.floats(3, flush);
  c.put(0, rounded(c, each<float>([&](u32 l) { return std::fma(a[l], b[l], addend[l]); })));
}

// to, from
void float_to_double(const Call& c) {
  const Lanes<float> from = c.floats(1, c.option(0) & FLUSH);
  c.put(0, each<double>([&](u32 l) { return double(from[l]); }));
}

// to, from
void double_to_float(const Call& c) {
  const Lanes<double> from = c.doubles(1);
  c.put(0, rounded(c, each<float>([&](u32 l) { return float(from[l]); })));
}

inline float rounded_up(u64 value) {
  const float nearest = float(value);
  return nearest < 0x1p64f && u64(nearest) < value ? std::nextafterf(nearest, INFINITY) : nearest;
}

// to, from: an unsigned number becomes the smallest float that is not below it
void unsigned_to_float_above(const Call& c) {
  const Lanes<u32> from = c.integers(1);
  c.put(0, each<float>([&](u32 l) { return rounded_up(from[l]); }));
}

void unsigned_pair_to_float_above(const Call& c) {
  const Lanes<u64> from = c.pairs(1);
  c.put(0, each<float>([&](u32 l) { return rounded_up(from[l]); }));
}

// to, from: without the fraction; what is too large or too small becomes the largest or smallest integer
void float_to_unsigned(const Call& c) {
  const Lanes<float> from = c.floats(1, c.option(0) & FLUSH);
  c.put(0, each<u32>([&](u32 l) { return from[l] >= 0x1p32f ? ~0u : from[l] > 0 ? u32(from[l]) : 0; }));
}

void float_to_unsigned_pair(const Call& c) {
  const Lanes<float> from = c.floats(1, c.option(0) & FLUSH);
  c.put(0, each<u64>([&](u32 l) { return from[l] >= 0x1p64f ? ~0ull : from[l] > 0 ? u64(from[l]) : 0; }));
}

// to, of. A card's result may differ by one unit in the last place; this one is rounded correctly.
void reciprocal(const Call& c) {
  const Lanes<float> of = c.floats(1, false);
  c.put(0, each<float>([&](u32 l) { return 1 / of[l]; }));
}
