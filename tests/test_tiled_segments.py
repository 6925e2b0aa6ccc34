"""One planned segment after another on one state: layouts and untouched qubits carried on, bound plans found again."""

import numpy as np
import pytest

import reference
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from conftest import DEVICES
from plan_checks import flip, hadamard, in_program_order, phase, random_gates, segment, swap


@pytest.fixture(params=["CPU-tiny-tiles", "GPU-emulated"])
def device(request):
    return DEVICES[request.param]()


def some_gates(random, n):
    """Many gates or one, nothing but swaps, or one that pairs amplitudes."""
    match random.integers(4):
        case 0:
            return random_gates(random, n, 12, widest=2)
        case 1:
            return random_gates(random, n, 1, widest=2)
        case 2:
            return [swap(*random.permutation(n)[:2].tolist()) for _ in range(4)]
        case _:
            return [hadamard(int(random.integers(n)))]


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("n", [6, 9, 12])
def test_segments_one_after_another(device, n, loaded, precision, tolerance):
    """Each finds the layout, and the qubits that are still |0>, as the ones before have left them."""
    for seed in range(8):
        random = np.random.default_rng([n, seed])
        costs = device.costs(n, precision)
        state = device.new_state(n, precision)
        vector = reference.zero(n)
        if loaded:
            vector = reference.random_state(n, seed)
            state.load(vector)
        for _ in range(6):
            gates = some_gates(random, n)
            state.run(segment(gates), plan_segment(segment(gates), n, costs))
            vector = in_program_order(gates, vector)
        assert np.allclose(state.amplitudes(), vector, rtol=0, atol=2 * tolerance), seed


def test_a_swap_by_itself_moves_what_is_still_zero(device, precision, tolerance):
    n = 6
    costs = device.costs(n, precision)
    state = device.new_state(n, precision)
    vector = reference.zero(n)
    for gates in ([flip(0)], [swap(0, 5)], [hadamard(q) for q in range(5)]):
        state.run(segment(gates), plan_segment(segment(gates), n, costs))
        vector = in_program_order(gates, vector)
    assert np.allclose(state.amplitudes(), vector, atol=tolerance)


# A plan that has been bound is found again by segment, layout, untouched qubits and precision: by all of them.


def body_of_a_loop(n):
    """Gates that leave another layout each time, on which the next time starts."""
    gates = random_gates(np.random.default_rng(n), n, 14, widest=2)
    return segment([*gates, *(phase(0.1 * q, q, (q + 3) % n) for q in range(n)), swap(0, n - 1), swap(1, 4)])


@pytest.mark.parametrize("loaded", [False, True])
def test_a_segment_again_and_again(device, loaded, precision, tolerance):
    n = 9
    body = body_of_a_loop(n)
    plan = plan_segment(body, n, device.costs(n, precision))
    state = device.new_state(n, precision)
    vector = reference.random_state(n) if loaded else reference.zero(n)
    if loaded:
        state.load(vector)
    places = set()
    for _ in range(6):
        state.run(body, plan)
        vector = in_program_order(body.gates, vector)
        places.add(state._place)
        assert np.allclose(state.copy().amplitudes(), vector, rtol=0, atol=4 * tolerance)
    assert len(places) > 1


def test_a_segment_on_states_of_both_precisions_in_turn(device):
    n = 9
    body = body_of_a_loop(n)
    plan = plan_segment(body, n, device.costs(n, Precision.DOUBLE))
    vector = reference.random_state(n)
    want = in_program_order(body.gates, vector)
    for precision in (Precision.DOUBLE, Precision.SINGLE, Precision.DOUBLE):
        state = device.new_state(n, precision)
        state.load(vector)
        state.run(body, plan)
        atol = 1e-12 if precision is Precision.DOUBLE else 2e-6
        assert np.allclose(state.amplitudes(), want, rtol=0, atol=atol)


def test_a_segment_where_qubits_are_untouched_and_where_they_are_not(device, precision, tolerance):
    """In the same layout."""
    n = 9
    body = segment([hadamard(2), flip(5, 2), flip(7, 5), phase(1, 2, 8)])
    plan = plan_segment(body, n, device.costs(n, precision))
    touched = reference.random_state(3)
    for prepared in ((), (0, 3, 8), ()):
        state = device.new_state(n, precision)
        first = [hadamard(1)]
        state.run(segment(first), plan_segment(segment(first), n, device.costs(n, precision)))
        vector = in_program_order(first, reference.zero(n))
        if prepared:
            state.prepare(prepared, touched)
            vector = reference.prepare(vector, prepared, touched)
        state.run(body, plan)
        assert np.allclose(state.amplitudes(), in_program_order(body.gates, vector), rtol=0, atol=tolerance)
