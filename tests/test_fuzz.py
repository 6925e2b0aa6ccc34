"""Random programs against their exact outcomes, on every simulator and the primitives.

Some run always; of the slow tests, ``BASICAER_FUZZED`` says how many programs they run, 2,000 unless it is set.
`check(17)` is what is done with program 17.
"""

import math
import os
import warnings
from collections import Counter

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import AnnotatedOperation, ClassicalRegister, Clbit, ControlledGate, Gate, Instruction
from qiskit.circuit.classical import expr

from basicaer import BasicAer, EstimatorV2, SamplerV2
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.errors import BasicAerWarning
from basicaer.library import save_statevector
from basicaer.primitives import running as running_of_primitives
from basicaer.simulators import running as running_of_simulators
from random_programs import program

QASM = BasicAer.get_backend("qasm_simulator")
STATEVECTOR = BasicAer.get_backend("statevector_simulator")
UNITARY = BasicAer.get_backend("unitary_simulator")
MANY = int(os.environ.get("BASICAER_FUZZED", "2000"))
FEW = 50
PARTS = 20

COUNTED_SHOTS, SAMPLER_SHOTS, STATE_SHOTS = 4096, 1000, 20
FALSE_ALARM = 1e-11  # of one outcome's count
AMPLITUDES_TO = 1e-10


@pytest.mark.parametrize("part", range(5))
def test_some_programs_do_exactly_what_they_say(part):
    check_all(range(part, FEW, 5))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_many_programs_do_exactly_what_they_say(part):
    check_all(range(FEW + part, FEW + MANY, PARTS))


def check_all(numbers):
    wrong = {}
    for number in numbers:
        try:
            check(number)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # a panic in Qiskit, too: the number of the program is to be told
            wrong[number] = error
    assert not wrong, f"{len(wrong)} of {len(numbers)} programs: {dict(list(wrong.items())[:5])}"


class LittleMemory(NumpyDevice):
    """Runs by plans over tiny tiles for every other program, and has no or little room for the states of branches."""

    def __init__(self, number):
        super().__init__(1, tile_qubits=3 if number % 2 else None)
        self.free = (0, 1024, 10**9)[number % 3]

    def free_bytes(self):
        return self.free


def check(number):
    """Check everything that is known of one program."""
    drawn = program(number)
    before = described(drawn.circuit)
    with pytest.MonkeyPatch.context() as patched, warnings.catch_warnings():
        warnings.simplefilter("ignore", BasicAerWarning)  # of circuits that measure nothing
        for module in (running_of_simulators, running_of_primitives):
            patched.setattr(module, "choose_device", lambda *_, **__: (LittleMemory(number), "a test wants it"))
        seen = check_states(drawn)
        check_counts(drawn)
        if number % 4 < 2:  # with and without tiny tiles, as in the last check
            check_sampler(drawn)
        if only_gates(drawn.circuit) and not drawn.inputs:
            check_estimator(drawn)
            check_unitary(drawn)
        if number % 3:
            check_plan(drawn)
            assert check_states(drawn) == seen, "the same run gave something else when it was repeated"
        assert described(drawn.circuit) == before, "the caller's circuit was changed"
        if number % 4 > 1:
            check_every_shot(drawn)


def check_states(drawn):
    """Check the final state of the last shot, and that no shot saw what cannot be; return all of it."""
    result = run(STATEVECTOR, drawn, shots=STATE_SHOTS, memory=True)
    seen = []
    for position, paths in enumerate(drawn.paths):
        state = np.asarray(result.get_statevector(position))
        memory = [0]
        if writes_bits(drawn.circuit):
            memory = memory_of(result, position)
            assert Counter(memory) == counts_of(result, position)
        assert_possible(memory, paths)
        assert any(fits(path, memory[-1], state) for path in paths), (
            f"set {position}: the state {state.round(4)} is not that of a path that ends with {memory[-1]:b}"
        )
        seen.append((memory, state.tolist()))
    return seen


def check_every_shot(drawn):
    """Check state and outcome of every shot by a save, which is added to the circuit here."""
    save_statevector(drawn.circuit, "state at the end", pershot=True)
    result = run(QASM, drawn, shots=STATE_SHOTS, memory=True)
    for position, paths in enumerate(drawn.paths):
        memory = memory_of(result, position) if drawn.circuit.num_clbits else [0] * STATE_SHOTS
        states = result.data(position)["state at the end"]
        assert len(states) == STATE_SHOTS
        for shot, state in enumerate(states):
            assert any(fits(path, memory[shot], np.asarray(state)) for path in paths), f"set {position}, shot {shot}"


def check_counts(drawn):
    """Check that each path has its share of the counts, but for as much as chance explains."""
    if not drawn.circuit.num_clbits:
        return
    result = run(QASM, drawn, shots=COUNTED_SHOTS)
    for position, paths in enumerate(drawn.paths):
        counts = counts_of(result, position)
        assert sum(counts.values()) == COUNTED_SHOTS
        assert_possible(counts, paths)
        shares = Counter()
        for path in paths:
            shares[path.bits] += COUNTED_SHOTS * path.probability
        for outcome, share in shares.items():
            deviation = (share * (1 - share / COUNTED_SHOTS)) ** 0.5 if share < COUNTED_SHOTS else 0
            assert abs(counts.get(outcome, 0) - share) <= 1 + 6 * deviation, f"set {position}: {counts} for {shares}"


