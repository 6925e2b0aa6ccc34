"""An experiment of a Qobj -> `Program`. Takes the types of JSON, already checked against the schema.

A Qobj has two classical memories: the memory slots that are reported, and a register that conditions look at. The
program's bits are the slots first, then the register.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.compile.builder import BlockBuilder, with_final_measurements
from basicaer.compile.gates import BY_NAME
from basicaer.compile.modifiers import permuted, unitary_gate
from basicaer.compile.paulis import pauli_string
from basicaer.compile.table_gates import record_gates, table_gate
from basicaer.engine.bits import positions_of
from basicaer.engine.classical import Apply, Bits, Constant
from basicaer.engine.program import Form, Gate, If, Measure, Prepare, Program, Store
from basicaer.errors import BasicAerError, at_border, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from basicaer.engine.classical import Expression

__all__ = ["check_size", "lower_experiment"]

_MOST = 1_000_000  # qubits, and classical bits: what is proportional to them stays a matter of milliseconds
_LARGEST = sys.float_info.max  # a whole number of JSON may be larger
_OPEN_CONTROLS = re.compile(r"(?P<name>.+)_o(?P<state>[0-9]{1,4000})")  # Python reads no number of over 4,300 digits
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
    name, n_qubits, memory_slots
        From the experiment's header or configuration, or the whole Qobj's.
    keep_idle
        Whether to simulate idle qubits too, as a given initial state needs.
    poll
        Called before each instruction.

    Raises
    ------
    BasicAerError
        Naming the instruction that is not known or does not fit, and its place.
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
        reader = _Reader(name, sorted(active), memory_slots, register, starts_at_zero=not keep_idle)
        for position, item in enumerate(items):  # noqa: B007  # it is for the message
            poll()
            reader.read(item, place())
    phase = experiment.get("header", {}).get("global_phase", 0.0)
    reader.builder.add_gates(reader.gates("global_phase", (), [phase], f"header of experiment '{name}'"))
    body, final = with_final_measurements(reader.builder.block())
    return Program(name, tuple(sorted(active)), n_qubits, memory_slots, memory_slots + reader.register, body, final)


def check_size(size: int, what: str, name: str) -> None:
    """Refuse more qubits or bits than anything of that size should be made for.

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
    """Return an instruction whose numbers of qubits and bits are ints; to the schema, as to JSON, 1.0 is one too."""
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
        slots.append(int(item["mask"], 16).bit_length() - 1)
    return max(slots, default=-1) + 1


def _power(exponent: int) -> str:
    """Return a power of 2 as a message shows it."""
    return str(2**exponent) if exponent <= 20 else f"2**{exponent}"


def _complex(values: Any, name: str, place: str) -> np.ndarray:
    """Return an array of complex numbers that stand as [real, imaginary]; reals may stand alone."""
    pairs = [v if isinstance(v, list) else [v, 0.0] for v in values] if isinstance(values, list) else [[]]
    if not all(len(pair) == 2 and all(isinstance(part, int | float) for part in pair) for pair in pairs):
        raise BasicAerError(f"'{name}' ({place}) takes numbers and pairs [real, imaginary], and holds something else.")
    parts = np.array(pairs, float).reshape(-1, 2)
    if not np.isfinite(parts).all():
        raise BasicAerError(f"'{name}' ({place}) takes finite numbers, and holds one that is not.")
    return np.asarray(parts[:, 0] + 1j * parts[:, 1])


