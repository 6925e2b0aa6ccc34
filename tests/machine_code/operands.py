"""Operands of instructions, from the disassembler's text to the structure that the runner reads."""

import re
import struct
from enum import IntEnum, IntFlag
from typing import NamedTuple


class UnknownInstructionError(Exception):
    """An instruction, or a part of one, that the runner cannot carry out."""


class Kind(IntEnum):
    """As in structures.h, which says what each means."""

    NOTHING = 0
    REGISTER = 1
    UNIFORM = 2
    NUMBER = 3
    LAUNCH_BANK = 4
    LITERAL_BANK = 5
    VARIABLE_BANK = 6
    PREDICATE = 7
    UNIFORM_PREDICATE = 8
    TRUE = 9


class Change(IntFlag):
    """What happens to a source when it is read."""

    NEGATED = 1
    INVERTED = 2
    ABSOLUTE = 4


class Operand(NamedTuple):
    """As in structures.h."""

    kind: int = Kind.NOTHING
    changes: int = 0
    byte: int = 0
    scale: int = 1
    number: int = 0
    value: int = 0


ZERO = Operand(Kind.NUMBER)
ALWAYS, NEVER = Operand(Kind.TRUE), Operand(Kind.TRUE, Change.INVERTED)
_REGISTER_KINDS = {"R": Kind.REGISTER, "UR": Kind.UNIFORM}
_BANKS = {"0": Kind.LAUNCH_BANK, "2": Kind.LITERAL_BANK, "3": Kind.VARIABLE_BANK}
_PREDICATE_KINDS = {"P": Kind.PREDICATE, "UP": Kind.UNIFORM_PREDICATE}
_REGISTER = re.compile(r"(U?R)(Z|\d+)(?:\.B([0-3]))?")
_CONSTANT = re.compile(r"c\[0x([023])\]\[(0x[0-9a-f]{1,4}|RZ)\]")
_PREDICATE = re.compile(r"(!?)(U?P)([0-6T])")
_TERM = re.compile(r"(U?R(?:Z|\d+))(?:\.(64|U32)|\.X(4|8|16))?")
_WHOLE_NUMBER = re.compile(r"(-?)(0x[0-9a-f]+|\d+)")


def is_predicate(text):
    """Return whether an operand is a predicate."""
    return _PREDICATE.fullmatch(text) is not None


def number(text):
    """Return a whole number.

    Raises
    ------
    UnknownInstructionError
        If the operand is not one.
    """
    match = _WHOLE_NUMBER.fullmatch(text)
    if not match:
        raise UnknownInstructionError(f"the number {text}")
    return int(match[1] + match[2], 0)


def predicate(text):
    """Return a predicate, as a source or a target."""
    match = _PREDICATE.fullmatch(text)
    if not match:
        raise UnknownInstructionError(f"the predicate {text}")
    changes = Change.INVERTED if match[1] else 0
    if match[3] == "T":
        return Operand(Kind.TRUE, changes)
    return Operand(_PREDICATE_KINDS[match[2]], changes, number=int(match[3]))


def predicate_target(text):
    """Return a predicate that is written; PT and UPT throw away what is written."""
    target = predicate(text)
    if target.changes:
        raise UnknownInstructionError(f"the target {text}")
    return Operand() if target.kind == Kind.TRUE else target


def target(text):
    """Return a register that is written, or the first of several."""
    match = _REGISTER.fullmatch(text)
    if not match or match[3]:
        raise UnknownInstructionError(f"the target {text}")
    return Operand() if match[2] == "Z" else Operand(_REGISTER_KINDS[match[1]], number=int(match[2]))


def integer(text):
    """Return a source of 32 bits, with its sign or inversion."""
    if _WHOLE_NUMBER.fullmatch(text):
        return Operand(Kind.NUMBER, value=number(text) % 2**32)
    changes = {"-": Change.NEGATED, "~": Change.INVERTED}.get(text[0], 0)
    return _plain(text[1:] if changes else text, text)._replace(changes=changes)


def pair(text):
    """Return a source of 64 bits."""
    found = _plain(text, text)
    if found.byte:
        raise UnknownInstructionError(f"the operand {text}")
    return found


def single(text):
    """Return a source that is a float."""
    return _floating(text, "<f", "<I")


def double(text):
    """Return a source that is a double."""
    return _floating(text, "<d", "<Q")


def halves(high, low):
    """Return a source that is two numbers in half precision, given each by its value."""
    bits = struct.pack("<ee", _real(low), _real(high))
    return Operand(Kind.NUMBER, value=int.from_bytes(bits, "little"))


class Address(NamedTuple):
    """The parts of an address, and which of them have 64 bits."""

    base: Operand
    further: Operand
    offset: Operand
    base_is_wide: bool
    further_is_wide: bool


def address(text, *, wide):
    """Return the parts of an address, whose registers have 64 bits if it is `wide` and they do not say otherwise."""
    match = re.fullmatch(r"(?:desc\[UR\d+\])?\[(.*)\]", text)
    terms = match[1].split("+") if match else []
    registers = [found for found in map(_TERM.fullmatch, terms) if found]
    if not terms or len(registers) > 2 or any(not wide and found[2] for found in registers):
        raise UnknownInstructionError(f"the address {text}")
    bases = [_plain(found[1], text)._replace(scale=int(found[3] or 1)) for found in registers]
    widths = [wide and found[2] != "U32" for found in registers]
    base, further, *_ = *bases, ZERO, ZERO
    if further.scale != 1:
        raise UnknownInstructionError(f"the address {text}")
    offset = sum(number(term) for term in terms if not _TERM.fullmatch(term))
    return Address(base, further, Operand(Kind.NUMBER, value=offset % 2**64), *[*widths, wide, wide][:2])


def _plain(text, whole):
    if match := _REGISTER.fullmatch(text):
        kind, name, byte = match.groups()
        if name == "Z":
            return ZERO
        return Operand(_REGISTER_KINDS[kind], byte=int(byte) + 1 if byte else 0, number=int(name))
    if match := _CONSTANT.fullmatch(text):
        return Operand(_BANKS[match[1]], value=0 if match[2] == "RZ" else int(match[2], 16))
    raise UnknownInstructionError(f"the operand {whole}")


def _floating(text, real, whole):
    """Return a source in floating point: a number in full, or a register or constant with its signs."""
    try:
        return Operand(Kind.NUMBER, value=struct.unpack(whole, struct.pack(real, _real(text)))[0])
    except ValueError:
        changes = Change.NEGATED if text.startswith("-") else 0
        inner = text.removeprefix("-")
        if inner.startswith("|"):
            changes |= Change.ABSOLUTE
            inner = inner.strip("|")
        return _plain(inner, text)._replace(changes=changes)


def _real(text):
    return float(text.replace("QNAN", "NAN"))
