// One pass over a statevector: each block keeps a tile of it on chip, and applies many gates before it writes the tile back.
//
// A tile's amplitudes are spread over the threads of a block, and each thread holds 2^REGISTER_BITS of them in registers. An
// operation that mixes amplitudes needs them in the registers of one thread. So a pass is a sequence of stages, and between
// two stages the amplitudes change hands through shared memory.
//
// An amplitude is found by three numbers: its register's, its thread's and its block's. The host chooses, for each stage,
// which index bits their bits stand for. All maps from these numbers to places in memory are linear over GF(2) and given by
// columns: the place is the combination (exclusive or) of the columns of the set bits. Gates that permute basis states
// linearly (X, CX, swaps) therefore cost nothing: the host makes them part of the next map.
#include "memory.cuh"
#include "index.cuh"
#include "limits.cuh"
#include "scalar.cuh"

// Where the amplitudes of a tile are in the state. Columns are combinations of index bits: load_thread[b] is combined into
// an index that is read where bit b of the thread's number is 1, and likewise for the others.
//
// What the block's number adds to an index is read from tables, and includes what is always added.
struct alignas(16) Pass {
  Index load_thread[MOST_THREAD_BITS], store_thread[MOST_THREAD_BITS];
  Index load_register[MOST_REGISTER_BITS], store_register[MOST_REGISTER_BITS];
  Index zero;  // amplitudes whose index has any of these bits set are 0, and are not read
  Index reserved;
  unsigned load_blocks, store_blocks;  // where the tables for the block's number begin
  unsigned thread_bits, register_bits, block_bits;  // how many bits the numbers have
  unsigned first_stage, stages;  // the pass's part of the array of stages
  unsigned store_after_barrier;  // 1 where a thread writes to an index that another one reads, with no exchange in between
};

enum Exchange {
  NO_EXCHANGE = 0,  // for the first stage, whose amplitudes have just been read from the state
  EXCHANGE = 1,     // each thread puts amplitudes where only it has read last, if any thread has
  EXCHANGE_AFTER_BARRIER = 2,  // a thread puts amplitudes where another one may still have to read
};

// An exchange through shared memory, then operations on amplitudes in registers. Columns are combinations of places in
// shared memory: put_thread[b] is combined into a place that is written where bit b of the thread's number is 1.
struct alignas(16) Stage {
  unsigned short put_thread[MOST_THREAD_BITS], get_thread[MOST_THREAD_BITS];
  unsigned short put_register[MOST_REGISTER_BITS], get_register[MOST_REGISTER_BITS], get_block[MOST_BLOCK_BITS];
  unsigned short get_flip;        // combined into every place that is read
  unsigned short get_block_bits;  // how many columns of the block's number are used: 0 where all are 0, which is the usual case
  unsigned short exchange;        // one of Exchange
  unsigned short reserved;
  unsigned first_operation, operations;  // the stage's part of the array of operations
};

// What an operation does. `constants` below begins at the operation's own numbers, constants[at] of the launch's.
enum OperationKind {
  PHASE = 0,    // multiplies amplitudes by constants[0], and by constants[1 + f] where the f-th of the operation's Factors says
  TABLE = 1,    // multiplies each amplitude by constants[i], where i combines columns of register, thread and block
  FLIP = 2,     // X on register bit `bit`: see Operation::at
  DENSE = 3,    // the matrix constants[2 * row + column] on register bit `bit`
  REAL = 4,     // a real matrix on register bit `bit`: constants[row] = (column 0, column 1)
  CROSSED = 5,  // a matrix whose diagonal is real and whose other two numbers are imaginary, given in the same way
  PAIR = 6,     // the matrix constants[4 * row + column] on register bits `bit` (0 or 2, the row's lower bit) and `bit` + 1
  SWAP = 7,     // exchanges register bits `bit` < `other`
  DIAGONAL = 8, // multiplies the amplitude in register r by constants[r], everywhere
};

// Where a factor of a PHASE belongs: to threads and blocks with (number & on) == want.
struct alignas(16) Factor {
  unsigned on_thread, want_thread, on_block, want_block;
};

