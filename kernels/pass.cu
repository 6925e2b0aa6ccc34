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
#include "pass.cuh"

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

// Calls `act` with a mask of BITS bits, unless it is 0, as a Constant; FOUND are the bits above, which are known.
template <int BITS, int FOUND, class Act>
__device__ __forceinline__ void with_mask(unsigned mask, const Act& act) {
  if constexpr (BITS > 0) {
    if (has_bit(mask, BITS - 1)) with_mask<BITS - 1, FOUND | bit_at(BITS - 1)>(mask, act);
    else with_mask<BITS - 1, FOUND>(mask, act);
  } else if constexpr (FOUND > 0) {
    act(Constant<FOUND>{});
  }
}

// Calls `act` with each register number that has 0 in the bits of CLEAR and is a bit of `registers`.
template <int REGISTER_BITS, int CLEAR, class Act>
__device__ __forceinline__ void for_each_register(unsigned registers, const Act& act) {
#pragma unroll
  for (int r = 0; r < power_of_two(REGISTER_BITS); ++r)
    if (!(r & CLEAR) && has_bit(registers, r)) act(r);
}

// What a thread holds in registers.
template <class R, int REGISTER_BITS>
struct Registers {
  Complex<R> amplitude[power_of_two(REGISTER_BITS)];  // by register number
  unsigned view;                                      // see OperationKind

  // Bit r of the result says whether a set of register numbers, seen from this thread, has r.
  __device__ __forceinline__ unsigned seen(unsigned registers) const {
    return view ? with_bits_exchanged<REGISTER_BITS>(registers, view) : registers;
  }

  // Multiplies by `number`, whose parts are x and y: adds y * a to b, then x * b to a, where a and b are amplitudes whose
  // registers differ in bit BIT, which is 0 in that of a. After a factor of 1 + t * t for a, this is the matrix (1, -t; t, 1)
  // if x = -t and y = t / (1 + t * t). Amplitudes stay in their registers, so it takes nothing but arithmetic.
  template <int BIT>
  __device__ __forceinline__ void shear(Complex<R> number) {
#pragma unroll
    for (int r = 0; r < power_of_two(REGISTER_BITS); ++r)
      if (!has_bit(r, BIT)) {
        Complex<R>&a = amplitude[r], &b = amplitude[r | bit_at(BIT)];
        b = add_real_multiple(b, number.im, a);
        a = add_real_multiple(a, number.re, b);
      }
    keep_apart(BIT);
  }

  // Multiplies by a number the amplitudes whose register's number is a bit of `registers`. Most often these are all, or those
  // with a certain bit, from BIT on: then the compiler knows them, and no predicates are needed.
  template <int BIT = -1>
  __device__ __forceinline__ void multiply_by(Complex<R> by, unsigned registers) {
    if constexpr (BIT < REGISTER_BITS) {
      constexpr unsigned expected = numbers_with_bit(BIT, REGISTER_BITS);
      if (registers == expected) {
        for_each_register<REGISTER_BITS, 0>(expected, [&](int r) { amplitude[r] = multiply(by, amplitude[r]); });
        keep_apart(BIT);
      } else {
        multiply_by<BIT + 1>(by, registers);
      }
    } else {
      for_each_register<REGISTER_BITS, 0>(registers, [&](int r) { amplitude[r] = multiply(by, amplitude[r]); });
    }
  }

  // Multiplies by the matrix numbers[4 * row + column] on the register bits LOW, a row's lower bit, and HIGH.
  template <int LOW, int HIGH>
  __device__ __forceinline__ void mix_pairs(unsigned registers, const Complex<R>* numbers) {
    // In single precision, where a thread has more amplitudes than MOST_PAIRED_BITS would give it, all numbers find room in
    // registers; in double precision they do not.
    constexpr bool are_held = (REGISTER_BITS > MOST_PAIRED_BITS);
    Complex<R> held[are_held ? 16 : 1];
    if constexpr (are_held) {
#pragma unroll
      for (int i = 0; i < 16; ++i) held[i] = numbers[i];
    }
    for_each_register<REGISTER_BITS, LOW | HIGH>(registers, [&](int r) {
      const Complex<R> a = amplitude[r], b = amplitude[r | LOW], c = amplitude[r | HIGH], d = amplitude[r | LOW | HIGH];
      const auto row = [&](int i) {
        const Complex<R>* m = (are_held ? held : numbers) + 4 * i;
        return multiply_add(m[3], d, multiply_add(m[2], c, multiply_add(m[1], b, multiply(m[0], a))));
      };
      amplitude[r] = row(0);
      amplitude[r | LOW] = row(1);
      amplitude[r | HIGH] = row(2);
      amplitude[r | LOW | HIGH] = row(3);
    });
    keep_apart(LOW | HIGH);
  }

