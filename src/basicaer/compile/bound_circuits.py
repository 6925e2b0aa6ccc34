"""Circuits with values for their parameters, as given by `parameter_binds` in Aer's form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from qiskit.circuit import ParameterVector, ParameterVectorElement
from qiskit.circuit.classical import expr

from basicaer.compile.program_cache import lower_cached
from basicaer.compile.sweep import ProgramSweep, lower_sweep
from basicaer.compile.values import Values
from basicaer.engine.collector import collector_paused
from basicaer.errors import BasicAerError, OptionValueError, shown
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter

    from basicaer.compile.noise import CircuitNoise
    from basicaer.engine.program import Program

__all__ = ["BoundCircuit", "bound_circuits"]

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class _Row(Mapping[Any, float]):
    """One row of columns of numbers. Most are never read, since sets are lowered together."""

    def __init__(self, columns: Mapping[Any, Sequence[float]], row: int) -> None:
        self._columns = columns
        self._row = row

    def __getitem__(self, key: Any) -> float:
        return self._columns[key][self._row]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


@dataclass(slots=True)
class _Sets:
    """All sets of values of one circuit, which are lowered together.

    Attributes
    ----------
    columns
        ``columns[parameter][i]`` is the value of a parameter in set i.
    sweeps
        The programs that have been lowered so far: with idle qubits under True, without them under False.
    """

    columns: dict[Any, list[float]]
    sweeps: dict[bool, ProgramSweep] = field(default_factory=dict)

    @property
    def have_one_structure(self) -> bool:
        """Whether the programs that have been lowered are known to differ in numbers only."""
        return bool(self.sweeps) and all(sweep.template is not None for sweep in self.sweeps.values())

    def program(self, circuit: QuantumCircuit, number: int, *, keep_idle: bool, poll: Callable[[], None]) -> Program:
        """Return the program of one set."""
        if keep_idle not in self.sweeps:
            values = np.array([self.columns[parameter] for parameter in circuit.parameters], float).T
            self.sweeps[keep_idle] = lower_sweep(circuit, values, keep_idle=keep_idle, poll=poll)
        return self.sweeps[keep_idle].program(number)


class BoundCircuit(NamedTuple):
    """A circuit, which is not changed, with values for its parameters and input variables.

    Attributes
    ----------
    sets, number
        All sets of values of the circuit and the number of this one, if they are lowered together.
    """

    circuit: QuantumCircuit
    values: Mapping[Parameter, float]
    inputs: Mapping[Any, Any]
    sets: _Sets | None = None
    number: int = 0

    def is_like(self, other: BoundCircuit) -> bool:
        """Tell whether the program is known to differ in the numbers of gates only from one that has been lowered."""
        return self.sets is not None and self.sets is other.sets and self.sets.have_one_structure

    @property
    def global_phase(self) -> float:
        """The global phase in radians; 0 if it has no value."""
        phase = self.circuit.global_phase
        if isinstance(phase, float | int):  # true for nearly all circuits
            return float(phase)
        try:
            return Values(self.values).number(phase, f"global phase of circuit '{self.circuit.name}'")
        except BasicAerError:
            return 0.0

    def program(
        self,
        *,
        keep_idle: bool = False,
        noise: CircuitNoise | None = None,
        poll: Callable[[], None] = lambda: None,
    ) -> Program:
        """Return the circuit's program; see `lower`."""
        with collector_paused(len(self.circuit.data)):
            if self.sets is not None and noise is None:
                return self.sets.program(self.circuit, self.number, keep_idle=keep_idle, poll=poll)
            values = Values(self.values, poll)
            return lower_cached(self.circuit, keep_idle=keep_idle, values=values, inputs=self.inputs, noise=noise)


def bound_circuits(circuits: Sequence[QuantumCircuit], binds: Sequence[dict[Any, Any]] | None) -> list[BoundCircuit]:
    """Return each circuit with each of its sets of values.

    Parameters
    ----------
    binds
        For each circuit a dictionary. Its keys are parameters, their names, `ParameterVector` objects or input
        variables. Its values are numbers, or lists with one number for each set. None gives no values.

    Raises
    ------
    OptionValueError
        If there are not as many dictionaries as circuits, not as many values for each parameter, or a name that the
        circuit does not have.
    """
    if not binds:
        return [BoundCircuit(circuit, _NOTHING, _NOTHING) for circuit in circuits]
    if not isinstance(binds, list | tuple) or not all(isinstance(bind, dict) for bind in binds):
        raise OptionValueError(
            "parameter_binds must be a list with one dictionary {parameter: [values]} for each circuit."
        )
    if len(binds) != len(circuits):
        raise OptionValueError(
            f"parameter_binds has {counted(len(binds), 'dictionary')} for {counted(len(circuits), 'circuit')}; "
            "give one for each circuit."
        )
    return [bound for circuit, bind in zip(circuits, binds, strict=True) for bound in _sets(circuit, bind)]


