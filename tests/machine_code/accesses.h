// Loads and stores. Every address is checked, and every access to global and shared memory is looked at for a data race.
#pragma once
#include "machine.h"

// Operands: target or source, base, further base (may be the number 0), and the offset as a number; options: bytes, whether
// the base has 64 bits, whether the further one has, whether the address has.
enum { DATA, BASE, FURTHER, OFFSET };

inline u64 step_place(const Call& c) { return u64(&c.step - c.machine.launch.steps) * 16; }

inline void find_addresses(const Call& c) {
  const auto part = [&](int i, bool has_64_bits) {
    if (has_64_bits) return c.pairs(i);
    const Lanes<u32> values = c.integers(i);
    return each<u64>([&](u32 l) { return u64(values[l]); });
  };
  const Lanes<u64> base = part(BASE, c.option(1)), further = part(FURTHER, c.option(2));
  const u64 scale = c.step.operands[BASE].scale, offset = c.step.operands[OFFSET].value, kept = c.option(3) ? ~0ull : ~0u;
  c.warp.address = each<u64>([&](u32 l) { return (base[l] * scale + further[l] + offset) & kept; });
}

// Checks an access of a lane for races, word by word.
template <class WordAt>
bool is_ordered(const Call& c, u32 lane, bool stores, const char* space, const WordAt& word_at) {
  const u64 address = c.warp.address[lane];
  const Accessor now{c.machine.block(), c.warp.first_thread + lane, c.machine.interval, c.warp.warp_barriers};
  for (u64 at = address & ~3ull; at < address + u64(c.option(0)); at += 4) {
    Word& word = word_at(at);
    const Access* race = word.touch(now, stores);
    if (!race) continue;
    const bool is_by_many = race->many > Access::ONE_THREAD;
    c.machine.fail("race at %#llx: thread %u %s the word %#llx of %s memory that %s %u of block %llu %s",
                   (unsigned long long)step_place(c), now.thread, stores ? "writes" : "reads", (unsigned long long)at, space,
                   is_by_many ? "several threads, the last of them" : "thread", race->by.thread,
                   (unsigned long long)race->by.block, race == &word.written ? "wrote" : "read");
    return false;
  }
  return true;
}

inline unsigned char* global_bytes(const Call& c, u32 lane, bool stores) {
  Machine& m = c.machine;
  const u64 address = c.warp.address[lane], bytes = u64(c.option(0));
  if (address % bytes) m.fail("misaligned address %#llx of global memory at %#llx", (unsigned long long)address, (unsigned long long)step_place(c));
  else if (!m.range_of(address, bytes)) m.fail("address %#llx outside of every allocation at %#llx", (unsigned long long)address, (unsigned long long)step_place(c));
  else if (is_ordered(c, lane, stores, "global", [&](u64 at) -> Word& { return m.global_words.at(at); }))
    return reinterpret_cast<unsigned char*>(address);
  return nullptr;
}

inline unsigned char* shared_bytes(const Call& c, u32 lane, bool stores) {
  Machine& m = c.machine;
  const u64 address = c.warp.address[lane], bytes = u64(c.option(0)), place = address - m.launch.shared_place;
  if (address % bytes) m.fail("misaligned address %#llx of shared memory at %#llx", (unsigned long long)address, (unsigned long long)step_place(c));
  else if (address < m.launch.shared_place || place + bytes > m.launch.shared_bytes)
    m.fail("address %#llx outside of shared memory at %#llx", (unsigned long long)address, (unsigned long long)step_place(c));
  else if (is_ordered(c, lane, stores, "shared", [&](u64 at) -> Word& { return m.shared_words[(at - m.launch.shared_place) / 4]; }))
    return m.shared.get() + place;
  return nullptr;
}

inline unsigned char* local_bytes(const Call& c, u32 lane, bool) {
  Machine& m = c.machine;
  const u64 address = c.warp.address[lane], bytes = u64(c.option(0));
  if (address % bytes || address + bytes > m.launch.local_bytes) {
    m.fail("address %#llx outside of local memory at %#llx", (unsigned long long)address, (unsigned long long)step_place(c));
    return nullptr;
  }
  return m.local.data() + (c.warp.first_thread + lane) * m.launch.local_bytes + address;
}

template <class Bytes>
void load(const Call& c, const Bytes& bytes_of) {
  const Operand& to = c.step.operands[DATA];
  const u32 bytes = u32(c.option(0)), words = (bytes + 3) / 4;
  find_addresses(c);
  Lanes<u32> loaded[4] = {};
  for (u32 l = 0; l < LANES; ++l) {
    if (!has(c.acting, l)) continue;
    const unsigned char* from = bytes_of(c, l, false);
    if (!from) return;
    u32 values[4] = {};
    memcpy(values, from, bytes);
    for (u32 k = 0; k < words; ++k) loaded[k][l] = values[k];
  }
  for (u32 k = 0; k < words; ++k) c.put_words(to.kind, to.number + k, loaded[k]);
}

template <class Bytes>
void store(const Call& c, const Bytes& bytes_of) {
  const Operand& from = c.step.operands[DATA];
  const u32 bytes = u32(c.option(0));
  find_addresses(c);
  for (u32 l = 0; l < LANES; ++l) {
    if (!has(c.acting, l)) continue;
    u32 values[4] = {};
    if (from.kind == REGISTER)
      for (u32 k = 0; k < (bytes + 3) / 4; ++k) values[k] = c.warp.registers[from.number + k][l];
    unsigned char* to = bytes_of(c, l, true);
    if (!to) return;
    memcpy(to, values, bytes);
  }
}

void load_global(const Call& c) {
  load(c, global_bytes);
  c.machine.counting.global_access(c, false, c.machine.last_range);
}
void store_global(const Call& c) {
  store(c, global_bytes);
  c.machine.counting.global_access(c, true, c.machine.last_range);
}
void load_shared(const Call& c) {
  load(c, shared_bytes);
  c.machine.counting.shared_access(c);
}
void store_shared(const Call& c) {
  store(c, shared_bytes);
  c.machine.counting.shared_access(c);
}
void load_local(const Call& c) { load(c, local_bytes); }
void store_local(const Call& c) { store(c, local_bytes); }