def check_sampler(drawn):
    circuit = drawn.circuit
    if drawn.inputs or not circuit.cregs or set(circuit.parameters) - set(drawn.parameters):
        return
    values = np.array([[values[parameter] for parameter in circuit.parameters] for values in drawn.sets])
    (result,) = SamplerV2(seed=drawn.number).run([(circuit, values)], shots=SAMPLER_SHOTS).result()
    places = [[circuit.find_bit(bit).index for bit in register] for register in circuit.cregs]
    for position, paths in enumerate(drawn.paths):
        columns = [as_numbers(result.data[register.name][position]) for register in circuit.cregs]
        counts = Counter(zip(*columns, strict=True))
        shares = Counter()
        for path in paths:
            key = tuple(sum((path.bits >> c & 1) << i for i, c in enumerate(register)) for register in places)
            shares[key] += path.probability
        assert not set(counts) - set(shares), f"set {position}: {counts} for {shares}"
        for outcome, share in shares.items():
            assert_likely(counts[outcome], SAMPLER_SHOTS, share)


def check_estimator(drawn):
    circuit = drawn.circuit
    labels = [
        "".join(np.random.default_rng([drawn.number, i]).choice(list("IXYZ"), circuit.num_qubits)) for i in (0, 1)
    ]
    values = np.array([[values[parameter] for parameter in circuit.parameters] for values in drawn.sets])
    (result,) = EstimatorV2().run([(circuit, [[label] for label in labels], values)]).result()
    for row, label in enumerate(labels):
        for position, (path,) in enumerate(drawn.paths):
            want = expectation(path.vector, label)
            assert abs(result.data.evs[row, position] - want) < AMPLITUDES_TO, f"set {position}: {label} is {want}"


def check_unitary(drawn):
    result = run(UNITARY, drawn)
    for position, (path,) in enumerate(drawn.paths):
        matrix = np.asarray(result.get_unitary(position))
        assert np.allclose(matrix.conj().T @ matrix, np.eye(len(matrix)), rtol=0, atol=AMPLITUDES_TO)
        assert np.allclose(matrix[:, 0], path.vector, rtol=0, atol=AMPLITUDES_TO), f"set {position}"


def check_plan(drawn):
    first = {key: values[:1] for key, values in drawn.binds.items()}
    QASM.plan(drawn.circuit, **({"parameter_binds": [first]} if drawn.inputs else {}))


# What is asked of results and circuits.


def run(backend, drawn, **options):
    seed = {} if backend is UNITARY else {"seed_simulator": drawn.number}
    return backend.run(drawn.circuit, parameter_binds=[drawn.binds], **seed, **options).result()


def counts_of(result, position):
    """Return the counts of an experiment by whole numbers."""
    return Counter({int(key, 16): count for key, count in result.results[position].data.counts.items()})


def memory_of(result, position):
    return [int(key, 16) for key in result.results[position].data.memory]


def as_numbers(bits):
    """Return what each shot of a `BitArray` has as a whole number."""
    return [int.from_bytes(row.tobytes(), "big") for row in bits.array]


def fits(path, bits, state):
    return path.bits == bits and np.allclose(state, path.vector, rtol=0, atol=AMPLITUDES_TO)


def assert_possible(seen, paths):
    impossible = set(seen) - {path.bits for path in paths}
    assert not impossible, f"outcomes {sorted(map(bin, impossible))} cannot be"


def assert_likely(count, shots, share):
    """Check a count by Bernstein's inequality."""
    limit = math.log(2 / FALSE_ALARM)
    slack = limit / 3 + math.sqrt(limit**2 / 9 + 2 * limit * shots * share * max(1 - share, 0))
    assert abs(count - shots * share) <= slack, f"{count} of {shots} shots where {shots * share:.1f} are expected"


def expectation(vector, label):
    matrix = np.eye(1)
    for letter in label:
        matrix = np.kron(matrix, PAULIS[letter])
    return np.vdot(vector, matrix @ vector).real


PAULIS = {"I": np.eye(2), "X": np.array([[0, 1], [1, 0]]), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1, -1])}


def writes_bits(circuit):
    """Tell whether anything in a circuit writes a classical bit; not what stands in a loop over nothing."""
    for item in circuit.data:
        operation = item.operation
        if operation.name == "for_loop" and not len(operation.params[0]):
            continue
        if operation.name == "store":
            goal = operation.lvalue.target if isinstance(operation.lvalue, expr.Index) else operation.lvalue
            if isinstance(goal.var, Clbit | ClassicalRegister):
                return True
        inner = getattr(operation, "blocks", None) or ([operation.definition] if item.clbits else [])
        if operation.name == "measure" or any(writes_bits(one) for one in inner if one is not None):
            return True
    return False


def only_gates(circuit):
    """Tell whether a circuit has gates and boxes of them only."""
    return all(
        isinstance(item.operation, Gate | AnnotatedOperation)
        or (item.name == "box" and only_gates(item.operation.blocks[0]))
        for item in circuit.data
    )


def described(thing):
    """Return all that a circuit or operation says of itself and of what is inside it."""
    if isinstance(thing, AnnotatedOperation):
        return thing.name, str(thing.modifiers), described(thing.base_op)
    if hasattr(thing, "data"):
        items = [(described(item.operation), [thing.find_bit(q).index for q in item.qubits]) for item in thing.data]
        return str(thing.global_phase), sorted(map(repr, thing.parameters)), items
    bodies = [described(body) for body in getattr(thing, "blocks", ())]
    base = described(thing.base_gate) if isinstance(thing, ControlledGate) else None
    given = type(thing)._define is Instruction._define and thing._definition  # others make theirs when they are asked
    numbers = [str(param) for param in thing.params if not isinstance(param, QuantumCircuit)]
    return thing.name, numbers, bodies, base, described(given) if given else None