def _sets(circuit: QuantumCircuit, bind: dict[Any, Any]) -> list[BoundCircuit]:
    if not bind:
        return [BoundCircuit(circuit, _NOTHING, _NOTHING)]
    columns: dict[Any, list[Any]] = {}  # columns[parameter or input variable][i] = its value in set i
    targets = _targets(circuit)
    for key, value in bind.items():
        for target, column in _columns(_target_of(circuit, key, targets), value):
            if target in columns:
                raise OptionValueError(
                    f"parameter_binds gives '{target.name}' of circuit '{circuit.name}' values twice."
                )
            columns[target] = column
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise OptionValueError(
            f"parameter_binds gives the parameters of circuit '{circuit.name}' different numbers of values, or none "
            f"({', '.join(map(str, sorted(lengths)))}); each needs one for every set."
        )
    size = lengths.pop()
    together = _Sets(columns) if size > 1 and set(columns) == set(circuit.parameters) else None
    variables = {key: column for key, column in columns.items() if isinstance(key, expr.Var)}
    parameters = {key: column for key, column in columns.items() if key not in variables}
    bound = []
    for row in range(size):
        inputs = {key: _input(key, column[row]) for key, column in variables.items()}
        bound.append(BoundCircuit(circuit, _Row(parameters, row), inputs, together, row))
    return bound


def _columns(target: Any, value: Any) -> list[tuple[Any, list[Any]]]:
    """Return the parameters of a vector, or a parameter or input variable itself, each with its values in all sets."""
    array = _numbers(target.name, value)
    if isinstance(target, ParameterVector):
        rows = array.reshape(1, -1) if array.ndim == 1 else array
        if rows.ndim != 2 or rows.shape[1] != len(target):
            raise OptionValueError(
                f"parameter_binds gives the vector '{target.name}' values of shape {array.shape}; give {len(target)} "
                f"numbers for each set."
            )
        return [(parameter, rows[:, i].tolist()) for i, parameter in enumerate(target)]
    if array.ndim > 1:
        raise OptionValueError(
            f"parameter_binds gives '{target.name}' values of shape {array.shape}; give a number or a list of numbers."
        )
    return [(target, array.reshape(-1).tolist())]


def _targets(circuit: QuantumCircuit) -> dict[Any, Any]:
    """Return the circuit's parameters, vectors and input variables by themselves and by their names."""
    targets: dict[Any, Any] = {}
    for parameter in circuit.parameters:
        targets[parameter] = targets[parameter.name] = parameter
        if isinstance(parameter, ParameterVectorElement):
            targets[parameter.vector.name] = parameter.vector
    for variable in circuit.iter_input_vars():
        targets[variable] = targets[variable.name] = variable
    return targets


def _target_of(circuit: QuantumCircuit, key: Any, targets: dict[Any, Any]) -> Any:
    """Return the parameter, vector or input variable of the circuit that a key stands for."""
    if isinstance(key, ParameterVector):
        key = key.name if targets.get(key.name) == key else key[0] if len(key) else key.name
    if key in targets:
        return targets[key]
    raise OptionValueError(
        f"parameter_binds names {shown(getattr(key, 'name', key))}, which circuit '{circuit.name}' does not have."
    )


def _numbers(name: str, value: Any) -> NDArray[Any]:
    try:
        array = np.array(value)
        usable = array.dtype.kind in "biuf" and bool(np.isfinite(array).all())
    except ValueError:  # rows of different lengths
        usable = False
    if not usable:
        raise OptionValueError(
            f"parameter_binds gives '{name}' {shown(value)}; give a finite number, or one for each set."
        )
    return array


def _input(variable: Any, value: Any) -> bool | int | float:
    from qiskit.circuit.classical import types

    if variable.type.kind is types.Bool and value in {0, 1}:
        return bool(value)
    if variable.type.kind is types.Float:
        return float(value)
    if variable.type.kind is types.Uint and value == int(value) and 0 <= value < 2**variable.type.width:
        return int(value)
    raise BasicAerError(f"Input variable '{variable.name}' of type {variable.type} cannot hold {value!r}.")
