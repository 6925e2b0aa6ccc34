"""The immutable form of a circuit that is planned and run: gates in segments, and what happens between them.

A program speaks of *state qubits*: the circuit's qubits that anything acts on, numbered from 0 in ascending order.
Idle qubits stay |0> and are not simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from basicaer.engine.classical import Expression, Value

__all__ = [
    "Block",
    "Break",
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
    "Reset",
    "Save",
    "SavedQuantity",
    "Segment",
    "SetState",
    "Store",
    "Switch",
    "While",
    "children",
    "saves_in",
    "walk",
]


class Form(Enum):
    """How the numbers of a gate on k targets are given. Targets are little-endian: bit j of a row is ``targets[j]``."""

    MATRIX = "matrix"  # data[row, column], 2**k x 2**k
    DIAGONAL = "diagonal"  # data[i] = the factor of basis state i, 2**k
    PERMUTATION = "permutation"  # data[i] = the basis state that i becomes, 2**k integers

    __hash__ = object.__hash__  # which takes a tenth of an Enum's: every gate that is planned asks for it


class Gate(NamedTuple):
    """One unitary gate.

    ``kinds[j]`` is the way it acts on ``targets[j]``: ``Z`` diagonally, ``X`` as a function of Pauli X alone, ``G``
    otherwise. It acts where control qubit ``controls[j]`` equals bit ``j`` of ``control_state``, for every j.
    A gate without targets is a phase; without controls either, it multiplies every amplitude. With a `formula`, its
    `data` are those of one run only, and are made anew by the formula before each.
    """

    name: str
    kinds: str
    targets: tuple[int, ...]
    form: Form
    data: NDArray[Any]
    controls: tuple[int, ...] = ()
    control_state: int = 0
    formula: Formula | None = None


class Formula(NamedTuple):
    """The numbers of a gate inside a for loop, whose angles depend on the loop's variable.

    They are those of the gate of the table named `gate` at the values of `parameters`; `inverted` is whether the
    inverse is meant.
    """

    gate: str
    parameters: tuple[Expression, ...]
    inverted: bool = False


class Segment(NamedTuple):
    """Gates with nothing classical between them: what is planned as one piece.

    It is `open` where any gate has a formula.
    """

    gates: tuple[Gate, ...]
    open: bool = False


class Phase(NamedTuple):
    """A global phase: multiplies every amplitude by `factor`."""

    factor: complex


class Measure(NamedTuple):
    """Measures `qubit` and writes the outcome to every classical bit of `bits`."""

    qubit: int
    bits: tuple[int, ...]


class Reset(NamedTuple):
    """Puts `qubit` back to |0>."""

    qubit: int


class Prepare(NamedTuple):
    """Puts qubits that are |0> into a state: ``amplitudes[i]`` for basis state i of `qubits`, little-endian."""

    qubits: tuple[int, ...]
    amplitudes: NDArray[Any]


class SetState(NamedTuple):
    """Replaces the whole state: ``amplitudes[i]`` for basis state i of all circuit qubits.

    With two `axes` it replaces the unitary that is evolved, whose columns stand one after another.
    """

    amplitudes: NDArray[Any]
    axes: int = 1


class SavedQuantity(Enum):
    """What is read of a state; the `numbers` of a `Save` say more."""

    AMPLITUDES = "amplitudes"  # numbers: indices, or nothing for all
    UNITARY = "unitary"  # all amplitudes, where a whole matrix is evolved
    SQUARES = "squares"  # of moduli; numbers: indices
    PROBABILITIES = "probabilities"  # of the qubits alone
    DENSITY_MATRIX = "density matrix"  # of the qubits alone
    PAULIS = "expectations of Paulis"  # numbers: (x, z), masks of state qubits as for `State.expectations`
    EXPECTATION = "expectation"  # of a sum of Paulis; numbers: (x, z, factor)
    VARIANCE = "variance"  # expectation and variance; numbers: terms, and those of the square


class OverShots(Enum):
    """What becomes of the values that the shots see."""

    LAST = "last"  # that of the last shot is kept
    EACH = "each"  # all are kept
    MEAN = "mean"
    SUM = "sum"

    @property
    def is_of_single_shots(self) -> bool:
        """Whether it matters which shot has seen a value, not only how many have."""
        return self in {OverShots.LAST, OverShots.EACH}


class Save(NamedTuple):
    """Reads something of the state, to be kept for the result under `label`.

    It is read over `qubits`, bit j of an index being ``qubits[j]``; None is an idle qubit. With `conditional`, shots
    whose classical bits differ are kept apart. `phase` is a factor that the program applies to the state only later.
    Without `over_idle` what is read has no bits for idle qubits. `form` is for whoever makes the result of it.
    """

    label: str
    form: str
    quantity: SavedQuantity
    qubits: tuple[int | None, ...]
    numbers: tuple[Any, ...]
    over_shots: OverShots
    conditional: bool
    phase: complex = 1.0
    over_idle: bool = True

    @property
    def places(self) -> tuple[int, ...]:
        """The places among its qubits of those that are not idle."""
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
    """Runs the block of the first case that holds the target's value; a case of None holds every value."""

    target: Expression
    cases: tuple[tuple[frozenset[Value] | None, Block], ...]


