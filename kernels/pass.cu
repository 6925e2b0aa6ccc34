// One pass over a statevector: each block keeps a tile of it on chip, and applies stages of gates before writing it back.
//
// A tile's amplitudes are spread over the block's threads, 2^REGISTER_BITS in each one's registers. Which bits of an
// amplitude's index its register number, its thread and its block stand for is the host's choice, stage by stage:
// between two stages the amplitudes change hands through shared memory. All maps between these numbers and places in
// memory are linear over GF(2), given by one column for each bit, so gates that permute basis states (X, CX, swaps)
// cost nothing: they are part of the next map.
#include "memory.cuh"
#include "index.cuh"
#include "scalar.cuh"

constexpr int MOST_REGISTER_BITS = 5;
constexpr int MOST_THREAD_BITS = 10;
constexpr int MOST_BLOCK_BITS = 32;

// Where the amplitudes of a tile are in the state. Columns are combinations of index bits.
struct Pass {
  Index load_thread[MOST_THREAD_BITS], load_register[MOST_REGISTER_BITS], load_block[MOST_BLOCK_BITS];
  Index load_flip;  // combined with every index that is read
  Index store_thread[MOST_THREAD_BITS], store_register[MOST_REGISTER_BITS], store_block[MOST_BLOCK_BITS];
  Index store_flip;  // combined with every index that is written
  Index zero;        // amplitudes with any of these index bits set are 0 and are not read
  unsigned thread_bits, register_bits, block_bits;
  unsigned first_stage, stages;
  unsigned store_after_barrier;  // where a thread writes what another one reads, and no exchange comes between
};

enum Exchange { NO_EXCHANGE = 0, EXCHANGE = 1, EXCHANGE_AFTER_BARRIER = 2 };

// An exchange through shared memory, then operations on amplitudes in registers. Columns are places in shared memory.
struct Stage {
  unsigned short put_thread[MOST_THREAD_BITS], put_register[MOST_REGISTER_BITS];
  unsigned short get_thread[MOST_THREAD_BITS], get_register[MOST_REGISTER_BITS], get_block[MOST_BLOCK_BITS];
  unsigned short get_flip;        // combined with every place that is read
  unsigned short get_block_bits;  // how many columns there are for the block: usually none, for all are 0
  unsigned short exchange;        // one of Exchange
  unsigned short reserved;
  unsigned first_operation, operations;
};

enum Kind {
  FACTOR = 0,  // the thread's factor is multiplied by constants[at]
  PHASE = 1,   // amplitudes are multiplied by constants[at] and by the thread's factor, which is then 1 again
  TABLE = 2,   // amplitudes are multiplied by constants[at + i], i being the combination of `columns`
  FLIP = 3,    // X on register bit `bit`, in the registers of `at` or, if thread & `threads` and block & `columns` together have
               // an odd number of bits, in the others: so a sum, modulo 2, of any controls is one operation
  DENSE = 4,   // the matrix constants[at + 2 row + column] on register bit `bit`
  REAL = 5,    // a matrix of real numbers: constants[at + row] = (column 0, column 1)
  CROSSED = 6, // a matrix whose diagonal is real and the rest imaginary, given in the same way
  PAIR = 7,    // the matrix constants[at + 4 row + column] on register bits `bit` and `bit` + 1, for `bit` 0 or 2
  SWAP = 8,    // register bits `bit` < `other` change places, wherever the thread and the block are
};

// Acts where the bits `on` of the register's, the thread's and the block's number are those of `want`.
struct alignas(16) Operation {  // so aligned that few loads read it
  unsigned char kind, bit, other, reserved;
  unsigned short on_register, want_register, on_thread, want_thread;
  unsigned on_block, want_block;
  unsigned at;       // first of its numbers in `constants`
  unsigned columns;  // TABLE: first of MOST_THREAD_BITS + MOST_REGISTER_BITS + MOST_BLOCK_BITS columns
  unsigned threads;
};

template <int VALUE>
struct Constant {
  static constexpr int value = VALUE;
};

// Calls `act` with a register bit as a constant: registers have no addresses.
template <int FIRST, int END, class Act>
__device__ __forceinline__ void with_bit(int bit, const Act& act) {
  if constexpr (FIRST < END) {
    if (bit == FIRST) act(Constant<FIRST>{});
    else with_bit<FIRST + 1, END>(bit, act);
  }
}

// Calls `act` with each register number r whose bits `CLEAR` are 0 and on which the operation acts.
template <int REGISTER_BITS, int CLEAR, class Act>
__device__ __forceinline__ void for_each_register(const Operation& operation, const Act& act) {
#pragma unroll
  for (int r = 0; r < 1 << REGISTER_BITS; ++r)
    if (!(r & CLEAR) && (r & operation.on_register) == operation.want_register) act(r);
}

