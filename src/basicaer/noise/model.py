"""Noise models: which instructions have which errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from basicaer.compile.gates import BY_NAME
from basicaer.compile.noise import CircuitNoise
from basicaer.compile.noise_model import NoiseEntry, read_model
from basicaer.errors import BasicAerError, shown, warn
from basicaer.noise.device_model import add_device_errors
from basicaer.noise.error_table import ErrorTable
from basicaer.noise.model_file import add_errors_of, dictionary_of_file, plain, write_file
from basicaer.noise.model_inputs import (
    check_widths,
    composed,
    gate_names,
    names_and_labels,
    quantum_error,
    qubits_of,
    readout_error,
)
from basicaer.noise.on_circuit import sites_on
from basicaer.options import keywords_checked
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from basicaer.noise.base import BaseQuantumError
    from basicaer.noise.error_table import Qubits
    from basicaer.noise.on_circuit import NoiseOnCircuit
    from basicaer.noise.readout_error import ReadoutError

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
        self._basis_gates = set(_BASIS_GATES if basis_gates is None else gate_names(basis_gates))
        self._quantum: dict[str, ErrorTable[BaseQuantumError]] = {}  # _quantum[name or label]
        self._readout: ErrorTable[ReadoutError] = ErrorTable()
        self._custom_noise_passes: list[Any] = []  # under the name that it has in Aer
        self._content = object()  # another one after each change

    @classmethod
    @keywords_checked
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
        names = {name for name, table in self._quantum.items() if not table.is_ideal()}
        return sorted(names if self._readout.is_ideal() else names | {"measure"})

    @property
    def noise_qubits(self) -> list[int]:
        """The qubits that have errors of their own."""
        noisy = [qubits for table in self._quantum.values() for qubits in table.noisy_qubits()]
        return sorted({qubit for qubits in noisy + self._readout.noisy_qubits() for qubit in qubits})

    def is_ideal(self) -> bool:
        """Tell whether it has no errors."""
        return not self._custom_noise_passes and not self.noise_instructions

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
        self._put(quantum_error(error), instructions, None, warnings=warnings)

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
        self._put(quantum_error(error), instructions, qubits_of(qubits), warnings=warnings)

    def _put(self, error: BaseQuantumError, instructions: Any, qubits: Qubits | None, *, warnings: bool) -> None:
        """Give instructions a quantum error, on all qubits if these are None."""
        chosen = names_and_labels(instructions)
        check_widths(error, chosen, qubits)
        if qubits is None and error.ideal():
            return
        self._content = object()
        for name, label in chosen:
            table = self._quantum.setdefault(label, ErrorTable())
            table.put(error, qubits, composed=composed, warn_of=f"'{label}'" if warnings else None)
            self.add_basis_gates(name)

    def add_all_qubit_readout_error(self, error: Any, warnings: bool = True) -> None:  # noqa: FBT001, FBT002
        """Give the measurements of all qubits a readout error of one qubit.

        Parameters
        ----------
        error
            An error, or what `ReadoutError` takes. One that does nothing removes the one that is there.
        warnings
            Whether to warn if there is such an error already, which is replaced, or if errors of certain qubits stay
            in its place there.
        """
        error = readout_error(error)
        if error.num_qubits != 1:
            raise BasicAerError(
                f"A readout error of all qubits must be one of 1 qubit, not {error.num_qubits}; use add_readout_error."
            )
        if not error.ideal() or self._readout.of_all is not None:
            self._put_readout(error, None, warnings=warnings)
        if error.ideal():
            self._readout.of_all = None

    def add_readout_error(self, error: Any, qubits: Sequence[int], warnings: bool = True) -> None:  # noqa: FBT001, FBT002
        """Give the measurements of certain qubits a readout error, in place of the error of all qubits.

        An error of several qubits also takes the place of the errors that these have alone. An error that does nothing
        is added as well: it exempts these qubits from the error of all qubits.

        Parameters
        ----------
        error
            An error, or what `ReadoutError` takes. An error of several qubits acts where they are measured together.
        qubits
            The qubits.
        warnings
            Whether to warn if the qubits have such an error already, which is replaced, or if one of them has an error
            alone and another one together with others, of which only the latter acts.
        """
        error, on = readout_error(error), qubits_of(qubits)
        check_widths(error, (), on)
        self._put_readout(error, on, warnings=warnings)

    def _put_readout(self, error: ReadoutError, qubits: Qubits | None, *, warnings: bool) -> None:
        self._content = object()
        before = self._readout.alone_and_together()
        self._readout.put(error, qubits, warn_of="Readout" if warnings else None)
        if warnings and (both := sorted(self._readout.alone_and_together() - before)):
            warn(f"Readout errors of qubits {both} alone do not act, since these qubits have one together with others.")

    def content(self) -> list[Any]:
        """Return objects that are the same ones as long as the model has not been changed."""
        return [self._content, *self._custom_noise_passes]

    def on(self, circuit: QuantumCircuit) -> NoiseOnCircuit:
        """Return where the errors of the model act in a circuit, how likely each is, and how many occur in a shot.

        Parameters
        ----------
        circuit
            The circuit as it is run; its parameters need no values, unless a pass of the model reads them.

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
        if not isinstance(circuit, QuantumCircuit):
            raise BasicAerError(f"on() takes one QuantumCircuit, not an object of type {type(circuit).__name__}.")
        noise = CircuitNoise.kept(read_model(self))
        noise.passes.check_no_wait(circuit, "looked at")

        def error_of(name: str, qubits: Qubits) -> BaseQuantumError | None:
            return self._quantum[name].on(qubits) if name in self._quantum else None

        return sites_on(noise.passes.on(circuit), noise, error_of, self._readout.on)

    def noise_entries(self) -> Iterator[NoiseEntry]:
        """Yield the quantum errors, which are made when they are needed; `basicaer` reads its own models by this."""
        entries = [NoiseEntry(label, on, one.to_dict) for label, table in self._quantum.items() for on, one in table]
        yield from sorted(entries, key=lambda one: one.qubits is not None)  # those of all qubits come first, as in Aer

    def readout_matrices(self) -> dict[Qubits | None, NDArray[np.float64]]:
        """Return the matrices of the readout errors by their qubits, and that of all qubits under None."""
        return {qubits: error.probabilities for qubits, error in self._readout}

    def to_dict(self, serializable: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        """Return the model in the layout of Aer, whose ``NoiseModel.from_dict`` reads it.

        Parameters
        ----------
        serializable
            Whether numbers and arrays are replaced by what JSON can hold: a complex number by its real and imaginary
            parts.
        """
        found = [
            ({**one.dictionary(), "operations": [one.name]}, one.qubits)
            for one in self.noise_entries()
            if self._quantum[one.name].matters(one.qubits)
        ]
        found += [(error.to_dict(), qubits) for qubits, error in self._readout if self._readout.matters(qubits)]
        errors = [one if qubits is None else {**one, "gate_qubits": [qubits]} for one, qubits in found]
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
        write_file(path, self.to_dict(serializable=True), self.basis_gates, self._custom_noise_passes)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the model of a JSON file that `save` has written, or of a dictionary that was written as JSON."""
        dictionary, passes = dictionary_of_file(path)
        model = cls.from_dict(dictionary)
        model.noise_passes.extend(passes)
        return model

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NoiseModel):
            return NotImplemented
        return (
            self._basis_gates == other._basis_gates
            and self._quantum == other._quantum
            and self._readout == other._readout
        )

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __repr__(self) -> str:
        words = [f"{name} on {table.where()}" for name, table in sorted(self._quantum.items()) if not table.is_ideal()]
        if not self._readout.is_ideal():
            words.append(f"readout on {self._readout.where()}")
        if self._custom_noise_passes:
            words.append(counted(len(self._custom_noise_passes), "transpiler pass"))
        return f"<NoiseModel: {'; '.join(words) or 'ideal'}>"
