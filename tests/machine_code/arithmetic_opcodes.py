"""Opcodes of moves, of integers, bits and predicates, and of floating point."""

from machine_code.actions import Action, one_of, opcode, read, register_plain, take_carries, take_carry
from machine_code.operands import (
    NEVER,
    ZERO,
    Operand,
    UnknownInstructionError,
    halves,
    integer,
    is_predicate,
    number,
    predicate,
    predicate_target,
    target,
)

_COMPARISONS = ("LT", "LE", "EQ", "NE", "GE", "GT")  # as in integers.h
_JOININGS = ("AND", "OR", "XOR")
_LEFT, _WRAPS, _SIGNED, _UPPER = 1, 2, 4, 8  # enum Shift of integers.h

for _name, _handler, _letters in (
    ("MOV", "move", "T i"),
    ("UMOV", "move", "T i"),
    ("R2UR", "move", "T i"),
    ("SEL", "select", "T i i p"),
    ("USEL", "select", "T i i p"),
    ("FSEL", "select_float", "T f f p"),
    ("PRMT", "permute_bytes", "T i i i"),
    ("UPRMT", "permute_bytes", "T i i i"),
    ("POPC", "count_ones", "T i"),
    ("UPOPC", "count_ones", "T i"),
    ("DADD", "add_doubles", "T d d"),
    ("DMUL", "multiply_doubles", "T d d"),
    ("DFMA", "fused_doubles", "T d d d"),
):
    register_plain(_name, _handler, _letters)


# Moves and bits


@opcode("LDC", "ULDC", modifiers="64")
def _constant(modifiers, operands):
    return Action("move_pair", read("T q", operands)) if modifiers else Action("move", read("T i", operands))


@opcode("HFMA2", modifiers="MMA")
def _constant_by_multiplying(_modifiers, operands):
    to, *factors, high, low = operands
    if factors != ["-RZ", "RZ"]:
        raise UnknownInstructionError("arithmetic in half precision")
    return Action("move", (target(to), halves(high, low)))


@opcode("CS2R")
def _special_pair(_modifiers, operands):
    if operands[1] != "SRZ":
        raise UnknownInstructionError(f"the special register {operands[1]}")
    return Action("move_pair", (target(operands[0]), ZERO))


@opcode("R2P")
def _register_to_predicates(_modifiers, operands):
    _, source, mask = operands
    return Action("register_to_predicates", (integer(source),), (number(mask),))


@opcode("P2R", modifiers="B0 B1 B2 B3")
def _predicates_to_register(modifiers, operands):
    to, _, others, mask = operands
    shift = 8 * int(modifiers[0][1]) if modifiers else 0
    return Action("predicates_to_register", (target(to), integer(others)), (number(mask), shift))


@opcode("SHF", "USHF", modifiers="L R W U32 S32 U64 S64 HI")
def _shift(modifiers, operands):
    kind = modifiers[1]
    how = (modifiers[0] == "L") * _LEFT | (kind[0] == "S") * _SIGNED
    how |= ("W" in modifiers) * _WRAPS | ("HI" in modifiers) * _UPPER
    most = 63 if kind in {"U64", "S64"} else 31 if how & _WRAPS else 32
    return Action("shift", read("T i i i", operands), (how, most))


@opcode("LOP3", "ULOP3", modifiers="LUT")
def _logic(_modifiers, operands):
    is_zero = predicate_target(operands.pop(0)) if is_predicate(operands[0]) else Operand()
    table = operands.pop(4)
    return Action("logic", (is_zero, *read("T i i i p", operands)), (number(table),))


@opcode("PLOP3", "UPLOP3", modifiers="LUT")
def _logic_of_predicates(_modifiers, operands):
    *operands, table, other_table = operands
    return Action("logic_of_predicates", read("P P p p p", operands), (number(table), number(other_table)))


# Integers


@opcode("VIADD")
def _add_two(_modifiers, operands):
    return Action("add", (Operand(), *read("T i i", operands), ZERO, NEVER, NEVER))


@opcode("IADD3", "UIADD3", modifiers="X")
def _add(modifiers, operands):
    carry, second = take_carries(operands)
    summands = [term for term in operands[1:4] if term not in {"RZ", "URZ"}]
    if len(summands) > 2 and carry != Operand() and second == Operand():
        raise UnknownInstructionError("a form with one carry of three numbers")
    carries_in = read("p p", operands[4:]) if "X" in modifiers else (NEVER, NEVER)
    target_and_summands = read("T i i i", operands[:4] if "X" in modifiers else operands)
    return Action("add", (carry, *target_and_summands, *carries_in, second))


