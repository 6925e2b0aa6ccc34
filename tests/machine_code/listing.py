"""The disassembler's text, taken apart: the instructions of each kernel, and what they tell the card's scheduler."""

import re
from typing import NamedTuple

INSTRUCTION_BYTES = 16
_FUNCTION = re.compile(r"\s*Function : (\S+)")
_FIRST_WORD = re.compile(r"\s+/\*([0-9a-f]{4,})\*/\s+(.*?)\s*;\s*/\* 0x[0-9a-f]{16} \*/")
_SECOND_WORD = re.compile(r"\s+/\* 0x([0-9a-f]{16}) \*/")
_GUARDED = re.compile(r"@(!?U?P\w+)\s+(.*)")
_COMMA = re.compile(r",\s*(?![^\[]*\])")  # not within brackets


class Control(NamedTuple):
    """What an instruction tells the scheduler.

    Attributes
    ----------
    stall
        Cycles until the warp may issue its next instruction.
    raised_until_written, raised_until_read
        The scoreboard that stands until the result is written, or until the sources have been read; 7 for none.
    awaited
        Mask of the scoreboards that have to be down before it is issued.
    """

    stall: int
    raised_until_written: int
    raised_until_read: int
    awaited: int


class Instruction(NamedTuple):
    """``@!P0 LDG.E.64 R2, [R4.64]`` at `place` has guard ``!P0``, opcode LDG, modifiers (E, 64) and two operands."""

    place: int
    text: str
    guard: str
    opcode: str
    modifiers: tuple[str, ...]
    operands: tuple[str, ...]
    control: Control


def instructions_of(listing):
    """Return the instructions of each kernel, by its mangled name.

    Raises
    ------
    ValueError
        If instructions are missing between two others, so that the text was not understood.
    """
    kernels, current, first = {}, None, None
    for line in listing.splitlines():
        if match := _FUNCTION.match(line):
            current = kernels.setdefault(match[1], [])
        elif match := _FIRST_WORD.match(line):
            first = int(match[1], 16), match[2]
        elif (match := _SECOND_WORD.match(line)) and first:
            current.append(_instruction(*first, int(match[1], 16)))
            first = None
    for name, instructions in kernels.items():
        for number, instruction in enumerate(instructions):
            if instruction.place != INSTRUCTION_BYTES * number:
                raise ValueError(f"{name}: no instruction was found at {INSTRUCTION_BYTES * number:#x}")
    return kernels


def _instruction(place, text, second_word):
    guard, rest = "PT", text
    if match := _GUARDED.match(text):
        guard, rest = match.groups()
    name, _, operands = rest.partition(" ")
    opcode, *modifiers = name.split(".")
    parts = _COMMA.split(operands.replace(".reuse", "").strip())  # `reuse` is a hint for a cache of registers
    bits = second_word >> 41
    control = Control(bits & 0xF, bits >> 5 & 7, bits >> 8 & 7, bits >> 11 & 0x3F)
    return Instruction(place, text, guard, opcode, tuple(modifiers), tuple(filter(None, parts)), control)
