"""Moves Pauli errors from where they occur to the end of a program.

An error before a Clifford gate is another Pauli after it (Gottesman, arXiv:quant-ph/9807006). Any other gate U goes on
with the error Q in front of it as ``Q (Q* U Q)``: the error stays what it is, and the gate has other numbers, but acts
on the same qubits in the same way. So all errors of a program leave its structure as it is. What remains of them at the
end flips the outcomes of measurements.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.bits import bits_of, extract_bits, has_bit, highest_position, numbers_of_bits, shifted, signs
from basicaer.engine.program import Form, Gate
from basicaer.engine.unitaries import matrix_of_gate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["WIDEST", "Frames", "Passage", "Variants", "conjugated", "looked_up", "passage", "pauli_of"]

WIDEST = 3
"""Qubits of a gate, controls among them, that errors can be moved past."""

_WIDEST_CLIFFORD = 3
_TOLERANCE = 1e-12
_SMALL_TABLE = 2**12


class Frames:
    """The Pauli errors of many shots at one place of a program: ``X**x Z**z`` on the qubits of each.

    They are kept qubit by qubit, as one long number for all shots, as in Stim (Gidney, Quantum 5, 497 (2021)): a gate
    changes all shots at once.

    Parameters
    ----------
    x, z
        Bit q of ``x[i]`` and ``z[i]`` is whether there is an X, or a Z, on qubit q in shot i.
    """

    def __init__(self, n_qubits: int, x: NDArray[np.int64], z: NDArray[np.int64]) -> None:
        self._count = len(x)
        self._x = _long_numbers(n_qubits, x)
        self._z = _long_numbers(n_qubits, z)

    def any(self) -> bool:
        """Tell whether there are any errors."""
        return any(self._x) or any(self._z)

    def masks(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return x and z, as they are given at the beginning."""
        return self._masks(self._x), self._masks(self._z)

    def _masks(self, numbers: list[int]) -> NDArray[np.int64]:
        masks = np.zeros(self._count, np.int64)
        for qubit, number in enumerate(numbers):
            if number:
                masks |= shifted(bits_of(number, self._count).astype(np.int64), qubit)
        return masks

    def add(self, qubits: tuple[int, ...], x: Sequence[int], z: Sequence[int]) -> None:
        """Let errors occur: bit i of ``x[j]`` and ``z[j]`` is whether one on ``qubits[j]`` does in shot i."""
        for qubit, of_x, of_z in zip(qubits, x, z, strict=True):
            self._x[qubit] ^= of_x
            self._z[qubit] ^= of_z

    def on(self, wires: tuple[int, ...]) -> NDArray[np.int64] | None:
        """Return the error that each shot has on some qubits, as `Passage` numbers errors; None if there are none."""
        numbers = [self._x[wire] for wire in wires] + [self._z[wire] for wire in wires]
        if not any(numbers):
            return None
        errors = np.zeros(self._count, np.int64)
        for bit, number in enumerate(numbers):
            if number:
                errors |= shifted(bits_of(number, self._count).astype(np.int64), bit)
        return errors

    def pass_by(self, passed: Passage) -> NDArray[np.intp] | None:
        """Move the errors past a gate; return the variant that acts in each shot, None if all are the first."""
        if not passed.is_clifford:
            errors = self.on(passed.wires)
            return None if errors is None else passed.chosen(errors)
        wires = passed.wires
        before = [self._x[wire] for wire in wires] + [self._z[wire] for wire in wires]
        for after, sources in passed.moves:
            changed = 0
            for source in sources:
                changed ^= before[source]
            if after < len(wires):
                self._x[wires[after]] = changed
            else:
                self._z[wires[after - len(wires)]] = changed
        return None


def _long_numbers(n_qubits: int, masks: NDArray[np.int64]) -> list[int]:
    """Return for each qubit the number whose bit i is the bit of the qubit in ``masks[i]``."""
    if not masks.any():
        return [0] * n_qubits
    return numbers_of_bits(np.array([extract_bits(masks, (qubit,)) for qubit in range(n_qubits)], bool))


