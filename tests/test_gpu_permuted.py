"""Diagonal gates that are moved to before a permutation, alone and within circuits; and how threads are ordered."""

import numpy as np
import pytest

import reference
from basicaer.devices.gpu.affine import Affine
from basicaer.devices.gpu.operations import Table
from basicaer.devices.gpu.rewriting import moved_before
from basicaer.devices.gpu.tape import ONE
from basicaer.devices.gpu.thread_order import ordered_threads, shared_columns
from basicaer.devices.numbers import GateNumbers
from basicaer.engine.program import Form, Gate, Segment
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from conftest import TINY_SHAPES, emulated_gpu
from plan_checks import in_program_order

N = 5


def permuted(random, length):
    """Return a permutation as the device keeps it, and what each basis state becomes."""
    affine, goes_to = Affine(range(N)), np.arange(2**N)
    for _ in range(length):
        target, control = random.permutation(N)[:2].tolist()
        value = bool(random.integers(2))
        if random.integers(4):
            affine.flip(target, {control: value})
            goes_to ^= ((goes_to >> control & 1) == value) << target
        else:
            affine.flip(target, {})
            goes_to ^= 1 << target
    return affine, goes_to


def factors_of(gate, numbers):
    """Return the factor by which a diagonal gate, or a table, multiplies each basis state, from numbers by place."""
    if isinstance(gate, Table):
        index = [sum_of(gate.columns, [i >> wire & 1 for wire in gate.wires]) for i in range(2**N)]
        holds = [all((i >> wire & 1) == value for wire, value in gate.condition.items()) for i in range(2**N)]
        return np.where(holds, numbers[gate.factors[index]], 1)
    ones = np.ones(2**N, complex)
    return reference.apply(ones, np.diag(numbers[gate.data]), gate.targets, gate.controls, gate.control_state)


def sum_of(columns, values):
    combined = 0
    for column, value in zip(columns, values, strict=True):
        combined ^= column * value
    return combined


@pytest.mark.parametrize("length", [0, 1, 2, 5, 20])
@pytest.mark.parametrize("targets", range(4))
@pytest.mark.parametrize("controls", range(3))
def test_a_diagonal_gate_before_a_permutation_does_what_it_did_after(length, targets, controls):
    random = np.random.default_rng([length, targets, controls])
    for _ in range(10):
        affine, goes_to = permuted(random, length)
        wires = random.permutation(N)[: targets + controls].tolist()
        numbers = np.exp(1j * random.uniform(0, 6, 3 + 2**targets))
        numbers[ONE] = 1
        data = 3 + np.arange(2**targets)
        state = int(random.integers(2**controls))
        gate = GateNumbers(Form.DIAGONAL, data, tuple(wires[:targets]), tuple(wires[targets:]), state)
        moved = moved_before(gate, affine)
        assert np.allclose(factors_of(moved, numbers), factors_of(gate, numbers)[goes_to])


def test_too_many_parities_are_not_looked_up():
    affine = Affine(range(8))
    for wire in range(7):
        affine.flip(wire, {7: True})
    gate = GateNumbers(Form.DIAGONAL, np.array([3, 4]), (6,), tuple(range(6)), 63)
    assert moved_before(gate, affine) is None
    assert isinstance(moved_before(gate._replace(controls=(), control_state=0), affine), Table)


@pytest.mark.parametrize("n", range(2, 9))
def test_phases_between_ladders_of_cx(n):
    random, device = np.random.default_rng(n), emulated_gpu(TINY_SHAPES)
    h = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    for _ in range(12):
        gates = []
        for kind in random.integers(0, 9, 60):
            a, b = random.permutation(n)[:2].tolist()
            if kind < 4:
                gates.append(Gate("cx", "X", (a,), Form.PERMUTATION, np.array([1, 0]), (b,), int(random.integers(2))))
            elif kind < 6:
                gates.append(Gate("p", "Z", (a,), Form.DIAGONAL, np.exp(1j * random.normal(size=2))))
            elif kind < 7:
                gates.append(Gate("zz", "ZZ", (a, b), Form.DIAGONAL, np.exp(1j * random.normal(size=4))))
            elif kind < 8:
                gates.append(Gate("x", "X", (a,), Form.PERMUTATION, np.array([1, 0])))
            else:
                gates.append(Gate("h", "G", (a,), Form.MATRIX, h))
        start, segment = reference.random_state(n), Segment(tuple(gates))
        state = device.new_state(n, Precision.DOUBLE)
        state.load(start)
        state.run(segment, plan_segment(segment, n, device.costs(n, Precision.DOUBLE)))
        assert np.allclose(state.amplitudes(), in_program_order(gates, start), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("tile", "registers", "rows"), [(12, 4, 3), (13, 5, 4), (11, 4, 3), (12, 5, 4)])
def test_whatever_is_in_registers_threads_use_different_banks_and_whole_lines(tile, registers, rows):
    columns = dict(enumerate(shared_columns(tile, rows)))
    random = np.random.default_rng(tile)
    for _ in range(200):
        order = random.permutation(tile).tolist()
        wires, lines = sorted(order[registers:]), set(order[registers : registers + rows])
        threads = ordered_threads(wires, lines, [columns], rows)
        assert sorted(threads) == wires
        assert lines <= set(threads[:5])
        spans = {0}
        for wire in threads[:rows]:
            spans |= {bank ^ columns[wire] % 2**rows for bank in spans}
        assert len(spans) == 2**rows
