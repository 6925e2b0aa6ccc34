// Counts what accesses ask of memory: sectors of 32 bytes, lines of 128 bytes, and rows of banks of shared memory.
#pragma once
#include <algorithm>
#include <vector>

#include "call.h"

// The sectors that the block which runs has touched.
class Sectors {
 public:
  void begin_block() { ++block_, used_ = 0; }

  // Adds a sector; returns whether it was not there.
  bool add(u64 sector) {
    for (u64 place = sector * 0x9E3779B97F4A7C15ull >> 16;; ++place) {
      Place& found = places_[place & (places_.size() - 1)];
      if (found.block == block_ && found.sector == sector) return false;
      if (found.block == block_) continue;
      found = {sector, block_};
      if (++used_ * 2 > places_.size()) grow();
      return true;
    }
  }

 private:
  struct Place {
    u64 sector = 0, block = 0;
  };

  void grow() {
    std::vector<Place> old(places_.size() * 4);
    old.swap(places_);
    used_ = 0;
    for (const Place& kept : old)
      if (kept.block == block_) add(kept.sector);
  }

  std::vector<Place> places_ = std::vector<Place>(1 << 10);
  u64 block_ = 0, used_ = 0;
};

class Counting {
 public:
  bool is_on = false;
  Counts now{};  // of the instruction that is carried out

  void begin_block() {
    loaded_.begin_block();
    stored_.begin_block();
  }

  void global_access(const Call& c, bool stores, const Range* range) {
    if (!is_on || !range) return;
    const u64 bytes = u64(c.option(0));
    collect(c, 0, LANES, 32, 1);
    now.sectors += places_.size();
    if (range->is_large) {
      now.bytes += bytes * u64(__builtin_popcount(c.acting));
      for (u64 sector : places_) now.new_sectors += (stores ? stored_ : loaded_).add(sector);
    }
    collect(c, 0, LANES, 128, 1);
    now.wavefronts += places_.size();
  }

  // Shared memory serves 128 bytes at a time: 32 lanes with words, 16 with 8 bytes, 8 with 16. A bank gives one word.
  void shared_access(const Call& c) {
    if (!is_on) return;
    const u32 words = std::max(1, c.option(0) / 4), together = LANES / words;
    for (u32 first = 0; first < LANES; first += together) {
      collect(c, first, first + together, 4, words);
      u32 of_bank[32] = {}, most = 0;
      for (u64 word : places_) most = std::max(most, ++of_bank[word % 32]);
      now.wavefronts += most;
    }
  }

 private:
  // Puts into places_ the distinct pieces of `size` bytes that some lanes access, each lane `count` of them.
  void collect(const Call& c, u32 first, u32 end, u64 size, u32 count) {
    places_.clear();
    for (u32 l = first; l < end; ++l)
      for (u32 k = 0; k < count && has(c.acting, l); ++k) places_.push_back(c.warp.address[l] / size + k);
    std::sort(places_.begin(), places_.end());
    places_.erase(std::unique(places_.begin(), places_.end()), places_.end());
  }

  std::vector<u64> places_;
  Sectors loaded_, stored_;
};