class Passage:
    """How errors pass a gate. An error on its k wires is a number: k bits of X, then k bits of Z.

    Attributes
    ----------
    wires
        Its targets, then its controls.
    gate
        The gate in the form in which errors can change its numbers.
    is_clifford
        Whether it takes all Paulis to Paulis, so that errors leave its numbers as they are.
    moves
        For a Clifford gate: ``(i, sources)`` for each bit i of an error that it changes. Afterwards the bit is the
        exclusive or of those bits of the error before it.
    variants
        The numbers that the gate has, depending on the error; first those without an error.
    errors
        The error of each variant, if they are told apart by their errors.
    """

    def __init__(self, gate: Gate, kind: _Kind) -> None:
        self.wires = (*gate.targets, *gate.controls)
        self.gate = gate
        self._kind = kind
        self.is_clifford = kind.moves is not None
        self.moves = kind.moves or ()
        if not self.is_clifford and (gate.controls or gate.form is Form.PERMUTATION):
            acts = gate.target_actions + "Z" * len(gate.controls)
            form = Form.DIAGONAL if gate.form is Form.DIAGONAL else Form.MATRIX
            self.gate = Gate(gate.name, acts, self.wires, form, kind.variants[0])

    @property
    def variants(self) -> list[NDArray[np.complex128]]:
        """See the class."""
        return self._kind.variants

    @property
    def errors(self) -> list[int]:
        """See the class."""
        return self._kind.errors

    def chosen(self, errors: NDArray[np.int64]) -> NDArray[np.intp] | None:
        """Return the number of the variant for each error."""
        numbers = looked_up(errors, 4 ** len(self.wires), self._kind.variant)
        return numbers if numbers.any() else None


class Variants:
    """Numbers that a gate may have, found by keys. Thread-safe, since jobs share what is kept of a gate.

    Parameters
    ----------
    first
        The numbers for the key 0.
    told_apart
        Whether equal numbers of different keys are told apart; otherwise each is there once.
    """

    def __init__(self, first: NDArray[np.complex128], *, told_apart: bool = False) -> None:
        self.data = [first]
        self.keys = [0]  # The key for which each of the data was made.
        self._told_apart = told_apart
        self._known = {0: 0}  # _known[key] = the number of its variant
        self._numbers = {self._bytes(first): 0}
        self._lock = threading.Lock()

    def number(self, key: int, make: Callable[[], NDArray[np.complex128]]) -> int:
        """Return the number of the variant for a key."""
        with self._lock:
            number = self._known.get(key)
            if number is None:
                data = make()
                number = len(self.data)
                if not self._told_apart:
                    number = self._numbers.setdefault(self._bytes(data), number)
                if number == len(self.data):
                    self.data.append(data)
                    self.keys.append(key)
                self._known[key] = number
            return number

    @staticmethod
    def _bytes(data: NDArray[np.complex128]) -> bytes:
        return (data + 0.0).tobytes()  # -0 becomes 0


def looked_up(keys: NDArray[np.int64], end: int, look_up: Callable[[int], int]) -> NDArray[np.intp]:
    """Return ``look_up(key)`` for each key below `end`, calling it once for each different key."""
    if end <= _SMALL_TABLE:
        found = np.flatnonzero(np.bincount(keys, minlength=end))
        table = np.zeros(end, np.intp)
        table[found] = [look_up(key) for key in found.tolist()]
        return table[keys]
    found, which = np.unique(keys, return_inverse=True)
    return np.array([look_up(key) for key in found.tolist()], np.intp)[which]


class _Kind:
    """What is the same for gates with the same numbers, whatever their wires.

    Attributes
    ----------
    moves
        Those of `Passage`; None if it is no Clifford gate.
    """

    def __init__(self, gate: Gate, *, told_apart: bool) -> None:
        self.width = len(gate.targets) + len(gate.controls)
        self._is_diagonal = gate.form is Form.DIAGONAL
        matrix = matrix_of_gate(gate)
        may_move = self.width <= _WIDEST_CLIFFORD and not told_apart
        self.moves = _moves(matrix, self.width) if may_move else None
        self._first = np.ascontiguousarray(matrix.diagonal()) if self._is_diagonal else matrix
        self._variants = Variants(self._first, told_apart=told_apart)

    @property
    def variants(self) -> list[NDArray[np.complex128]]:
        """The numbers for all errors that have been asked for; first those without one."""
        return self._variants.data

    @property
    def errors(self) -> list[int]:
        """The error of each variant."""
        return self._variants.keys

    def variant(self, error: int) -> int:
        """Return the number of the variant that a gate has after an error."""
        z, x = divmod(error, 2**self.width)
        return self._variants.number(error, lambda: self._conjugated(x, z))

    def _conjugated(self, x: int, z: int) -> NDArray[np.complex128]:
        """Return the numbers of ``Q* U Q`` for the error ``Q = X**x Z**z``."""
        data = self._first
        if self._is_diagonal:
            flipped: NDArray[np.complex128] = data[np.arange(len(data)) ^ x]
            return flipped
        return conjugated(data, x, z)


