// The only home of bit tricks on the GPU; the names are those of src/basicaer/engine/bits.py.
#pragma once

typedef unsigned long long Index;  // number of a basis state: bit q of it is the value of qubit q

// Whether bit `position` of `value` is set.
__device__ __forceinline__ bool has_bit(Index value, int position) { return (value >> position & 1) != 0; }

// 1 if an odd number of bits is set, else 0.
__device__ __forceinline__ int parity(Index value) { return __popcll(value) & 1; }

// The position of the lowest set bit of `value`, which is not 0.
__device__ __forceinline__ int lowest_position(Index value) { return __popcll((value & (~value + 1)) - 1); }

// Sum, modulo 2 in each bit, of `columns[p]` over the set bits p of `value`: a linear map over GF(2). Where each column is
// one bit, this deposits the bits of `value` at these places.
template <class Column>
__device__ __forceinline__ Column combine(Index value, const Column* columns, int bits) {
  Column sum = 0;
  for (int p = 0; p < bits; ++p) sum ^= has_bit(value, p) ? columns[p] : Column(0);
  return sum;
}

// The bits of `value` at `positions`, lowest first, put side by side.
__device__ __forceinline__ Index extract_bits(Index value, const unsigned char* positions, int count) {
  Index found = 0;
  for (int p = 0; p < count; ++p) found |= Index(has_bit(value, positions[p])) << p;
  return found;
}
