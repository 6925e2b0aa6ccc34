"""Planned runs on the GPU, emulated or not, against naive application: many passes and blocks, growth from |0...0>."""

import numpy as np
import pytest

import reference
from basicaer.engine.program import Form, Gate, Segment
from basicaer.plan.planner import plan_segment
from plan_checks import in_program_order, random_gates


def check(device, gates, n, precision, tolerance, *, discard_phases=False):
    """Compare with program order, from |0...0> and from any state."""
    segment = Segment(tuple(gates))
    plan = plan_segment(segment, n, device.costs(n, precision), discard_phases=discard_phases)
    for start in (reference.zero(n), reference.random_state(n, seed=n)):
        state = device.new_state(n, precision)
        if start[0] != 1:
            state.load(start)
        state.run(segment, plan)
        got, want = state.amplitudes(), in_program_order(gates, start)
        if discard_phases:
            got, want = abs(got), abs(want)
        assert np.allclose(got, want, rtol=0, atol=tolerance)


@pytest.mark.parametrize("n", range(1, 13))
def test_random_circuits(n, tiny_gpu, precision, tolerance):
    random = np.random.default_rng([n, 2])
    for widest in (2, 3):
        check(tiny_gpu, random_gates(random, n, 16, widest=widest), n, precision, tolerance)


@pytest.mark.parametrize("n", [7, 10])
def test_long_random_circuits_of_narrow_gates(n, tiny_gpu, precision, tolerance):
    check(tiny_gpu, random_gates(np.random.default_rng([n, 3]), n, 120, widest=2), n, precision, 4 * tolerance)


def test_wide_gates(tiny_gpu, precision, tolerance):
    """Some of the gates are wider than a tile."""
    check(tiny_gpu, random_gates(np.random.default_rng(4), 9, 12, widest=7), 9, precision, 4 * tolerance)


def test_phases_that_do_not_matter_are_left_out(tiny_gpu, precision, tolerance):
    check(
        tiny_gpu,
        random_gates(np.random.default_rng(5), 8, 60, widest=2),
        8,
        precision,
        4 * tolerance,
        discard_phases=True,
    )


@pytest.mark.parametrize("n", [3, 8])
def test_without_a_plan_gates_run_in_tiles_as_they_come(n, tiny_gpu, precision, tolerance):
    gates = random_gates(np.random.default_rng([n, 6]), n, 30, widest=4)
    state = tiny_gpu.new_state(n, precision)
    state.run(Segment(tuple(gates)), None)
    assert np.allclose(state.amplitudes(), in_program_order(gates, reference.zero(n)), rtol=0, atol=4 * tolerance)


def test_tiles_of_real_size(tiny_gpu, precision, tolerance):
    check(tiny_gpu, random_gates(np.random.default_rng(7), 14, 24, widest=2), 14, precision, tolerance)


def test_a_control_outside_of_the_tile_is_part_of_an_exchange(tiny_gpu, precision, tolerance):
    def gate(target, *controls):
        if controls:
            return Gate("cx", "X", (target,), Form.PERMUTATION, np.array([1, 0]), controls, 1)
        return Gate("u", "G", (target,), Form.MATRIX, reference.random_unitary(2, target))

    gates = [gate(0), gate(0, 7), gate(1, 6), gate(0), gate(1)]
    start = reference.random_state(8, seed=8)
    state = tiny_gpu.new_state(8, precision)
    state.load(start)
    state.run(Segment(tuple(gates)), None)
    assert np.allclose(state.amplitudes(), in_program_order(gates, start), rtol=0, atol=tolerance)
