// Bit tricks: no other CUDA file shifts bits. The functions that Python needs as well have the same names in
// src/basicaer/engine/bits.py; a test compares the two on all small inputs.
#pragma once

typedef unsigned long long Index;  // number of a basis state: bit q of it is the value of qubit q

// 2^exponent: how many values a number of `exponent` bits has. AMD's compiler computes constants as the host does.
template <class Number = int>
__host__ __device__ __forceinline__ constexpr Number power_of_two(int exponent) {
  return Number(1) << exponent;
}

// The number of which only the bit at `position` is set.
__device__ __forceinline__ constexpr int bit_at(int position) { return 1 << position; }

// The largest number of `width` bits.
__device__ __forceinline__ Index all_ones(int width) { return power_of_two<Index>(width) - 1; }

// The number that the lowest `width` bits of `value` make.
__device__ __forceinline__ unsigned lowest_bits(unsigned value, int width) { return value & (power_of_two<unsigned>(width) - 1); }

// What is left of `value` when it is divided by `power`, a power of two.
__device__ __forceinline__ unsigned remainder_of(unsigned value, unsigned power) { return value & (power - 1); }

// `value` without its lowest `places` bits: those above move down.
template <class Number>
__device__ __forceinline__ Number shifted_down(Number value, int places) {
  return value >> places;
}

// `value` with `width` zeros put in at `position`: the bits from there on move up.
template <class Number>
__device__ __forceinline__ Number with_gap(Number value, int position, int width) {
  const Number low = value & Number(all_ones(position));
  return low | (value ^ low) << width;
}

// Whether the bit at `position` of `value` is set.
template <class Number>
__device__ __forceinline__ bool has_bit(Number value, int position) {
  return (value >> position & 1) != 0;
}

// The number whose highest bit is the bit at `position` of `value`, and of which no other bit is set.
__device__ __forceinline__ unsigned as_highest_bit(unsigned value, int position) { return value << (31 - position) & 1u << 31; }

// The position of the highest set bit of `value`, which must not be 0.
__device__ __forceinline__ constexpr int highest_position(unsigned value) {
  int position = 0;
  while (value >> position > 1) ++position;
  return position;
}

// How many bits of `value` are set.
__device__ __forceinline__ unsigned number_of_ones(unsigned value) { return __popc(value); }
__device__ __forceinline__ unsigned number_of_ones(Index value) { return __popcll(value); }

// 1 if an odd number of bits of `value` are set, else 0.
template <class Number>
__device__ __forceinline__ int parity(Number value) {
  return number_of_ones(value) & 1;
}

// The position of the lowest set bit of `value`, which must not be 0.
template <class Number>
__device__ __forceinline__ int lowest_position(Number value) {
  return __popcll((value & (~value + 1)) - 1);
}

// `value` without its lowest set bit.
template <class Number>
__device__ __forceinline__ Number without_lowest(Number value) {
  return value & (value - 1);
}

// The set of numbers of `width` bits that have the bit at `position`, as a mask; all numbers for position -1.
__device__ __forceinline__ constexpr unsigned numbers_with_bit(int position, int width) {
  unsigned found = 0;
  for (int number = 0; number < power_of_two(width); ++number)
    if (position < 0 || (number >> position & 1)) found |= 1u << number;
  return found;
}

// The exclusive or of columns[p] over the set bits p of `value`, that is, the value of a linear map over GF(2) that is given
// by its columns. Where each column has one bit, this deposits the bits of `value` at those positions.
template <class Column>
__device__ __forceinline__ Column combine(Index value, const Column* columns, int bits) {
  Column sum = 0;
  for (int p = 0; p < bits; ++p) sum ^= has_bit(value, p) ? columns[p] : Column(0);
  return sum;
}

// As `combine`, with a column for each of 8 bits, all in registers.
template <class Column>
__device__ __forceinline__ Column combine_all(unsigned value, const Column (&columns)[8]) {
  Column sum = 0;
#pragma unroll
  for (int p = 0; p < 8; ++p) sum ^= columns[p] & (0 - Column(value >> p & 1));
  return sum;
}

// As `combine`, from tables: tables[256 * k + v] is what the k-th byte of `value` adds where it is v.
__device__ __forceinline__ Index combine_bytes(unsigned value, const Index* tables, unsigned bits) {
  Index sum = tables[value & 0xff];
  for (unsigned k = 1; 8 * k < bits; ++k) sum ^= tables[256 * k + (value >> 8 * k & 0xff)];
  return sum;
}

// The number with `low` as its lowest `width` bits and `high` above them.
__device__ __forceinline__ Index joined(unsigned high, unsigned low, int width) { return Index(high) << width | low; }

// The number whose bit j, for j < COUNT, is the bit of `value` at the position that byte j of `positions` says.
template <int COUNT>
__device__ __forceinline__ unsigned picked(Index value, unsigned positions) {
  unsigned sum = 0;
#pragma unroll
  for (int j = 0; j < COUNT; ++j) sum |= unsigned(value >> (positions >> 8 * j & 63) & 1) << j;
  return sum;
}

// A set of numbers of `WIDTH` bits, as a mask: that of (number ^ by) for all of them.
template <int WIDTH>
__device__ __forceinline__ unsigned with_bits_exchanged(unsigned mask, unsigned by) {
#pragma unroll
  for (int j = 0; j < WIDTH; ++j) {
    const unsigned low = 0xffffffffu / ((1u << (1 << j)) + 1u);  // positions whose bit j is 0
    if (has_bit(by, j)) mask = (mask & low) << (1 << j) | (mask >> (1 << j) & low);
  }
  return mask;
}

// The `number`-th number in an order in which each differs from the one before in a single bit, the one at
// lowest_position(number) (a Gray code).
__device__ __forceinline__ constexpr unsigned gray_code(unsigned number) { return number ^ number >> 1; }

// For kernels whose threads take every (gridDim.x * blockDim.x)-th of the numbers below `end`.
#define for_each_number(i, end) \
  for (Index i = Index(blockIdx.x) * blockDim.x + threadIdx.x; i < (end); i += Index(gridDim.x) * blockDim.x)
