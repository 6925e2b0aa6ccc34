// Runs the machine code of a kernel on the CPU: blocks in random order, and in each the warps in random order, from barrier to
// barrier. Lanes of a warp that stand at its lowest instruction go together, as BSSY and BSYNC let them meet again.
#include "accesses.h"
#include "floats.h"
#include "integers.h"
#include "lanes.h"
#include "machine.h"

namespace {

typedef void (*Handler)(const Call&);

// What an instruction does to the flow of control: the lanes that act are `acting`.
enum Flow : u32 {
  DO_NOTHING, BRANCH, RETURN, EXIT, TRAP, SET_MEETING, CLEAR_MEETING, LEAVE_MEETING, MEET, MEET_WARP, ORDER_LANES, BARRIER, FLOWS
};

struct Named {
  const char* name;
  Handler handler;  // null: one of Flow
};
#define FLOW(name) {#name, nullptr}
#define HANDLER(name) {#name, name}
const Named HANDLERS[] = {
    // in the order of Flow
    FLOW(do_nothing), FLOW(branch), FLOW(return_), FLOW(exit), FLOW(trap), FLOW(set_meeting), FLOW(clear_meeting),
    FLOW(leave_meeting), FLOW(meet), FLOW(meet_warp), FLOW(order_lanes), FLOW(barrier),
    HANDLER(move), HANDLER(move_pair), HANDLER(select), HANDLER(permute_bytes), HANDLER(register_to_predicates),
    HANDLER(predicates_to_register), HANDLER(add), HANDLER(multiply_add), HANDLER(multiply_add_wide), HANDLER(shift_add),
    HANDLER(shift), HANDLER(logic), HANDLER(logic_of_predicates), HANDLER(count_ones), HANDLER(smaller_or_larger),
    HANDLER(compare), HANDLER(select_float), HANDLER(add_doubles), HANDLER(multiply_doubles), HANDLER(fused_doubles),
    HANDLER(compare_doubles), HANDLER(add_floats), HANDLER(multiply_floats), HANDLER(fused_floats), HANDLER(float_to_double),
    HANDLER(double_to_float), HANDLER(unsigned_to_float_above), HANDLER(unsigned_pair_to_float_above),
    HANDLER(float_to_unsigned), HANDLER(float_to_unsigned_pair), HANDLER(reciprocal), HANDLER(read_special),
    HANDLER(shuffle), HANDLER(multiply_matrices), HANDLER(vote), HANDLER(load_global), HANDLER(store_global), HANDLER(load_shared),
    HANDLER(store_shared), HANDLER(load_local), HANDLER(store_local),
};

void let_go_on(Warp& w) {
  for (u32 b = 0; b < MEETINGS; ++b)
    if (w.met[b] && !(w.meeting[b] & w.live & ~w.met[b])) w.met[b] = 0;
  if (w.at_warp_barrier && !(w.live & ~w.at_warp_barrier)) {
    w.at_warp_barrier = 0;
    ++w.warp_barriers;
  }
}

u32 waiting_lanes(const Warp& w) {
  u32 waiting = w.at_barrier | w.at_warp_barrier;
  for (u32 mask : w.met) waiting |= mask;
  return waiting;
}

// Sends the lanes of `lanes` to a place.
void send(Warp& w, u32 lanes, u32 place) {
  for (u32 l = 0; l < LANES; ++l) w.place[l] = has(lanes, l) ? place : w.place[l];
}

// Does what an instruction of control flow does to the lanes of `acting`, of those of `together` that have come to it.
// Returns whether `together` is no longer the set of lanes that stand at one place and can go on.
bool flow(Machine& m, Warp& w, const Step& step, u32 together, u32 acting) {
  const u32 number = u32(step.options[0]);
  switch (step.handler) {
    case BRANCH: {
      const u32 taken = acting & Call::lanes_of(w, step.operands[0]);
      send(w, taken, number);
      return taken && taken != together;
    }
    case RETURN:
      for (u32 l = 0; l < LANES; ++l)
        if (has(acting, l)) w.place[l] = w.registers[step.operands[0].number][l] / 16;
      return true;
    case EXIT:
      w.live &= ~acting;
      for (u32& mask : w.meeting) mask &= ~acting;
      return acting != 0;
    case TRAP:
      if (acting) m.fail("__trap at %#llx, thread %u", 16ull * (&step - m.launch.steps), w.first_thread + lowest(acting));
      return acting != 0;
    case SET_MEETING: w.meeting[number] = acting; return false;
    case CLEAR_MEETING: w.meeting[number] = 0; return false;
    case LEAVE_MEETING: w.meeting[number] &= ~(acting & Call::lanes_of(w, step.operands[0])); return acting != 0;
    case MEET: w.met[number] |= acting; return acting != 0;
    case MEET_WARP: w.at_warp_barrier |= acting; return acting != 0;
    case ORDER_LANES: w.warp_barriers += acting == w.live; return false;
    case BARRIER:
      if (m.launch.ignored_barrier == &step - m.launch.steps) return false;
      w.at_barrier |= acting;
      return acting != 0;
    default: return false;
  }
}

void note(Machine& m, const Warp& w, u32 at, u32 acting) {
  Counts& c = m.launch.counts[at];
  const Counts& now = m.counting.now;
  ++c.issued;
  c.acting += acting != 0;
  c.lanes += u64(__builtin_popcount(acting));
  if (m.counting.is_on) {
    c.bytes += now.bytes;
    c.sectors += now.sectors;
    c.new_sectors += now.new_sectors;
    c.wavefronts += now.wavefronts;
  }
  if (m.launch.issued_count < m.launch.issued_room)
    m.launch.issued[m.launch.issued_count] = {at,
                                              u32(m.launch.blocks_run),
                                              u16(now.sectors),
                                              u16(now.new_sectors),
                                              u16(now.wavefronts),
                                              u8(w.first_thread / LANES),
                                              u8(acting != 0)};
  if (++m.launch.issued_count == m.launch.most_issued)
    m.fail("more than %llu instructions", (unsigned long long)m.launch.most_issued);
}

// Lets some lanes of a warp go on for a while; returns whether any could.
bool advance(Machine& m, Warp& w) {
  const u32 able = w.live & ~waiting_lanes(w);
  if (!able) return false;
  u32 lowest_place = ~0u;
  for (u32 l = 0; l < LANES; ++l)
    if (has(able, l)) lowest_place = std::min(lowest_place, w.place[l]);
  const u32 together = able & lanes_where([&](u32 l) { return w.place[l] == lowest_place; });
  u32 at = lowest_place;
  for (bool goes_on = true; goes_on && !m.has_failed();) {
    if (at >= m.launch.step_count) {
      m.fail("a jump to %#llx, behind the last instruction", 16ull * at);
      break;
    }
    const Step& step = m.launch.steps[at];
    const u32 acting = together & Call::lanes_of(w, step.guard);
    send(w, together, at + 1);
    m.counting.now = {};
    if (step.handler >= FLOWS) {
      if (acting) HANDLERS[step.handler].handler({m, m.banks, w, step, acting});
    } else if (flow(m, w, step, together, acting)) {
      let_go_on(w);
      goes_on = false;
    }
    note(m, w, at, acting);
    goes_on &= together == able;  // others that stand elsewhere may be behind now
    at = w.place[lowest(together)];
  }
  return true;
}

void begin_block(Machine& m) {
  memset(m.shared.get(), 0xff, m.launch.shared_bytes);  // NaN, so that it shows when what nobody wrote is read
  m.shared_words.assign(m.launch.shared_bytes / 4 + 1, Word{});
  m.counting.begin_block();
  for (u32 i = 0; i < m.warps.size(); ++i) {
    Warp& w = m.warps[i];
    memset(&w, 0, sizeof w);
    for (auto& lanes : w.registers) std::fill_n(lanes, LANES, UNWRITTEN);
    std::fill(std::begin(w.uniform), std::end(w.uniform), UNWRITTEN);
    w.first_thread = LANES * i;
    const u32 threads = std::min(LANES, m.launch.threads - w.first_thread);
    w.live = threads == LANES ? ALL_LANES : (1u << threads) - 1;
  }
}

void run_block(Machine& m) {
  begin_block(m);
  std::vector<u32> order(m.warps.size());
  for (u32 i = 0; i < order.size(); ++i) order[i] = i;
  for (;;) {
    m.random.shuffle(order);
    for (u32 i : order)
      while (!m.has_failed() && advance(m, m.warps[i])) {
      }
    if (m.has_failed()) return;
    u32 live = 0, waiting = 0, at = 0;  // waiting: at one barrier, behind which is instruction `at`
    for (const Warp& w : m.warps) {
      live += u32(__builtin_popcount(w.live));
      for (u32 l = 0; l < LANES; ++l) {
        if (!has(w.live & w.at_barrier, l)) continue;
        if (waiting == 0) at = w.place[l];
        waiting += w.place[l] == at;
      }
    }
    if (live == 0) return;
    if (waiting != live) return m.fail("a barrier at %#llx that %u of %u threads reach", at ? 16ull * (at - 1) : 0, waiting, live);
    for (Warp& w : m.warps) w.at_barrier = 0;
    ++m.interval;
  }
}

void fill_banks(Machine& m) {
  const Launch& l = m.launch;
  const u32 shape[] = {l.threads, 1, 1, l.blocks_x, l.blocks_y, 1}, top_of_stack = u32(l.local_bytes);
  memcpy(m.banks.launch, shape, sizeof shape);
  memcpy(m.banks.launch + 0x28, &top_of_stack, sizeof top_of_stack);
  memcpy(m.banks.launch + l.argument_place, l.arguments, l.argument_bytes);
  memcpy(m.banks.literals, l.literals, l.literal_bytes);
  memcpy(m.banks.variables, l.variables, l.variable_bytes);
}

// The numbers of the blocks to run, in the order in which they run.
std::vector<u64> chosen_blocks(Machine& m) {
  const u64 all = u64(m.launch.blocks_x) * m.launch.blocks_y;
  std::vector<u64> chosen;
  if (m.launch.sample && m.launch.sample < all) {
    while (chosen.size() < m.launch.sample) {
      const u64 block = m.random.below(all);
      if (std::find(chosen.begin(), chosen.end(), block) == chosen.end()) chosen.push_back(block);
    }
    return chosen;
  }
  for (u64 block = 0; block < all; ++block) chosen.push_back(block);
  m.random.shuffle(chosen);
  return chosen;
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED u64 structure_bytes(int which) {
  const u64 sizes[] = {sizeof(Operand), sizeof(Step), sizeof(Counts), sizeof(Issued), sizeof(Range), sizeof(Launch)};
  return sizes[which];
}

// The number of a handler or of a sort of control flow; -1 if there is none of this name.
EXPORTED int handler_number(const char* name) {
  for (const Named& named : HANDLERS)
    if (strcmp(named.name, name) == 0) return int(&named - HANDLERS);
  return -1;
}

EXPORTED void run(Launch* launch) {
  launch->issued_count = launch->blocks_run = 0;
  launch->why[0] = 0;
  const auto machine = std::make_unique<Machine>(*launch);
  Machine& m = *machine;
  m.counting.is_on = launch->counts_memory;
  m.warps.resize((launch->threads + LANES - 1) / LANES);
  m.local.resize(m.warps.size() * LANES * launch->local_bytes);
  m.shared.reset(static_cast<unsigned char*>(aligned_alloc(1024, (launch->shared_bytes / 1024 + 1) * 1024)));
  fill_banks(m);
  for (u64 block : chosen_blocks(m)) {
    m.block_x = u32(block % launch->blocks_x);
    m.block_y = u32(block / launch->blocks_x);
    run_block(m);
    if (m.has_failed()) return;
    ++launch->blocks_run;
  }
}