template <class R, int REGISTER_BITS>
struct Registers {
  Complex<R> amplitude[1 << REGISTER_BITS];
  Complex<R> factor;

  __device__ __forceinline__ void apply(const Operation& operation, const Complex<R>* constants, const unsigned* columns) {
    const Complex<R>* numbers = constants + operation.at;
    switch (operation.kind) {
      case PHASE: {
        const Complex<R> by = multiply(factor, numbers[0]);
        for_each_register<REGISTER_BITS, 0>(operation, [&](int r) { amplitude[r] = multiply(by, amplitude[r]); });
        factor = {R(1), R(0)};
        break;
      }
      case TABLE: {
        const unsigned* column = columns + operation.columns;
        const unsigned at = combine<unsigned>(threadIdx.x, column, MOST_THREAD_BITS) ^
                            combine<unsigned>(blockIdx.x, column + MOST_THREAD_BITS + MOST_REGISTER_BITS, MOST_BLOCK_BITS);
        for_each_register<REGISTER_BITS, 0>(operation, [&](int r) {
          amplitude[r] = multiply(numbers[at ^ combine<unsigned>(r, column + MOST_THREAD_BITS, REGISTER_BITS)], amplitude[r]);
        });
        break;
      }
      case FLIP: {
        const bool odd = parity(threadIdx.x & operation.threads) != parity(blockIdx.x & operation.columns);
        const unsigned flipped = odd ? ~operation.at : operation.at;
        with_bit<0, REGISTER_BITS>(operation.bit, [&](auto bit) {
          constexpr int target = 1 << decltype(bit)::value;
          for_each_register<REGISTER_BITS, target>(operation, [&](int r) {
            if (!has_bit(flipped, r)) return;
            const Complex<R> kept = amplitude[r];
            amplitude[r] = amplitude[r | target];
            amplitude[r | target] = kept;
          });
        });
        break;
      }
      case DENSE: {
        const Complex<R> m00 = numbers[0], m01 = numbers[1], m10 = numbers[2], m11 = numbers[3];
        with_bit<0, REGISTER_BITS>(operation.bit, [&](auto bit) {
          constexpr int target = 1 << decltype(bit)::value;
          for_each_register<REGISTER_BITS, target>(operation, [&](int r) {
            const Complex<R> a = amplitude[r], b = amplitude[r | target];
            amplitude[r] = multiply_add(m01, b, multiply(m00, a));
            amplitude[r | target] = multiply_add(m11, b, multiply(m10, a));
          });
        });
        break;
      }
      case REAL:
      case CROSSED: {
        const Complex<R> row0 = numbers[0], row1 = numbers[1];
        const bool real = operation.kind == REAL;
        with_bit<0, REGISTER_BITS>(operation.bit, [&](auto bit) {
          constexpr int target = 1 << decltype(bit)::value;
          if (real)
            for_each_register<REGISTER_BITS, target>(operation, [&](int r) {
              const Complex<R> a = amplitude[r], b = amplitude[r | target];
              amplitude[r] = combine_real(row0.re, a, row0.im, b);
              amplitude[r | target] = combine_real(row1.re, a, row1.im, b);
            });
          else
            for_each_register<REGISTER_BITS, target>(operation, [&](int r) {
              const Complex<R> a = amplitude[r], b = amplitude[r | target];
              amplitude[r] = combine_crossed(row0.re, a, row0.im, b);
              amplitude[r | target] = combine_crossed(row1.im, b, row1.re, a);
            });
        });
        break;
      }
      case SWAP:
        with_bit<0, REGISTER_BITS>(operation.bit, [&](auto bit) {
          constexpr int low = 1 << decltype(bit)::value;
          with_bit<decltype(bit)::value + 1, REGISTER_BITS>(operation.other, [&](auto other) {
            constexpr int high = 1 << decltype(other)::value;
            for_each_register<REGISTER_BITS, low | high>(operation, [&](int r) {
              const Complex<R> kept = amplitude[r | low];
              amplitude[r | low] = amplitude[r | high];
              amplitude[r | high] = kept;
            });
          });
        });
        break;
      case PAIR:
        with_bit<0, REGISTER_BITS / 2>(operation.bit / 2, [&](auto half) {
          constexpr int low = 1 << 2 * decltype(half)::value, high = 2 * low;
          for_each_register<REGISTER_BITS, low | high>(operation, [&](int r) {
            const Complex<R> a = amplitude[r], b = amplitude[r | low], c = amplitude[r | high], d = amplitude[r | low | high];
            const auto row = [&](int i) {
              const Complex<R>* m = numbers + 4 * i;
              return multiply_add(m[3], d, multiply_add(m[2], c, multiply_add(m[1], b, multiply(m[0], a))));
            };
            amplitude[r] = row(0);
            amplitude[r | low] = row(1);
            amplitude[r | high] = row(2);
            amplitude[r | low | high] = row(3);
          });
        });
        break;
    }
  }
};

