"""Plans as people see them: what the numbers say is what runs do, the table fits, and the picture shows every gate."""

import itertools
import pickle
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rich.console
from click.testing import CliRunner
from qiskit import QuantumCircuit, qasm2
from qiskit.circuit import Parameter
from qiskit.circuit.library import UnitaryGate
from qiskit.synthesis import synth_qft_full

from basicaer import BasicAerError, cli
from basicaer.compile.lower import lower
from basicaer.devices.cpu import state as numpy_state
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine.program import For, Program
from basicaer.options import DeviceChoice, DeviceOptions, Precision
from basicaer.plan_view import making
from basicaer.plan_view.layout import bands_of, laid_out
from basicaer.plan_view.model import GateKind
from basicaer.simulation import Experiment
from basicaer.simulators import running
from basicaer.wording import duration

GHZ = Path(__file__).parents[1] / "examples" / "ghz.qasm"


@pytest.fixture
def tiles_of(monkeypatch):
    """A function that makes every run and plan use tiles of so many qubits, and so many threads."""

    def use(tile_qubits, threads=1):
        def choose_device(*_arguments, **_keywords):
            return NumpyDevice(threads, tile_qubits=tile_qubits), "a test wants it"

        monkeypatch.setattr(making, "choose_device", choose_device)
        monkeypatch.setattr(running, "choose_device", choose_device)
        return NumpyDevice(threads, tile_qubits=tile_qubits).costs(tile_qubits, Precision.DOUBLE)

    return use


def hadamards(n):
    circuit = QuantumCircuit(n, name="hadamards")
    circuit.h(range(n))
    return circuit


def ansatz(n, layers=2):
    circuit = QuantumCircuit(n, name="ansatz")
    for _ in range(layers):
        circuit.ry(0.3, range(n))
        circuit.rz(0.2, range(n))
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    return circuit


def plan_of(program):
    """The plan of a program by itself, whether or not its state fits this machine."""
    experiment = Experiment(
        program,
        header={},
        shots=1,
        seed=0,
        memory=False,
        precision=Precision.DOUBLE,
        devices=DeviceOptions(DeviceChoice.CPU, threads=1),
        chop_threshold=0.0,
        initial=None,
        lowering_seconds=0.0,
    )
    return making.plan_experiment(experiment)


# Numbers, worked out by hand.


def test_bytes_operations_and_seconds_of_two_passes(statevector, tiles_of):
    """Tiles of 2 of 4 qubits: the first pass finds two qubits in |0> outside of its tile, and so has one tile of 4."""
    costs = tiles_of(2)
    first, second = statevector.plan(hadamards(4)).passes
    assert sorted(first.tile + second.tile) == [0, 1, 2, 3]
    assert [stage.matrices for stage in (first, second)] == [(2,), (2,)]
    assert [stage.tiles for stage in (first, second)] == [1, 4]
    assert [stage.bytes for stage in (first, second)] == [2 * 4 * 16, 2 * 16 * 16]
    assert [stage.flops for stage in (first, second)] == [8 * 4 * 4, 8 * 4 * 16]
    seconds = 4 * (costs.product[2] + costs.rearrange + costs.move) + costs.step_seconds
    assert [stage.seconds for stage in (first, second)] == pytest.approx([seconds, 4 * seconds])


def test_a_plan_adds_up_its_passes_and_counts_the_state_and_the_tiles_of_the_threads(statevector, tiles_of):
    tiles_of(2)
    plan = statevector.plan(hadamards(4))
    assert plan.bytes == 2 * 4 * 16 + 2 * 16 * 16
    assert plan.flops == 8 * 4 * 4 + 8 * 4 * 16
    assert plan.gate_seconds == pytest.approx(sum(stage.seconds for stage in plan.passes))
    assert plan.memory == 16 * 2**4 + NumpyDevice(1).scratch_bytes(Precision.DOUBLE)
    assert (plan.name, plan.n_qubits, plan.n_gates, plan.swaps) == ("hadamards", 4, 4, 0)
    assert (plan.device, plan.device_reason, plan.precision) == ("CPU", "a test wants it", "double")


@pytest.mark.parametrize(("threads", "rounds"), [(1, 4), (2, 2), (3, 2), (4, 1), (9, 1)])
def test_threads_share_tiles_and_nothing_smaller(statevector, tiles_of, threads, rounds):
    tiles_of(2, threads)
    first, second = statevector.plan(hadamards(4)).passes
    assert (first.tiles, second.tiles) == (1, 4)
    assert second.seconds == pytest.approx(rounds * first.seconds)


