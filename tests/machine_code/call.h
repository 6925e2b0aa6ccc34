// An instruction that is carried out for some lanes of a warp: how it reads its operands and writes its results.
#pragma once
#include <cmath>

#include "warp.h"

struct Machine;

inline float flushed(float value) { return std::fabs(value) < 1.17549435e-38f ? std::copysign(0.0f, value) : value; }

struct Call {
  Machine& machine;
  const Banks& banks;
  Warp& warp;
  const Step& step;
  u32 acting;  // mask of the lanes that the instruction acts on

  i32 option(int i) const { return step.options[i]; }

  // Sources: operand number `i` as numbers of one type, for all lanes.

  Lanes<u32> integers(int i) const {
    const u8 changes = step.operands[i].changes;
    Lanes<u32> values = words(i);
    if (changes & NEGATED) values = each<u32>([&](u32 l) { return 0 - values[l]; });
    if (changes & INVERTED) values = each<u32>([&](u32 l) { return ~values[l]; });
    return values;
  }

  Lanes<u32> float_bits(int i) const {
    const u8 changes = step.operands[i].changes;
    const u32 kept = changes & ABSOLUTE ? 0x7fffffff : ~0u, flipped = changes & NEGATED ? 0x80000000 : 0;
    const Lanes<u32> values = words(i);
    return each<u32>([&](u32 l) { return (values[l] & kept) ^ flipped; });
  }

  Lanes<float> floats(int i, bool flush) const {
    const Lanes<u32> values = float_bits(i);
    if (flush) return each<float>([&](u32 l) { return flushed(bits_as<float>(values[l])); });
    return each<float>([&](u32 l) { return bits_as<float>(values[l]); });
  }

  // `further` is how many registers behind the first one of the operand they begin.
  Lanes<u64> pairs(int i, u32 further = 0) const {
    const Operand& o = step.operands[i];
    const u32 first = o.number + further;
    u64 same = o.value;
    if (o.kind == REGISTER)
      return each<u64>([&](u32 l) { return pair(warp.registers[first][l], warp.registers[first + 1][l]); });
    if (o.kind == UNIFORM) same = pair(warp.uniform[o.number], warp.uniform[o.number + 1]);
    else if (o.kind != NUMBER) memcpy(&same, banks.of(o), sizeof same);
    return each<u64>([&](u32) { return same; });
  }

  Lanes<double> doubles(int i, u32 further = 0) const {
    const u8 changes = step.operands[i].changes;
    const u64 kept = changes & ABSOLUTE ? ~0ull >> 1 : ~0ull, flipped = changes & NEGATED ? 1ull << 63 : 0;
    const Lanes<u64> values = pairs(i, further);
    return each<double>([&](u32 l) { return bits_as<double>((values[l] & kept) ^ flipped); });
  }

  // The lanes in which a predicate holds.
  static u32 lanes_of(const Warp& warp, const Operand& o) {
    u32 mask = ALL_LANES;
    if (o.kind == PREDICATE) mask = warp.predicates[o.number];
    if (o.kind == UNIFORM_PREDICATE) mask = has(warp.uniform_predicates, o.number) ? ALL_LANES : 0;
    return o.changes & INVERTED ? ~mask : mask;
  }
  u32 predicate(int i) const { return lanes_of(warp, step.operands[i]); }

  // Targets: the acting lanes of operand number `i` are written. What a warp has once takes the value of the lowest of them.

  void put(int i, const Lanes<u32>& values) const { put_words(step.operands[i].kind, step.operands[i].number, values); }
  void put(int i, const Lanes<float>& values) const {
    put(i, each<u32>([&](u32 l) { return bits_as<u32>(values[l]); }));
  }
  void put(int i, const Lanes<u64>& values, u32 further = 0) const {
    const Operand& o = step.operands[i];
    const u32 first = o.number + further;
    put_words(o.kind, first, each<u32>([&](u32 l) { return u32(values[l]); }));
    put_words(o.kind, first + 1, each<u32>([&](u32 l) { return u32(values[l] >> 32); }));
  }
  void put(int i, const Lanes<double>& values, u32 further = 0) const {
    put(i, each<u64>([&](u32 l) { return bits_as<u64>(values[l]); }), further);
  }

  void put_predicate(int i, u32 lanes) const {
    const Operand& o = step.operands[i];
    u32& held = warp.predicates[o.number];
    if (o.kind == PREDICATE) held = (held & ~acting) | (lanes & acting);
    if (o.kind != UNIFORM_PREDICATE) return;
    const u32 bit = 1u << o.number;
    warp.uniform_predicates = has(lanes, lowest(acting)) ? warp.uniform_predicates | bit : warp.uniform_predicates & ~bit;
  }

  void put_words(u8 kind, u32 number, const Lanes<u32>& values) const {
    if (kind == UNIFORM) warp.uniform[number] = values[lowest(acting)];
    if (kind != REGISTER) return;
    u32* const to = warp.registers[number];
    for (u32 l = 0; l < LANES; ++l) to[l] = has(acting, l) ? values[l] : to[l];
  }

 private:
  Lanes<u32> words(int i) const {
    const Operand& o = step.operands[i];
    if (o.kind == REGISTER) {
      const u32 shift = o.byte ? 8 * (o.byte - 1) : 0, mask = o.byte ? 0xff : ~0u;
      return each<u32>([&](u32 l) { return warp.registers[o.number][l] >> shift & mask; });
    }
    u32 same = u32(o.value);
    if (o.kind == UNIFORM) same = warp.uniform[o.number];
    else if (o.kind != NUMBER) memcpy(&same, banks.of(o), sizeof same);
    return each<u32>([&](u32) { return same; });
  }
};
