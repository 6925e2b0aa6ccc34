"""Shots that part and meet: what each of them sees depends neither on memory, nor on batches, nor on merges."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Pauli

import exact
from basicaer import BasicAer
from basicaer.compile.lower import lower
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.cpu.state import NumpyState
from basicaer.engine import group_queue, splitting
from basicaer.engine.ensemble import Ensemble
from basicaer.engine.group_queue import GroupQueue
from basicaer.engine.liveness import Liveness
from basicaer.engine.records import Records
from basicaer.engine.shortcuts import Shortcuts
from basicaer.errors import BasicAerError
from basicaer.library import save_expectation_value, save_probabilities, save_statevector
from basicaer.simulators import running
from jobs import check_alike
from test_fuzz_resume import seen

BITS, SHOTS, STATE_BYTES = 3, 50, 16
QASM = BasicAer.get_backend("qasm_simulator")
BACKENDS = [QASM, BasicAer.get_backend("statevector_simulator")]


class Drawing:
    """Draws circuits in which blocks stand inside each other, with loops that are left at any iteration."""

    def __init__(self, seed, *, depth=3, saves=True):
        self.random = np.random.default_rng(seed)
        self.n = int(self.random.integers(1, 5))
        self.circuit = QuantumCircuit(self.n, BITS, global_phase=0.3)
        self.saves = saves
        self.labels = 0
        self.block(depth)
        self.block(depth - 1)

    def qubit(self):
        return int(self.random.integers(self.n))

    def bit(self):
        return int(self.random.integers(BITS))

    def block(self, depth, *, in_loop=False):
        for _ in range(int(self.random.integers(2, 5))):
            kind = int(self.random.integers(12 if depth else 7))
            if kind < 7:
                self.simple(kind, in_loop=in_loop)
            else:
                self.nested(kind, depth - 1, in_loop=in_loop)

    def simple(self, kind, *, in_loop):
        circuit, q = self.circuit, self.qubit()
        match kind:
            case 0 | 1:
                circuit.measure(q, self.bit())
            case 2:
                circuit.reset(q)
            case 3 | 4:
                circuit.u(*self.random.uniform(0, 3, 3), q)
                if self.n > 1:
                    circuit.cx(q, (q + 1) % self.n)
            case 5 if self.saves:
                self.save(q)
            case 5:
                circuit.initialize([0.6, 0.8j], q)
            case 6 if in_loop:
                with circuit.if_test((circuit.clbits[self.bit()], 1)):
                    if self.random.random() < 0.5:
                        circuit.break_loop()
                    else:
                        circuit.continue_loop()
            case _:
                circuit.h(q)

    def save(self, q):
        self.labels += 1
        how = {name: bool(self.random.integers(2)) for name in ("pershot", "conditional")}
        match self.random.integers(3):
            case 0:
                save_probabilities(self.circuit, [q], f"probabilities {self.labels}", **how)
            case 1:
                save_expectation_value(self.circuit, Pauli("X"), [q], f"mean {self.labels}", **how)
            case _:
                save_statevector(self.circuit, f"state {self.labels}", **how)

    def nested(self, kind, depth, *, in_loop):
        circuit, q, bit = self.circuit, self.qubit(), self.circuit.clbits[self.bit()]
        match kind:
            case 7:
                with circuit.if_test((bit, 1)) as otherwise:
                    self.block(depth, in_loop=in_loop)
                with otherwise:
                    self.block(depth, in_loop=in_loop)
            case 8:
                with circuit.switch(circuit.cregs[0]) as case:
                    for value in self.random.permutation(2**BITS)[:4].tolist():
                        with case(value):
                            self.block(depth, in_loop=in_loop)
            case 9:
                with circuit.for_loop(range(int(self.random.integers(1, 4)))):
                    self.block(depth, in_loop=True)
            case 10:
                self.labels += 1
                angle = Parameter(f"angle {self.labels}")
                with circuit.for_loop((3, 1), angle):
                    circuit.ry(angle / 2, q)
                    self.block(depth, in_loop=True)
            case _:
                with circuit.while_loop((bit, 1)):
                    circuit.h(q)
                    circuit.measure(q, bit)


class Device(NumpyDevice):
    """Has free memory for some states besides the first, and may have batches of another size."""

    def __init__(self, states, batch, tile_qubits, n):
        super().__init__(1, tile_qubits=tile_qubits)
        self._free, self._batch = 2 * states * STATE_BYTES * 2**n, batch

    def free_bytes(self):
        return self._free

    def most_states(self, n_qubits, precision):
        return super().most_states(n_qubits, precision) if self._batch is None else self._batch


WAYS = {  # (states besides the first, states of a batch, qubits of a tile)
    "no memory": (0, None, None),
    "memory for some": (3, None, None),
    "memory for some, small batches": (9, 2, None),
    "no batches": (1000, 0, None),
    "tiles": (1000, None, 3),
}


def outcome_of(circuit, backend, monkeypatch, way, **how):
    with monkeypatch.context() as patched:
        device = Device(*way, circuit.num_qubits)
        patched.setattr(running, "choose_device", lambda *_, **__: (device, "a test wants it"))
        return backend.run(circuit, seed_simulator=5, **how).result()


@pytest.mark.parametrize("seed", [*range(14), 146])
@pytest.mark.filterwarnings("ignore::basicaer.errors.BasicAerWarning")
def test_no_shot_sees_anything_else(seed, monkeypatch):
    circuit, backend = Drawing(seed).circuit, BACKENDS[seed % 2]
    want = seen(outcome_of(circuit, backend, monkeypatch, (1000, None, None), shots=SHOTS, memory=True))
    for name, way in WAYS.items():
        got = seen(outcome_of(circuit, backend, monkeypatch, way, shots=SHOTS, memory=True))
        check_alike(got, want, name)
    for name, owner, attribute, replaced in (
        ("no shortcuts", Shortcuts, "taken", lambda _self, _group, frame: frame),
        ("no merges", Ensemble, "alike", lambda *_args, **_keys: None),
    ):
        monkeypatch.setattr(owner, attribute, replaced)
        got = seen(outcome_of(circuit, backend, monkeypatch, (1000, None, None), shots=SHOTS, memory=True))
        check_alike(got, want, name)


@pytest.mark.parametrize("prepared", ["reset", "measured"])
def test_a_loop_that_comes_to_the_same_states_runs_its_gates_a_few_times_only(prepared, monkeypatch):
    runs = []
    run = NumpyState.run
    monkeypatch.setattr(NumpyState, "run", lambda self, *args: (runs.append(1), run(self, *args)))

    def runs_needed():
        runs.clear()
        assert set(QASM.run(circuit, shots=20_000, seed_simulator=3).result().get_counts()) == {"00"}
        return len(runs)

    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure(1, 0)
    with circuit.while_loop((circuit.clbits[0], 1)):
        if prepared == "reset":
            circuit.reset([0, 1])
        else:  # by hand, from the state that has been measured
            circuit.x([0, 1])
        circuit.rx(2.2, 0)  # 1 in four of five cases
        circuit.ry(0.3, 0)
        circuit.cx(0, 1)
        circuit.measure(1, 0)
    assert runs_needed() < 15
    monkeypatch.setattr(Shortcuts, "taken", lambda _self, _group, frame: frame)
    assert runs_needed() > 35


def test_a_state_that_no_shortcut_fits_is_not_taken_for_another():
    """The angle is another one in each iteration, and so is the qubit that is reset."""
    circuit, angle = QuantumCircuit(2, 8), Parameter("angle")
    with circuit.for_loop(range(4), angle):
        circuit.rx(angle * np.pi, 0)
        circuit.x(1)
        circuit.cx(1, 0)
    circuit.measure([0, 1], [0, 1])
    assert QASM.run(circuit, shots=10).result().get_counts() == {"00000000": 10}


@pytest.mark.parametrize("seed", range(100, 112))
@pytest.mark.filterwarnings("ignore::basicaer.errors.BasicAerWarning")
def test_so_many_shots_have_the_probabilities_of_every_path(seed, monkeypatch):
    """They are split, whose deviations are 10**-6 of them at most."""
    circuit, shots = Drawing(seed, depth=2, saves=False).circuit, 10**12
    result = outcome_of(circuit, QASM, monkeypatch, (1000, None, None), shots=shots)
    counts = {int(key, 16): count for key, count in result.results[0].data.counts.items()}
    assert sum(counts.values()) == shots
    want = exact.outcome_probabilities(circuit)
    for key in want.keys() | counts.keys():
        assert counts.get(key, 0) / shots == pytest.approx(want.get(key, 0), abs=5e-6)


def test_shots_that_cannot_be_told_apart_are_refused_where_they_must_be():
    circuit = QuantumCircuit(1, 2)
    for bit in range(2):
        circuit.h(0)
        circuit.measure(0, bit)
    assert sum(QASM.run(circuit, shots=10**12).result().get_counts().values()) == 10**12
    with pytest.raises(
        BasicAerError,
        match=r"for 1000000000000 shots whose outcomes are kept one by one, .* run at most \d+ shots at a time",
    ):
        QASM.run(circuit, shots=10**12, memory=True)


def test_so_are_they_where_there_are_too_many_branches(monkeypatch):
    monkeypatch.setattr(splitting, "_MOST_ROWS", 2)
    circuit = QuantumCircuit(1, 3)
    for bit in range(3):
        circuit.h(0)
        circuit.measure(0, bit)
    with pytest.raises(BasicAerError, match=r"for 1000000000000 shots whose outcomes are kept one by one"):
        QASM.run(circuit, shots=10**12).result()
    assert len(QASM.run(circuit, shots=2**20 + 1).result().get_counts()) == 8


@pytest.mark.parametrize("precision", ["single", "double"])
def test_small_rotations_of_some_branches_are_not_lost_when_they_meet(precision):
    circuit = QuantumCircuit(2, 1)
    with circuit.for_loop(range(60)):
        circuit.h(0)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.ry(0.002, 1)
    save_expectation_value(circuit, Pauli("X"), [1], "x")
    result = QASM.run(circuit, shots=SHOTS, precision=precision, seed_simulator=1).result()
    assert result.data(0)["x"] == pytest.approx(0.06, abs=0.01)


def test_groups_that_wait_at_one_place_are_joined_before_they_are_many(monkeypatch):
    lengths = []
    add = GroupQueue.add

    def noted(queue, group):
        add(queue, group)
        lengths.append(len(queue))

    monkeypatch.setattr(GroupQueue, "add", noted)
    circuit = QuantumCircuit(1, 1)
    with circuit.for_loop(range(100)):  # at each iteration some shots leave the loop, and wait for the others
        circuit.ry(0.3, 0)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.break_loop()
        circuit.reset(0)
    counts = QASM.run(circuit, shots=10_000, seed_simulator=1).result().get_counts()
    assert counts["0"] / 10_000 == pytest.approx(np.cos(0.15) ** 200, abs=0.02)
    assert 20 < max(lengths) <= group_queue._MOST_AT_A_PLACE + 2  # and those in the loop


def test_rows_that_stand_for_nothing_are_used_again(monkeypatch):
    made = []
    new_rows = Records._new_rows
    monkeypatch.setattr(Records, "_new_rows", lambda own, count: made.append(len(own.shots)) or new_rows(own, count))
    circuit = QuantumCircuit(1, 1)
    with circuit.for_loop(range(300)):
        circuit.h(0)
        circuit.measure(0, 0)
        circuit.reset(0)
    counts = QASM.run(circuit, shots=10**9, seed_simulator=1).result().get_counts()
    assert all(abs(count - 5e8) < 2e5 for count in counts.values())
    assert len(made) == 300
    assert max(made) <= 8


def test_rows_that_are_used_again_draw_other_numbers():
    records = Records(1, np.array([10]))
    first = records.split(np.array([0]), np.array([4]))
    name = records.names[first].tolist()
    records.release(first)
    again = records.split(np.array([0]), np.array([3]))
    assert again.tolist() == first.tolist()
    assert records.names[again].tolist() != name
    assert records.used == 2


def test_the_bits_that_are_live_in_deep_loops_are_found_soon():
    """Two iterations at each of 40 depths: to look at each loop anew for each pass around it would take 2**40 steps."""
    circuit = QuantumCircuit(1, 40)

    def loops(depth):
        circuit.measure(0, depth)
        with circuit.for_loop(range(2)):
            with circuit.if_test((circuit.clbits[depth], 1)):
                circuit.x(0)
            if depth + 1 < 40:
                loops(depth + 1)
            circuit.break_loop()

    circuit.h(0)
    loops(0)
    program = lower(circuit)
    assert Liveness(program).before(program.body, 0) == 0  # each bit is written before it is read