@opcode("IMAD", "UIMAD", modifiers="MOV U32 SHL IADD WIDE X HI")
def _multiply_add(modifiers, operands):
    carry = take_carry(operands)
    carry_in = predicate(operands.pop()) if "X" in modifiers else NEVER
    if "WIDE" in modifiers or "HI" in modifiers:
        options = "U32" not in modifiers, "HI" in modifiers
        return Action("multiply_add_wide", (carry, *read("T i i q", operands), carry_in), options)
    if carry != Operand():
        raise UnknownInstructionError("a form with a carry")
    return Action("multiply_add", (carry, *read("T i i i", operands), carry_in))


@opcode("LEA", "ULEA", modifiers="HI X")
def _shift_add(modifiers, operands):
    carry = take_carry(operands)
    carry_in = predicate(operands.pop()) if "X" in modifiers else NEVER
    shift = number(operands.pop())
    upper = integer(operands.pop()) if "HI" in modifiers else ZERO
    return Action("shift_add", (carry, *read("T i i", operands), upper, carry_in), (shift, "HI" in modifiers))


@opcode("IMNMX", "UIMNMX", "VIMNMX", modifiers="U32")
def _smaller_or_larger(modifiers, operands):
    return Action("smaller_or_larger", read("T i i p", operands), ("U32" not in modifiers,))


@opcode("ISETP", "UISETP", modifiers="LT LE GT GE EQ NE AND OR XOR U32 EX")
def _compare(modifiers, operands):
    lower = predicate(operands.pop()) if "EX" in modifiers else NEVER
    options = one_of(modifiers, _COMPARISONS), one_of(modifiers, _JOININGS), "U32" not in modifiers, "EX" in modifiers
    return Action("compare", (*read("P P i i p", operands), lower), options)


# Floating point


@opcode("DSETP", modifiers="LT LE GT GE EQ NE LTU LEU GTU GEU EQU NEU AND OR XOR")
def _compare_doubles(modifiers, operands):
    comparison, joining = modifiers
    is_unordered = comparison.endswith("U")
    options = _COMPARISONS.index(comparison.removesuffix("U")), _JOININGS.index(joining), is_unordered
    return Action("compare_doubles", read("P P d d p", operands), options)


@opcode("DMMA", modifiers="884 8x8x4 16x8x4 16x8x8")
def _multiply_matrices(modifiers, operands):
    rows, _, depth = matrix_sizes(modifiers)
    return Action("multiply_matrices", read("T d d d", operands), (rows, depth))


def matrix_sizes(modifiers):
    """Return rows, columns and depth of a product of matrices; the first architecture's listings have no x between."""
    return tuple(map(int, modifiers[0].split("x") if "x" in modifiers[0] else modifiers[0]))


@opcode("FADD", modifiers="FTZ")
def _add_floats(modifiers, operands):
    return Action("add_floats", read("T f f", operands), ("FTZ" in modifiers,))


@opcode("FMUL", modifiers="FTZ")
def _multiply_floats(modifiers, operands):
    return Action("multiply_floats", read("T f f", operands), ("FTZ" in modifiers,))


@opcode("FFMA", modifiers="FTZ")
def _fused_floats(modifiers, operands):
    return Action("fused_floats", read("T f f f", operands), ("FTZ" in modifiers,))


@opcode("MUFU", modifiers="RCP")
def _special_function(modifiers, operands):
    if modifiers != ("RCP",):
        raise UnknownInstructionError("this function")
    return Action("reciprocal", read("T f", operands))


_CONVERSIONS = {  # by opcode and modifiers without FTZ
    ("F2F", "F64", "F32"): ("float_to_double", "T f"),
    ("F2F", "F32", "F64"): ("double_to_float", "T d"),
    ("I2F", "U32", "RP"): ("unsigned_to_float_above", "T i"),
    ("I2F", "U64", "RP"): ("unsigned_pair_to_float_above", "T q"),
    ("F2I", "U32", "TRUNC", "NTZ"): ("float_to_unsigned", "T f"),
    ("F2I", "U64", "TRUNC"): ("float_to_unsigned_pair", "T f"),
}


def _converts(name):
    def convert(modifiers, operands):
        kind = (name, *(modifier for modifier in modifiers if modifier != "FTZ"))
        if kind not in _CONVERSIONS:
            raise UnknownInstructionError(f"the conversion {'.'.join(kind)}")
        handler, letters = _CONVERSIONS[kind]
        return Action(handler, read(letters, operands), ("FTZ" in modifiers,))

    return convert


for _name in ("F2F", "I2F", "F2I"):
    opcode(_name, modifiers="F64 F32 U32 U64 RP TRUNC NTZ FTZ")(_converts(_name))