// Walks through the register numbers r in an order in which each differs from the one before in one bit only, and calls
// `act` with r and its place: `place` combined with the columns of r's set bits.
template <int REGISTER_BITS, class Place, class Column, class Act>
__device__ __forceinline__ void walk_registers(Place place, const Column* columns, const Act& act) {
  Place step[REGISTER_BITS];
#pragma unroll
  for (int j = 0; j < REGISTER_BITS; ++j) step[j] = columns[j];
  act(0, place);
#pragma unroll
  for (unsigned i = 1; i < 1u << REGISTER_BITS; ++i) {
    place ^= step[lowest_position(i)];
    act(int(i ^ i >> 1), place);
  }
}

// Launch: one block for each value of the index bits outside of the tile that may be 1, times the number of states in
// y; 2^thread_bits threads; shared memory for one tile. A small circuit is one block for each state: the whole of it is
// one launch for any number of states. Block (b, y) works on the state that begins at index first[y], a multiple
// of its size, with the constants from y * constants_stride on.
template <class R, int REGISTER_BITS>
__global__ void __launch_bounds__(256, 2)
run_pass(Complex<R>* states, const Pass* passes, const Stage* stages, const Operation* operations, const unsigned* columns,
         const Complex<R>* constants, unsigned number, const Index* first, Index constants_stride) {
  SHARED_MEMORY(Complex<R>, tile);
  const Pass& pass = passes[number];
  require(pass.register_bits == REGISTER_BITS && blockDim.x == 1u << pass.thread_bits && gridDim.x == 1u << pass.block_bits);
  require(pass.thread_bits <= MOST_THREAD_BITS && pass.block_bits < MOST_BLOCK_BITS);
  constants += blockIdx.y * constants_stride;
  const unsigned thread = threadIdx.x, block = blockIdx.x;

  Registers<R, REGISTER_BITS> held;
  held.factor = {R(1), R(0)};
  const Index zero = pass.zero;
  walk_registers<REGISTER_BITS>(
      first[blockIdx.y] ^ combine(block, pass.load_block, pass.block_bits) ^
          combine(thread, pass.load_thread, pass.thread_bits) ^ pass.load_flip,
      pass.load_register,
      [&](int r, Index i) {
        if (i & zero) held.amplitude[r] = {R(0), R(0)};
        else held.amplitude[r] = read_global(states, i);
      });

  for (unsigned s = pass.first_stage; s < pass.first_stage + pass.stages; ++s) {
    const Stage& stage = stages[s];
    if (stage.exchange != NO_EXCHANGE) {
      // Without a barrier, threads write to the very places that they have read last.
      if (stage.exchange == EXCHANGE_AFTER_BARRIER) __syncthreads();
      walk_registers<REGISTER_BITS>(unsigned(combine(thread, stage.put_thread, pass.thread_bits)), stage.put_register,
                                    [&](int r, unsigned place) { write_shared(tile, place, held.amplitude[r]); });
      __syncthreads();
      const unsigned from = combine(thread, stage.get_thread, pass.thread_bits) ^
                            combine(block, stage.get_block, stage.get_block_bits) ^ stage.get_flip;
      walk_registers<REGISTER_BITS>(from, stage.get_register,
                                    [&](int r, unsigned place) { held.amplitude[r] = read_shared(tile, place); });
    }
    for (unsigned o = stage.first_operation; o < stage.first_operation + stage.operations; ++o) {
      const Operation operation = operations[o];
      if ((thread & operation.on_thread) != operation.want_thread || (block & operation.on_block) != operation.want_block) continue;
      // Most operations of many circuits are factors, and the least work: they are not searched for among the kinds.
      if (operation.kind == FACTOR) held.factor = multiply(held.factor, constants[operation.at]);
      else held.apply(operation, constants, columns);
    }
  }

  if (pass.store_after_barrier) __syncthreads();
  walk_registers<REGISTER_BITS>(
      first[blockIdx.y] ^ combine(block, pass.store_block, pass.block_bits) ^  // read again: registers are short
          combine(thread, pass.store_thread, pass.thread_bits) ^ pass.store_flip,
      pass.store_register, [&](int r, Index i) { write_global(states, i, held.amplitude[r]); });
}