class For(NamedTuple):
    """Runs blocks one after another, `repeats` times: one block where it is the same each time.

    With a `slot`, the variable there has the value ``values[i]`` in iteration i, one for each.
    """

    bodies: tuple[Block, ...]
    repeats: int = 1
    slot: int | None = None
    values: Sequence[int] = ()

    @property
    def iterations(self) -> int:
        """How often a block is run."""
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
    """Goes on with the next iteration of the innermost loop."""


_STRAIGHT = frozenset((Segment, Phase, Prepare, SetState, Save, Store))
Operation = (
    Segment | Phase | Measure | Reset | Prepare | SetState | Save | Store | If | Switch | For | While | Break | Continue
)
Block = tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A circuit, lowered.

    Attributes
    ----------
    name
        The circuit's name, for messages.
    qubits
        ``qubits[q]`` is the circuit's qubit that state qubit ``q`` stands for; ascending.
    circuit_qubits, memory_slots
        Sizes of the circuit's quantum and classical registers together.
    bits
        How many classical bits the program uses: the memory slots, then those that a Qobj keeps for itself.
    body
        What to run.
    final
        Measurements that may all be taken together after the body: nothing that follows them depends on them.
    saves
        The saves of the body, each label once.
    """

    name: str
    qubits: tuple[int, ...]
    circuit_qubits: int
    memory_slots: int
    bits: int
    body: Block
    final: tuple[Measure, ...]
    saves: tuple[Save, ...] = ()

    @property
    def state_qubits(self) -> int:
        """Number of qubits that are simulated."""
        return len(self.qubits)

    @property
    def writes_memory(self) -> bool:
        """Whether any memory slot may be written, by a measurement or otherwise."""
        writing = (op.bits for op in (*self.final, *walk(self.body)) if isinstance(op, Measure | Store))
        return any(bit < self.memory_slots for bits in writing for bit in bits)

    @property
    def is_straight(self) -> bool:
        """Whether the body is gates, preparations, saves and stores only, so that it always costs the same."""
        return all(type(operation) in _STRAIGHT for operation in self.body)


def children(operation: Operation) -> tuple[Block, ...]:
    """Return the blocks that stand inside an operation, each once."""
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


def saves_in(block: Block) -> tuple[Save, ...]:
    """Return the saves of a block and of the blocks inside it, each label once."""
    found = (operation for operation in walk(block) if isinstance(operation, Save))
    return tuple({save.label: save for save in found}.values())


def walk(block: Block) -> Iterator[Operation]:
    """Yield every operation of a block and of the blocks inside it."""
    for operation in block:
        yield operation
        for child in children(operation):
            yield from walk(child)
