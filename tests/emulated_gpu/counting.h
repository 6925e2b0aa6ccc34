// Counts what a launch asks of memory, as a card would see it: warp by warp.
//
// A warp is 32 threads of consecutive numbers. One access of a warp is made of what its threads do at one site of the source for
// the same time in the block (the k-th pass of one thread belongs with the k-th pass of another, whatever order they ran in).
#pragma once
#include <algorithm>
#include <unordered_map>

namespace cuda_on_cpu {

enum class Space { global, shared };

namespace {

constexpr unsigned warp_threads = 32, bank_row_bytes = 128, sector_bytes = 32;

// Field for field the `Counts` of kernels.py.
struct Counts {
  uint64_t accesses;        // by warps, of both spaces
  uint64_t sectors_loaded;  // distinct 32-byte sectors of global memory, summed over accesses
  uint64_t sectors_stored;
  uint64_t bytes_loaded;  // what the threads asked for
  uint64_t bytes_stored;
  uint64_t shared_wavefronts;
  uint64_t shared_ideal_wavefronts;  // what would do without bank conflicts
  uint64_t barriers;                 // passed by the block that passed most
  uint64_t multiply_adds;
  double worst_conflict_degree;  // wavefronts / ideal wavefronts of the worst access of a warp
};
Counts counts;

struct Access {
  uint64_t key;  // equal for what one warp does at one site for the same time
  uint64_t address;
  unsigned lane;
  unsigned char bytes;
  bool is_store;
  Space space;
};
std::vector<Access> accesses;  // of the block
std::unordered_map<int, unsigned> site_numbers;  // the sites met so far, numbered as they came
std::vector<unsigned> passes;  // passes[number of site * most_threads + thread] = how often the thread has been there
uint64_t barriers_passed;      // by the block
std::vector<uint64_t> places;  // scratch

void begin_block() {
  accesses.clear();
  std::fill(passes.begin(), passes.end(), 0u);
  barriers_passed = 0;
}

void pass_barrier() { ++barriers_passed; }

void count_access(Space space, const void* pointer, unsigned bytes, bool is_store, int site) {
  const uint64_t address = reinterpret_cast<uintptr_t>(pointer);
  const unsigned thread = threadIdx.x;
  const bool is_instruction = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16;
  if (!is_instruction || address % bytes != 0) {
    char place[80];
    std::snprintf(place, sizeof place, "site %d, address %#llx, %u bytes", site, (unsigned long long)address, bytes);
    stop("an access that is misaligned or not of 1, 2, 4, 8 or 16 bytes,", place);
  }
  const size_t number = site_numbers.try_emplace(site, site_numbers.size()).first->second;
  if (passes.size() < (number + 1) * most_threads) passes.resize((number + 1) * most_threads);
  const uint64_t pass = passes[number * most_threads + thread]++;
  const uint64_t warp = thread / warp_threads;
  accesses.push_back({(warp << 20 | number) << 32 | pass, address, thread % warp_threads, (unsigned char)bytes, is_store, space});
}

void count_arithmetic(unsigned multiply_adds) { counts.multiply_adds += multiply_adds; }

size_t keep_distinct(std::vector<uint64_t>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  return items.size();
}

void tally_global(const Access* first, const Access* last) {
  places.clear();
  uint64_t bytes = 0;
  for (const Access* a = first; a != last; ++a) {
    bytes += a->bytes;
    places.push_back(a->address / sector_bytes);  // aligned, so within one sector
  }
  (first->is_store ? counts.bytes_stored : counts.bytes_loaded) += bytes;
  (first->is_store ? counts.sectors_stored : counts.sectors_loaded) += keep_distinct(places);
}

// Shared memory serves a row of 128 bytes at a time: a whole warp of 4-byte words, half a warp of 8 bytes, a quarter of 16 bytes.
// Words of one bank that differ come one after another; a word that several lanes ask for comes once.
void tally_shared(const Access* first, const Access* last) {
  const unsigned word_bytes = std::max<unsigned>(first->bytes, 4), banks = bank_row_bytes / word_bytes;
  unsigned wavefronts = 0, ideal = 0;
  for (unsigned group = 0; group * banks < warp_threads; ++group) {  // as many lanes to a group as there are banks
    places.clear();
    for (const Access* a = first; a != last; ++a)
      if (a->lane / banks == group) places.push_back(a->address / word_bytes);
    if (places.empty()) continue;
    keep_distinct(places);
    unsigned words[warp_threads] = {};  // words[bank] = distinct words that fall into the bank
    for (uint64_t word : places) ++words[word % banks];
    wavefronts += *std::max_element(words, words + banks);
    ++ideal;
  }
  counts.shared_wavefronts += wavefronts;
  counts.shared_ideal_wavefronts += ideal;
  counts.worst_conflict_degree = std::max(counts.worst_conflict_degree, double(wavefronts) / ideal);
}

void end_block() {
  counts.barriers = std::max(counts.barriers, barriers_passed);
  std::sort(accesses.begin(), accesses.end(), [](const Access& a, const Access& b) { return a.key < b.key; });
  for (const Access *first = accesses.data(), *end = first + accesses.size(), *last; first != end; first = last) {
    last = std::find_if(first, end, [&](const Access& a) { return a.key != first->key; });
    ++counts.accesses;
    (first->space == Space::global ? tally_global : tally_shared)(first, last);
  }
}

}  // namespace
}  // namespace cuda_on_cpu
