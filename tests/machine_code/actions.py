"""How opcodes are looked up: each has a function that says which handler of the runner carries it out.

An opcode or a modifier that is not known is an error, never passed over.
"""

from typing import NamedTuple

from machine_code.operands import (
    Operand,
    UnknownInstructionError,
    double,
    integer,
    is_predicate,
    pair,
    predicate,
    predicate_target,
    single,
    target,
)


class Action(NamedTuple):
    """A handler of the runner, by its name, and what it is given."""

    handler: str
    operands: tuple[Operand, ...] = ()
    options: tuple[int, ...] = ()


_READERS = {
    "T": target,
    "P": predicate_target,
    "i": integer,
    "q": pair,
    "f": single,
    "d": double,
    "p": predicate,
}
_FUNCTIONS = {}


def opcode(*names, modifiers=""):
    """Register a function of (modifiers, operands) for opcodes, and the modifiers that it knows."""

    def register(function):
        for name in names:
            _FUNCTIONS[name] = function, frozenset(modifiers.split())
        return function

    return register


def register_plain(name, handler, letters):
    """Register an opcode without modifiers whose operands are read as letters say: see `read`."""
    opcode(name)(lambda _modifiers, operands: Action(handler, read(letters, operands)))


def known_opcodes():
    """Return all opcodes that can be carried out."""
    return sorted(_FUNCTIONS)


def action_of(instruction):
    """Return what an instruction does.

    Raises
    ------
    UnknownInstructionError
        If its opcode, a modifier or an operand is not known.
    """
    if instruction.opcode not in _FUNCTIONS:
        raise UnknownInstructionError(f"the opcode {instruction.opcode}")
    function, known = _FUNCTIONS[instruction.opcode]
    for modifier in instruction.modifiers:
        if modifier not in known:
            raise UnknownInstructionError(f"the modifier .{modifier} of {instruction.opcode}")
    return function(instruction.modifiers, list(instruction.operands))


def read(letters, operands):
    """Return operands, each read as its letter says.

    T and P are what is written, a register and a predicate. The sources are i: 32 bits, q: 64 bits, f: a float, d: a
    double, p: a predicate.
    """
    letters = letters.split()
    if len(letters) != len(operands):
        raise UnknownInstructionError(f"a form with {len(operands)} operands instead of {len(letters)}")
    return tuple(_READERS[letter](operand) for letter, operand in zip(letters, operands, strict=True))


def take_carries(operands):
    """Remove the predicates behind the target, to which an addition writes up to two carries; return two targets."""
    taken = []
    while is_predicate(operands[1]):
        taken.append(predicate_target(operands.pop(1)))
    first, second, *_ = [*[carry for carry in taken if carry != Operand()], Operand(), Operand()]
    return first, second


def take_carry(operands):
    """Remove the predicates behind the target, to one of which an addition writes its carry; return that one."""
    carry, second = take_carries(operands)
    if second != Operand():
        raise UnknownInstructionError("a form with two carries")
    return carry


def one_of(modifiers, names):
    """Return the place in `names` of the one of them that is among the modifiers."""
    found = [names.index(modifier) for modifier in modifiers if modifier in names]
    if len(found) != 1:
        raise UnknownInstructionError(f"a form without exactly one of {', '.join(names)}")
    return found[0]
