"""Noise models: which instructions have which errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from qiskit.transpiler import Target

from basicaer.compile.gates import BY_NAME
from basicaer.compile.noise import CircuitNoise
from basicaer.compile.noise_model import NoiseEntry, read_model
from basicaer.errors import BasicAerError, shown, warn
from basicaer.noise.device_model import add_device_errors
from basicaer.noise.model_file import add_errors_of, dictionary_of_file, plain, text_of_file
from basicaer.noise.model_inputs import (
    check_widths,
    composed,
    names_and_labels,
    quantum_error,
    qubits_of,
    readout_error,
)
from basicaer.noise.on_circuit import sites_on
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from basicaer.noise.base import BaseQuantumError
    from basicaer.noise.on_circuit import NoiseOnCircuit
    from basicaer.noise.readout_error import ReadoutError

    Qubits = tuple[int, ...]

__all__ = ["NoiseModel"]

_BASIS_GATES = ("cx", "id", "rz", "sx")
_ALSO_BASIS_GATES = frozenset({"delay", "diagonal", "pauli", "unitary"})


class NoiseModel:
    """Which instructions of a circuit have which errors.

    - A quantum error acts after its instruction, or before a measurement, on the qubits of the instruction.
    - An error of certain qubits replaces the error of all qubits for the instruction of that name; they do not add up.
      The order of the qubits matters.
    - An instruction with a label has the errors of the label, not those of its name.
    - A readout error changes what is recorded, not the state.

    Parameters
    ----------
    basis_gates
        The names of the gates that circuits are transpiled to; by default ``["cx", "id", "rz", "sx"]``.

    Examples
    --------
    >>> from basicaer.noise import depolarizing_error
    >>> model = NoiseModel()
    >>> model.add_all_qubit_quantum_error(depolarizing_error(0.01, 2), ["cx", "cz"])
    >>> model.add_quantum_error(depolarizing_error(0.05, 2), "cx", [0, 1])
    >>> model
    <NoiseModel: cx on all qubits (1 exception); cz on all qubits>
    """

    def __init__(self, basis_gates: Sequence[str] | None = None) -> None:
        self._basis_gates = set(_BASIS_GATES if basis_gates is None else basis_gates)
        self._of_all: dict[str, BaseQuantumError] = {}
        self._of_some: dict[str, dict[Qubits, BaseQuantumError]] = {}
        self._readout_of_all: ReadoutError | None = None
        self._readout_of_some: dict[Qubits, ReadoutError] = {}
        self._custom_noise_passes: list[Any] = []  # under the name that it has in Aer
        self._content = object()  # another one after each change

    @classmethod
    def from_backend(
        cls,
        backend: Any,
        gate_error: bool = True,  # noqa: FBT001, FBT002
        readout_error: bool = True,  # noqa: FBT001, FBT002
        thermal_relaxation: bool = True,  # noqa: FBT001, FBT002
        temperature: float = 0,
        *,
        delay: bool = True,
    ) -> Self:
        """Return the noise of a device, as its target reports it.

        A gate with a reported error is followed by a depolarizing channel, and an instruction with a duration by the
        relaxation of its qubits. The depolarizing channel is such that the average gate infidelity of both together is
        the reported error. A measurement has a readout error only. The channel of a gate is made when it is needed.

        Parameters
        ----------
        backend
            A backend of version 2, or its target.
        gate_error, readout_error, thermal_relaxation
            Which of the errors the model has.
        temperature
            The temperature of the qubits in mK, which gives them excited states at equilibrium.
        delay
            Whether qubits also relax during the delays of a circuit.

        Raises
        ------
        BasicAerError
            If the target has none of the properties that the errors are made of.

        Warns
        -----
        BasicAerWarning
            If the relaxation of a gate alone is more than its reported error; the gate then has its relaxation.
        """
        target: Any = backend if isinstance(backend, Target) else getattr(backend, "target", None)
        if not isinstance(target, Target):
            raise BasicAerError(f"{shown(backend)} has no target; give a backend of version 2, or its target.")
        model = cls(target.operation_names)
        exceeded = add_device_errors(
            model,
            target,
            gate_error=gate_error,
            readout_error=readout_error,
            thermal_relaxation=thermal_relaxation,
            temperature=temperature,
            delay=delay,
        )
        if exceeded:
            warn(
                f"{counted(exceeded, 'gate')} of the device relax more than their reported error allows: these have "
                "their relaxation and no gate error beside it."
            )
        return model

    @property
    def basis_gates(self) -> list[str]:
        """The names of the gates that circuits should be transpiled to."""
        return sorted(self._basis_gates)

    @property
    def noise_passes(self) -> list[Any]:
        """Transpiler passes that put errors into a circuit before it runs, such as those of delays."""
        return self._custom_noise_passes

    @property
    def noise_instructions(self) -> list[str]:
        """The names and labels of the instructions with errors, and "measure" if there are readout errors."""
        names = {*self._of_all, *(name for name, of_qubits in self._of_some.items() if _noisy(of_qubits))}
        if self._readout_of_all is not None or _noisy(self._readout_of_some):
            names.add("measure")
        return sorted(names)

    @property
    def noise_qubits(self) -> list[int]:
        """The qubits that have errors of their own."""
        of_some = [qubits for of_qubits in self._of_some.values() for qubits in _noisy(of_qubits)]
        return sorted({qubit for qubits in (*of_some, *_noisy(self._readout_of_some)) for qubit in qubits})

    def is_ideal(self) -> bool:
        """Tell whether it has no errors."""
        if self._of_all or self._readout_of_all is not None or self._custom_noise_passes:
            return False
        if any(not error.ideal() for error in self._readout_of_some.values()):
            return False
        return all(error.ideal() for of_qubits in self._of_some.values() for error in of_qubits.values())

    def add_basis_gates(self, instructions: Any) -> None:
        """Add names to `basis_gates`; those that are no gates are left out.

        Parameters
        ----------
        instructions
            A name, an instruction, or a list of them.
        """
        names = {name for name, _ in names_and_labels(instructions)}
        self._content = object()
        self._basis_gates |= {name for name in names if name in BY_NAME or name in _ALSO_BASIS_GATES}

    def add_all_qubit_quantum_error(self, error: Any, instructions: Any, warnings: bool = True) -> None:  # noqa: FBT001, FBT002
        """Give instructions on all qubits a quantum error; an error that does nothing is not added.

        Parameters
        ----------
        error
            An error, or what `QuantumError` takes.
        instructions
            The name or label of the instructions, or an instruction, or a list of these.
        warnings
            Whether to warn if the instructions have such an error already, which is then composed with this one, or
            if errors of certain qubits stay in its place there.
        """
        error = quantum_error(error)
        chosen = names_and_labels(instructions)
        check_widths(error, chosen)
        if error.ideal():
            return
        self._content = object()
        for name, label in chosen:
            known = self._of_all.get(label)
            self._of_all[label] = error if known is None else composed(known, error)
            self.add_basis_gates(name)
            if warnings and known is not None:
                warn(f"'{label}' on all qubits had an error already; the new error acts after it.")
            if warnings and label in self._of_some:
                warn(
                    f"'{label}' has errors of its own on the qubits {_shown_qubits(self._of_some[label])}; the error "
                    "of all qubits does not act there."
                )

    def add_quantum_error(self, error: Any, instructions: Any, qubits: Sequence[int], warnings: bool = True) -> None:  # noqa: FBT001, FBT002
        """Give instructions on certain qubits a quantum error, in place of the error of all qubits.

        An error that does nothing is added as well: it exempts these qubits from the error of all qubits.

        Parameters
        ----------
        error
            An error, or what `QuantumError` takes.
        instructions
            The name or label of the instructions, or an instruction, or a list of these.
        qubits
            The qubits of the instructions, in their order.
        warnings
            Whether to warn if the instructions have such an error already, which is then composed with this one.
        """
        error, on = quantum_error(error), qubits_of(qubits)
        chosen = names_and_labels(instructions)
        check_widths(error, chosen)
        if error.num_qubits != len(on):
            raise BasicAerError(
                f"The error acts on {counted(error.num_qubits, 'qubit')} and {counted(len(on), 'qubit')} are "
                "given; give one for each."
            )
        self._content = object()
        for name, label in chosen:
            of_qubits = self._of_some.setdefault(label, {})
            known = of_qubits.get(on)
            of_qubits[on] = error if known is None else composed(known, error)
            self.add_basis_gates(name)
            if warnings and known is not None and not known.ideal():
                warn(f"'{label}' on the qubits {_shown_qubits([on])} had an error already; the new acts after it.")

    def add_all_qubit_readout_error(self, error: Any, warnings: bool = True) -> None:  # noqa: FBT001, FBT002
        """Give the measurements of all qubits a readout error of one qubit.

        Parameters
        ----------
        error
            An error, or what `ReadoutError` takes.
        warnings
            Whether to warn if there is such an error already, which is replaced, or if errors of certain qubits stay
            in its place there.
        """
        error = readout_error(error)
        if error.num_qubits != 1:
            raise BasicAerError(
                f"A readout error of all qubits must be one of 1 qubit, not {error.num_qubits}; use add_readout_error."
            )
        if error.ideal():
            return
        if warnings and self._readout_of_all is not None:
            warn("All qubits had a readout error already; the new one replaces it.")
        if warnings and self._readout_of_some:
            warn(
                f"The qubits {_shown_qubits(self._readout_of_some)} have readout errors of their own; the error of all "
                "qubits does not act there."
            )
        self._readout_of_all = error
        self._content = object()

    def add_readout_error(self, error: Any, qubits: Sequence[int], warnings: bool = True) -> None:  # noqa: FBT001, FBT002
        """Give the measurements of certain qubits a readout error, in place of the error of all qubits.

        An error that does nothing is added as well: it exempts these qubits from the error of all qubits.

        Parameters
        ----------
        error
            An error, or what `ReadoutError` takes. An error of several qubits acts where they are measured together.
        qubits
            The qubits.
        warnings
            Whether to warn if the qubits have such an error already, which is replaced.
        """
        error, on = readout_error(error), qubits_of(qubits)
        if error.num_qubits != len(on):
            raise BasicAerError(
                f"The readout error is of {counted(error.num_qubits, 'qubit')} and {counted(len(on), 'qubit')} are "
                "given; give one for each."
            )
        if warnings and on in self._readout_of_some:
            warn(f"The qubits {_shown_qubits([on])} had a readout error already; the new one replaces it.")
        self._readout_of_some[on] = error
        self._content = object()

    def content(self) -> list[Any]:
        """Return objects that are the same ones as long as the model has not been changed."""
        return [self._content, *self._custom_noise_passes]

    def on(self, circuit: QuantumCircuit) -> NoiseOnCircuit:
        """Return where the errors of the model act in a circuit, how likely each is, and how many occur in a shot.

        Parameters
        ----------
        circuit
            The circuit as it is run; its parameters need no values.

        Raises
        ------
        BasicAerError
            If the circuit cannot be read.

        Examples
        --------
        >>> from qiskit import QuantumCircuit
        >>> from basicaer.noise import NoiseModel, depolarizing_error
        >>> model = NoiseModel()
        >>> model.add_all_qubit_quantum_error(depolarizing_error(0.04, 1), "h")
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.h([0, 1])
        >>> round(model.on(circuit).expected_errors, 4)
        0.06
        """
        noise = CircuitNoise.kept(read_model(self))

        def error_of(name: str, qubits: Qubits) -> Any:
            found = self._of_some.get(name, {}).get(qubits)
            return self._of_all.get(name) if found is None else found

        def readout_of(qubits: Qubits) -> ReadoutError | None:
            found = self._readout_of_some.get(qubits)
            return self._readout_of_all if found is None else found

        return sites_on(noise.with_delays(circuit), noise, error_of, readout_of)

    def noise_entries(self) -> Iterator[NoiseEntry]:
        """Yield the quantum errors, which are made when they are needed; `basicaer` reads its own models by this."""
        for label, error in self._of_all.items():
            yield NoiseEntry(label, None, error.to_dict)
        for label, of_qubits in self._of_some.items():
            for qubits, error in of_qubits.items():
                yield NoiseEntry(label, qubits, error.to_dict)

    def readout_matrices(self) -> dict[Qubits | None, NDArray[np.float64]]:
        """Return the matrices of the readout errors by their qubits, and that of all qubits under None."""
        found: dict[Qubits | None, NDArray[np.float64]] = {}
        if self._readout_of_all is not None:
            found[None] = self._readout_of_all.probabilities
        found.update({qubits: error.probabilities for qubits, error in self._readout_of_some.items()})
        return found

    def to_dict(self, serializable: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        """Return the model in the layout of Aer, whose ``NoiseModel.from_dict`` reads it.

        Parameters
        ----------
        serializable
            Whether numbers and arrays are replaced by what JSON can hold: a complex number by its real and imaginary
            parts.
        """
        errors = []
        for entry in self.noise_entries():
            found = {**entry.dictionary(), "operations": [entry.name]}
            if entry.qubits is not None:
                if entry.name not in self._of_all and self._of_some[entry.name][entry.qubits].ideal():
                    continue  # it exempts the qubits from nothing
                found["gate_qubits"] = [entry.qubits]
            errors.append(found)
        if self._readout_of_all is not None:
            errors.append(self._readout_of_all.to_dict())
        for qubits, error in self._readout_of_some.items():
            if self._readout_of_all is not None or not error.ideal():
                errors.append({**error.to_dict(), "gate_qubits": [qubits]})
        return {"errors": plain(errors) if serializable else errors}

    @classmethod
    def from_dict(cls, noise_dict: Mapping[str, Any]) -> Self:
        """Return the model that a dictionary of the layout of Aer describes.

        Raises
        ------
        BasicAerError
            If an error is wrong; the message names its number.
        """
        read_model(noise_dict)  # raises if names, qubits, probabilities or readout errors are wrong
        model = cls(noise_dict.get("basis_gates"))
        add_errors_of(model, noise_dict["errors"])
        return model

    def save(self, path: str | Path) -> None:
        """Write the model to a JSON file, with its basis gates and the relaxation during delays."""
        Path(path).write_text(
            text_of_file(self.to_dict(serializable=True), self.basis_gates, self._custom_noise_passes)
        )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the model of a JSON file that `save` has written, or of a dictionary that was written as JSON."""
        dictionary, passes = dictionary_of_file(Path(path))
        model = cls.from_dict(dictionary)
        model.noise_passes.extend(passes)
        return model

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NoiseModel):
            return NotImplemented
        return (
            self._basis_gates == other._basis_gates
            and self._of_all == other._of_all
            and self._of_some == other._of_some
            and self._readout_of_all == other._readout_of_all
            and self._readout_of_some == other._readout_of_some
        )

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __repr__(self) -> str:
        words = [
            f"{name} on {_where(self._of_some.get(name, {}), of_all=name in self._of_all)}"
            for name in self.noise_instructions
            if name in self._of_all or name in self._of_some
        ]
        if self._readout_of_all is not None or _noisy(self._readout_of_some):
            words.append(f"readout on {_where(self._readout_of_some, of_all=self._readout_of_all is not None)}")
        if self._custom_noise_passes:
            words.append(counted(len(self._custom_noise_passes), "transpiler pass"))
        return f"<NoiseModel: {'; '.join(words) or 'ideal'}>"


def _where(of_some: Mapping[Qubits, Any], *, of_all: bool) -> str:
    """Return the words for where instructions have errors."""
    if not of_all:
        return counted(len(_noisy(of_some)), "tuple") + " of qubits"
    return f"all qubits ({counted(len(of_some), 'exception')})" if of_some else "all qubits"


def _noisy(errors: Mapping[Qubits, Any]) -> list[Qubits]:
    return [qubits for qubits, error in errors.items() if not error.ideal()]


def _shown_qubits(all_qubits: Any) -> str:
    return ", ".join("-".join(map(str, qubits)) for qubits in all_qubits)
