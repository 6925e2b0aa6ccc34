"""Passes of Qiskit's transpiler that put errors into circuits, such as the relaxation during delays."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import RZGate, XGate
from qiskit.converters import circuit_to_dag
from qiskit.quantum_info import SuperOp
from qiskit.transpiler import PassManager

from basicaer import BasicAer, EstimatorV2, SamplerV2, gradient
from basicaer.errors import BasicAerError
from basicaer.noise import (
    LocalNoisePass,
    NoiseModel,
    ReadoutError,
    RelaxationNoisePass,
    depolarizing_error,
    pauli_error,
    thermal_relaxation_error,
)
from test_noise_models import T1, T2, device

QASM = BasicAer.get_backend("qasm_simulator")
FLIP = pauli_error([("X", 1.0)])


DELAYED = QuantumCircuit(2, 1)
DELAYED.delay(200, 0, "dt")
DELAYED.delay(3, 1, "us")
DELAYED.delay(0, 1, "ns")
with DELAYED.if_test((DELAYED.clbits[0], 1)):
    DELAYED.delay(5, 1, "us")


def test_qubits_relax_during_delays_also_inside_of_control_flow():
    relaxing = PassManager(NoiseModel.from_backend(device()).noise_passes).run(DELAYED)
    [first, second] = [one for one in relaxing.data if one.operation.name == "quantum_channel"]
    for one, qubit, time in ((first, 0, 200e-9), (second, 1, 3e-6)):
        assert [relaxing.find_bit(bit).index for bit in one.qubits] == [qubit]
        want = thermal_relaxation_error(T1, T2 if qubit == 0 else T1, time)
        assert SuperOp(one.operation) == SuperOp(want)
    [branch] = [one.operation for one in relaxing.data if one.operation.name == "if_else"]
    [delay, inner] = branch.blocks[0].data
    assert delay.operation.name == "delay"
    assert SuperOp(inner.operation) == SuperOp(thermal_relaxation_error(T1, T1, 5e-6))
    assert [one.operation.name for one in DELAYED.data].count("quantum_channel") == 0


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (lambda circuit: circuit.delay(Parameter("t"), 0, "s"), "has the duration"),
        (lambda circuit: circuit.delay(5, 0, "dt"), "in units of dt, which the device does not give"),
        (lambda circuit: circuit.delay(5, 1, "ns"), "of 1 qubit, and none of qubit 1"),
    ],
)
def test_a_delay_that_cannot_relax_is_refused_in_one_sentence(add, words):
    circuit = QuantumCircuit(2)
    add(circuit)
    with pytest.raises(BasicAerError, match=words):
        RelaxationNoisePass([T1], [T1]).run(circuit_to_dag(circuit))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"t2s": [T1, T2]}, r"There are 1 t1, 2 t2s and 1 population; give one of each for each qubit"),
        ({"excited_state_populations": [0.1, 0.2]}, "1 t1, 1 t2 and 2 populations"),
        ({"t1s": 1}, "t1s must be a list with one number for each qubit, not 1"),
        ({"t1s": "a", "t2s": "b"}, "t1s must be a list with one number for each qubit, not 'a'"),
        ({"t1s": ["a"]}, "t1 of qubit 0 must be a number greater than 0, not 'a'"),
        ({"t2s": [-1.0]}, "t2 of qubit 0 must be a number greater than 0, not -1.0"),
        ({"t1s": [float("nan")]}, "t1 of qubit 0 must be a number greater than 0, not nan"),
        ({"t2s": [3 * T1]}, "t2 of qubit 0 is .*, which is more than twice t1"),
        ({"excited_state_populations": 0.1}, "excited_state_populations must be a list with one number"),
        ({"excited_state_populations": [2]}, "excited_state_population of qubit 0 must be a number from 0 to 1, not 2"),
        ({"dt": "1 ns"}, "dt must be a number of seconds, or None, not '1 ns'"),
        ({"dt": -1}, "dt must be a number of seconds, or None, not -1"),
    ],
)  # fmt: skip
def test_times_that_no_qubits_have_are_refused(values, words):
    with pytest.raises(BasicAerError, match=words):
        RelaxationNoisePass(**{"t1s": [T1], "t2s": [T1], **values})


def test_times_may_be_arrays_or_none():
    array = np.array([T1, T1])
    one, other = (
        RelaxationNoisePass(times, times, excited_state_populations=populations)
        for times, populations in ((array, np.array([0.1, 0.2])), ([T1, T1], [0.1, 0.2]))
    )
    assert one.to_dict() == other.to_dict()
    assert RelaxationNoisePass([None], [T1]).to_dict()["t1s"] == [None]
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.delay(1, 0, "s")
    circuit.measure(0, 0)
    model = NoiseModel()
    model.noise_passes.append(RelaxationNoisePass([None], [None]))
    assert QASM.run(circuit, shots=5, noise_model=model).result().get_counts() == {"1": 5}


def with_inner_delay(measured):
    """One qubit that is 1 and waits, but only where it was found to be so."""
    circuit = QuantumCircuit(1, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.delay(1, 0, "s")
    circuit.measure(0, 1 if measured else 0)
    return circuit


def test_qubits_also_relax_where_all_delays_are_inside_of_control_flow():
    model = NoiseModel()
    model.noise_passes.append(RelaxationNoisePass([T1], [T1]))  # a second is very long
    assert QASM.run(with_inner_delay(measured=True), shots=9, noise_model=model).result().get_counts() == {"01": 9}


def test_several_qubits_of_an_instruction_relax_each_by_its_own_times():
    class Slow(Gate):
        duration, unit = 3, "us"

    circuit = QuantumCircuit(3)
    circuit.append(Slow("slow", 2, []), [2, 0])
    relaxing = PassManager([RelaxationNoisePass([T1, T1, T2], [T1, T1, T1], op_types=Slow)]).run(circuit)
    [slow, error] = relaxing.data
    assert slow.operation.name == "slow"
    assert error.qubits == slow.qubits
    first, second = (thermal_relaxation_error(t1, T1, 3e-6) for t1 in (T2, T1))
    assert SuperOp(error.operation) == SuperOp(second).tensor(SuperOp(first))


def drift(gate, qubits):
    return pauli_error([("Z", gate.params[0] / 10 + qubits[0] / 100), ("I", 1 - gate.params[0] / 10 - qubits[0] / 100)])


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("append", ["h", "rz", "quantum_channel", "cx"]),
        ("prepend", ["h", "quantum_channel", "rz", "cx"]),
        ("replace", ["h", "quantum_channel", "cx"]),
    ],
)
def test_an_error_comes_after_an_instruction_or_before_it_or_in_its_place(method, names):
    circuit = QuantumCircuit(2)
    circuit.h(1)
    circuit.rz(0.5, 1)
    circuit.cx(0, 1)
    changed = PassManager([LocalNoisePass(drift, RZGate, method)]).run(circuit)
    assert [one.operation.name for one in changed.data] == names
    [error] = [one for one in changed.data if one.operation.name == "quantum_channel"]
    assert changed.find_bit(error.qubits[0]).index == 1
    assert SuperOp(error.operation) == SuperOp(pauli_error([("Z", 0.06), ("I", 0.94)]))


def test_none_removes_an_instruction_that_is_replaced_and_leaves_another_as_it_is():
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.barrier(0)
    for method, names in (("replace", ["barrier"]), ("append", ["x", "barrier"])):
        changed = PassManager([LocalNoisePass(lambda *_: None, method=method)]).run(circuit)
        assert [one.operation.name for one in changed.data] == names


def test_instructions_without_qubits_and_ends_of_loops_have_no_errors_of_passes():
    circuit = QuantumCircuit(1, 1)
    variable = circuit.add_var("v", expr.lift(1, types.Uint(8)))
    circuit.store(variable, expr.lift(0, types.Uint(8)))
    with circuit.for_loop(range(3)):
        circuit.x(0)
        circuit.break_loop()
    met = []
    PassManager([LocalNoisePass(lambda operation, on: met.append((operation.name, on)))]).run(circuit)
    assert met == [("x", [0])]


def test_a_circuit_may_be_put_beside_an_instruction():
    error = QuantumCircuit(2)
    error.append(FLIP, [1])
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    changed = PassManager([LocalNoisePass(lambda *_: error)]).run(circuit)
    assert [[changed.find_bit(bit).index for bit in one.qubits] for one in changed.data] == [[0, 1], [1]]


@pytest.mark.parametrize("inside", [False, True])
def test_the_passes_of_a_model_act_on_circuits_with_their_instructions(inside):
    model = NoiseModel()
    model.noise_passes.append(LocalNoisePass(lambda *_: FLIP, XGate))
    circuit = QuantumCircuit(1, 1)
    if inside:
        with circuit.if_test((circuit.clbits[0], 0)):
            circuit.x(0)
    else:
        circuit.x(0)
    circuit.measure(0, 0)
    assert QASM.run(circuit, shots=5, noise_model=model).result().get_counts() == {"0": 5}
    assert QASM.run(circuit, shots=5).result().get_counts() == {"1": 5}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: LocalNoisePass(drift, method="before"),
            "must be 'append', 'prepend' or 'replace', not 'before'",
        ),
        (lambda: LocalNoisePass(drift, ["x"]), r"op_types must be a class of instructions, .* not \['x'\]"),
        (lambda: LocalNoisePass(drift, "x"), r"op_types must be a class of instructions, .* not 'x'"),
        (
            lambda: LocalNoisePass(drift, 3),
            "op_types must be a class of instructions, such as XGate, or several, not 3",
        ),
        (lambda: LocalNoisePass(drift, XGate()), "op_types must be a class of instructions, .* not Instruction"),
        (lambda: LocalNoisePass(drift, int), "op_types must be a class of instructions, .* not <class 'int'>"),
        (lambda: LocalNoisePass(FLIP), "func of a LocalNoisePass must be a function .* not <QuantumError"),
        (lambda: RelaxationNoisePass([T1], [T1], op_types=XGate), "'x' has no duration, which relaxation needs; leave"),
        (lambda: LocalNoisePass(lambda *_: 3), "must return an error or None, not 3"),
        (lambda: LocalNoisePass(lambda *_: ReadoutError([[1, 0], [0, 1]])), "must act on 1 qubit and no classical"),
        (lambda: LocalNoisePass(lambda *_: depolarizing_error(0.1, 2)), "beside 'x' must act on 1 qubit .* not on 2"),
    ],
)
def test_what_cannot_be_put_into_a_circuit_is_refused_in_one_sentence(make, words):
    circuit = QuantumCircuit(1)
    circuit.x(0)
    with pytest.raises(BasicAerError, match=words):
        PassManager([make()]).run(circuit)


@pytest.mark.parametrize("looked_at", [RZGate, XGate])
def test_the_qobj_of_a_job_is_that_of_the_circuit_without_errors(looked_at):
    model = NoiseModel()
    model.noise_passes.append(LocalNoisePass(lambda *_: FLIP, looked_at))
    circuit = TURNED.copy_empty_like()
    circuit.rz(ANGLE, 0)
    circuit.x(0)
    circuit.measure(0, 0)
    job = QASM.run(circuit, shots=5, noise_model=model, parameter_binds=[{ANGLE: [0.5, 1.5]}])
    assert job.result().get_counts() == [{"0": 5}] * 2
    for experiment, angle in zip(job.qobj().experiments, (0.5, 1.5), strict=True):
        assert [(one.name, getattr(one, "params", [])) for one in experiment.instructions] == [
            ("rz", [angle]),
            ("x", []),
            ("measure", []),
        ]


@pytest.mark.parametrize("wrong", [3, drift, LocalNoisePass])
def test_what_is_no_pass_is_named(wrong):
    model = NoiseModel()
    model.noise_passes.append(wrong)
    with pytest.raises(BasicAerError, match=r"The noise model has .* among its passes; put passes of Qiskit's"):
        QASM.run(DELAYED, noise_model=model)


def test_a_pass_that_fails_in_a_run_is_named():
    model = NoiseModel()
    model.noise_passes.append(LocalNoisePass(lambda gate, _: gate.params[7]))
    circuit = QuantumCircuit(1)
    circuit.x(0)
    with pytest.raises(BasicAerError, match="The passes of the noise model fail: "):
        QASM.run(circuit, noise_model=model)


def flipped_if(gate, _):
    return FLIP if gate.params[0] == 2 else None  # which a parameter without a value is not


ANGLE = Parameter("a")
TURNED = QuantumCircuit(1, 1)
TURNED.rz(ANGLE, 0)
TURNED.measure(0, 0)


def reading_angles():
    model = NoiseModel()
    model.noise_passes.append(LocalNoisePass(flipped_if, RZGate))
    return model


def test_a_pass_sees_the_values_of_parameters():
    values = [1, 2, 3, 2]
    result = QASM.run(TURNED, shots=5, noise_model=reading_angles(), parameter_binds=[{ANGLE: values}]).result()
    assert result.get_counts() == [{"1": 5} if value == 2 else {"0": 5} for value in values]
    [found] = SamplerV2(noise_model=reading_angles()).run([(TURNED, [[one] for one in values], 5)]).result()
    assert [found.data.c[row].get_counts() for row in range(4)] == result.get_counts()
    state = TURNED.remove_final_measurements(inplace=False)
    [energies] = EstimatorV2(noise_model=reading_angles()).run([(state, "Z", [[one] for one in values])]).result()
    assert energies.data.evs.tolist() == [-1 if value == 2 else 1 for value in values]
    energy = EstimatorV2(noise_model=reading_angles()).compile(state, "Z")
    assert [energy([value]) for value in values] == energies.data.evs.tolist()


def test_a_delay_whose_duration_is_a_parameter_relaxes_by_its_value():
    time = Parameter("t")
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    with circuit.if_test((circuit.clbits[0], 0)):
        circuit.delay(time, 0, "s")
    circuit.measure(0, 0)
    model = NoiseModel()
    model.noise_passes.append(RelaxationNoisePass([T1], [T1]))
    result = QASM.run(circuit, shots=5, noise_model=model, parameter_binds=[{time: [0, 1]}]).result()
    assert result.get_counts() == [{"1": 5}, {"0": 5}]  # a second is very long


@pytest.mark.parametrize(
    ("do", "participle"),
    [
        (lambda circuit, model: model.on(circuit), "looked at"),
        (lambda _, model: QASM.plan(TURNED, noise_model=model), "planned"),
        (lambda circuit, model: gradient(circuit, "Z", [1], noise_model=model), "differentiated"),
    ],
)
def test_what_needs_no_values_says_that_a_pass_does(do, participle):
    circuit = TURNED.remove_final_measurements(inplace=False)
    words = rf"cannot be {participle}, since passes .* with the parameters \['a'\]; bind these with assign_parameters"
    with pytest.raises(BasicAerError, match=words):
        do(circuit, reading_angles())
    do(circuit, NoiseModel())


def test_a_plan_with_values_has_the_errors_that_passes_put_beside_them():
    QASM.plan(TURNED, noise_model=reading_angles(), parameter_binds=[{ANGLE: 2}])


def test_a_pass_that_looks_at_other_instructions_needs_no_values():
    model = NoiseModel()
    model.noise_passes.append(LocalNoisePass(lambda *_: FLIP, XGate))
    circuit = TURNED.copy()
    circuit.x(0)
    assert len(model.on(circuit)) == 1
    QASM.plan(circuit, noise_model=model)