def test_phases_are_six_operations_and_single_precision_half_the_bytes(statevector, tiles_of):
    """A product of phases that reaches outside of the tile, which no matrix can hold."""
    tiles_of(2)
    circuit = hadamards(4)
    circuit.mcp(0.3, [0, 1, 2], 3)
    *_, last = statevector.plan(circuit, precision="single").passes
    assert last.kinds[GateKind.DIAGONAL] == 1
    assert last.bytes == 2 * 16 * 8
    assert last.flops == (8 * 4 + 6) * 16


def test_few_qubits_have_no_passes_and_their_gates_are_counted_one_by_one(statevector):
    circuit = hadamards(3)
    circuit.ccx(0, 1, 2)
    circuit.ccz(0, 1, 2)
    plan = statevector.plan(circuit)
    assert plan.passes == ()
    assert [gate.name for stage in plan.stages for gate in stage.gates] == ["h", "h", "h", "ccx", "ccz"]
    assert plan.bytes == 2 * 16 * (3 * 8 + 2 + 2)
    assert plan.flops == 3 * 16 * 8 + 0 + 6 * 2
    assert plan.memory == 16 * 2**3
    assert "one by one" in str(plan)


def test_gates_that_run_one_by_one_take_as_long_as_the_device_says(statevector, monkeypatch):
    monkeypatch.setattr(NumpyDevice, "gate_seconds", lambda _, n_qubits, precision: 10 * n_qubits + len(precision))
    plan = statevector.plan(hadamards(3))
    assert plan.gate_seconds == 3 * (30 + len("double"))


def test_an_empty_circuit_has_an_empty_plan(statevector):
    plan = statevector.plan(QuantumCircuit(2, name="nothing"))
    assert (plan.stages, plan.passes, plan.n_qubits, plan.bytes, plan.gate_seconds) == ((), (), 0, 0, 0)
    assert str(plan).startswith("nothing: 0 qubits, 0 gates, 0 passes\n")


# Numbers, compared to what runs do.


@pytest.fixture
def seen_passes(monkeypatch):
    """The tiles that a run has touched in each of its passes, and the amplitudes of a tile."""
    seen = []
    run_passes = numpy_state.run_passes

    def noting(passes, vector, threads, monitor, **keys):
        seen.extend((len(step.bases), step.tile_size) for step in passes)
        return run_passes(passes, vector, threads, monitor, **keys)

    monkeypatch.setattr(numpy_state, "run_passes", noting)
    return seen


def with_swaps():
    circuit = ansatz(6, 1)
    circuit.swap(0, 5)
    circuit.swap(1, 4)
    circuit.h([0, 1, 2])
    return circuit


def with_half_the_qubits_late():
    """Nothing random happens: a reset that finds 1 adds a gate of its own, which no plan can foresee."""
    circuit = QuantumCircuit(6)
    circuit.x([0, 1, 2])
    circuit.cx(0, 1)
    circuit.measure_all()
    circuit.reset(1)
    circuit.h([3, 4, 5])
    circuit.ccx(3, 4, 5)
    return circuit


def with_a_preparation():
    circuit = QuantumCircuit(6)
    circuit.initialize("10", [0, 4])
    circuit.h([1, 2, 3])
    circuit.rx(0.3, [0, 1, 5])
    return circuit


def with_many_controls():
    circuit = QuantumCircuit(6)
    circuit.h([0, 1, 2, 3])
    circuit.mcx([0, 1, 2, 3], 4)
    circuit.rxx(0.3, 1, 5)
    return circuit


def with_branches():
    """One of whose branches is never taken; the taken one comes last."""
    circuit = QuantumCircuit(6, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[1], 1)) as otherwise:
        pass
    with otherwise:
        circuit.h([1, 2, 3])
        circuit.cx(3, 1)
    circuit.ry(0.1, [4, 5, 0])
    return circuit


