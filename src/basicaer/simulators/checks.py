"""What a simulator checks of its input, of a lowered circuit and of an initial state."""

from __future__ import annotations

import cmath
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit import QuantumCircuit

from basicaer.compile.result_forms import OPERATOR, STATEVECTOR
from basicaer.compile.saves import SAVES
from basicaer.engine.method import of_statevectors_only
from basicaer.engine.program import OverShots, Phase, Save, SavedQuantity, SetState, walk
from basicaer.errors import BasicAerError, OptionValueError, at_border, shown
from basicaer.wording import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.engine.program import Program

__all__ = ["check_initial_statevector", "check_initial_unitary", "check_states", "circuits_in", "is_qobj"]


def is_qobj(value: Any) -> bool:
    """Tell whether a value is meant as a Qobj: it is a dictionary or has ``to_dict()``."""
    try:
        return isinstance(value, dict) or hasattr(value, "to_dict")
    except Exception:  # noqa: BLE001  # an object's own __getattr__ may raise anything
        return False


def circuits_in(value: Any) -> list[QuantumCircuit]:
    """Return the circuits that `run` was given: one, or a list."""
    is_list = isinstance(value, list | tuple)
    with at_border(lambda why: BasicAerError(f"run() was given a list that cannot be read: {why}.")):
        circuits = list(value) if is_list else [value]
    for circuit in circuits:
        if not isinstance(circuit, QuantumCircuit):
            given = f"{'a list that holds ' if is_list else ''}an object of type {type(circuit).__name__}"
            raise BasicAerError(f"run() takes a QuantumCircuit, a list of them or a Qobj, not {given}.")
    return circuits


def check_states(program: Program, simulator: str, returns: str, *, density: bool = False) -> None:
    """Refuse instructions that set or save a state of another kind than the simulator has.

    Parameters
    ----------
    returns
        What the simulator returns: ``"counts"``, ``"statevector"`` or ``"unitary"``.
    density
        Whether its state is a density matrix.
    """
    is_unitary = returns == "unitary"
    if not is_unitary and any(isinstance(one, SetState) and one.axes > 1 for one in walk(program.body)):
        raise BasicAerError(
            f"{simulator} cannot run 'set_unitary' in circuit '{program.name}': only unitary_simulator can."
        )
    for save in program.saves:
        if save.label == returns and not _is_final_state(save, program):
            raise BasicAerError(
                f"The label '{save.label}' of {save.form} (circuit '{program.name}') is reserved for what {simulator} "
                "itself returns; choose another label."
            )
        if density and of_statevectors_only(save):
            raise BasicAerError(
                f"'{save.form}' in circuit '{program.name}' saves amplitudes, which a density matrix does not have; "
                "use save_density_matrix, or run with method='statevector'."
            )
        is_of_unitary = save.quantity is SavedQuantity.UNITARY
        if is_of_unitary != is_unitary:
            remedy = "only unitary_simulator can" if is_of_unitary else "it saves unitaries only"
            raise BasicAerError(f"{simulator} cannot run '{save.form}' in circuit '{program.name}': {remedy}.")
        if is_unitary and save.qubits != tuple(range(program.circuit_qubits)):
            raise BasicAerError(f"'{save.form}' in circuit '{program.name}' must be given the qubits in their order.")


def _is_final_state(save: Save, program: Program) -> bool:
    """Tell whether a save is of the very state that a simulator returns: that of the last shot, after everything."""
    after, global_phase = list(program.body), complex(1.0)
    while after:
        match after[-1]:
            case Phase(factor):
                global_phase *= factor
            case Save(label) if label != save.label:
                pass
            case _:
                break
        after.pop()
    given = [(place, qubit) for place, qubit in enumerate(save.qubits) if qubit is not None]
    return (
        after[-1:] == [save]
        and cmath.isclose(global_phase, save.global_phase)
        and SAVES[save.form].result_form in {STATEVECTOR, OPERATOR}
        and save.over_shots is OverShots.LAST
        and not (save.conditional or program.final)
        and given == [(place, qubit) for qubit, place in enumerate(program.qubits)]
    )


def check_initial_statevector(value: Any, program: Program, simulator: str) -> NDArray[np.complexfloating]:
    """Return ``initial_statevector`` as an array; it must fit the circuit and have norm 1 to 12 decimals."""
    vector = _complex_array(value, "initial_statevector")
    size = 2**program.circuit_qubits
    if vector.shape != (size,):
        has = counted(vector.size, "amplitude") if vector.ndim == 1 else f"shape {vector.shape}"
        raise OptionValueError(
            f"initial_statevector of {simulator} has {has}; circuit '{program.name}' of "
            f"{counted(program.circuit_qubits, 'qubit')} needs {size} amplitudes in one row."
        )
    norm = float(np.linalg.norm(vector))
    if round(norm, 12) != 1:
        raise OptionValueError(
            f"initial_statevector of {simulator} has norm {norm:.14g}, not 1; divide it by its norm."
        )
    return vector


def check_initial_unitary(value: Any, program: Program, simulator: str) -> NDArray[np.complexfloating]:
    """Return ``initial_unitary`` column by column; it must fit the circuit and be unitary to 10 decimals."""
    matrix = _complex_array(value, "initial_unitary")
    size = 2**program.circuit_qubits
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise OptionValueError(f"initial_unitary of {simulator} has shape {matrix.shape}, which is not square.")
    if matrix.shape != (size, size):
        raise OptionValueError(
            f"initial_unitary of {simulator} has shape {matrix.shape}; circuit '{program.name}' of "
            f"{counted(program.circuit_qubits, 'qubit')} needs {(size, size)}."
        )
    if not np.allclose(matrix.conj().T @ matrix, np.eye(size), rtol=0, atol=1e-10):
        raise OptionValueError(f"initial_unitary of {simulator} is not unitary to 10 decimals.")
    return matrix.T.reshape(-1)


def _complex_array(value: Any, name: str) -> NDArray[np.complexfloating]:
    """Return numbers, or a state or operator of `qiskit.quantum_info`, as a complex array."""
    with at_border(lambda _: OptionValueError(f"{name} must be an array of complex numbers, not {shown(value)}.")):
        array = np.asarray(getattr(value, "data", value) if hasattr(value, "dims") else value)
        if array.dtype.kind not in "biufc":
            raise TypeError
        with np.errstate(over="ignore"):  # a number that is too large becomes infinite, and is refused below
            array = array.astype(complex)
    if not np.isfinite(array).all():
        raise OptionValueError(f"{name} has entries that are not finite.")
    return array
