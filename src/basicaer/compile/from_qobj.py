"""Turns an experiment of a Qobj, which has been checked against the schema, into a `Program`.

A Qobj has two classical memories: the memory slots, which are reported, and a register, which conditions look at. The
bits of the program are the memory slots, followed by the register.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.compile.builder import BlockBuilder, with_final_measurements
from basicaer.compile.qobj_gates import complex_numbers, gates_by_name, power_of_two
from basicaer.engine.bits import extract_bits, highest_position, positions_of
from basicaer.engine.classical import Apply, Bits, Constant
from basicaer.engine.program import If, Measure, Prepare, Program, Store
from basicaer.errors import BasicAerError, at_border, shown
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from basicaer.engine.classical import Expression

__all__ = ["check_size", "lower_experiment"]

_MOST = 1_000_000  # qubits or classical bits; work proportional to this number takes milliseconds
_RELATIONS = {"==": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}
_LEAVE_IDLE = frozenset({"barrier", "bfunc", "delay", "id", "measure", "reset", "u0"})


def lower_experiment(
    experiment: dict[str, Any],
    name: str,
    n_qubits: int,
    memory_slots: int,
    *,
    keep_idle: bool = False,
    poll: Callable[[], None] = lambda: None,
) -> Program:
    """Turn one experiment into a program.

    Parameters
    ----------
    experiment
        It has the types of JSON.
    name, n_qubits, memory_slots
        The values of the experiment's header or configuration, or of those of the whole Qobj.
    keep_idle
        Whether to simulate idle qubits too, as a given initial state requires.
    poll
        Called before each instruction.

    Raises
    ------
    BasicAerError
        Naming the instruction that is unknown or does not fit, and its place.
    """
    n_qubits, memory_slots = int(n_qubits), int(memory_slots)
    check_size(n_qubits, "n_qubits", name)
    check_size(memory_slots, "memory_slots", name)
    position, active, register = 0, set(range(n_qubits)) if keep_idle else set(), 0
    items: list[dict[str, Any]] = experiment["instructions"]

    def place() -> str:
        return f"instruction {position} of experiment '{name}'"

    with at_border(lambda why: BasicAerError(f"{shown(items[position]['name'])} ({place()}) cannot be read: {why}.")):
        items = [_with_whole_numbers(item) for item in items]
        for position, item in enumerate(items):
            poll()
            _check_range(item, position, name, n_qubits, memory_slots)
            register = max(register, _register_size(item, place()))
            if item["name"] not in _LEAVE_IDLE:
                active.update(item.get("qubits", ()))
        reader = _Reader(sorted(active), memory_slots, register, starts_at_zero=not keep_idle)
        for position, item in enumerate(items):  # noqa: B007  # place() reads the position
            poll()
            reader.read(item, place())
    phase = experiment.get("header", {}).get("global_phase", 0.0)
    reader.builder.add_gates(gates_by_name("global_phase", (), [phase], f"header of experiment '{name}'"))
    body, final, _ = with_final_measurements(reader.builder.block())
    return Program(name, tuple(sorted(active)), n_qubits, memory_slots, memory_slots + reader.register, body, final)


def check_size(size: int, what: str, name: str) -> None:
    """Refuse a number of qubits or bits that is too large to do anything in proportion to it.

    Parameters
    ----------
    what
        The key of the Qobj that gives the number.
    name
        The experiment's name, for the message.

    Raises
    ------
    BasicAerError
        Naming the experiment and the limit.
    """
    if size > _MOST:
        raise BasicAerError(f"Experiment '{name}' has {shown(size)} as {what}; at most {_MOST} are possible.")


def _listed(value: Any) -> list[int]:
    return list(value) if isinstance(value, list) else [] if value is None else [value]


def _with_whole_numbers(item: dict[str, Any]) -> dict[str, Any]:
    """Return an instruction whose numbers of qubits and bits are ints; JSON and the schema take 1.0 for one as well."""
    whole = dict(item)
    for key in ("qubits", "memory", "register"):
        if key in item:
            whole[key] = [int(number) for number in _listed(item[key])]
    if isinstance(item.get("conditional"), float):
        whole["conditional"] = int(item["conditional"])
    return whole


def _check_range(item: dict[str, Any], position: int, name: str, n_qubits: int, memory_slots: int) -> None:
    for what, limit in (("qubits", n_qubits), ("memory", memory_slots)):
        for number in _listed(item.get(what)):
            if number >= limit:
                raise BasicAerError(
                    f"Instruction {position} ({shown(item['name'])}) of experiment '{name}' uses {what} "
                    f"{shown(number)}, and there are only {limit}, numbered from 0."
                )


def _register_size(item: dict[str, Any], place: str) -> int:
    """Return how many register slots an instruction needs."""
    conditional = item.get("conditional")
    slots = [*_listed(item.get("register")), *([conditional] if isinstance(conditional, int) else [])]
    masked = [one for one in (item, conditional) if isinstance(one, dict)]
    digits = max(len(one.get(key, "")) for one in masked for key in ("mask", "val"))
    if max(slots, default=0) >= _MOST or 4 * (digits - len("0x")) > _MOST:
        raise BasicAerError(
            f"{shown(item['name'])} ({place}) uses a register slot, mask or value of more than {_MOST} bits; at most "
            "so many are possible."
        )
    if item["name"] == "bfunc":
        slots.append(highest_position(int(item["mask"], 16)))
    return max(slots, default=-1) + 1


class _Reader:
    """Reads the instructions of one experiment in order.

    Attributes
    ----------
    number
        ``number[q]`` is the state qubit of the experiment's qubit q, which is not idle.
    slots, register
        How many memory slots and how many register slots there are.
    starts_at_zero
        Whether every qubit is |0> where the block that is read begins.
    builder
        The block that is read.
    """

    def __init__(self, active: list[int], slots: int, register: int, *, starts_at_zero: bool) -> None:
        self.number = {q: i for i, q in enumerate(active)}
        self.slots = slots
        self.register = register
        self.starts_at_zero = starts_at_zero
        self.builder = BlockBuilder()

    def read(self, item: dict[str, Any], place: str) -> None:
        """Add one instruction; inside an `If` if it is conditional."""
        condition = self.condition(item.get("conditional"))
        if condition is None:
            self.unconditional(item, place)
            return
        outside, self.builder = self.builder, BlockBuilder()
        at_zero, self.starts_at_zero = self.starts_at_zero, False  # earlier instructions may have used its qubits
        self.unconditional(item, place)
        block, self.builder = self.builder.block(), outside
        self.starts_at_zero = at_zero
        self.builder.add(If(condition, block))

    def condition(self, conditional: Any) -> Expression | None:
        """Return the condition of an instruction: a register slot, or masked memory compared with a value."""
        if conditional is None:
            return None
        if isinstance(conditional, int):
            return Bits((self.slots + conditional,), single=True)
        mask = int(conditional["mask"], 16)
        if not mask:
            return None
        # The value is compared from the lowest bit of the mask on.
        positions = range(next(positions_of(mask)), mask.bit_length())
        window = Bits(tuple([slot for slot in positions if slot < self.slots]))
        masked = Apply("bit_and", (window, Constant(extract_bits(mask, positions))))
        return Apply("equal", (masked, Constant(int(conditional["val"], 16))))

    def unconditional(self, item: dict[str, Any], place: str) -> None:
        """Add one instruction."""
        name = item["name"]
        qubits = tuple(self.number.get(q) for q in item.get("qubits", ()))
        parameters = item.get("params", [])
        match name:
            case "barrier" | "delay" | "id" | "u0":
                pass
            case "measure":
                self.measure(item, qubits, place)
            case "reset":
                self.reset(qubits)
            case "initialize":
                self.initialize(qubits, parameters, place)
            case "bfunc":
                self.bfunc(item)
            case "copy" | "snapshot":
                raise BasicAerError(f"'{name}' ({place}) is not supported; measure into more memory slots instead.")
            case _:
                self.builder.add_gates(gates_by_name(name, qubits, parameters, place))  # type: ignore[arg-type]

    def measure(self, item: dict[str, Any], qubits: tuple[int | None, ...], place: str) -> None:
        """Measure each qubit into its memory slot, and into its register slot if it has one."""
        memory, register = item["memory"], item.get("register", [])
        if len(memory) != len(qubits) or len(register) not in {0, len(qubits)}:
            raise BasicAerError(
                f"'measure' ({place}) has {counted(len(qubits), 'qubit')}, {counted(len(memory), 'memory slot')} and "
                f"{counted(len(register), 'register slot')}; it needs a memory slot for each qubit, and a "
                "register slot for each or none."
            )
        for i, (qubit, slot) in enumerate(zip(qubits, memory, strict=True)):
            bits = (slot, *(self.slots + r for r in register[i : i + 1]))
            if qubit is None:
                self.store(Constant(value=False), bits)
            else:
                self.builder.add(Measure(qubit, bits))

    def store(self, expression: Expression, bits: tuple[int, ...]) -> None:
        """Store one truth value to several bits."""
        for bit in bits:
            self.builder.add(Store(expression, bits=(bit,)))

    def reset(self, qubits: tuple[int | None, ...]) -> None:
        """Reset the qubits that may not be in |0>."""
        self.builder.add_resets(qubits, starts_at_zero=self.starts_at_zero)

    def initialize(self, qubits: tuple[int | None, ...], parameters: list[Any], place: str) -> None:
        """Reset qubits and put them into a state."""
        amplitudes = complex_numbers(parameters, "initialize", place)
        if len(amplitudes) != 2 ** len(qubits) or round(float(np.linalg.norm(amplitudes)), 10) != 1:
            raise BasicAerError(
                f"'initialize' ({place}) needs {power_of_two(len(qubits))} amplitudes of norm 1 for "
                f"{counted(len(qubits), 'qubit')}, not {len(amplitudes)} of norm {np.linalg.norm(amplitudes):.6g}."
            )
        self.reset(qubits)
        self.builder.add(Prepare(qubits, amplitudes))  # type: ignore[arg-type]

    def bfunc(self, item: dict[str, Any]) -> None:
        """Compare the masked register with a value, and store whether this holds to a register slot and to memory."""
        mask = int(item["mask"], 16)
        register = Bits(tuple(range(self.slots, self.slots + mask.bit_length())))
        masked = Apply("bit_and", (register, Constant(mask)))
        truth = Apply(_RELATIONS[item["relation"]], (masked, Constant(int(item["val"], 16))))
        # The register comes last: each store evaluates the comparison, which may read the slot that it writes.
        self.store(truth, (*item.get("memory", []), self.slots + item["register"][0]))