def with_a_branch_that_is_taken():
    circuit = QuantumCircuit(6, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.h([1, 2, 3])
        circuit.cx(3, 1)
    circuit.ry(0.1, [4, 5, 0])
    return circuit


def with_swaps_before_a_measurement():
    circuit = QuantumCircuit(6, 1)
    circuit.x([0, 1])
    circuit.cx(0, 1)
    circuit.swap(0, 5)
    circuit.swap(1, 4)
    circuit.measure(4, 0)
    circuit.h([4, 2, 5])
    circuit.cx(5, 2)
    return circuit


@pytest.mark.parametrize(
    "make",
    [
        lambda: hadamards(7),
        lambda: ansatz(7, 3),
        lambda: synth_qft_full(6),
        with_swaps,
        with_half_the_qubits_late,
        with_a_preparation,
        with_many_controls,
        with_branches,
        with_a_branch_that_is_taken,
        with_swaps_before_a_measurement,
    ],
    ids=["h", "ansatz", "qft", "swaps", "late", "prepared", "controls", "branches", "branch", "swaps, measured"],
)
@pytest.mark.parametrize("tile_qubits", [2, 3, 5])
def test_passes_touch_the_tiles_that_runs_touch(qasm, tiles_of, seen_passes, make, tile_qubits):
    tiles_of(tile_qubits)
    circuit = make()
    if not circuit.num_clbits:
        circuit.measure_all()
    plan = qasm.plan(circuit)
    assert not seen_passes  # nothing has run
    qasm.run(circuit, shots=1).result()
    planned = [(stage.tiles, 2 ** len(stage.tile)) for stage in plan.passes]
    assert planned
    assert seen_passes[: len(planned)] == planned  # then may come those that put amplitudes in order
    assert plan.bytes >= sum(2 * 16 * tiles * size for tiles, size in planned)


def test_a_unitary_is_a_state_of_twice_the_qubits_and_all_of_it_is_touched(unitary, tiles_of, seen_passes):
    tiles_of(3)
    plan = unitary.plan(ansatz(3))
    unitary.run(ansatz(3)).result()
    planned = [(stage.tiles, 2 ** len(stage.tile)) for stage in plan.passes]
    assert seen_passes[: len(planned)] == planned
    assert all(tiles * size == 4**3 for tiles, size in planned)
    assert plan.n_qubits == 6
    assert plan.qubits == (0, 1, 2, 3, 4, 5)
    assert "Qubits from 3 on are the bits of a column's number." in str(plan)


def test_an_initial_state_is_touched_everywhere(statevector, tiles_of):
    tiles_of(2)
    plan = statevector.plan(hadamards(4), initial_statevector=[1] + 15 * [0])
    assert [stage.tiles for stage in plan.passes] == [4, 4]


def test_so_few_gates_are_applied_one_by_one_as_the_device_does(statevector, tiles_of):
    tiles_of(2)
    circuit = hadamards(4)
    circuit.reset(0)
    circuit.cx(0, 1)
    circuit.h(2)
    circuit.reset(0)
    circuit.rx(0.1, range(4))
    plan = statevector.plan(circuit)
    assert [bool(stage.tile) for stage in plan.stages] == [True, True, False, True, True]
    few = plan.stages[2]
    assert few.bytes == 2 * 16 * (8 + 16)
    assert few.flops == 0 + 8 * 2 * 16
    rows = [line.split() for line in str(plan).splitlines()[4:9]]
    assert [row[0] for row in rows] == ["1", "2", "-", "3", "4"]  # it has no number among the passes
    assert rows[2][1:4] == ["(one", "by", "one)"]
    strips = laid_out(plan, {qubit: qubit for qubit in plan.qubits})
    assert [strip.number for strip in strips if strip.stage is not None] == [1, 2, 0, 3, 4]


def test_every_branch_is_planned_from_the_state_before_them(qasm, tiles_of):
    tiles_of(2)
    circuit = QuantumCircuit(5, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.h([1, 2, 3, 4])
    with otherwise:
        circuit.ry(0.1, [1, 2, 3, 4])
    _, *branches = qasm.plan(circuit).passes
    tiles = [stage.tiles for stage in branches]
    half = len(tiles) // 2
    assert half
    assert tiles[:half] == tiles[half:]


def test_the_gates_of_a_plan_are_those_of_the_circuit(statevector, tiles_of):
    tiles_of(3)
    circuit = ansatz(6, 3)
    plan = statevector.plan(circuit)
    number = {qubit: q for q, qubit in enumerate(circuit.qubits)}
    wanted = Counter((item.name, tuple(sorted(number[qubit] for qubit in item.qubits))) for item in circuit.data)
    gates = [gate for stage in plan.stages for gate in stage.gates]
    assert Counter((gate.name, tuple(sorted(gate.targets + gate.controls))) for gate in gates) == wanted
    assert sum((stage.kinds for stage in plan.stages), Counter()) == {
        GateKind.GENERAL: 18,
        GateKind.DIAGONAL: 18,
        GateKind.PERMUTATION: 15,
    }


def test_what_pairs_amplitudes_is_within_the_tile_and_within_its_matrix(statevector, tiles_of):
    tiles_of(3)
    for circuit in (ansatz(6, 3), with_swaps(), with_many_controls(), synth_qft_full(6)):
        for stage in statevector.plan(circuit).passes:
            assert len(stage.tile) >= 3
            for step in stage.steps:
                assert set(step.matrix) <= set(stage.tile)
                for gate in step.gates:
                    if gate.kind is not GateKind.DIAGONAL:
                        assert set(gate.targets) <= set(step.matrix or stage.tile)


def test_kinds_are_told_apart(statevector):
    circuit = QuantumCircuit(3)
    circuit.rz(0.3, 0)
    circuit.cx(0, 1)
    circuit.rx(0.3, 2)
    circuit.rzx(0.2, 0, 1)
    circuit.h(1)
    circuit.cz(1, 2)
    (stage,) = statevector.plan(circuit).stages
    assert [gate.kind for gate in stage.gates] == ["diagonal", "permutation", "X-type", "X-type", "general", "diagonal"]


def test_parts_of_a_gate_with_many_controls_say_so(statevector, tiles_of):
    tiles_of(3)
    parts = {
        gate.name: gate.kind
        for stage in statevector.plan(with_many_controls()).stages
        for gate in stage.gates
        if "," in gate.name
    }
    assert [kind for _, kind in sorted(parts.items())] == [GateKind.DIAGONAL, GateKind.GENERAL, GateKind.GENERAL]
    assert len({name.split(",")[0] for name in parts}) == 1


# Names of qubits.


def test_idle_qubits_are_no_part_of_a_plan_and_the_others_keep_their_numbers(statevector, tiles_of):
    tiles_of(2)
    circuit = QuantumCircuit(9)
    circuit.h([2, 5, 7])
    plan = statevector.plan(circuit)
    assert plan.n_qubits == 3
    assert plan.qubits == (2, 5, 7)
    assert {gate.targets for stage in plan.passes for gate in stage.gates} == {(2,), (5,), (7,)}
    assert {q for stage in plan.passes for q in stage.tile} == {2, 5, 7}


def test_after_a_swap_a_place_is_named_after_the_qubit_that_is_there(statevector, tiles_of):
    """The gates after the swaps run first, on qubits 0 and 1, which are where 2 and 3 were before."""
    tiles_of(2)
    circuit = QuantumCircuit(4)
    circuit.h([0, 1])
    circuit.rz(0.1, [0, 1])
    circuit.swap(0, 2)
    circuit.swap(1, 3)
    circuit.ry(0.1, [0, 1])
    circuit.cx(0, 1)
    plan = statevector.plan(circuit)
    assert (plan.n_gates, plan.swaps) == (9, 2)
    assert [stage.tile for stage in plan.passes] == [(0, 1), (0, 1)]
    assert [stage.tiles for stage in plan.passes] == [1, 4]
    gates = [{(gate.name, gate.targets, gate.controls) for gate in stage.gates} for stage in plan.passes]
    assert {("ry", (0,), ()), ("ry", (1,), ()), ("cx", (1,), (0,))} in gates
    assert {("h", (0,), ()), ("h", (1,), ()), ("rz", (0,), ()), ("rz", (1,), ())} in gates
    assert "2 swaps: the two qubits only change places" in str(plan)


def test_gates_before_and_after_a_swap_in_one_pass_stand_in_the_places_that_the_qubits_had(statevector, tiles_of):
    tiles_of(3)
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.swap(0, 2)
    circuit.ry(0.1, 2)
    circuit.rx(0.1, 1)
    (stage,) = statevector.plan(circuit).passes
    assert {(gate.name, gate.targets) for gate in stage.gates} == {("h", (0,)), ("ry", (0,)), ("rx", (1,))}


# Control flow and parameters.


def test_loops_and_branches_are_planned_once_and_say_where_they_stand(qasm, tiles_of):
    tiles_of(2)
    circuit = QuantumCircuit(3, 2)
    circuit.h([0, 1])
    circuit.measure(0, 0)
    with circuit.for_loop(range(5)):
        circuit.rx(0.3, [0, 1])
        circuit.cx(1, 0)
    with circuit.for_loop(range(4)) as number:
        circuit.rx(number * 0.1, [0, 1])
        circuit.cx(1, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.h([0, 1, 1])
    with otherwise, circuit.while_loop((circuit.clbits[0], 0)):
        circuit.h([0, 1, 2])
        circuit.measure(0, 0)
    with circuit.switch(circuit.clbits[0]) as case, case(1):
        circuit.x([0, 1, 2])
    circuit.measure(1, 1)
    plan = qasm.plan(circuit)
    inside = list(dict.fromkeys(stage.inside for stage in plan.stages))
    assert inside == ["", "for x5", "for x4", "if", "if > while", "switch"]
    assert plan.n_gates == 2 + 3 + 3 + 3 + 3 + 3
    for words in ("A loop is counted as if it went round once.", "All branches are counted", "if > while"):
        assert words in str(plan)


@pytest.mark.parametrize(
    ("bodies", "repeats", "inside"),
    [
        (("rx", "rx"), 3, ["for x6"]),
        (("rx", "ry"), 1, ["", ""]),
        (("rx", "ry"), 3, ["for x3", "for x3"]),
        ((), 1, []),
    ],
    ids=["same", "other", "others, repeated", "none"],
)
def test_the_body_of_a_loop_is_shown_once_where_only_angles_differ(bodies, repeats, inside):
    blocks = []
    for angle, name in enumerate(bodies):
        circuit = QuantumCircuit(3)
        getattr(circuit, name)(angle + 0.5, range(3))
        blocks.append(lower(circuit).body)
    program = Program("loop", (0, 1, 2), 3, 0, 0, (For(tuple(blocks), repeats),), ())
    assert [stage.inside for stage in plan_of(program).stages] == inside


def test_parameters_need_no_values(statevector, tiles_of):
    tiles_of(3)
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(5, name="free")
    circuit.ry(a, range(5))
    circuit.rzz(2 * a + b, 0, 4)
    circuit.rx(b, range(5))
    plan = statevector.plan(circuit)
    assert plan.free_parameters == ("a", "b")
    assert "the same for all values of 'a', 'b'" in str(plan)
    for numbers in ({a: 0.0, b: 1.0}, {a: 2.5, b: -0.1}):
        bound = statevector.plan(circuit.assign_parameters(numbers))
        assert (bound.stages, bound.free_parameters) == (plan.stages, ())
    assert statevector.plan(circuit, parameter_binds=[{a: [0.5]}]).free_parameters == ("b",)
    assert circuit.parameters == {a, b}


@pytest.mark.parametrize("angle", [lambda a: (a - 1).log(), lambda a: (3 * a).arcsin()], ids=["log", "arcsin"])
def test_an_angle_that_is_not_always_a_number_is_refused_in_one_sentence(statevector, angle):
    circuit = QuantumCircuit(1, name="partly")
    circuit.rx(angle(Parameter("a")), 0)
    with pytest.raises(BasicAerError, match=r"^Circuit 'partly' cannot be planned for any values .*\('a'\).*; bind"):
        statevector.plan(circuit)


@pytest.mark.parametrize(
    ("what", "options", "words"),
    [
        ([hadamards(2)], {}, "plan() takes one QuantumCircuit, not an object of type list."),
        ({}, {}, "plan() takes one QuantumCircuit, not an object of type dict."),
        (hadamards(2), {"shot": 3}, "did you mean 'shots'?"),
        (hadamards(2), {"precision": "half"}, "precision must be one of"),
        (hadamards(2), {"device": "GPU"}, "device='GPU' cannot be used"),
        (hadamards(60), {}, "qubits fit"),
    ],
)
def test_a_plan_is_refused_as_a_run_is(statevector, what, options, words):
    with pytest.raises(BasicAerError) as refused:
        statevector.plan(what, **options)
    assert words in str(refused.value.message)


def test_a_unitary_has_no_plan_where_it_has_no_run(unitary):
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with pytest.raises(BasicAerError, match="cannot run 'measure'"):
        unitary.plan(circuit)


# The table.


@pytest.mark.parametrize("tile_qubits", [2, 3])
def test_a_printed_plan_fits_a_terminal(qasm, tiles_of, tile_qubits):
    tiles_of(tile_qubits)
    long_name = QuantumCircuit(5, 5, name="a name with a [bracket] " * 9)
    long_name.h(range(5))
    with long_name.for_loop(range(10**6)), long_name.while_loop((long_name.clbits[0], 0)):
        long_name.ccx(0, 1, 2)
        long_name.rx(0.1, range(5))
        long_name.h(range(5))
    long_name.measure(range(5), range(5))
    for circuit in (long_name, with_branches()):
        lines = str(qasm.plan(circuit)).splitlines()
        assert max(map(len, lines)) <= 100
        assert not [line for line in lines if line != line.rstrip()]
    assert "[bracket]" in str(qasm.plan(long_name))


def test_in_a_notebook_a_plan_is_the_same_text(statevector, monkeypatch):
    plan = statevector.plan(hadamards(20), device="CPU")
    text = str(plan)
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    assert str(plan) == text
    assert "pass" in text


def test_a_tile_of_many_scattered_qubits_is_told_whole_on_several_lines(statevector, tiles_of):
    tiles_of(2)
    plan = statevector.plan(hadamards(4))
    scattered = tuple(range(0, 60, 2))
    plan = replace(plan, stages=(replace(plan.stages[0], tile=scattered),))
    _, _, _, title, *rows, _, _ = str(plan).splitlines()
    assert len(rows) > 1
    column = slice(title.index("tile"), title.index("gates"))
    assert " ".join(row[column] for row in rows).split() == [str(qubit) for qubit in scattered]
    assert max(map(len, [title, *rows])) <= 100


def test_a_table_has_a_row_for_each_pass_with_its_numbers(statevector, tiles_of):
    tiles_of(2)
    plan = statevector.plan(hadamards(4))
    lines = str(plan).splitlines()
    assert lines[0] == "hadamards: 4 qubits, 4 gates, 2 passes"
    assert lines[1].startswith(
        f"about {duration(plan.seconds)} (first time {duration(plan.first_seconds)}), 8 MiB of memory, on the CPU"
    )
    assert lines[3].split() == ["pass", "tile", "qubits", "gates", "general", "matrices", "moved", "time"]
    assert len({len(line) for line in lines[3:6]}) == 1  # the last column is ranged right, so no line is shorter
    for number, (line, stage) in enumerate(zip(lines[4:6], plan.passes, strict=True), 1):
        tile, time = " ".join(map(str, stage.tile)), duration(stage.seconds)
        assert line.split() == f"{number} {tile} 2 2 1 of 2q {stage.bytes} bytes {time}".split()
    assert lines[-2] == "Times are predictions; most are right to a factor of 2."
    assert lines[-1] == "Runs on the CPU (a test wants it)."
    assert repr(plan) == "<CircuitPlan of 'hadamards': 4 qubits, 4 gates, 2 passes>"


def test_of_many_rows_the_first_are_shown_and_the_rest_counted(qasm, tiles_of):
    tiles_of(2)
    circuit = QuantumCircuit(4, 1)
    for _ in range(40):
        circuit.h(range(4))
        circuit.measure(0, 0)
    circuit.h(range(4))
    plan = qasm.plan(circuit)
    lines = str(plan).splitlines()
    rows = [line for line in lines if line.split()[:1] and line.split()[0].isdigit()]
    assert f"and {len(plan.stages) - len(rows)} more rows" in lines
    assert 20 < len(rows) < len(plan.stages)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 us"),
        (3.14159e-6, "3.1 us"),
        (8.5e-4, "850 us"),
        (0.99996e-3, "1 ms"),
        (0.0123, "12 ms"),
        (2.55, "2.5 s"),
        (119.9, "2 min"),
        (600, "10 min"),
        (7200, "2 h"),
        (10 * 86_400, "10 days"),
    ],
)
def test_times_are_said_as_people_do(seconds, words):
    assert duration(seconds) == words


# The picture.


def marks_of(figure):
    """How many marks of each kind are drawn."""
    kinds = Counter()
    for axes in figure.axes:
        for drawn in axes.collections:
            if drawn.get_gid() in list(GateKind):
                kinds[drawn.get_gid()] += len(drawn.get_paths())
    return kinds


@pytest.mark.parametrize(
    ("circuit", "tile_qubits"),
    [
        (hadamards(1), 3),
        (ansatz(5, 1), 9),
        (ansatz(6), 2),
        (synth_qft_full(7), 3),
        (ansatz(5, 60), 9),
        (ansatz(28, 4), 9),
    ],
    ids=["h", "one by one", "ansatz", "qft", "cut", "wide"],
)
def test_a_picture_has_a_mark_for_each_gate_coloured_by_kind(tiles_of, circuit, tile_qubits):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
    tiles_of(tile_qubits)
    plan = plan_of(lower(circuit))
    figure = plan.draw()
    assert marks_of(figure) == sum((stage.kinds for stage in plan.stages), Counter())
    assert sum(marks_of(figure).values()) == plan.n_gates - plan.swaps
    colors = {}
    for axes in figure.axes:
        for drawn in axes.collections:
            if drawn.get_gid() in list(GateKind):
                colors.setdefault(drawn.get_gid(), set()).add(tuple(drawn.get_facecolor()[0]))
    assert all(len(used) == 1 for used in colors.values())
    assert len(set.union(*colors.values())) == len(colors)


def test_a_picture_frames_matrices_shades_tiles_and_names_passes(statevector, tiles_of):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
    tiles_of(2)
    figure = statevector.plan(hadamards(4)).draw()
    (axes,) = figure.axes
    drawn = {collection.get_gid(): len(collection.get_paths()) for collection in axes.collections}
    assert drawn["matrices"] == drawn["tiles"] == 2  # each two qubits side by side
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "1", "2", "3"]
    passes = [text.get_text() for text in axes.texts if text.get_gid() == "pass"]
    assert passes == ["1", "2"]  # there is room for no more
    assert figure.texts[0].get_text() == "hadamards: 4 qubits, 4 gates, 2 passes"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "general (4)",
        "tile",
        "applied as one matrix",
    ]


