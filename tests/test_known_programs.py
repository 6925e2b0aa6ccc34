"""Circuits that were lowered lately are found again by what they say, and never taken for others."""

from collections import OrderedDict

import numpy as np
import pytest
from qiskit import QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter, library
from qiskit.quantum_info import Statevector, random_unitary

from basicaer.compile import known
from basicaer.compile.known import lower_known
from basicaer.errors import BasicAerError


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(known, "_programs", OrderedDict())


def circuit(angle=0.1, name="one"):
    made = QuantumCircuit(2, 2, name=name)
    made.ry(angle, 0)
    made.cx(0, 1)
    made.barrier()
    made.measure([0, 1], [0, 1])
    return made


def test_the_same_instructions_give_the_same_program():
    assert lower_known(circuit()) is lower_known(circuit())
    assert lower_known(circuit()) is lower_known(circuit().copy())


def changed(change):
    made = circuit()
    change(made)
    return made


@pytest.mark.parametrize(
    "other",
    [
        circuit(0.2),
        circuit(name="two"),
        changed(lambda c: c.x(1)),
        changed(lambda c: c.measure(0, 1)),
        changed(lambda c: c.add_register(QuantumRegister(1, "more"))),
        changed(lambda c: setattr(c, "global_phase", 0.3)),
        circuit().reverse_bits(),
    ],
    ids=["angle", "name", "gate", "bit", "qubits", "phase", "order"],
)
def test_any_difference_is_seen(other):
    program = lower_known(circuit())
    assert lower_known(other) is not program
    assert lower_known(circuit(), keep_idle=True) is not program
    assert lower_known(circuit()) is program


def test_what_instructions_alone_do_not_say_is_lowered_each_time():
    controlled, custom, unitary, conditional = (QuantumCircuit(3, 1) for _ in range(4))
    controlled.append(library.CXGate(ctrl_state=0), [0, 1])
    inner = QuantumCircuit(1, name="rx")  # a name that a standard gate has too
    inner.h(0)
    custom.append(inner.to_instruction(), [0])
    unitary.unitary(np.diag([1, 1j, 1, 1, -1, 1, 1, 1]), [0, 1, 2])
    with conditional.if_test((conditional.clbits[0], 0)):
        conditional.x(0)
    for made in (controlled, custom, unitary, conditional):
        assert lower_known(made) is not lower_known(made)
    assert not known._programs


def with_unitary(matrix):
    made = QuantumCircuit(2, name="one")
    made.unitary(np.asarray(matrix, order="F"), [1, 0])
    return made


def test_narrow_unitaries_are_told_apart_by_their_matrices():
    first, second = random_unitary(4, 1).data, random_unitary(4, 2).data
    assert lower_known(with_unitary(first)) is lower_known(with_unitary(first.copy()))
    assert lower_known(with_unitary(first)) is not lower_known(with_unitary(second))
    assert lower_known(with_unitary(first)) is not lower_known(with_unitary(first.T))


def test_open_controls_are_not_taken_for_closed_ones(statevector):
    for state in (0, 1):
        made = QuantumCircuit(2)
        made.h(0)
        made.append(library.CXGate(ctrl_state=state), [0, 1])
        assert np.allclose(statevector.run(made).result().get_statevector(), Statevector(made).data)


def test_what_cannot_be_lowered_is_refused_each_time():
    made = QuantumCircuit(1)
    made.rx(Parameter("a"), 0)
    for _ in range(2):
        with pytest.raises(BasicAerError, match="Parameters without a value"):
            lower_known(made)
    assert not known._programs


def test_so_many_instructions_are_kept(monkeypatch):
    monkeypatch.setattr(known, "_INSTRUCTIONS_KEPT", 15)
    programs = [lower_known(circuit(angle)) for angle in range(5)]
    size = len(circuit().data)
    assert len(known._programs) == 15 // size
    assert lower_known(circuit(4)) is programs[4]
    assert lower_known(circuit(0)) is not programs[0]
