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
__device__ __forceinline__ bool has_bit(Index value, int position) { return (value >> position & 1) != 0; }

// 1 if an odd number of bits of `value` are set, else 0.
__device__ __forceinline__ int parity(Index value) { return __popcll(value) & 1; }

// The position of the lowest set bit of `value`, which must not be 0.
__device__ __forceinline__ int lowest_position(Index value) { return __popcll((value & (~value + 1)) - 1); }

// The exclusive or of columns[p] over the set bits p of `value`, that is, the value of a linear map over GF(2) that is given
// by its columns. Where each column has one bit, this deposits the bits of `value` at those positions.
template <class Column>
__device__ __forceinline__ Column combine(Index value, const Column* columns, int bits) {
  Column sum = 0;
  for (int p = 0; p < bits; ++p) sum ^= has_bit(value, p) ? columns[p] : Column(0);
  return sum;
}

// The `number`-th number in an order in which each differs from the one before in a single bit, the one at
// lowest_position(number) (a Gray code).
__device__ __forceinline__ constexpr unsigned gray_code(unsigned number) { return number ^ number >> 1; }