def test_gates_do_not_overlap_and_stand_in_order(statevector, tiles_of):
    tiles_of(3)
    plan = statevector.plan(ansatz(6, 3))
    row_of = {qubit: row for row, qubit in enumerate(plan.qubits)}
    taken = set()
    last_column = dict.fromkeys(row_of, -1)
    for strip in laid_out(plan, row_of):
        for block in strip.blocks:
            for gate, column in zip(block.gates, block.columns, strict=True):
                rows = [row_of[q] for q in (*gate.targets, *gate.controls)]
                cells = {(column, row) for row in range(min(rows), max(rows) + 1)}
                assert taken.isdisjoint(cells)
                taken |= cells
                for row in rows:
                    assert last_column[row] < column
                    last_column[row] = column
                assert strip.start <= block.start <= column < block.end <= strip.end


def test_bands_hold_every_column_with_a_gate_once(statevector, tiles_of):
    tiles_of(3)
    for circuit in (hadamards(3), ansatz(4, 12), ansatz(4, 40), synth_qft_full(12)):
        plan = statevector.plan(circuit)
        strips = laid_out(plan, {qubit: row for row, qubit in enumerate(plan.qubits)})
        bands = bands_of(strips, plan.n_qubits)
        columns = [column for start, end in bands for column in range(start, end)]
        used = {column for strip in strips for block in strip.blocks for column in block.columns}
        assert len(columns) == len(set(columns))
        assert used <= set(columns)
    assert len(bands) > 1