  // Multiplies by the matrix numbers[4 * row + column] on bits 0, the row's lower bit, and 1 of the thread's number; all threads
  // of a block do, which are whole warps, in double precision. As real matrices: a warp's amplitudes of two registers have a row for each four threads and register,
  // and columns for the real and the imaginary part in each of these threads. They are multiplied by the transposed matrix.
  __device__ __forceinline__ void mix_lanes(const Complex<R>* numbers) {
    if constexpr (MULTIPLIES_MATRICES && sizeof(R) == sizeof(double) && REGISTER_BITS <= MOST_PAIRED_BITS) {
      // The thread's part of it: for the amplitude in one of four threads, what it adds to a part of one of four amplitudes.
      const Complex<R> entry = numbers[4 * lowest_bits(shifted_down(threadIdx.x, 3), 2) + lowest_bits(threadIdx.x, 2)];
      const bool is_imaginary = has_bit(threadIdx.x, 2);
      const R factors[2] = {is_imaginary ? entry.im : entry.re, is_imaginary ? entry.re : -entry.im};
#pragma unroll
      for (int r = 0; r < power_of_two(REGISTER_BITS); r += 2) {
        const Complex<R> a = amplitude[r], b = amplitude[r + 1];
        const R parts[4] = {a.re, b.re, a.im, b.im};
        R product[4];
        count_multiply_adds(32);
        multiply_matrices(parts, factors, product);
        amplitude[r] = {product[0], product[1]};
        amplitude[r + 1] = {product[2], product[3]};
      }
    } else {
      end_launch();
    }
  }

  // Calls `shear` for each bit, FIRST <= bit, that is set in `bits`.
  template <int FIRST>
  __device__ __forceinline__ void shear_all(unsigned bits, const Complex<R>* numbers) {
    if constexpr (FIRST < REGISTER_BITS) {
      if (has_bit(bits, FIRST)) shear<FIRST>(numbers[FIRST]);
      shear_all<FIRST + 1>(bits, numbers);
    }
  }

  // Does what a Rotation says whose mask is MASK, with the tangent for register 0. From each pair of registers to the next one
  // bit of their numbers changes, and with it the tangent's sign if `row` has the bit.
  template <int MASK>
  __device__ __forceinline__ void rotate(R tangent, unsigned row) {
    constexpr int highest = highest_position(MASK);
#pragma unroll
    for (unsigned i = 0; i < power_of_two<unsigned>(REGISTER_BITS - 1); ++i) {
      const int r = with_gap(int(gray_code(i)), highest, 1);
      if (i > 0) {
        const int changed = lowest_position(i);
        tangent = negated_if_bit(tangent, row, changed < highest ? changed : changed + 1);
      }
      const Complex<R> a = amplitude[r], b = amplitude[r ^ MASK];
      amplitude[r] = add_real_multiple(a, -tangent, b);
      amplitude[r ^ MASK] = add_real_multiple(b, tangent, a);
    }
    keep_apart(MASK);
  }

  // Does what a LAYER says.
  __device__ __forceinline__ void apply_layer(const Decoded& operation, const Complex<R>* constants, const Rotation* rotations) {
    const unsigned shears = operation.at - REGISTER_BITS;
    const unsigned tangents = (operation.bit ? shears : operation.at) - operation.rotations;
    if (operation.other != NO_DIAGONAL) {
      unsigned first = operation.at;
      if (operation.registers)
        first += power_of_two<unsigned>(REGISTER_BITS) *
                 picked<MOST_SELECTORS>(joined(blockIdx.x, threadIdx.x, MOST_THREAD_BITS), operation.registers);
      if (operation.other == DIAGONAL) {
        constexpr int of_a_load = MOST_BYTES_OF_A_LOAD > sizeof(Complex<R>) ? MOST_BYTES_OF_A_LOAD / sizeof(Complex<R>) : 1;
#pragma unroll
        for (int r = 0; r < power_of_two(REGISTER_BITS); r += of_a_load) {
          const auto own = together<Complex<R>, of_a_load>(constants + first + r);
#pragma unroll
          for (int i = 0; i < of_a_load; ++i) amplitude[r + i] = multiply(own.items[i], amplitude[r + i]);
        }
      } else {
#pragma unroll
        for (int r = 0; r < power_of_two(REGISTER_BITS); ++r)
          amplitude[r] = multiply(constants[(first ^ view) ^ r], amplitude[r]);
      }
    }
    shear_all<0>(operation.bit, constants + shears);
    for (unsigned k = 0; k < operation.rotations; ++k) {
      const Rotation rotation = rotations[operation.columns + k];
      const R tangent = negated_if_bit(constants[tangents + k].re, number_of_ones(view & rotation.row), 0);
      with_mask<REGISTER_BITS, 0>(rotation.mask, [&](auto mask) { rotate<decltype(mask)::value>(tangent, rotation.row); });
    }
  }