class _Reader:
    """The walk through the instructions of one experiment."""

    def __init__(self, name: str, active: list[int], slots: int, register: int, *, starts_at_zero: bool) -> None:
        self.name = name
        self.number = {q: i for i, q in enumerate(active)}  # number[q] = the state qubit of qubit q
        self.slots = slots
        self.register = register
        self.starts_at_zero = starts_at_zero
        self.builder = BlockBuilder()

    def read(self, item: dict[str, Any], place: str) -> None:
        """Add one instruction, inside an `If` where it is conditional."""
        condition = self.condition(item.get("conditional"))
        if condition is None:
            self.unconditional(item, place)
            return
        outside, self.builder = self.builder, BlockBuilder()
        at_zero, self.starts_at_zero = self.starts_at_zero, False  # what came before may have used the block's qubits
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
        lowest = next(positions_of(mask))
        window = Bits(tuple(range(lowest, min(mask.bit_length(), self.slots))))
        mask //= 2**lowest
        return Apply("equal", (Apply("bit_and", (window, Constant(mask))), Constant(int(conditional["val"], 16))))

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
                self.builder.add_gates(self.gates(name, qubits, parameters, place))  # type: ignore[arg-type]

    def measure(self, item: dict[str, Any], qubits: tuple[int | None, ...], place: str) -> None:
        """Measure each qubit into its memory slot, and its register slot if it has one."""
        memory, register = item["memory"], item.get("register", [])
        if len(memory) != len(qubits) or len(register) not in {0, len(qubits)}:
            raise BasicAerError(
                f"'measure' ({place}) has {len(qubits)} qubits, {len(memory)} memory slots and {len(register)} "
                "register slots; it needs a memory slot for each qubit, and a register slot for each or none."
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
        """Reset the qubits that are not |0> for certain."""
        self.builder.add_resets(qubits, starts_at_zero=self.starts_at_zero)

    def initialize(self, qubits: tuple[int | None, ...], parameters: list[Any], place: str) -> None:
        """Reset qubits and put them into a state."""
        amplitudes = _complex(parameters, "initialize", place)
        if len(amplitudes) != 2 ** len(qubits) or round(float(np.linalg.norm(amplitudes)), 10) != 1:
            raise BasicAerError(
                f"'initialize' ({place}) needs {_power(len(qubits))} amplitudes of norm 1 for {len(qubits)} qubits, "
                f"not {len(amplitudes)} of norm {np.linalg.norm(amplitudes):.6g}."
            )
        self.reset(qubits)
        self.builder.add(Prepare(qubits, amplitudes))  # type: ignore[arg-type]

    def bfunc(self, item: dict[str, Any]) -> None:
        """Compare the masked register with a value; the truth goes to a register slot, and to memory if named."""
        mask = int(item["mask"], 16)
        register = Bits(tuple(range(self.slots, self.slots + mask.bit_length())))
        masked = Apply("bit_and", (register, Constant(mask)))
        truth = Apply(_RELATIONS[item["relation"]], (masked, Constant(int(item["val"], 16))))
        # The register last: each bit's store evaluates the comparison, which may read the very slot that it writes.
        self.store(truth, (*item.get("memory", []), self.slots + item["register"][0]))

    def gates(self, name: str, qubits: tuple[int, ...], parameters: list[Any], place: str) -> list[Gate]:
        """Return the gates of a unitary instruction, by its name."""
        size = 2 ** len(qubits)
        if name == "unitary":
            rows = [_complex(row, name, place) for row in parameters[0]]
            matrix = np.stack(rows) if {len(row) for row in rows} == {size} else np.zeros(0)
            if matrix.shape != (size, size) or not np.allclose(matrix.conj().T @ matrix, np.eye(size), atol=1e-10):
                raise BasicAerError(
                    f"'unitary' ({place}) needs a unitary {_power(len(qubits))} x {_power(len(qubits))} matrix "
                    f"for {len(qubits)} qubits."
                )
            return [unitary_gate(matrix, qubits)]
        if name == "diagonal":
            factors = _complex(parameters, name, place)
            if len(factors) != size or not np.allclose(abs(factors), 1, atol=1e-10):
                raise BasicAerError(
                    f"'diagonal' ({place}) needs {_power(len(qubits))} numbers of modulus 1 for {len(qubits)} qubits."
                )
            return [Gate(name, "Z" * len(qubits), qubits, Form.DIAGONAL, factors)]
        if name == "pauli":
            if len(parameters) != 1 or not re.fullmatch(f"[IXYZ]{{{len(qubits)}}}", str(parameters[0])):
                raise BasicAerError(f"'pauli' ({place}) needs one string of {len(qubits)} letters I, X, Y and Z.")
            return pauli_string(parameters[0][::-1], qubits)
        if name == "permutation":
            if not all(isinstance(p, int) for p in parameters) or sorted(parameters) != list(range(len(qubits))):
                raise BasicAerError(f"'permutation' ({place}) needs the numbers 0 to {len(qubits) - 1}, each once.")
            return permuted(parameters, qubits, table_gate("swap", (0, 1)))
        open_controls = _OPEN_CONTROLS.fullmatch(name)
        record = BY_NAME.get(open_controls["name"] if open_controls else name)
        state = int(open_controls["state"]) if open_controls else None
        if record is None or (state is not None and record.controls == 0):
            raise BasicAerError(
                f"Unknown instruction {shown(name)} ({place}); unroll it into gates, or give it as 'unitary'."
            )
        controls = len(qubits) - len(record.kinds) if record.controls is None else record.controls
        if controls < 0 or controls + len(record.kinds) != len(qubits) or len(parameters) != record.parameters:
            raise BasicAerError(
                f"'{name}' ({place}) takes {len(record.kinds) + max(controls, 0)} qubits and {record.parameters} "
                f"parameters, not {len(qubits)} and {len(parameters)}."
            )
        if not all(isinstance(p, int | float) and abs(p) <= _LARGEST for p in parameters):
            raise BasicAerError(f"'{name}' ({place}) takes finite real numbers, not {shown(parameters)}.")
        if state is not None and state.bit_length() > controls:
            raise BasicAerError(f"{shown(name)} ({place}) has {controls} controls, which have no state {shown(state)}.")
        return record_gates(record, qubits, parameters, state)