def test_measurements_and_resets_stand_between_the_passes(qasm, tiles_of):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
    tiles_of(2)
    circuit = QuantumCircuit(4, 4)
    circuit.h(range(4))
    circuit.measure(1, 0)
    circuit.reset(2)
    circuit.h(range(4))
    circuit.measure([0, 3], [2, 3])
    plan = qasm.plan(circuit)
    assert plan.stages[0].before == ()
    assert [stop for stage in plan.stages for stop in stage.before] == [("measure", 1), ("reset", 2)]
    assert sorted(plan.after) == [("measure", 0), ("measure", 3)]
    strips = laid_out(plan, {qubit: qubit for qubit in range(4)})
    stages = [strip.stage for strip in strips]
    assert stages.count(None) == 2
    assert stages[-1] is None
    assert all(a.end < b.start for a, b in itertools.pairwise(strips))
    drawn = {one.get_gid(): len(one.get_paths()) for axes in plan.draw().axes for one in axes.collections}
    assert (drawn["measure"], drawn["reset"]) == (3, 1)
    (legend,) = plan.draw().legends
    assert {"measure", "reset"} <= {text.get_text() for text in legend.get_texts()}


def test_a_plan_that_only_measures_is_drawn(qasm):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
    circuit = QuantumCircuit(2, 2)
    circuit.measure([0, 1], [0, 1])
    assert qasm.plan(circuit).draw().axes


