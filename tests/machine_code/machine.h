// What a launch has while it runs: constant and shared memory, the block that runs, counts, and the first failure.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "call.h"
#include "counting.h"
#include "races.h"

// splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
struct Random {
  u64 state;

  u64 next() {
    u64 z = state += 0x9E3779B97F4A7C15ull;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
  }

  u64 below(u64 end) { return u64((unsigned __int128)next() * end >> 64); }

  template <class T>
  void shuffle(std::vector<T>& items) {
    for (size_t left = items.size(); left > 1; --left) std::swap(items[left - 1], items[below(left)]);
  }
};

struct Machine {
  Launch& launch;
  Random random;
  Banks banks{};
  std::vector<Warp> warps;
  std::vector<unsigned char> local;  // of each thread, one after another
  std::unique_ptr<unsigned char, decltype(&free)> shared{nullptr, free};
  u32 block_x = 0, block_y = 0, interval = 0;
  TouchedWords global_words;
  std::vector<Word> shared_words;
  Counting counting;
  const Range* last_range = nullptr;  // where the last address was found

  explicit Machine(Launch& asked) : launch(asked), random{asked.seed} {}

  u64 block() const { return u64(block_y) * launch.blocks_x + block_x; }
  bool has_failed() const { return launch.why[0] != 0; }

  // Ends the launch; the first failure is the one that is told.
  template <class... Values>
  void fail(const char* what, Values... values) {
    if (has_failed()) return;
    char text[300];
    snprintf(text, sizeof text, what, values...);
    snprintf(launch.why, sizeof launch.why, "%s, block (%u, %u)", text, block_x, block_y);
  }

  // Returns the allocation that holds the bytes; null, after a failure, if none does.
  const Range* range_of(u64 address, u64 bytes) {
    const auto holds = [&](const Range& r) { return address >= r.begin && address + bytes <= r.end; };
    if (last_range && holds(*last_range)) return last_range;
    for (const Range* r = launch.ranges; r < launch.ranges + launch.range_count; ++r)
      if (holds(*r)) return last_range = r;
    return nullptr;
  }
};
