"""Opcodes that load and store."""

from machine_code.actions import Action, opcode
from machine_code.operands import Kind, UnknownInstructionError, address, target

_BYTES = {"U8": 1, "U16": 2, "64": 8, "128": 16}


def _accesses(handler, *, loads, wide):
    """Return the function of an opcode whose addresses have 64 bits if they are `wide`, otherwise 32."""

    def access(modifiers, operands):
        if wide and "E" not in modifiers:
            raise UnknownInstructionError("a form with an address of 32 bits")
        data, where = operands if loads else reversed(operands)
        register = target(data)
        if register.kind == Kind.UNIFORM:
            raise UnknownInstructionError(f"the operand {data}")
        size = next((_BYTES[modifier] for modifier in modifiers if modifier in _BYTES), 4)
        place = address(where, wide=wide)
        operands = register, place.base, place.further, place.offset
        return Action(handler, operands, (size, place.base_is_wide, place.further_is_wide, wide))

    return access


for _name, _handler, _modifiers in (
    ("LDG", "load_global", "E SYS CONSTANT"),
    ("STG", "store_global", "E SYS"),
    ("LDS", "load_shared", "U"),
    ("STS", "store_shared", ""),
    ("LDL", "load_local", "LU"),
    ("STL", "store_local", ""),
):
    _function = _accesses(_handler, loads=_name.startswith("LD"), wide=_name.endswith("G"))
    opcode(_name, modifiers=f"{_modifiers} U8 U16 64 128")(_function)