def test_the_name_of_a_pass_says_in_which_branch_it_is_even_if_there_is_little_room(qasm):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
    circuit = QuantumCircuit(12, 1)
    circuit.h(range(12))
    circuit.measure(0, 0)
    with circuit.for_loop(range(3)):
        with circuit.if_test((0, 1)) as otherwise:
            circuit.h(range(12))
        with otherwise:
            circuit.ry(0.1, range(12))
    plan = qasm.plan(circuit, device="CPU")
    assert [stage.inside for stage in plan.passes] == ["", "for x3 > if", "for x3 > if"]
    names = [text.get_text() for axes in plan.draw().axes for text in axes.texts if text.get_gid() == "pass"]
    assert names == ["pass 1", "pass 2: if", "pass 3: if"]


def test_a_mark_reaches_all_qubits_of_its_gate_and_has_dots_on_controls(statevector):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
    circuit = QuantumCircuit(5)
    circuit.mcx([1, 4], 2)
    circuit.h([0, 3])
    (axes,) = statevector.plan(circuit).draw().axes
    (drawn,) = [collection for collection in axes.collections if collection.get_gid() == GateKind.PERMUTATION]
    (mark,) = drawn.get_paths()
    low, high = mark.get_extents().intervaly
    assert 0.5 < low < 1 - 0.1  # a dot is wider than the line that ends there
    assert 4 + 0.1 < high < 4.5


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_picture_is_written(statevector, tmp_path, ending):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
    path = tmp_path / f"plan.{ending}"
    statevector.plan(ansatz(12, 1)).draw(path)
    assert path.read_bytes().startswith({"png": b"\x89PNG", "svg": b"<?xml"}[ending])


