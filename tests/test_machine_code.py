"""The runner of machine code itself: what small kernels compute, and what it refuses, for every architecture."""

import itertools
import re

import numpy as np
import pytest

import machine_code
from machine_code.arithmetic_opcodes import matrix_sizes
from machine_code.decoding import steps_of
from machine_code.launching import ARCHITECTURES, RANGE
from machine_code.listing import instructions_of
from machine_code.operands import UnknownInstructionError

pytestmark = pytest.mark.skipif(
    machine_code.why_unavailable() is not None, reason=f"no machine code here: {machine_code.why_unavailable()}"
)
each_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)

THREADS = 64
RANDOM = np.random.default_rng(1)
WORDS = RANDOM.integers(0, 2**32, THREADS, np.uint32)
SMALLER_WORDS = WORDS[::-1] >> RANDOM.integers(0, 32, THREADS, np.uint32) | 1
PAIRS = RANDOM.integers(0, 2**64, THREADS, np.uint64)
SMALLER_PAIRS = PAIRS[::-1] >> RANDOM.integers(0, 64, THREADS, np.uint64) | np.uint64(1)
DOUBLES = RANDOM.normal(size=THREADS) * 10.0 ** RANDOM.integers(-30, 30, THREADS)
FLOATS = RANDOM.normal(size=THREADS).astype(np.float32)
TYPES = {"uint32": "unsigned", "uint64": "unsigned long long", "float64": "double", "float32": "float"}

