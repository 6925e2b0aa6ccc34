// A model of a multiprocessor that runs blocks: from what warps issued, it says how many cycles a block takes.
//
// Each of four schedulers issues an instruction in a cycle, from the first of its warps that is ready: whose stall is over, whose
// scoreboards are down, and whose unit is free. Loads and stores go through one path; what reaches memory behind the caches
// takes its share of the bandwidth. Not modelled: the instruction cache, register banks, cache misses, address translation.
#include <algorithm>
#include <vector>

#include "structures.h"

// What is known of an instruction before it runs. It keeps the unit of its scheduler busy for so many cycles.
struct Instruction {
  i32 unit, busy, stall, raised_until_written, raised_until_read, awaited;
};

enum Unit { ANY, DOUBLE, SINGLE, INTEGER, MULTIPLY, SLOW, GLOBAL_LOAD, GLOBAL_STORE, SHARED, BARRIER, UNITS };

// Cycles, unless something else is said.
struct Card {
  double bytes_per_cycle;  // of memory, for one multiprocessor
  i32 latency, shared_latency, near_latency, memory_latency, barrier_latency, next_block;
  i32 most_queued_stores;  // until stores have to wait for memory
};

struct Shape {
  i32 warps, resident, blocks, wanted;  // of a block; blocks at a time; traced blocks; blocks to run
};

struct Result {
  double cycles;  // for a block
  double issue_share, memory_share, double_share;  // how much of each is in use
};

namespace {

constexpr int SCHEDULERS = 4, SCOREBOARDS = 6;

struct Warp {
  const Issued *next, *end;
  u64 ready;
  i32 standing[SCOREBOARDS];  // how many have raised each scoreboard
  i32 slot;                   // which of the resident blocks it belongs to
  u32 life;                   // how many blocks have run in its place
  bool at_barrier;

  bool is_done() const { return next == end; }
};

struct Lowering {  // of a scoreboard
  u64 when;
  i32 warp, scoreboard;
  u32 life;
  bool operator<(const Lowering& other) const { return when > other.when; }
};

class Multiprocessor {
 public:
  Multiprocessor(const Instruction* instructions, const Issued* const* traces, const u64* sizes, const Card& card,
                 const Shape& shape)
      : instructions_(instructions), traces_(traces), sizes_(sizes), card_(card), shape_(shape),
        warps_(size_t(shape.warps) * shape.resident), running_(shape.resident) {
    for (i32 slot = 0; slot < shape.resident; ++slot) begin_block(slot, u64(slot) * card.next_block);
  }

  // Returns whether it ended; it does not if all warps wait for each other.
  bool run(Result& result) {
    while (done_ < shape_.wanted) {
      lower_scoreboards();
      soonest_ = ~0ull;
      bool any = false;
      for (int s = 0; s < SCHEDULERS; ++s) any |= issue(s);
      if (!any && !lowerings_.empty()) soonest_ = std::min(soonest_, lowerings_.front().when);
      if (!any && soonest_ == ~0ull) return false;
      now_ = any ? now_ + 1 : std::max(now_ + 1, soonest_);
    }
    const double cycles = double(now_ - begin_.now), slots = cycles * SCHEDULERS;
    result = {cycles / (done_ - begin_.done), double(issued_ - begin_.issued) / slots, (memory_busy_ - begin_.memory_busy) / cycles,
              double(double_busy_ - begin_.double_busy) / slots};
    return true;
  }

 private:
  void begin_block(i32 slot, u64 when) {
    const i32 block = started_++ % shape_.blocks;
    for (i32 i = 0; i < shape_.warps; ++i) {
      Warp& w = warps_[slot * shape_.warps + i];
      const i32 trace = block * shape_.warps + i;
      w = {traces_[trace], traces_[trace] + sizes_[trace], when, {}, slot, w.life + 1, false};
    }
    running_[slot] = shape_.warps;
  }

  void lower_scoreboards() {
    while (!lowerings_.empty() && lowerings_.front().when <= now_) {
      const Lowering due = lowerings_.front();
      std::pop_heap(lowerings_.begin(), lowerings_.end());
      lowerings_.pop_back();
      if (warps_[due.warp].life == due.life) --warps_[due.warp].standing[due.scoreboard];
    }
  }

  void raise(i32 warp, i32 scoreboard, u64 until) {
    if (scoreboard >= SCOREBOARDS) return;
    ++warps_[warp].standing[scoreboard];
    lowerings_.push_back({until, warp, scoreboard, warps_[warp].life});
    std::push_heap(lowerings_.begin(), lowerings_.end());
  }

  // Whether a time has come; if not, it is remembered as one to go on at.
  bool has_come(u64 when) {
    if (when > now_) soonest_ = std::min(soonest_, when);
    return when <= now_;
  }