def conjugated(matrix: NDArray[np.complex128], x: int, z: int) -> NDArray[np.complex128]:
    """Return ``Q* M Q`` for a matrix M and the error ``Q = X**x Z**z``."""
    row = np.arange(len(matrix))
    of_rows = signs(row, z)
    changed: NDArray[np.complex128] = matrix[np.ix_(row ^ x, row ^ x)] * (of_rows[:, None] * of_rows)
    return changed


def passage(gate: Gate, *, told_apart: bool = False) -> Passage | None:
    """Return how errors pass a gate; None if it is too wide.

    Parameters
    ----------
    told_apart
        Whether errors stay as they are also if the gate takes Paulis to Paulis, and variants are told apart by their
        errors, which generators depend on even where the gate does not.
    """
    if len(gate.targets) + len(gate.controls) > WIDEST:
        return None
    shape = len(gate.targets), len(gate.controls), gate.control_state
    return Passage(gate, _kind(shape, gate.form, gate.data.dtype.str, gate.data.tobytes(), told_apart=told_apart))


@lru_cache(maxsize=4096)
def _kind(shape: tuple[int, int, int], form: Form, dtype: str, data: bytes, *, told_apart: bool) -> _Kind:
    targets, controls, control_state = shape
    numbers = np.frombuffer(data, dtype).reshape((2**targets,) * (2 if form is Form.MATRIX else 1))
    wires = tuple(range(targets + controls))
    return _Kind(Gate("", "", wires[:targets], form, numbers, wires[targets:], control_state), told_apart=told_apart)


def _moves(matrix: NDArray[np.complex128], width: int) -> tuple[tuple[int, tuple[int, ...]], ...] | None:
    """Return how ``U Q U*`` has come from the Pauli Q, as `Passage.moves`, if U takes all of them to Paulis."""
    if abs(matrix.conj().T @ matrix - np.eye(len(matrix))).max() > _TOLERANCE:
        return None
    after = [_image(matrix, 2**bit, 0) for bit in range(width)] + [_image(matrix, 0, 2**bit) for bit in range(width)]
    known = [one for one in after if one is not None]
    if len(known) < len(after):
        return None
    images = [x + z * 2**width for x, z in known]
    sources = [tuple([i for i, image in enumerate(images) if has_bit(image, bit)]) for bit in range(2 * width)]
    return tuple([(bit, own) for bit, own in enumerate(sources) if own != (bit,)])


def _image(matrix: NDArray[np.complex128], x: int, z: int) -> tuple[int, int] | None:
    """Return x and z of ``U X**x Z**z U*``, which may have any phase; None if it is no Pauli."""
    row = np.arange(len(matrix))
    before = np.zeros_like(matrix)
    before[row ^ x, row] = signs(row, z)
    return pauli_of(matrix @ before @ matrix.conj().T)


def pauli_of(matrix: NDArray[np.complex128]) -> tuple[int, int] | None:
    """Return x and z if a matrix is a multiple of ``X**x Z**z``, else None."""
    row = np.arange(len(matrix))
    flips = int(abs(matrix[:, 0]).argmax())
    entries = matrix[row ^ flips, row]
    ratios = entries / entries[0]
    signed = [2**bit for bit in range(highest_position(len(matrix))) if ratios[2**bit].real < 0]
    expected = np.zeros_like(matrix)
    expected[row ^ flips, row] = entries[0] * signs(row, sum(signed))
    return (flips, sum(signed)) if (abs(matrix - expected) <= _TOLERANCE * abs(entries[0])).all() else None
