"""The noise model that a run is given: it is read, and gates that it never touches are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qiskit.circuit import Gate

from basicaer.compile.noise import CircuitNoise
from basicaer.compile.noise_model import read_model
from basicaer.errors import OptionValueError, at_border, shown, warn
from basicaer.foreign_options import is_ideal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiskit import QuantumCircuit

__all__ = ["noise_of"]


def noise_of(
    model: Any, circuits: Sequence[QuantumCircuit], *, unbound: str | None = None
) -> tuple[CircuitNoise | None, list[QuantumCircuit]]:
    """Return the errors of a model for circuits, None if there is no model; and the circuits with those of its passes.

    Passes that wait for the values of a circuit's parameters act where the circuit is lowered with these.

    Parameters
    ----------
    unbound
        What will be done with the circuits before their parameters have values, so that no pass can wait: a participle.

    Raises
    ------
    BasicAerError
        If the model cannot be read.
    """
    if is_ideal(model):
        return None, list(circuits)
    with at_border(lambda why: OptionValueError(f"The noise_model cannot be read: {why}.")):
        errors = read_model(model)
    noise = CircuitNoise.kept(errors)
    _warn_of_untouched(noise, circuits)
    if unbound is not None:
        for circuit in circuits:
            noise.passes.check_no_wait(circuit, unbound)
    return noise, [noise.passes.on(circuit) for circuit in circuits]


def _warn_of_untouched(noise: CircuitNoise, circuits: Sequence[QuantumCircuit]) -> None:
    """Warn of gates that have no errors, if the model has errors of other gates: most likely they have other names."""
    if not noise.names:
        return
    names: dict[str, Any] = {}  # names[name] = one of the instructions, since it takes long to look at each of them
    for circuit in circuits:
        for item in circuit.data:
            names.setdefault(noise.key(item), item)
    untouched = sorted(
        name for name in names.keys() - noise.names - noise.basis_gates if isinstance(names[name].operation, Gate)
    )
    if untouched:
        warn(
            f"The noise model has no errors of the gates {shown(untouched)}, which run without noise; "
            f"if that is not wanted, transpile the circuits to the model's gates first: "
            f"transpile(circuit, basis_gates={sorted(noise.basis_gates or noise.names)}).",
        )