  bool is_ready(const Warp& w, int scheduler) {
    if (w.is_done() || w.at_barrier || !has_come(w.ready)) return false;
    const Instruction& instruction = instructions_[w.next->step];
    for (int b = 0; b < SCOREBOARDS; ++b)
      if ((instruction.awaited >> b & 1) && w.standing[b]) return false;
    if (!w.next->acts) return true;
    if (instruction.unit == GLOBAL_STORE && !has_come(u64(std::max(0.0, memory_free_ - card_.most_queued_stores)))) return false;
    if (instruction.unit >= GLOBAL_LOAD && instruction.unit <= SHARED) return has_come(u64(std::max(0.0, path_free_ - 64)));
    return has_come(unit_free_[instruction.unit][scheduler]);
  }

  bool issue(int scheduler) {
    const int own = (int(warps_.size()) - scheduler + SCHEDULERS - 1) / SCHEDULERS;
    for (int j = 0; j < own; ++j) {
      const int turn = (last_[scheduler] + j) % own, number = turn * SCHEDULERS + scheduler;
      if (!is_ready(warps_[number], scheduler)) continue;
      last_[scheduler] = turn;
      carry_out(number, scheduler);
      return true;
    }
    return false;
  }

  void carry_out(int number, int scheduler) {
    Warp& w = warps_[number];
    const Issued& issued = *w.next++;
    const Instruction& instruction = instructions_[issued.step];
    ++issued_;
    u64 written = now_ + card_.latency, read = now_ + 12;
    if (issued.acts) {
      unit_free_[instruction.unit][scheduler] = now_ + u64(instruction.busy);
      if (instruction.unit == DOUBLE) double_busy_ += u64(instruction.busy);
      if (instruction.unit >= GLOBAL_LOAD && instruction.unit <= SHARED) access(instruction, issued, written, read);
    }
    raise(number, instruction.raised_until_written, written);
    raise(number, instruction.raised_until_read, read);
    w.ready = now_ + u64(std::max(1, instruction.stall));
    if (instruction.unit == BARRIER && issued.acts) w.at_barrier = true;
    let_block_go_on(w);
  }

  // A load or store: the path is taken for each row of banks, or for each four sectors, and then memory, if it is asked.
  void access(const Instruction& instruction, const Issued& issued, u64& written, u64& read) {
    const double from = std::max(path_free_, double(now_));
    const double rows = instruction.unit == SHARED ? issued.wavefronts : issued.sectors / 4.0;
    path_free_ = from + std::max(1.0, rows);
    read = u64(path_free_) + 4;
    written = u64(path_free_) + u64(instruction.unit == SHARED ? card_.shared_latency : card_.near_latency);
    if (!issued.new_sectors) return;
    const double takes = 32.0 * issued.new_sectors / card_.bytes_per_cycle;
    memory_free_ = std::max(memory_free_, path_free_) + takes;
    memory_busy_ += takes;
    written = u64(memory_free_) + card_.memory_latency;
  }

  void let_block_go_on(const Warp& w) {
    Warp* const first = &warps_[w.slot * shape_.warps];
    Warp* const end = first + shape_.warps;
    if (std::all_of(first, end, [](const Warp& other) { return other.at_barrier || other.is_done(); }))
      for (Warp* other = first; other < end; ++other)
        if (other->at_barrier) other->at_barrier = false, other->ready = std::max(other->ready, now_ + card_.barrier_latency);
    if (!w.is_done() || --running_[w.slot]) return;
    if (++done_ == 2 * shape_.resident) begin_ = {now_, issued_, double_busy_, done_, memory_busy_};  // all is under way
    begin_block(w.slot, now_ + card_.next_block);
  }

  const Instruction* instructions_;
  const Issued* const* traces_;
  const u64* sizes_;
  const Card& card_;
  const Shape& shape_;
  std::vector<Warp> warps_;
  std::vector<i32> running_;  // running_[slot] = warps of its block that have not ended
  std::vector<Lowering> lowerings_;
  u64 unit_free_[UNITS][SCHEDULERS] = {};
  int last_[SCHEDULERS] = {};
  u64 now_ = 0, soonest_ = 0, issued_ = 0, double_busy_ = 0;
  double path_free_ = 0, memory_free_ = 0, memory_busy_ = 0;
  i32 started_ = 0, done_ = 0;
  struct {
    u64 now, issued, double_busy;
    i32 done;
    double memory_busy;
  } begin_ = {};
};

}  // namespace

// traces[block * warps + warp] has sizes[...] instructions. Returns 0; 1 if all warps wait for each other.
extern "C" __attribute__((visibility("default"))) int simulate(const Instruction* instructions, const Issued* const* traces,
                                                               const u64* sizes, const Card* card, const Shape* shape,
                                                               Result* result) {
  return Multiprocessor(instructions, traces, sizes, *card, *shape).run(*result) ? 0 : 1;
}