  // Does what any other operation says, to amplitudes of a thread and a block on which it acts.
  // of_block(t) is what the block's number combines by the tables that begin at t.
  template <class OfBlock>
  __device__ __forceinline__ void apply(const Decoded& operation, unsigned threads, const Complex<R>* numbers,
                                        const Columns* columns, const Factor* factors, const OfBlock& of_block) {
    switch (operation.kind) {
      case PHASE: {
        Complex<R> by = numbers[0];
        const Complex<R>* of_group = numbers + 1;
        const Index number = joined(blockIdx.x, threadIdx.x, MOST_THREAD_BITS);
        for (unsigned left = joined(operation.other, operation.bit, 8); left; left = without_lowest(left)) {
          const int first = GROUP_BITS * lowest_position(left);
          by = multiply(by, of_group[lowest_bits(unsigned(shifted_down(number, first)), GROUP_BITS)]);
          of_group += power_of_two(GROUP_BITS);
        }
        const Factor* own = factors + operation.columns;
#pragma unroll 4
        for (unsigned f = 0; f < threads; ++f) {
          const Factor factor = own[f];
          const Complex<R> factor_number = of_group[f];
          const unsigned differs = ((threadIdx.x ^ factor.want_thread) & factor.on_thread) |
                                   ((blockIdx.x ^ factor.want_block) & factor.on_block);
          if (!differs) by = multiply(by, factor_number);
        }
        multiply_by(by, seen(operation.registers));
        break;
      }
      case VIEW:
        if (parity(threadIdx.x & threads) != parity(blockIdx.x & operation.columns)) view ^= operation.other;
        break;
      case TABLE: {
        const Columns table = columns[operation.columns];
        const unsigned at = combine_all(threadIdx.x, table.of_thread) ^ combine<unsigned>(view, table.of_register, REGISTER_BITS) ^
                            of_block(table.of_block);
        for_each_register<REGISTER_BITS, 0>(seen(operation.registers), [&](int r) {
          amplitude[r] = multiply(numbers[at ^ combine<unsigned>(r, table.of_register, REGISTER_BITS)], amplitude[r]);
        });
        break;
      }
      case FLIP: {
        const bool odd = parity(threadIdx.x & threads) != parity(blockIdx.x & operation.columns);
        const unsigned flipped = odd ? ~operation.at : operation.at;
        with_bit<0, REGISTER_BITS>(operation.bit, [&](auto bit) {
          constexpr int target = bit_at(decltype(bit)::value);
          for_each_register<REGISTER_BITS, target>(operation.registers, [&](int r) {
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
          for_each_register<REGISTER_BITS, target>(operation.registers, [&](int r) {
            const Complex<R> a = amplitude[r], b = amplitude[r | target];
            amplitude[r] = multiply_add(m01, b, multiply(m00, a));
            amplitude[r | target] = multiply_add(m11, b, multiply(m10, a));
          });
        });
        break;
      }
      case SWAP:
        with_bit<0, REGISTER_BITS>(operation.bit, [&](auto bit) {
          constexpr int low = bit_at(decltype(bit)::value);
          constexpr int end = REGISTER_BITS > MOST_PAIRED_BITS ? REGISTER_BITS : 0;
          with_bit<decltype(bit)::value + 1, end>(operation.other, [&](auto other) {
            constexpr int high = bit_at(decltype(other)::value);
            for_each_register<REGISTER_BITS, low | high>(operation.registers, [&](int r) {
              const Complex<R> kept = amplitude[r | low];
              amplitude[r | low] = amplitude[r | high];
              amplitude[r | high] = kept;
            });
            keep_apart(low | high);
          });
        });
        break;
      case PAIR:
        with_bit<0, REGISTER_BITS>(operation.bit, [&](auto bit) {
          constexpr int first = decltype(bit)::value;
          if constexpr (REGISTER_BITS <= MOST_PAIRED_BITS)
            with_bit<first + 1, REGISTER_BITS>(operation.other, [&](auto other) {
              mix_pairs<bit_at(first), bit_at(decltype(other)::value)>(operation.registers, numbers);
            });
          else if constexpr (first % 2 == 0 && first + 1 < REGISTER_BITS)
            mix_pairs<bit_at(first), bit_at(first + 1)>(operation.registers, numbers);
        });
        break;
    }
  }
};

// Calls `act` with each register number and its place: `place` combined with the columns of the number's set bits. The order
// is one in which each number differs from the one before in a single bit, so that a step is one exclusive or.
template <int REGISTER_BITS, class Place, class Act>
__device__ __forceinline__ void for_each_place(Place place, const Place* columns, const Act& act) {
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

// The same with the place of an amplitude in shared memory, in bytes.
template <class R, int REGISTER_BITS, class Act>
__device__ __forceinline__ void for_each_shared_place(unsigned place, const unsigned* columns, const Act& act) {
  unsigned bytes[REGISTER_BITS];
#pragma unroll
  for (int j = 0; j < REGISTER_BITS; ++j) bytes[j] = kept(columns[j] * unsigned(sizeof(Complex<R>)));
  for_each_place<REGISTER_BITS>(kept(place * unsigned(sizeof(Complex<R>))), bytes, act);
}

// Runs pass `number` on several states, laid out alike. Each amplitude is read and written once, in place.
//
// Launch: 2^thread_bits threads; in x 2^block_bits blocks, one for each value of the index bits outside of the tile that may
// be 1; in y the states; shared memory for one tile. A circuit that fits a tile is one block for each state, so all of it is
// one launch for any number of states.
//
// Block (b, y) works on the state that begins at index first[y], a multiple of its size. Its constants begin at
// constants[y * constants_stride]; all else that a launch reads is the same for all states. Operation o has the Condition
// conditions[o].
template <class R, int REGISTER_BITS>
__global__ void __launch_bounds__(MOST_THREADS, BLOCKS_ON_A_MULTIPROCESSOR)
run_pass(Complex<R>* states, const Pass* passes, const Stage* stages, const Operation* operations, const Condition* conditions,
         const Columns* columns, const Factor* factors, const Rotation* rotations, const unsigned* places_of,
         const Index* tables, const Complex<R>* constants, unsigned number, const Index* first, Index constants_stride) {
  SHARED_MEMORY(Complex<R>, tile);
  const Pass& pass = passes[number];
  require(pass.register_bits == REGISTER_BITS && blockDim.x == power_of_two<unsigned>(pass.thread_bits) &&
          gridDim.x == power_of_two<unsigned>(pass.block_bits));
  require(pass.thread_bits <= MOST_THREAD_BITS && pass.block_bits <= MOST_BLOCK_BITS);
  constants = kept(constants + blockIdx.y * constants_stride);
  const unsigned thread = threadIdx.x, block = blockIdx.x;

  Registers<R, REGISTER_BITS> held;
  const Index zero = pass.zero;
  for_each_place<REGISTER_BITS>(
      first[blockIdx.y] ^ combine_bytes(block, tables + pass.load_blocks, pass.block_bits) ^ tables[pass.load_threads + thread],
      pass.load_register,
      [&](int r, Index i) {
        if (i & zero) held.amplitude[r] = {R(0), R(0)};
        else held.amplitude[r] = read_global(states, i);
      });

  const auto of_block = [&](unsigned begin) {
    return begin == NO_TABLES ? 0 : unsigned(combine_bytes(block, tables + begin, pass.block_bits));
  };
  const auto at = [&](unsigned place) { return at_byte(tile, place); };
  for (unsigned s = pass.first_stage; s < pass.first_stage + pass.stages; ++s) {
    const Stage stage = stages[s];
    if (stage.exchange != NO_EXCHANGE) {
      // Without a barrier, each thread writes to the very places that it has read last.
      if (stage.exchange == EXCHANGE_AFTER_BARRIER) __syncthreads();
      const unsigned places = places_of[stage.places + thread];
      for_each_shared_place<R, REGISTER_BITS>(lowest_bits(places, 16) ^ of_block(stage.put_blocks), stage.put_register,
                                              [&](int r, unsigned place) { write_shared(at(place), 0, held.amplitude[r]); });
      __syncthreads();
      for_each_shared_place<R, REGISTER_BITS>(shifted_down(places, 16) ^ of_block(stage.get_blocks), stage.get_register,
                                              [&](int r, unsigned place) { held.amplitude[r] = read_shared(at(place), 0); });
    }
    held.view = 0;
    for (unsigned o = stage.first_operation; o < stage.first_operation + stage.operations; ++o) {
      const Decoded operation(operations + o);
      if (operation.kind == LAYER) {
        held.apply_layer(operation, constants, rotations);
        continue;
      }
      const DecodedCondition condition(conditions + o);
      if (condition.holds(thread, block))
        held.apply(operation, condition.threads, constants + operation.at, columns, factors, of_block);
    }
    // It is no operation: if it were among those, the compiler would let threads wait for each other after each branch.
    if (stage.lanes != NO_LANES) held.mix_lanes(constants + stage.lanes);
  }

  if (pass.store_after_barrier) __syncthreads();
  for_each_place<REGISTER_BITS>(
      first[blockIdx.y] ^ combine_bytes(block, tables + pass.store_blocks, pass.block_bits) ^
          tables[pass.store_threads + thread],
      pass.store_register, [&](int r, Index i) { write_global(states, i, held.amplitude[r]); });
}