# The expression that a thread computes of its two numbers a and b, NumPy's version of it, and all threads' a and b.
EXPRESSIONS = {
    "a / b + a % b": (lambda a, b: a // b + a % b, WORDS, SMALLER_WORDS),
    "min(a, b) - 3 * max(a, b)": (
        lambda a, b: np.minimum(a, b) - np.uint32(3) * np.maximum(a, b),
        WORDS,
        SMALLER_WORDS,
    ),
    "__byte_perm(a, b, 0x3715)": (
        lambda a, b: b >> 8 & 0xFF | a & 0xFF00FF00 & 0xFF00FFFF | (b >> 24) << 16,
        WORDS,
        SMALLER_WORDS,
    ),
    "a / b + a % b - 7": (lambda a, b: a // b + a % b - np.uint64(7), PAIRS, SMALLER_PAIRS),
    "a + b + (a | b)": (lambda a, b: a + b + (a | b), PAIRS, PAIRS[::-1]),
    "a * b + (a - b)": (lambda a, b: a * b + (a - b), PAIRS, SMALLER_PAIRS),
    "(a >> (b & 63)) ^ (a << (b >> 58))": (
        lambda a, b: a >> (b & np.uint64(63)) ^ a << (b >> np.uint64(58)),
        PAIRS,
        SMALLER_PAIRS,
    ),
    "a < b ? a : ~b": (lambda a, b: np.where(a < b, a, ~b), PAIRS, PAIRS[::-1]),
    "(long long)a < (long long)b ? a : b + 1": (
        lambda a, b: np.where(a.view(np.int64) < b.view(np.int64), a, b + np.uint64(1)),
        PAIRS,
        PAIRS[::-1],
    ),
    "__popcll(a) * (b | 1)": (lambda a, b: np.bitwise_count(a) * (b | np.uint64(1)), PAIRS, SMALLER_PAIRS),
    "a + b": (lambda a, b: a + b, DOUBLES, DOUBLES[::-1]),
    "a > b ? a : -b": (lambda a, b: np.where(a > b, a, -b), DOUBLES, DOUBLES[::-1]),
    "(float)a * b": (lambda a, b: a.astype(np.float32) * b, DOUBLES * 1e-5, DOUBLES[::-1]),
    "a * b": (lambda a, b: a * b, FLOATS, FLOATS[::-1]),
}


def launched(text, arrays, architecture, *, name="kernel", grid=(1, 1), threads=THREADS, shared_bytes=0):
    """Run a kernel whose arguments are arrays; return what came of it."""
    kernel = machine_code.kernel_of(text, (name,), name, architecture)
    ranges = [(array.ctypes.data, array.ctypes.data + array.nbytes, False) for array in arrays]
    arguments = np.array([begin for begin, _, _ in ranges], np.uint64).tobytes()
    shape = {"grid": grid, "threads": threads, "shared_bytes": shared_bytes}
    return kernel.launch(arguments, **shape, ranges=np.array(ranges, RANGE))


@pytest.mark.parametrize("expression", EXPRESSIONS)
@each_architecture
def test_arithmetic_is_numpys(expression, architecture):
    numpys, a, b = EXPRESSIONS[expression]
    arrays = [np.array(a), np.array(b), np.zeros_like(a)]
    kind = TYPES[str(a.dtype)]
    text = f"""
    __global__ void kernel(const {kind}* as, const {kind}* bs, {kind}* results) {{
      const {kind} a = as[threadIdx.x], b = bs[threadIdx.x];
      results[threadIdx.x] = {expression};
    }}"""
    assert launched(text, arrays, architecture).why == ""
    assert arrays[2].tolist() == numpys(a, b).tolist()


LANES = """
__global__ void kernel(unsigned* values, unsigned* out) {
  __shared__ unsigned turned[64];
  const unsigned t = threadIdx.x, v = values[t], all = ~0u;
  turned[63 - t] = v;
  out[t] = __shfl_xor_sync(all, v, 5);
  out[64 + t] = __shfl_up_sync(all, v, 3);
  out[128 + t] = __shfl_down_sync(all, v, 9, 16);
  out[192 + t] = __shfl_sync(all, v, values[0] & 31, 16);
  out[256 + t] = __ballot_sync(all, v & 1);
  out[320 + t] = 2 * __any_sync(all, v == values[40]) + __all_sync(all, v < values[1]);
  __syncthreads();
  out[384 + t] = turned[t];
}"""


@each_architecture
def test_lanes_see_each_other(architecture):
    out = np.zeros(7 * THREADS, np.uint32)
    values = np.array(WORDS)
    values[1] = 2**32 - 1
    assert launched(LANES, [values, out], architecture).why == ""
    warps, lane = values.reshape(2, 32), np.arange(32)
    any_and_all = 2 * (warps == values[40]).any(axis=1) + (warps < values[1]).all(axis=1)
    want = [
        warps[:, lane ^ 5],
        warps[:, np.where(lane < 3, lane, lane - 3)],
        warps[:, np.where(lane % 16 + 9 < 16, lane + 9, lane)],
        warps[:, lane & 16 | values[0] & 15],
        np.repeat(((warps & 1).astype(np.uint64) << lane.astype(np.uint64)).sum(axis=1), 32),
        np.repeat(any_and_all, 32),
        values[::-1],
    ]
    for got, wanted in zip(out.reshape(7, THREADS), want, strict=True):
        assert got.tolist() == np.ravel(wanted).tolist()


def product_of_matrices(rows, depth):
    """Return a kernel whose warp multiplies matrices of (rows, depth) and (depth, 8) numbers and adds a third."""
    sizes = {"d": rows // 4, "a": rows * depth // 32, "b": depth // 4, "c": rows // 4}  # numbers of a thread
    firsts = np.cumsum([0, *sizes.values()]).tolist()
    groups = ["{" + ", ".join(f"%{n}" for n in range(*span)) + "}" for span in itertools.pairwise(firsts)]
    results, *sources = [
        ", ".join(f'"{"=" * (name == "d")}d"({name}[{size} * t + {i}])' for i in range(size))
        for name, size in sizes.items()
    ]
    return f"""
    __global__ void kernel(const double* a, const double* b, const double* c, double* d) {{
      const unsigned t = threadIdx.x;
      asm("mma.sync.aligned.m{rows}n8k{depth}.row.col.f64.f64.f64.f64 {", ".join(groups)};"
          : {results} : {", ".join(sources)});
    }}"""


@pytest.mark.parametrize(("architecture", "rows", "depth"), [(80, 8, 4), (90, 8, 4), (90, 16, 4), (90, 16, 8)])
def test_a_warp_multiplies_matrices(architecture, rows, depth):
    """Which thread holds what is as the PTX ISA says for fragments of each shape."""
    first, second, added = (RANDOM.normal(size=shape) for shape in ((rows, depth), (depth, 8), (rows, 8)))
    group, place = np.divmod(np.arange(32), 4)
    lower, deeper = range(0, rows, 8), range(0, depth, 4)
    held = [
        np.array([first[group + h, place + k] for k in deeper for h in lower]).T.copy(),
        np.array([second[place + k, group] for k in deeper]).T.copy(),
        np.array([added[group + h, 2 * place + m] for h in lower for m in range(2)]).T.copy(),
        np.zeros((32, rows // 4)),
    ]
    text = product_of_matrices(rows, depth)
    kernel = machine_code.kernel_of(text, ("kernel",), "kernel", architecture)
    assert [matrix_sizes(i.modifiers) for i in kernel.instructions if i.opcode == "DMMA"] == [(rows, 8, depth)]
    assert launched(text, held, architecture, threads=32).why == ""
    result = first @ second + added
    want = np.array([result[group + h, 2 * place + m] for h in lower for m in range(2)]).T
    assert np.allclose(held[3], want, rtol=0, atol=1e-14)


LOOPS = """
__global__ void kernel(const unsigned* values, unsigned* out) {
  const unsigned t = threadIdx.x;
  unsigned sum = 0;
  for (unsigned k = values[t] % 50; k; --k) {
    for (unsigned j = 0; j < 100; ++j) {
      sum += values[j % 64] * j;
      if (sum % 31 == t % 31) break;
      if (sum % 4093 == 3) goto found;
    }
    sum ^= k;
  }
found:
  __syncthreads();
  out[t] = sum;
}"""


def result_of_loops(t, values):
    """Return what thread t of that kernel writes."""
    total = 0
    for k in range(values[t] % 50, 0, -1):
        for j in range(100):
            total = (total + values[j % 64] * j) % 2**32
            if total % 31 == t % 31:
                break
            if total % 4093 == 3:
                return total
        total ^= k
    return total


@each_architecture
def test_lanes_part_and_meet_again(architecture):
    out = np.zeros(THREADS, np.uint32)
    kernel = machine_code.kernel_of(LOOPS, ("kernel",), "kernel", architecture)
    assert {"BSSY", "BREAK", "BSYNC"} <= {instruction.opcode for instruction in kernel.instructions}
    assert launched(LOOPS, [np.array(WORDS), out], architecture).why == ""
    assert out.tolist() == [result_of_loops(t, WORDS.tolist()) for t in range(THREADS)]


LOCAL = """
__global__ void kernel(const unsigned* values, unsigned* out) {
  unsigned own[64];
  for (int k = 0; k < 64; ++k) own[k] = k;
  for (int k = 0; k < 64; ++k) own[(values[k] + threadIdx.x) % 64] += own[values[63 - k] % 64];
  out[threadIdx.x] = own[5];
}"""


@each_architecture
def test_threads_have_memory_of_their_own(architecture):
    out = np.zeros(THREADS, np.uint32)
    kernel = machine_code.kernel_of(LOCAL, ("kernel",), "kernel", architecture)
    assert {"LDL", "STL"} <= {instruction.opcode for instruction in kernel.instructions}
    assert launched(LOCAL, [np.array(WORDS), out], architecture).why == ""
    own = np.tile(np.arange(64, dtype=np.uint32), (THREADS, 1))
    threads = np.arange(THREADS)
    for k in range(64):
        own[threads, (WORDS[k] + threads) % 64] += own[threads, WORDS[63 - k] % 64]
    assert out.tolist() == own[:, 5].tolist()


SHARED = "extern __shared__ unsigned tile[]; const unsigned t = threadIdx.x;"
# What is wrong with the body of a kernel, and what is said of it.
FAULTS = {
    "out[t] = *(unsigned*)((char*)out + 2);": r"address 0x\w+ of global memory is misaligned at 0x\w+, block \(0, 0\)",
    "out[t + 1] = 1;": r"address 0x\w+ is outside of every allocation at",
    "out[t] = tile[t + 1];": r"address 0x\w+ is outside of shared memory at",
    "if (t == 5) __trap();": r"__trap at 0x\w+, thread 5",
    "if (t < 40) __syncthreads(); tile[t] = t; __syncthreads(); out[t] = tile[0];": r"a barrier at .* \d+ of 64",
    "tile[t] = t; out[t] = tile[63 - t];": "race at .* of shared memory that thread",
    "if (t < 32) out[t] = tile[t ^ 1]; tile[t] = t;": r"race at .* writes .* that thread \d+ .* read",
    "if (t > 31) tile[t / 2] = t;": "race at .* writes the word .* of shared memory that thread .* wrote",
    "tile[t] = t; out[t] = tile[t ^ 1];": "race at .* reads the word .* of shared memory that thread .* wrote",
    "out[t] = out[63 - t];": "race at .* of global memory that thread .* of block 0",
    "if (t == blockIdx.x) out[0] = t;": "race at .* writes the word .* of global memory that thread .* wrote",
    "if (t == 0) { out[blockIdx.x] = out[8]; out[8 + blockIdx.x] = 2; }": "race at .* of global memory",
}
SOUND = (
    "tile[t] = t; __syncthreads(); out[t] = tile[63 - t];",
    "tile[t] = t; __syncwarp(); out[t] = tile[t ^ 1];",
    "tile[t] = tile[t] + 1; __syncthreads(); if (t < 2) out[t] = tile[63 - t];",
    "const unsigned v = out[63 - t]; __syncthreads(); out[t] = v;",
    "if (t < 32) out[t] = out[40] + out[41];",
)


def body_launched(body, architecture, *, blocks):
    text = f"__global__ void kernel(unsigned* out) {{ {SHARED} {body} }}"
    return launched(text, [np.zeros(THREADS, np.uint32)], architecture, grid=(blocks, 1), shared_bytes=4 * THREADS)


@pytest.mark.parametrize("body", FAULTS)
@each_architecture
def test_what_is_wrong_with_a_kernel_is_said(body, architecture):
    assert re.match(FAULTS[body], body_launched(body, architecture, blocks=1 + ("blockIdx" in body)).why)


@pytest.mark.parametrize("body", SOUND)
@each_architecture
def test_accesses_that_are_ordered_are_no_race(body, architecture):
    assert body_launched(body, architecture, blocks=1).why == ""


def test_blocks_that_touch_different_words_do_not_race():
    text = "__global__ void kernel(unsigned* out) { out[blockIdx.x * 64 + threadIdx.x] += out[512 + threadIdx.x]; }"
    assert launched(text, [np.zeros(1024, np.uint32)], 90, grid=(8, 1)).why == ""


UNKNOWN = {
    "REDG.E.ADD.F64.RN.STRONG.GPU desc[UR4][R2.64], R4": "the opcode REDG",
    "DADD.RM R2, R2, R4": r"the modifier \.RM of DADD",
    "MUFU.EX2 R2, R4": r"the modifier \.EX2 of MUFU",
    "IADD3 R2, P0, R4, R5, R6": "a form with one carry of three numbers",
    "IMAD.WIDE.U32 R2, P0, P1, R4, R5, R6": "a form with two carries",
    "MOV R2, c[0x1][0x8]": r"the operand c\[0x1\]\[0x8\]",
    "S2R R0, SR_CLOCKLO": "the special register SR_CLOCKLO",
    "LDG.E.64 R2, desc[UR4][R2.64+R4.X2]": "the number R4.X2",
    "BAR.SYNC 0x1": "a barrier other than __syncthreads",
    "FSEL R2, R4, R6": "a form with 3 operands instead of 4",
    "@P9 EXIT": "the predicate P9",
    "BRA": "this form of BRA",
}


def listed(place, instruction):
    """Return an instruction as the disassembler writes it."""
    return f"Function : f\n  /*{place:04x}*/  {instruction} ; /* 0x{0:016x} */\n  /* 0x{0:016x} */\n"


@pytest.mark.parametrize("instruction", UNKNOWN)
def test_an_instruction_that_is_not_known_is_named(instruction):
    instructions = instructions_of(f"{listed(0, 'NOP')}{listed(16, instruction)}")["f"]
    where = re.escape(f": '{instruction}' at 0x10 of clear<double>; teach it in tests/machine_code/opcodes.py")
    with pytest.raises(UnknownInstructionError, match=f"does not know {UNKNOWN[instruction]}{where}$"):
        steps_of(instructions, "clear<double>", lambda _name: 0)


def test_a_listing_with_gaps_is_refused():
    with pytest.raises(ValueError, match="f: no instruction was found at 0x0"):
        instructions_of(listed(16, "NOP"))