def test_a_notebook_is_given_a_picture(statevector):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
    figure = statevector.plan(hadamards(3)).draw()
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert pickle.loads(pickle.dumps(figure))._repr_png_() == figure._repr_png_()  # noqa: S301  # our own


def test_an_empty_plan_can_be_drawn(statevector):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
    assert not marks_of(statevector.plan(QuantumCircuit(2)).draw())


def test_a_picture_without_matplotlib_is_refused_with_the_remedy(statevector, monkeypatch):
    plan = statevector.plan(hadamards(2))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "basicaer.plan_view.figure", raising=False)
    with pytest.raises(BasicAerError, match=r"pip install 'basicaer\[plot\]'"):
        plan.draw()


# The command line.


def basicaer(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def test_the_command_prints_the_plan(qasm, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "my circuit.qasm"
    circuit = ansatz(12)
    circuit.measure_all()
    path.write_text(qasm2.dumps(circuit), "utf-8")
    circuit.name = "my circuit"
    for precision in Precision:
        done = basicaer("plan", path, "--precision", precision)
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout == f"{qasm.plan(circuit, precision=precision)}\n"
    assert "my circuit: 12 qubits" in done.stdout


def test_the_command_draws(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
    picture = tmp_path / "plan.png"
    done = basicaer("plan", GHZ, "--draw", picture)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"Picture: {picture}"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_command_takes_inputs_without_values_and_warns_as_run_does(tmp_path):
    path = tmp_path / "free.qasm"
    path.write_text('OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float a;\nqubit q;\nrx(a) q;\n', "utf-8")
    done = basicaer("plan", path)
    assert done.exit_code == 0
    assert "the same for all values of 'a'" in done.stdout
    assert done.stderr.startswith(f"Warning: {path} measures nothing")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.qasm"], "Cannot read missing.qasm: No such file or directory."),
        ([GHZ, "--precision", "half"], "precision must be one of 'double', 'single', not 'half'."),
        ([GHZ, "--draw", "no/such/folder.png"], "Cannot write the picture no/such/folder.png"),
        ([GHZ, "--draw", "picture.of_no_known_kind"], "Cannot write the picture picture.of_no_known_kind"),
    ],
)
def test_the_command_refuses_in_one_sentence(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    if "--draw" in arguments:
        pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
    done = basicaer("plan", *arguments)
    assert done.exit_code != 0
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert words in line


def test_ranks_that_would_share_a_state_are_told_what_they_exchange(qasm):
    circuit = QuantumCircuit(20, 1)
    for qubits in (range(10), range(10, 20), range(10)):
        circuit.append(UnitaryGate(np.eye(2**10)), qubits)
        circuit.reset(0)
    circuit.measure(0, 0)
    plan = qasm.plan(circuit, ranks=4, precision="single")
    assert plan.division == (4, 2**21, (0.75, 0.75))
    assert plan.division.sent_bytes == 3 * 2**20
    assert "Divided among 4 ranks: each has 2 MiB and sends 3 MiB in 2 exchanges. The table is" in " ".join(
        str(plan).split()
    )
    assert qasm.plan(circuit).division is None


def test_the_memory_of_all_ranks_counts(qasm, monkeypatch):
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 2**33)
    circuit = QuantumCircuit(31, 1)
    circuit.h(range(31))
    circuit.measure(0, 0)
    with pytest.raises(BasicAerError, match="needs 32 GiB for 31 qubits"):
        qasm.plan(circuit)
    assert qasm.plan(circuit, ranks=8).division.rank_bytes == 2**32


def test_numbers_of_ranks_that_cannot_share_a_state_are_refused(statevector):
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    with pytest.raises(BasicAerError, match="ranks must be a power of 2, not 3"):
        statevector.plan(circuit, ranks=3)
    with pytest.raises(BasicAerError, match="A state of 3 qubits cannot be divided among 8 ranks"):
        statevector.plan(circuit, ranks=8)
