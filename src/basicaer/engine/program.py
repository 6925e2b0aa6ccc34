"""The immutable form of a circuit that is planned and run: segments of gates, and the operations between them.

A program refers to *state qubits*: the qubits of the circuit on which anything acts, numbered from 0 in ascending
order. All other qubits are idle: they stay |0> and are not simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from basicaer.engine.classical import Expression, Value

__all__ = [
    "Block",
    "Break",
    "Channel",
    "Continue",
    "For",
    "Form",
    "Formula",
    "Gate",
    "If",
    "Measure",
    "Operation",
    "OverShots",
    "Phase",
    "Prepare",
    "Program",
    "Readout",
    "Reset",
    "Save",
    "SavedQuantity",
    "Segment",
    "SetState",
    "Store",
    "Switch",
    "While",
    "changed",
    "children",
    "leaves",
    "saves_in",
    "walk",
    "with_leaves",
]


class Form(Enum):
    """The form of the numbers of a gate on k targets. Bit j of a row is the value of ``targets[j]``."""

    MATRIX = "matrix"  # data[row, column], 2**k x 2**k
    DIAGONAL = "diagonal"  # data[i] = the factor of basis state i, 2**k
    PERMUTATION = "permutation"  # data[i] = the basis state that i becomes, 2**k integers

    __hash__ = object.__hash__  # ten times as fast as an Enum's own hash; it is called for every gate that is planned


class Gate(NamedTuple):
    """One unitary gate.

    ``target_actions[j]`` says how it acts on ``targets[j]``: ``Z`` diagonally, ``X`` as a function of Pauli X alone,
    ``G`` in another way. It acts if control qubit ``controls[j]`` has the value of bit ``j`` of ``control_state``, for
    every j. A gate without targets is a phase; without controls either, it multiplies every amplitude. If it has a
    `formula`, its `data` are computed by the formula before each time that it is applied.
    """

    name: str
    target_actions: str
    targets: tuple[int, ...]
    form: Form
    data: NDArray[Any]
    controls: tuple[int, ...] = ()
    control_state: int = 0
    formula: Formula | None = None

    def with_data(self, data: NDArray[Any]) -> Gate:
        """Return the gate with other numbers, and no formula for them; several times as fast as `_replace`."""
        return Gate(self.name, self.target_actions, self.targets, self.form, data, self.controls, self.control_state)


class Formula(NamedTuple):
    """The numbers of a gate inside a for loop, whose angles depend on the variable of the loop.

    They are those of the gate named `gate` in the gate table at the values of `parameters` or, if `inverted` is set,
    those of its inverse; their complex conjugates if `conjugated` is set.
    """

    gate: str
    parameters: tuple[Expression, ...]
    inverted: bool = False
    conjugated: bool = False


class Segment(NamedTuple):
    """Gates with nothing classical between them, which are planned together.

    The segment is `open` if any gate has a formula.
    """

    gates: Sequence[Gate]
    open: bool = False


class Phase(NamedTuple):
    """A global phase: multiplies every amplitude by `factor`."""

    factor: complex


class Measure(NamedTuple):
    """Measures `qubit` and writes the outcome to every classical bit of `bits`."""

    qubit: int
    bits: tuple[int, ...]


class Reset(NamedTuple):
    """Resets `qubit` to |0>."""

    qubit: int


class Channel(NamedTuple):
    """An error: one of several operators acts on `qubits`, another one for each shot.

    Attributes
    ----------
    operators
        ``operators[i, a, b]`` takes basis state b of the qubits, little-endian, to a. They are Kraus operators: the sum
        of ``operators[i].conj().T @ operators[i]`` is the identity. Multiples of unitaries come first.
    probabilities
        How likely each of the multiples of unitaries is, whatever the state. How likely the others are depends on it.
    paulis
        ``(x, z) = paulis[:, i]`` if multiple i of a unitary is one of the Pauli ``X**x Z**z``, where bit j of x and z
        belongs to ``qubits[j]``; else both are -1.
    """

    qubits: tuple[int, ...]
    operators: NDArray[Any]
    probabilities: NDArray[Any]
    paulis: NDArray[Any]

    @property
    def depends_on_state(self) -> bool:
        """Whether a state has to be read to draw an operator."""
        return len(self.probabilities) < len(self.operators)


class Readout(NamedTuple):
    """An error of recording: the value i of some classical bits becomes j with the probability ``matrix[i, j]``.

    Bit k of a value is that of all classical bits in ``bits[k]``, which recorded the same outcome.
    """

    bits: tuple[tuple[int, ...], ...]
    matrix: NDArray[Any]


class Prepare(NamedTuple):
    """Puts qubits that are |0> into a state: ``amplitudes[i]`` for basis state i of `qubits`, little-endian."""

    qubits: tuple[int, ...]
    amplitudes: NDArray[Any]


class SetState(NamedTuple):
    """Replaces the whole state: ``amplitudes[i]`` for basis state i of all circuit qubits.

    With two `axes` it replaces the unitary that is evolved; `amplitudes` has its columns one after another.
    """

    amplitudes: NDArray[Any]
    axes: int = 1


class SavedQuantity(Enum):
    """The quantity that a `Save` reads of a state; the `numbers` of the save are its parameters."""

    AMPLITUDES = "amplitudes"  # amplitudes; numbers: the indices, where none means all
    UNITARY = "unitary"  # all amplitudes of a run that evolves a whole matrix
    SQUARES = "squares"  # the squared moduli of amplitudes; numbers: the indices
    PROBABILITIES = "probabilities"  # probabilities of the values of the save's qubits
    DENSITY_MATRIX = "density matrix"  # the density matrix of the save's qubits
    PAULIS = "expectations of Paulis"  # numbers: (x, z), masks of state qubits as for `State.expectations`
    EXPECTATION = "expectation"  # expectation of a sum of Paulis; numbers: (x, z, factor) of each term
    VARIANCE = "variance"  # expectation and variance; numbers: the terms of the sum, and those of its square
    OUTCOMES = "outcomes"  # exact probability of each final value of the classical bits; reads no state


class OverShots(Enum):
    """What is kept of the values that a save reads in different shots."""

    LAST = "last"  # the value of the last shot
    EACH = "each"  # the values of all shots
    MEAN = "mean"
    SUM = "sum"

    @property
    def is_of_single_shots(self) -> bool:
        """Whether it matters which shots have a value, and not only how many."""
        return self in {OverShots.LAST, OverShots.EACH}


class Save(NamedTuple):
    """Reads a quantity of the state and keeps it for the result under `label`.

    Bit j of an index is the value of ``qubits[j]``; None stands for an idle qubit. With `conditional`, the values of
    shots with different classical bits are kept apart. `global_phase` is a factor that the program applies to the
    state only later. Without `over_idle`, an index has no bits for idle qubits. `form` names the form of the value in
    the result.
    """

    label: str
    form: str
    quantity: SavedQuantity
    qubits: tuple[int | None, ...]
    numbers: tuple[Any, ...]
    over_shots: OverShots
    conditional: bool
    global_phase: complex = 1.0
    over_idle: bool = True

    @property
    def places(self) -> tuple[int, ...]:
        """The positions in `qubits` of the qubits that are not idle."""
        return tuple([place for place, qubit in enumerate(self.qubits) if qubit is not None])


class Store(NamedTuple):
    """Writes the value of `expression` to a variable's slot, or to classical bits, ``bits[0]`` least significant."""

    expression: Expression
    bits: tuple[int, ...] = ()
    slot: int | None = None


