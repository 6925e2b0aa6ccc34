"""Predictions: the model of a multiprocessor on kernels whose times follow from its numbers, and the command."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import machine_code
from machine_code.launching import RANGE

pytestmark = pytest.mark.skipif(
    machine_code.why_unavailable() is not None, reason=f"no machine code here: {machine_code.why_unavailable()}"
)

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
WARPS = 8


@pytest.fixture
def simulated(monkeypatch):
    """Return a function that runs a kernel on two blocks and lets an H200's multiprocessor run such blocks."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from gpu.multiprocessor import simulate
    from gpu.predicted_cards import CARDS

    def simulated(body, card="h200", resident=8):
        text = f"__global__ void kernel(double* data) {{ const unsigned t = blockIdx.x * 256 + threadIdx.x; {body} }}"
        card = CARDS[card]
        kernel = machine_code.kernel_of(text, ("kernel",), "kernel", card.architecture)
        data = np.zeros(2 * WARPS * 32 * 64 + 64)
        data = data[-data.ctypes.data % 512 // 8 :]  # aligned as on a card
        ranges = np.array([(data.ctypes.data, data.ctypes.data + data.nbytes, True)], RANGE)
        ran = kernel.launch(
            np.uint64(data.ctypes.data).tobytes(),
            grid=(2, 1),
            threads=WARPS * 32,
            shared_bytes=4096,
            ranges=ranges,
            counts_memory=True,
            issued_room=1_000_000,
        )
        assert ran.why == ""
        traces = [ran.issued[ran.issued["block"] == block] for block in range(2)]
        return simulate(kernel, traces, card, WARPS, resident), ran, card

    return simulated


ARITHMETIC = """double a = data[t], b = data[t + 512];
  for (int k = 0; k < 400; ++k) { a = a * b + 1; b = b * a + 2; }
  data[t] = a + b;"""


@pytest.mark.parametrize(("card", "cycles"), [("h200", 2), ("a100", 4)])
def test_arithmetic_in_double_precision_takes_its_units(simulated, card, cycles):
    found, _, _ = simulated(ARITHMETIC, card)
    each = 2 * 400 * WARPS / 4 * cycles  # multiply-adds of a scheduler's warps in a block
    assert found.cycles == pytest.approx(each, rel=0.05)
    assert found.double_share > 0.95


PRODUCTS = """double a = data[t], b = data[t + 512], c[4] = {0, 0, 0, 0};
  for (int k = 0; k < 200; ++k) {
#if __CUDA_ARCH__ == 900
    asm volatile("mma.sync.aligned.m16n8k4.row.col.f64.f64.f64.f64 {%0, %1, %2, %3}, {%4, %4}, {%5}, {%0, %1, %2, %3};"
                 : "+d"(c[0]), "+d"(c[1]), "+d"(c[2]), "+d"(c[3]) : "d"(a), "d"(b));
#else
    asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};"
                 : "+d"(c[0]), "+d"(c[1]) : "d"(a), "d"(b));
#endif
  }
  data[t] = c[0] + c[1] + c[2] + c[3];"""


@pytest.mark.parametrize(("card", "cycles"), [("h200", 16 * 8 * 4 / 32), ("a100", 8 * 8 * 4 / 16)])
def test_products_of_matrices_take_the_same_units(simulated, card, cycles):
    found, _, _ = simulated(PRODUCTS, card)
    assert found.cycles == pytest.approx(200 * WARPS / 4 * cycles, rel=0.05)
    assert found.double_share > 0.9


def test_a_copy_takes_the_bandwidth(simulated):
    body = "for (int k = 0; k < 32; ++k) data[t + 16384 + 512 * k % 16384] = data[t + 512 * k] + 1;"
    found, ran, card = simulated(body)
    sectors = int(ran.counts["new_sectors"].sum()) / 2
    assert sectors == 2 * 32 * WARPS * 32 * 8 / 32
    assert found.cycles == pytest.approx(
        32 * sectors * card.multiprocessors * card.clock / card.copy_bytes_per_s, rel=0.05
    )
    assert found.memory_share > 0.95


def test_conflicts_of_banks_take_time(simulated):
    body = """extern __shared__ double tile[];
      const double v = data[t];
      for (int k = 0; k < 200; ++k) {{ tile[({} + k) % 512] = v; __syncthreads(); }}
      data[t] = tile[5];"""
    straight, without, _ = simulated(body.format("threadIdx.x"))
    strided, ran, _ = simulated(body.format("threadIdx.x % 32 * 16 + threadIdx.x / 32"))
    assert ran.counts["wavefronts"].sum() > 7 * without.counts["wavefronts"].sum()
    assert strided.cycles > 4 * straight.cycles


def test_fewer_blocks_at_a_time_hide_less_latency(simulated):
    alone, _, _ = simulated(ARITHMETIC, resident=1)
    assert alone.cycles > 1.5 * simulated(ARITHMETIC)[0].cycles


def test_the_command_predicts_in_the_layout_of_measured_records(tmp_path):
    words = ["predict", "--cards", "h100,a100", "--families", "ghz", "--sizes", "23", "--precisions", "double"]
    done = subprocess.run(
        [sys.executable, "-m", "gpu", *words, "--results", tmp_path],
        cwd=BENCHMARKS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "predicted for NVIDIA H100" in done.stdout
    records = [
        json.loads(line) for path in sorted(tmp_path.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()
    ]
    assert [record["card"] for record in records] == ["NVIDIA A100 40GB (predicted)", "NVIDIA H100 80GB (predicted)"]
    for record in records:
        assert (record["kind"], record["family"], record["n"], record["precision"]) == ("family", "ghz", 23, "double")
        assert record["predicted"] is True
        found = record["random"]
        assert found["sectors"] >= found["bytes"] / 32 == 2 * found["passes"] * 2**23 * 16 / 32
        assert found["limit_seconds"] <= 1.001 * found["seconds"]["basicaer"][0]
        assert found["issue_seconds"] <= found["seconds"]["basicaer"][0]
        assert record["zero"]["instructions"] < found["instructions"]
