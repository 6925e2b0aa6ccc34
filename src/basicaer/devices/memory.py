"""How much memory there is, and the refusal of a state that does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil

from basicaer.devices.limits import memory_left
from basicaer.engine.bits import highest_position
from basicaer.engine.device import TOO_SMALL_TO_ASK
from basicaer.engine.readings import kept_bytes
from basicaer.errors import BasicAerError
from basicaer.options import Precision
from basicaer.wording import counted, readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from basicaer.engine.device import Device
    from basicaer.engine.program import Program

__all__ = [
    "check_dictionary",
    "check_fits",
    "check_saves",
    "check_shots",
    "check_values",
    "free_host_bytes",
    "free_if_too_little",
    "largest_state",
]

_NO_MEMORY = 1000  # qubits; the powers of 2 of much larger numbers would take much memory themselves
_MOST_SPILLED = 42  # qubits of a state that some disk may hold: 64 TiB in double precision
_BYTES_PER_SHOT = 64  # the number, draw, rank, index and value of a shot, and what sorting needs
_BYTES_PER_VALUE = 16  # a shot's value, once as it is saved and once in the array of all shots
_BYTES_PER_ENTRY = 200  # a key of up to 16 letters, a complex number, and their share of the hash table


def free_host_bytes() -> int:
    """Return how many bytes can still be allocated: the available memory or, if less, what the control groups leave."""
    return int(min(psutil.virtual_memory().available, memory_left()))


def free_if_too_little(needed: int) -> int | None:
    """Return how many bytes of the host's memory are free if they are fewer than are needed, or else None."""
    if needed <= TOO_SMALL_TO_ASK:
        return None
    free = free_host_bytes()
    return free if free < needed else None


def largest_state(device: Device, precision: Precision, free: int) -> int:
    """Return the largest number of qubits whose state fits if so many bytes are free on the device."""
    amplitudes = (free - device.scratch_bytes(precision)) // precision.amplitude_bytes
    return highest_position(max(amplitudes, 1))


def check_fits(
    device: Device,
    subject: str,
    n_qubits: int,
    precision: Precision,
    *,
    unitary: bool = False,
    density: bool = False,
    states: int = 1,
    elsewhere: Callable[[int], Iterable[str]] = lambda _size: (),
) -> None:
    """Refuse a state that does not fit.

    Parameters
    ----------
    subject
        The subject of the message, which needs the state: "Circuit 'qft'".
    n_qubits
        Qubits of the circuit; a unitary and a density matrix are states of twice as many.
    states
        How many such states are needed at the same time.
    elsewhere
        Returns remedies by which a state of so many bytes is kept somewhere else.

    Raises
    ------
    BasicAerError
        If the state does not fit; the message gives the bytes needed, the bytes free, and what would fit.
    """
    copies = 2 if unitary or density else 1
    exponent = min(n_qubits * copies, _NO_MEMORY)
    needed = states * precision.amplitude_bytes * 2**exponent + device.scratch_bytes(precision)
    if needed <= TOO_SMALL_TO_ASK:
        return
    free = device.expected_free_bytes()
    if needed <= free:
        return
    fits = {p: largest_state(device, p, free // states) // copies for p in Precision}
    remedies = [f"{counted(fits[precision], 'qubit')} fit{'s' if fits[precision] == 1 else ''}"]
    if precision is Precision.DOUBLE and fits[Precision.SINGLE] > fits[precision]:
        remedies.append(f"{fits[Precision.SINGLE]} with precision='single'")
    if exponent <= _MOST_SPILLED:
        remedies += elsewhere(precision.amplitude_bytes * 2**exponent)
    if density:
        remedies.append("method='statevector' needs much less")
    raise BasicAerError(
        f"{subject} needs {'over ' if exponent < n_qubits * copies else ''}{readable(needed)} for "
        f"{counted(n_qubits, 'qubit')} in {precision} precision on the {device.name}, where {readable(free)} are free; "
        f"{', '.join(remedies)}."
    )


def check_shots(subject: str, shots: int) -> None:
    """Refuse more shots than there is memory to tell apart; `subject` as for `check_fits`."""
    needed = shots * _BYTES_PER_SHOT
    if (free := free_if_too_little(needed)) is not None:
        raise BasicAerError(
            f"{subject} needs {readable(needed)} for {counted(shots, 'shot')} whose outcomes are kept one by one, and "
            f"{readable(free)} are free; run at most {counted(max(free // _BYTES_PER_SHOT, 1), 'shot')} at a time."
        )


def check_values(subject: str, shots: int, values: int) -> None:
    """Refuse to keep so many numbers of each shot's state; `subject` as for `check_fits`."""
    needed = shots * values * _BYTES_PER_VALUE
    if (free := free_if_too_little(needed)) is not None:
        raise BasicAerError(
            f"{subject} has too many outcomes to follow each, and needs {readable(needed)} for the values of "
            f"{counted(values, 'Pauli')} in {counted(shots, 'shot')}, where {readable(free)} are free; give a larger "
            "precision, or fewer Paulis."
        )


def check_dictionary(subject: str, entries: int) -> None:
    """Refuse to make a dictionary of more entries than there is memory for; `subject` as for `check_fits`."""
    needed = entries * _BYTES_PER_ENTRY
    if (free := free_if_too_little(needed)) is not None:
        raise BasicAerError(
            f"{subject} needs {readable(needed)} for a dictionary of {counted(entries, 'entry')}, and "
            f"{readable(free)} are free; save an array instead."
        )


def check_saves(
    device: Device, subject: str, program: Program, precision: Precision, shots: int, *, axes: int = 1
) -> None:
    """Refuse to save more than fits into memory beside the state; `subject` as for `check_fits`.

    Parameters
    ----------
    axes
        2 if the state is a unitary or a density matrix.
    """
    if not program.saves:
        return
    qubits = program.state_qubits * axes

    def needs(of: Precision) -> tuple[int, int]:
        state = of.amplitude_bytes * 2**qubits
        kept = sum(kept_bytes(save, state, shots) for save in program.saves)
        return state, kept + (state if device.is_host else 0)

    wanted = needs(precision)
    single = ", or take precision='single'"
    for place, (memory, free) in enumerate(((device.name, device.expected_free_bytes), ("host", free_host_bytes))):
        needed = wanted[place]
        if needed > TOO_SMALL_TO_ASK and needed > (there := free()):
            smaller = precision is Precision.DOUBLE and needs(Precision.SINGLE)[place] <= there
            raise BasicAerError(
                f"{subject} needs {readable(needed)} on the {memory} for its state and what it saves of it, where "
                f"{readable(there)} are free; save less{single if smaller else ''}."
            )