// An operation acts on the amplitudes for which (number & on) == want holds for the register's, the thread's and the block's
// number. It is aligned so that it is read in few loads.
struct alignas(16) Operation {
  unsigned char kind;        // one of OperationKind
  unsigned char bit, other;  // register bits
  unsigned char reserved;
  unsigned short on_register, want_register, on_thread, want_thread;
  unsigned on_block, want_block;
  unsigned at;  // the first of its constants. FLIP: bit r is set if X acts on register number r in threads where the parity
                // of (thread & threads) and (block & columns) together is even; where it is odd, X acts on the others. So a
                // sum modulo 2 of any wires controls X in one operation.
  unsigned columns;  // TABLE: the first of its columns in the array of columns, all MOST_THREAD_BITS of the thread's number,
                     // then MOST_REGISTER_BITS, then MOST_BLOCK_BITS. FLIP: a mask of bits of the block's number. PHASE: the
                     // first of its Factors.
  unsigned threads;  // FLIP: a mask of bits of the thread's number. PHASE: how many Factors it has.
};

// A number as a type, for arguments that the compiler must know.
template <int VALUE>
struct Constant {
  static constexpr int value = VALUE;
};

// Calls `act` with a register bit, FIRST <= bit < END, as a Constant: registers have no addresses, so the compiler must know
// which ones an operation changes.
template <int FIRST, int END, class Act>
__device__ __forceinline__ void with_bit(int bit, const Act& act) {
  if constexpr (FIRST < END) {
    if (bit == FIRST) act(Constant<FIRST>{});
    else with_bit<FIRST + 1, END>(bit, act);
  }
}

// Calls `act` with each register number that has 0 in the bits of CLEAR and on which the operation acts.
template <int REGISTER_BITS, int CLEAR, class Act>
__device__ __forceinline__ void for_each_register(const Operation& operation, const Act& act) {
#pragma unroll
  for (int r = 0; r < power_of_two(REGISTER_BITS); ++r)
    if (!(r & CLEAR) && (r & operation.on_register) == operation.want_register) act(r);
}

// What a thread holds in registers.
template <class R, int REGISTER_BITS>
struct Registers {
  Complex<R> amplitude[power_of_two(REGISTER_BITS)];  // by register number

