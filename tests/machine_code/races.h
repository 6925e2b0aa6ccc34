// Data races: two accesses to a word of memory by different threads, one of them a write, in no order that CUDA guarantees.
//
// Threads of a block are ordered by __syncthreads, lanes of a warp also by __syncwarp, and blocks of a launch by nothing. That
// lanes of a warp go in step here, and that blocks run one after another, does not count. An access to a part of a word
// counts as one to the whole word, so that two threads that write different bytes of it are taken for a race.
#pragma once
#include <vector>

#include "warp.h"

// Who makes an access, and when.
struct Accessor {
  u64 block;
  u32 thread, interval, warp_barriers;  // intervals lie between two barriers of a block
};

// The last accesses of one sort to a word that later ones must be ordered with.
struct Access {
  enum Many : u32 { NOBODY, ONE_THREAD, ONE_WARP, ONE_BLOCK, SEVERAL_BLOCKS };
  Accessor by;
  u32 many = NOBODY;

  bool happens_before(const Accessor& now) const {
    if (many == NOBODY) return true;
    if (many == SEVERAL_BLOCKS || by.block != now.block) return false;
    if (by.interval != now.interval) return true;
    if (many == ONE_THREAD && by.thread == now.thread) return true;
    return many <= ONE_WARP && by.thread / LANES == now.thread / LANES && by.warp_barriers != now.warp_barriers;
  }

  // Several threads may read: this remembers enough of them to know which writes would not be ordered with all.
  void join(const Accessor& now) {
    const bool is_of_another_warp = by.thread / LANES != now.thread / LANES;
    if (happens_before(now)) many = ONE_THREAD;  // what is ordered with this access is ordered with those before it
    else if (many == SEVERAL_BLOCKS || by.block != now.block) many = SEVERAL_BLOCKS;
    else many = many == ONE_BLOCK || is_of_another_warp ? ONE_BLOCK : ONE_WARP;
    by = now;
  }
};

struct Word {
  Access written, read;

  // Notes an access; returns what it races with, or null.
  const Access* touch(const Accessor& now, bool writes) {
    const Access* race = !written.happens_before(now) ? &written : writes && !read.happens_before(now) ? &read : nullptr;
    if (!race && writes) written = {now, Access::ONE_THREAD};
    if (!race && !writes) read.join(now);
    return race;
  }
};

// The words of global memory that a launch has touched, by address; four words that lie side by side share a place.
class TouchedWords {
 public:
  Word& at(u64 address) {
    const u64 group = address / 16;
    u64 place = find(group);
    if (places_[place].group == NONE) {
      if (++used_ * 2 > places_.size()) grow(), place = find(group);
      places_[place].group = group;
    }
    return places_[place].words[address / 4 % 4];
  }

 private:
  static constexpr u64 NONE = ~0ull;
  struct Place {
    u64 group = NONE;
    Word words[4];
  };

  u64 find(u64 group) const {
    u64 place = group * 0x9E3779B97F4A7C15ull >> 16 & (places_.size() - 1);
    while (places_[place].group != NONE && places_[place].group != group) place = (place + 1) & (places_.size() - 1);
    return place;
  }

  void grow() {
    std::vector<Place> old(places_.size() * 4);
    old.swap(places_);
    for (const Place& kept : old)
      if (kept.group != NONE) places_[find(kept.group)] = kept;
  }

  std::vector<Place> places_ = std::vector<Place>(256);
  u64 used_ = 0;
};
