"""The errors that noise models are usually made of. Each docstring has the formula of the channel."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import exp, expm1, isfinite, sqrt
from numbers import Integral, Real
from sys import float_info
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.circuit.library import UnitaryGate
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Choi, Kraus, Pauli

from basicaer.compile.matrices import is_unitary
from basicaer.compile.noise_entries import square_matrix
from basicaer.engine.bits import highest_position
from basicaer.errors import BasicAerError, reason_of, shown
from basicaer.noise.circuit_terms import Mixture
from basicaer.noise.quantum_error import QuantumError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = [
    "amplitude_damping_error",
    "check_relaxation",
    "coherent_unitary_error",
    "depolarizing_error",
    "kraus_error",
    "mixed_unitary_error",
    "pauli_error",
    "phase_amplitude_damping_error",
    "phase_damping_error",
    "reset_error",
    "thermal_relaxation_error",
]

_MOST_DEPOLARIZED = 10  # qubits, for which there are a million Paulis
_ID, _X, _Y, _Z, _RESET = ({"name": name, "qubits": [0]} for name in ("id", "x", "y", "z", "reset"))


def pauli_error(noise_ops: Iterable[tuple[Any, float]]) -> QuantumError:
    r"""Return a mixture of Paulis, :math:`\rho \mapsto \sum_j p_j P_j \rho P_j`.

    Parameters
    ----------
    noise_ops
        Pairs of a Pauli, or its string, and its probability. The last letter of a string acts on qubit 0. The
        probabilities must sum to 1.
    """
    pairs = _pairs(noise_ops, "pauli_error")
    try:
        paulis = [Pauli(label) for label, _ in pairs]
    except (QiskitError, TypeError, ValueError) as error:
        raise BasicAerError(f"pauli_error has something that is not a Pauli: {reason_of(error)}.") from error
    if len({pauli.num_qubits for pauli in paulis}) > 1:
        raise BasicAerError("pauli_error has Paulis on different numbers of qubits; give them all the same length.")
    return QuantumError(list(zip(paulis, (p for _, p in pairs), strict=True)))


def depolarizing_error(param: float, num_qubits: int) -> QuantumError:
    r"""Return the depolarizing channel, :math:`\rho \mapsto (1 - \lambda) \rho + \lambda \, 1 / 2^n`.

    It is a mixture of all Paulis, in which each but the identity has the probability :math:`\lambda / 4^n`
    (Nielsen and Chuang 2010, equation 8.102, with :math:`\lambda = p`).

    Parameters
    ----------
    param
        :math:`\lambda`, from 0 to :math:`4^n / (4^n - 1)`, where the identity has the probability 0.
    num_qubits
        :math:`n`.
    """
    if not isinstance(num_qubits, Integral) or not 1 <= int(num_qubits) <= _MOST_DEPOLARIZED:
        raise BasicAerError(
            f"num_qubits of depolarizing_error must be a number from 1 to {_MOST_DEPOLARIZED}, not {shown(num_qubits)}."
        )
    count = 4 ** int(num_qubits)
    _check("depolarizing_error", "param", param, count / (count - 1))
    probabilities = [max(1 - param * (count - 1) / count, 0.0), *([param / count] * (count - 1))]
    if num_qubits == 1:
        return QuantumError(Mixture([(_ID,), (_X,), (_Y,), (_Z,)], probabilities, 1))
    qubits = list(range(num_qubits))
    labels = map("".join, itertools.product("IXYZ", repeat=num_qubits))
    terms = [({"name": "pauli", "qubits": qubits, "params": [label]},) for label in labels]
    return QuantumError(Mixture(terms, probabilities, num_qubits))


def reset_error(prob0: float, prob1: float = 0) -> QuantumError:
    r"""Return a reset that happens with some probability.

    It is :math:`\rho \mapsto (1-p_0-p_1)\rho + p_0 |0\rangle\langle0| + p_1 |1\rangle\langle1|`.

    Parameters
    ----------
    prob0, prob1
        The probabilities of a reset to 0 and to 1.
    """
    _check("reset_error", "prob0", prob0)
    _check("reset_error", "prob1", prob1)
    if prob0 + prob1 > 1:
        raise BasicAerError(f"prob0 and prob1 of reset_error sum to {prob0 + prob1:g}; they must sum to at most 1.")
    return QuantumError(Mixture([(_ID,), (_RESET,), (_RESET, _X)], [1 - prob0 - prob1, prob0, prob1], 1))


def thermal_relaxation_error(t1: float, t2: float, time: float, excited_state_population: float = 0) -> QuantumError:
    r"""Return the relaxation of a qubit towards thermal equilibrium during some time.

    The excited population decays to equilibrium by the factor :math:`e^{-t/T_1}` and the coherences decay by
    :math:`e^{-t/T_2}`. For :math:`T_2 \le T_1` this is a mixture of nothing, Z and resets, with
    :math:`p_{reset} = 1 - e^{-t/T_1}` and :math:`p_Z = (1 - p_{reset})(1 - e^{-t(1/T_2 - 1/T_1)})/2`. For longer
    :math:`T_2` it has Kraus operators (Blank et al. 2020, npj Quantum Information 6, 41, supplementary note).

    Parameters
    ----------
    t1, t2
        The relaxation times :math:`T_1` and :math:`T_2`, which may be infinite; :math:`T_2 \le 2 T_1`.
    time
        The duration, in the same unit.
    excited_state_population
        The probability of 1 at equilibrium.
    """
    name = "thermal_relaxation_error"
    check_relaxation(name, t1, t2, excited_state_population)
    _check(name, "time", time, float_info.max)
    reset, ones = -expm1(-time / t1), excited_state_population
    zeros = 1 - ones
    if t2 <= t1:
        flip = (1 - reset) * -expm1(-time * (1 / t2 - 1 / t1)) / 2
        terms = [(_ID,), (_Z,), (_RESET,), (_RESET, _X)]
        return QuantumError(Mixture(terms, [1 - flip - reset, flip, reset * zeros, reset * ones], 1))
    coherence = exp(-time / t2)
    stays = [[1 - ones * reset, coherence], [coherence, 1 - zeros * reset]]
    weights, vectors = np.linalg.eigh(np.array(stays))  # the part of the Choi matrix that keeps the populations
    operators = [sqrt(max(w, 0)) * np.diag(vectors[:, at]) for at, w in enumerate(weights)][::-1]
    operators.append(sqrt(zeros * reset) * np.array([[0, 1], [0, 0]]))
    operators.append(sqrt(ones * reset) * np.array([[0, 0], [1, 0]]))
    return _of_operators(operators)


def check_relaxation(whose: str, t1: float, t2: float, excited_state_population: float) -> None:
    """Raise an error unless a qubit can have such relaxation times, and such a population at equilibrium."""
    _check(whose, "excited_state_population", excited_state_population)
    for word, value in (("t1", t1), ("t2", t2)):
        if not isinstance(value, Real) or not value > 0:
            raise BasicAerError(f"{word} of {whose} must be a number greater than 0, not {shown(value)}.")
    if t2 > 2 * t1:
        raise BasicAerError(f"t2 of {whose} is {t2:g}, which is more than twice t1, {t1:g}; no qubit has such times.")


def phase_amplitude_damping_error(
    param_amp: float,
    param_phase: float,
    excited_state_population: float = 0,
    canonical_kraus: bool = True,  # noqa: FBT001, FBT002
) -> QuantumError:
    r"""Return amplitude and phase damping of a qubit.

    With :math:`a`, :math:`b` and :math:`p_1` for the parameters, the Kraus operators are :math:`\sqrt{1 - p_1}` times
    diag(1, :math:`\sqrt{1-a-b}`), :math:`\sqrt{a} |0\rangle\langle1|` and diag(0, :math:`\sqrt{b}`), and
    :math:`\sqrt{p_1}` times the same with 0 and 1 exchanged (Nielsen and Chuang 2010, sections 8.3.5 and 8.3.6).

    Parameters
    ----------
    param_amp, param_phase
        :math:`a` and :math:`b`, which must not sum to more than 1.
    excited_state_population
        :math:`p_1`, the probability of 1 at equilibrium.
    canonical_kraus
        Whether Kraus operators that are orthogonal to each other are used in place of the above.
    """
    name = "phase_amplitude_damping_error"
    _check(name, "param_amp", param_amp)
    _check(name, "param_phase", param_phase)
    _check(name, "excited_state_population", excited_state_population)
    if param_amp + param_phase > 1:
        raise BasicAerError(
            f"param_amp and param_phase of {name} sum to {param_amp + param_phase:g}; they must sum to at most 1."
        )
    rest = sqrt(1 - param_amp - param_phase)
    down = [np.diag([1, rest]), sqrt(param_amp) * np.array([[0, 1], [0, 0]]), np.diag([0, sqrt(param_phase)])]
    to_zero = [sqrt(1 - excited_state_population) * operator for operator in down]
    to_one = [sqrt(excited_state_population) * operator[::-1, ::-1] for operator in down]
    operators = [operator for operator in (*to_zero, *to_one) if operator.any()]
    return kraus_error(operators, canonical_kraus=canonical_kraus)


def amplitude_damping_error(
    param_amp: float,
    excited_state_population: float = 0,
    canonical_kraus: bool = True,  # noqa: FBT001, FBT002
) -> QuantumError:
    """Return amplitude damping, which is `phase_amplitude_damping_error` without phase damping.

    Parameters
    ----------
    param_amp
        The probability that 1 decays to 0, if the qubit is 0 at equilibrium.
    excited_state_population
        The probability of 1 at equilibrium.
    canonical_kraus
        Whether Kraus operators are used that are orthogonal to each other.
    """
    return phase_amplitude_damping_error(param_amp, 0, excited_state_population, canonical_kraus)


def phase_damping_error(param_phase: float, canonical_kraus: bool = True) -> QuantumError:  # noqa: FBT001, FBT002
    r"""Return phase damping, which multiplies the coherences by :math:`\sqrt{1 - b}`.

    Parameters
    ----------
    param_phase
        :math:`b`.
    canonical_kraus
        Whether Kraus operators are used that are orthogonal to each other.
    """
    return phase_amplitude_damping_error(0, param_phase, 0, canonical_kraus)


def coherent_unitary_error(unitary: Any) -> QuantumError:
    """Return the error that always applies a unitary matrix."""
    return _mixed([(unitary, 1.0)], "coherent_unitary_error")


def mixed_unitary_error(noise_ops: Iterable[tuple[Any, float]]) -> QuantumError:
    r"""Return a mixture of unitaries, :math:`\rho \mapsto \sum_j p_j U_j \rho U_j^\dagger`.

    Parameters
    ----------
    noise_ops
        Pairs of a unitary matrix and its probability. The probabilities must sum to 1.
    """
    return _mixed(_pairs(noise_ops, "mixed_unitary_error"), "mixed_unitary_error")


def _mixed(pairs: Iterable[tuple[Any, float]], function: str) -> QuantumError:
    """Return a mixture of unitaries, once they have been checked."""
    pairs = [(_matrix(matrix, function), p) for matrix, p in pairs]
    if len({matrix.shape for matrix, _ in pairs}) > 1:
        raise BasicAerError(f"{function} has matrices of different sizes; give them all the same.")
    qubits = list(range(highest_position(len(pairs[0][0]))))
    if not all(is_unitary(matrix, len(qubits)) for matrix, _ in pairs):
        raise BasicAerError(f"{function} has a matrix that is not unitary.")
    return QuantumError([([(UnitaryGate(matrix), qubits)], p) for matrix, p in pairs])


def kraus_error(noise_ops: Sequence[Any], canonical_kraus: bool = False) -> QuantumError:  # noqa: FBT001, FBT002
    r"""Return the channel of Kraus operators, :math:`\rho \mapsto \sum_j K_j \rho K_j^\dagger`.

    Parameters
    ----------
    noise_ops
        The matrices :math:`K_j`, with :math:`\sum_j K_j^\dagger K_j = 1`.
    canonical_kraus
        Whether they are replaced by operators of the same channel that are orthogonal to each other.
    """
    if not isinstance(noise_ops, Sequence | np.ndarray) or isinstance(noise_ops, str) or not len(noise_ops):
        raise BasicAerError("kraus_error needs a list of matrices, and at least one.")
    operators = [_matrix(one, "kraus_error") for one in noise_ops]
    if len({matrix.shape for matrix in operators}) > 1:
        raise BasicAerError("kraus_error has matrices of different sizes; give them all the same.")
    return _of_operators(Kraus(Choi(Kraus(operators))).data if canonical_kraus else operators)


def _of_operators(operators: Iterable[Any]) -> QuantumError:
    """Return the error of Kraus operators, once they have been checked."""
    arrays = [np.asarray(operator, complex) for operator in operators if np.any(operator)]
    qubits = list(range(highest_position(len(arrays[0])))) if arrays else [0]
    error = QuantumError(Mixture([({"name": "kraus", "qubits": qubits, "params": arrays},)], [1.0], len(qubits)))
    error.ideal()  # raises if they do not preserve the trace
    return error


def _check(function: str, parameter: str, value: float, most: float = 1.0) -> None:
    """Raise an error unless a parameter is a number from 0 to `most`."""
    if not isinstance(value, Real) or not isfinite(value) or not 0 <= value <= most:
        limit = f"from 0 to {most:.6g}" if most < float_info.max else "from 0 on"
        raise BasicAerError(f"{parameter} of {function} must be a number {limit}, not {shown(value)}.")


def _pairs(noise_ops: Iterable[tuple[Any, float]], function: str) -> list[tuple[Any, float]]:
    try:
        pairs = [(operation, float(probability)) for operation, probability in noise_ops]
    except (TypeError, ValueError) as error:
        raise BasicAerError(f"{function} needs a list of pairs of an operation and its probability.") from error
    if not pairs:
        raise BasicAerError(f"{function} needs at least one pair of an operation and its probability.")
    return pairs


def _matrix(given: Any, function: str) -> NDArray[np.complex128]:
    """Return a matrix on a whole number of qubits."""
    found: NDArray[np.complex128] = square_matrix(given, complex, f"{function} has a matrix")
    return found
