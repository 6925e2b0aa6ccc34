"""What measurements make of samples, also of circuits with mid-circuit measurements, as PennyLane defines it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pennylane as qml
from pennylane.measurements import CountsMP, ProbabilityMP, SampleMP
from pennylane.transforms.dynamic_one_shot import fill_in_value, gather_mcm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pennylane.measurements import MeasurementProcess
    from pennylane.operation import Operator
    from pennylane.ops import MidMeasure
    from pennylane.tape import QuantumScript
    from pennylane.wires import Wires

    from basicaer.pennylane.tapes import Reading

__all__ = ["as_result", "bits_of", "result_of", "rotations_of"]


def as_result(tape: QuantumScript, found: list[Any]) -> Any:
    """Return the results of the measurements of a tape as PennyLane has them: one by itself is no tuple."""
    return found[0] if len(tape.measurements) == 1 else tuple(found)


def rotations_of(measurements: Sequence[MeasurementProcess]) -> list[Operator]:
    """Return operations after which measurements that can be made together are such of basis states."""
    with qml.QueuingManager.stop_recording():
        paulis = [one for one in measurements if one.obs is not None and qml.pauli.is_pauli_word(one.obs)]
        found = []
        if paulis:
            found += qml.pauli.diagonalize_qwc_pauli_words([one.obs for one in paulis])[0]
        for one in measurements:
            if one.mv is None and one.obs is not None and not qml.pauli.is_pauli_word(one.obs):
                found += one.diagonalizing_gates()
    return found


def bits_of(register: Any, number: int, count: int, shots: int) -> NDArray[np.int64]:
    """Return ``bits[shot, bit]`` of a set of values of a PUB."""
    if register is None or not count:
        return np.zeros((shots, count), np.int64)
    packed = register.array[number] if register.shape else register.array
    return np.unpackbits(packed[:, ::-1], axis=-1, count=count, bitorder="little").astype(np.int64)


def result_of(
    reading: Reading, ends: NDArray[np.int64], wires: Wires, mids: NDArray[np.int64], postselect_mode: str | None
) -> Any:
    """Return the results of a tape with shots; for `ends`, `wires` and `mids` see below."""
    tape = reading.tape
    results = []
    for lower, upper in tape.shots.bins():
        if reading.measured:
            found = _with_mid_circuit_measurements(
                tape.measurements,
                ends[lower:upper],
                wires,
                reading.measured,
                mids[lower:upper],
                postselect_mode=postselect_mode,
            )
        else:
            found = [one.process_samples(ends[lower:upper], wires) for one in tape.measurements]
        results.append(as_result(tape, found))
    return tuple(results) if tape.shots.has_partitioned_shots else results[0]


def _with_mid_circuit_measurements(
    measurements: Sequence[MeasurementProcess],
    ends: NDArray[np.int64],
    wires: Wires,
    measured: Sequence[MidMeasure],
    mids: NDArray[np.int64],
    *,
    postselect_mode: str | None,
) -> list[Any]:
    """Return the result of each measurement; shots that do not fit the outcomes that were postselected are left out.

    Parameters
    ----------
    measurements
        The measurements of a tape.
    ends, wires
        ``ends[shot, k]`` was found on wire k in the end.
    measured, mids
        ``mids[shot, k]`` was found by mid-circuit measurement k.
    postselect_mode
        PennyLane's: ``"hw-like"``, ``"pad-invalid-samples"`` or None.
    """
    is_valid = np.ones(len(ends), bool)
    for number, one in enumerate(measured):
        if one.postselect is not None:
            is_valid &= mids[:, number] == one.postselect
    if not is_valid.any():
        return [_nothing(one) for one in measurements]
    of_mids = {one: mids[:, number : number + 1] for number, one in enumerate(measured)}
    results = []
    for one in measurements:
        if one.mv is not None:
            results.append(gather_mcm(one, of_mids, is_valid, postselect_mode=postselect_mode))
        elif isinstance(one, SampleMP) and postselect_mode == "pad-invalid-samples":
            found = one.process_samples(ends, wires)
            mask = is_valid.reshape(-1, *[1] * (found.ndim - 1))
            results.append(np.where(mask, found, fill_in_value))
        else:
            results.append(one.process_samples(ends[is_valid], wires))
    return results


def _nothing(measurement: MeasurementProcess) -> Any:
    """Return the result of no shot."""
    if isinstance(measurement, ProbabilityMP):
        return np.full(len(measurement.eigvals()), np.nan)
    if isinstance(measurement, CountsMP):
        return {}
    return np.nan
