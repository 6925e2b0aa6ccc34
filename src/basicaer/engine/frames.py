"""Moves Pauli errors from where they occur to the end of a program.

An error before a Clifford gate is another Pauli after it (Gottesman, arXiv:quant-ph/9807006). Any other gate U goes on
with the error Q in front of it as ``Q (Q* U Q)``: the error stays what it is, and the gate has other numbers, but acts
on the same qubits in the same way. So all errors of a program leave its structure as it is. What remains of them at the
end flips the outcomes of measurements.
"""

from __future__ import annotations

import threading
from functools import lru_cache, reduce
from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.bits import deposit_bits, extract_bits, highest_position, mask_of, replaced, signs
from basicaer.engine.program import Form, Gate
from basicaer.engine.unitaries import matrix_of_gate

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WIDEST", "Frames", "Passage", "passage", "pauli_of"]

WIDEST = 3
"""Qubits of a gate, controls among them, that errors can be moved past."""

_WIDEST_CLIFFORD = 3
_TOLERANCE = 1e-12


class Frames:
    """The Pauli errors of many trajectories at one place of a program: ``X**x Z**z`` on the qubits of each.

    Attributes
    ----------
    x, z
        Bit q of ``x[i]`` and ``z[i]`` is whether there is an X, or a Z, on qubit q in trajectory i.
    """

    def __init__(self, count: int) -> None:
        self.x = np.zeros(count, np.int64)
        self.z = np.zeros(count, np.int64)

    def add(self, trajectories: NDArray[np.intp], x: NDArray[np.int64], z: NDArray[np.int64]) -> None:
        """Let errors occur in some trajectories, each once."""
        self.x[trajectories] ^= x
        self.z[trajectories] ^= z

    def pass_by(self, passed: Passage) -> NDArray[np.intp] | None:
        """Move the errors past a gate; return the variant that acts in each trajectory, None if all are the first."""
        wires = passed.wires
        errors = extract_bits(self.x, wires) + extract_bits(self.z, wires) * 2 ** len(wires)
        if passed.after is None:
            return passed.chosen(errors)
        x, z = passed.after
        self.x = replaced(self.x, mask_of(wires), x[errors])
        self.z = replaced(self.z, mask_of(wires), z[errors])
        return None


class Passage:
    """How errors pass a gate. An error on its k wires is a number: k bits of X, then k bits of Z.

    Attributes
    ----------
    wires
        Its targets, then its controls.
    gate
        The gate in the form in which errors can change its numbers.
    after
        For a Clifford gate the masks of X and Z on the wires after it, by the error before it; else None.
    variants
        The numbers that the gate has, depending on the error; first those without an error.
    """

    def __init__(self, gate: Gate, kind: _Kind) -> None:
        self.wires = (*gate.targets, *gate.controls)
        self.after: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        self.gate = gate
        self._kind = kind
        if kind.images is not None:
            x, z = (deposit_bits(half, self.wires) for half in kind.images)
            self.after = x, z
        elif gate.controls or gate.form is Form.PERMUTATION:
            acts = gate.target_actions + "Z" * len(gate.controls)
            self.gate = Gate(gate.name, acts, self.wires, Form.MATRIX, kind.variants[0])

    @property
    def variants(self) -> list[NDArray[np.complex128]]:
        """See the class."""
        return self._kind.variants

    def chosen(self, errors: NDArray[np.int64]) -> NDArray[np.intp] | None:
        """Return the number of the variant for each error."""
        found, which = np.unique(errors, return_inverse=True)
        numbers = np.array([self._kind.variant(error) for error in found.tolist()])
        return numbers[which] if numbers.any() else None


class _Kind:
    """What is the same for gates with the same numbers, whatever their wires.

    Attributes
    ----------
    images
        For a Clifford gate the bits of X and of Z after it, by the error before it; else None.
    """

    def __init__(self, gate: Gate) -> None:
        self.width = len(gate.targets) + len(gate.controls)
        self._is_diagonal = gate.form is Form.DIAGONAL and not gate.controls
        matrix = matrix_of_gate(gate)
        self.images = _images(matrix, self.width) if self.width <= _WIDEST_CLIFFORD else None
        self.variants = [np.ascontiguousarray(matrix.diagonal()) if self._is_diagonal else matrix]
        self._known: dict[int, int] = {0: 0}  # _known[error] = the number of its variant
        self._numbers = {self._bytes(self.variants[0]): 0}
        self._lock = threading.Lock()  # jobs in several threads share what is kept of a gate

    def variant(self, error: int) -> int:
        """Return the number of the variant that a gate has after an error."""
        with self._lock:
            number = self._known.get(error)
            if number is None:
                z, x = divmod(error, 2**self.width)
                data = self._conjugated(x, z)
                number = self._numbers.setdefault(self._bytes(data), len(self.variants))
                if number == len(self.variants):
                    self.variants.append(data)
                self._known[error] = number
            return number

    def _conjugated(self, x: int, z: int) -> NDArray[np.complex128]:
        """Return the numbers of ``Q* U Q`` for the error ``Q = X**x Z**z``."""
        data, row = self.variants[0], np.arange(2**self.width)
        if self._is_diagonal:
            flipped: NDArray[np.complex128] = data[row ^ x]
            return flipped
        of_rows = signs(row, z)
        changed: NDArray[np.complex128] = data[np.ix_(row ^ x, row ^ x)] * (of_rows[:, None] * of_rows)
        return changed

    @staticmethod
    def _bytes(data: NDArray[np.complex128]) -> bytes:
        return (data + 0.0).tobytes()  # -0 becomes 0


def passage(gate: Gate) -> Passage | None:
    """Return how errors pass a gate; None if it is too wide."""
    if len(gate.targets) + len(gate.controls) > WIDEST:
        return None
    shape = len(gate.targets), len(gate.controls), gate.control_state
    return Passage(gate, _kind(shape, gate.form, gate.data.dtype.str, gate.data.tobytes()))


@lru_cache(maxsize=4096)
def _kind(shape: tuple[int, int, int], form: Form, dtype: str, data: bytes) -> _Kind:
    targets, controls, control_state = shape
    numbers = np.frombuffer(data, dtype).reshape((2**targets,) * (2 if form is Form.MATRIX else 1))
    wires = tuple(range(targets + controls))
    return _Kind(Gate("", "", wires[:targets], form, numbers, wires[targets:], control_state))


def _images(matrix: NDArray[np.complex128], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return the X and Z bits of ``U Q U*`` for each Pauli Q, if U takes all of them to Paulis."""
    if abs(matrix.conj().T @ matrix - np.eye(len(matrix))).max() > _TOLERANCE:
        return None
    after = [_image(matrix, 2**bit, 0) for bit in range(width)] + [_image(matrix, 0, 2**bit) for bit in range(width)]
    known = [one for one in after if one is not None]
    if len(known) < len(after):
        return None
    errors = np.arange(4**width)
    halves = []
    for half in range(2):
        bits = [extract_bits(errors, (number,)) * image[half] for number, image in enumerate(known)]
        halves.append(reduce(np.bitwise_xor, bits, np.zeros_like(errors)))
    return halves[0], halves[1]


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