class If(NamedTuple):
    """Runs one of two blocks."""

    condition: Expression
    then: Block
    otherwise: Block = ()


class Switch(NamedTuple):
    """Runs the block of the first case that contains the value of the target; None contains every value."""

    target: Expression
    cases: tuple[tuple[frozenset[Value] | None, Block], ...]


class For(NamedTuple):
    """Runs `bodies` one after another, all of them `repeats` times; if the block never changes, there is one.

    With a `slot`, the variable in that slot has the value ``values[i]`` in iteration i.
    """

    bodies: tuple[Block, ...]
    repeats: int = 1
    slot: int | None = None
    values: Sequence[int] = ()

    @property
    def iterations(self) -> int:
        """The number of iterations."""
        return len(self.bodies) * self.repeats

    def body(self, iteration: int) -> Block:
        """Return the block of an iteration."""
        return self.bodies[iteration % len(self.bodies)]


class While(NamedTuple):
    """Runs `body` as long as the condition holds."""

    condition: Expression
    body: Block


class Break(NamedTuple):
    """Leaves the innermost loop."""


class Continue(NamedTuple):
    """Continues with the next iteration of the innermost loop."""


_STRAIGHT = (Segment, Phase, Prepare, SetState, Save, Store)
Operation = (
    Segment
    | Phase
    | Measure
    | Reset
    | Channel
    | Readout
    | Prepare
    | SetState
    | Save
    | Store
    | If
    | Switch
    | For
    | While
    | Break
    | Continue
)
Block = tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A circuit in the form that is planned and run.

    Attributes
    ----------
    name
        The circuit's name, for messages.
    qubits
        State qubit ``q`` is qubit ``qubits[q]`` of the circuit; ascending.
    circuit_qubits, memory_slots
        The numbers of all qubits and of all classical bits of the circuit.
    bits
        The number of classical bits that the program uses: the memory slots, followed by the registers of a Qobj.
    body
        The operations to run.
    final
        Measurements that are made together after the body, because nothing depends on them.
    saves
        The saves of the body, one for each label.
    readouts
        Errors of recording that act after the final measurements.
    """

    name: str
    qubits: tuple[int, ...]
    circuit_qubits: int
    memory_slots: int
    bits: int
    body: Block
    final: tuple[Measure, ...]
    saves: tuple[Save, ...] = ()
    readouts: tuple[Readout, ...] = ()

    @property
    def state_qubits(self) -> int:
        """The number of qubits that are simulated."""
        return len(self.qubits)

    @property
    def outcomes_save(self) -> Save | None:
        """The save of the probabilities of all outcomes, if there is one; they are those at the end of the program."""
        return next((save for save in self.saves if save.quantity is SavedQuantity.OUTCOMES), None)

    @property
    def writes_memory(self) -> bool:
        """Whether any memory slot may be written, by a measurement or otherwise."""
        writing = (op.bits for op in (*self.final, *walk(self.body)) if isinstance(op, Measure | Store))
        return any(bit < self.memory_slots for bits in writing for bit in bits)

    @property
    def is_straight(self) -> bool:
        """Whether there are only gates, preparations, saves, stores and measurements at the end, perhaps misread."""
        return all(isinstance(operation, _STRAIGHT) for operation in self.body)

    @property
    def is_straight_for_density(self) -> bool:
        """Whether a density matrix has one way through the program: errors and resets have no outcomes for it."""
        return all(isinstance(operation, (*_STRAIGHT, Channel, Reset)) for operation in self.body)


def children(operation: Operation) -> tuple[Block, ...]:
    """Return the blocks inside an operation, each once."""
    match operation:
        case If(_, then, otherwise):
            return (then, otherwise)
        case Switch(_, cases):
            return tuple(block for _, block in cases)
        case For(bodies):
            return bodies
        case While(_, body):
            return (body,)
        case _:
            return ()


def changed(block: Block, change: Callable[[Operation], Operation | None]) -> Block:
    """Return a block in which each operation without blocks inside, in order, is replaced; None leaves it out."""
    kept: list[Operation] = []
    for operation in block:
        match operation:
            case If(condition, then, otherwise):
                kept.append(If(condition, changed(then, change), changed(otherwise, change)))
            case Switch(target, cases):
                kept.append(Switch(target, tuple([(held, changed(one, change)) for held, one in cases])))
            case For():
                bodies = tuple([changed(body, change) for body in operation.bodies])
                kept.append(operation._replace(bodies=bodies))
            case While(condition, body):
                kept.append(While(condition, changed(body, change)))
            case _:
                new = change(operation)
                if new is not None:
                    kept.append(new)
    return tuple(kept)


def leaves(block: Block) -> list[Operation]:
    """Return the operations without blocks inside, in the order of `changed`: all, where there is no control flow."""
    return [operation for operation in walk(block) if not isinstance(operation, If | Switch | For | While)]


def with_leaves(block: Block, new: Mapping[int, Operation]) -> Block:
    """Return a block in which some of its `leaves`, by their numbers, are replaced."""
    number = count()
    return changed(block, lambda leaf: new.get(next(number), leaf))


def saves_in(block: Block) -> tuple[Save, ...]:
    """Return the saves of a block and of the blocks inside it, one for each label."""
    found = (operation for operation in walk(block) if isinstance(operation, Save))
    return tuple({save.label: save for save in found}.values())


def walk(block: Block) -> Iterator[Operation]:
    """Yield every operation of a block and of the blocks inside it."""
    for operation in block:
        yield operation
        for child in children(operation):
            yield from walk(child)