  __device__ __forceinline__ void apply(const Operation& operation, const Complex<R>* constants, const unsigned* columns,
                                        const Factor* factors) {
    const Complex<R>* numbers = constants + operation.at;
    switch (operation.kind) {
      case PHASE: {
        Complex<R> by = numbers[0];
        const Factor* own = factors + operation.columns;
#pragma unroll 4
        for (unsigned f = 0; f < operation.threads; ++f) {
          const Factor factor = own[f];
          const Complex<R> number = numbers[1 + f];
          const unsigned differs = ((threadIdx.x ^ factor.want_thread) & factor.on_thread) |
                                   ((blockIdx.x ^ factor.want_block) & factor.on_block);
          if (!differs) by = multiply(by, number);
        }
        for_each_register<REGISTER_BITS, 0>(operation, [&](int r) { amplitude[r] = multiply(by, amplitude[r]); });
        break;
      }
      case DIAGONAL:
#pragma unroll
        for (int r = 0; r < power_of_two(REGISTER_BITS); ++r) amplitude[r] = multiply(numbers[r], amplitude[r]);
        break;
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
          constexpr int target = bit_at(decltype(bit)::value);
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
          constexpr int target = bit_at(decltype(bit)::value);
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
          constexpr int target = bit_at(decltype(bit)::value);
          if (real)
            for_each_register<REGISTER_BITS, target>(operation, [&](int r) {
              const Complex<R> a = amplitude[r], b = amplitude[r | target];
              amplitude[r] = add_real_multiples(row0.re, a, row0.im, b);
              amplitude[r | target] = add_real_multiples(row1.re, a, row1.im, b);
            });
          else
            for_each_register<REGISTER_BITS, target>(operation, [&](int r) {
              const Complex<R> a = amplitude[r], b = amplitude[r | target];
              amplitude[r] = add_real_and_imaginary_multiples(row0.re, a, row0.im, b);
              amplitude[r | target] = add_real_and_imaginary_multiples(row1.im, b, row1.re, a);
            });
        });
        break;
      }
      case SWAP:
        with_bit<0, REGISTER_BITS>(operation.bit, [&](auto bit) {
          constexpr int low = bit_at(decltype(bit)::value);
          with_bit<decltype(bit)::value + 1, REGISTER_BITS>(operation.other, [&](auto other) {
            constexpr int high = bit_at(decltype(other)::value);
            for_each_register<REGISTER_BITS, low | high>(operation, [&](int r) {
              const Complex<R> kept = amplitude[r | low];
              amplitude[r | low] = amplitude[r | high];
              amplitude[r | high] = kept;
            });
            keep_apart(low | high);
          });
        });
        break;
      case PAIR:
        with_bit<0, REGISTER_BITS / 2>(operation.bit / 2, [&](auto half) {
          constexpr int low = bit_at(2 * decltype(half)::value), high = 2 * low;
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

// The combination of eight columns that are read together.
__device__ __forceinline__ unsigned packed(unsigned thread, const unsigned short* columns) {
  return combine_packed(thread, together<unsigned, MOST_THREAD_BITS / 2>(columns).items);
}

// Calls `act` with each register number and its place: `place` combined with the columns of the number's set bits. The order
// is one in which each number differs from the one before in a single bit, so that a step is one exclusive or.
template <int REGISTER_BITS, class Place, class Column, class Act>
__device__ __forceinline__ void for_each_place(Place place, const Column* columns, const Act& act) {
  Place step[REGISTER_BITS];
#pragma unroll
  for (int j = 0; j < REGISTER_BITS; ++j) step[j] = columns[j];
  act(0, place);
#pragma unroll
  for (unsigned i = 1; i < power_of_two<unsigned>(REGISTER_BITS); ++i) {
    place ^= step[lowest_position(i)];
    act(int(gray_code(i)), place);
  }
}

// Runs pass `number` on several states, laid out alike. Each amplitude is read and written once, in place.
//
// Launch: 2^thread_bits threads; in x 2^block_bits blocks, one for each value of the index bits outside of the tile that may
// be 1; in y the states; shared memory for one tile. A circuit that fits a tile is one block for each state, so all of it is
// one launch for any number of states.
//
// Block (b, y) works on the state that begins at index first[y], a multiple of its size. Its constants begin at
// constants[y * constants_stride]; all else that a launch reads is the same for all states.
template <class R, int REGISTER_BITS>
__global__ void __launch_bounds__(MOST_THREADS, BLOCKS_ON_A_MULTIPROCESSOR)
run_pass(Complex<R>* states, const Pass* passes, const Stage* stages, const Operation* operations, const unsigned* columns,
         const Factor* factors, const Index* block_tables, const Complex<R>* constants, unsigned number, const Index* first,
         Index constants_stride) {
  SHARED_MEMORY(Complex<R>, tile);
  const Pass& pass = passes[number];
  require(pass.register_bits == REGISTER_BITS && blockDim.x == power_of_two<unsigned>(pass.thread_bits) &&
          gridDim.x == power_of_two<unsigned>(pass.block_bits));
  require(pass.thread_bits <= MOST_THREAD_BITS && pass.block_bits <= MOST_BLOCK_BITS);
  constants += blockIdx.y * constants_stride;
  const unsigned thread = threadIdx.x, block = blockIdx.x;

  Registers<R, REGISTER_BITS> held;
  const Index zero = pass.zero;
  for_each_place<REGISTER_BITS>(
      first[blockIdx.y] ^ combine_bytes(block, block_tables + pass.load_blocks, pass.block_bits) ^
          combine_all(thread, together<Index, MOST_THREAD_BITS>(pass.load_thread).items),
      pass.load_register,
      [&](int r, Index i) {
        if (i & zero) held.amplitude[r] = {R(0), R(0)};
        else held.amplitude[r] = read_global(states, i);
      });

  for (unsigned s = pass.first_stage; s < pass.first_stage + pass.stages; ++s) {
    const Stage& stage = stages[s];
    if (stage.exchange != NO_EXCHANGE) {
      // Without a barrier, each thread writes to the very places that it has read last.
      if (stage.exchange == EXCHANGE_AFTER_BARRIER) __syncthreads();
      for_each_place<REGISTER_BITS>(packed(thread, stage.put_thread), stage.put_register,
                                    [&](int r, unsigned place) { write_shared(tile, place, held.amplitude[r]); });
      __syncthreads();
      const unsigned from = packed(thread, stage.get_thread) ^
                            combine(block, stage.get_block, stage.get_block_bits) ^ stage.get_flip;
      for_each_place<REGISTER_BITS>(from, stage.get_register,
                                    [&](int r, unsigned place) { held.amplitude[r] = read_shared(tile, place); });
    }
    for (unsigned o = stage.first_operation; o < stage.first_operation + stage.operations; ++o) {
      const Operation operation = operations[o];
      if ((thread & operation.on_thread) != operation.want_thread || (block & operation.on_block) != operation.want_block) continue;
      held.apply(operation, constants, columns, factors);
    }
  }

  if (pass.store_after_barrier) __syncthreads();
  for_each_place<REGISTER_BITS>(
      first[blockIdx.y] ^ combine_bytes(block, block_tables + pass.store_blocks, pass.block_bits) ^
          combine_all(thread, together<Index, MOST_THREAD_BITS>(pass.store_thread).items),
      pass.store_register, [&](int r, Index i) { write_global(states, i, held.amplitude[r]); });
}
