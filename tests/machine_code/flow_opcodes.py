"""Opcodes of control flow, and of what lanes of a warp see of each other."""

from machine_code.actions import Action, one_of, opcode, read
from machine_code.operands import (
    ALWAYS,
    Operand,
    UnknownInstructionError,
    is_predicate,
    number,
    predicate,
    predicate_target,
    target,
)

_SHUFFLES = ("IDX", "UP", "DOWN", "BFLY")  # as in lanes.h
_SPECIAL = ("SR_TID.X", "SR_CTAID.X", "SR_CTAID.Y", "SR_LANEID")
_ZERO = ("SR_TID.Y", "SR_TID.Z", "SR_CTAID.Z", "SR_CgaCtaId")  # blocks have one axis, grids two, clusters one block


@opcode("YIELD")
def _nothing(_modifiers, _operands):
    return Action("do_nothing")


@opcode("DEPBAR", modifiers="LE")
def _arrived(_modifiers, _operands):  # it waits for what has been read, which is there at once in the runner
    return Action("do_nothing")


@opcode("NOP")
def _order(_modifiers, _operands):  # this is left of __syncwarp where the compiler knows that the lanes are together
    return Action("order_lanes")


@opcode("BRA")
def _branch(_modifiers, operands):
    *condition, place = operands
    return Action("branch", tuple(map(predicate, condition)) or (ALWAYS,), (number(place) // 16,))


@opcode("CALL", modifiers="REL NOINC")
def _call(_modifiers, operands):  # the place to return to is in a register already
    return Action("branch", (ALWAYS,), (number(operands[0]) // 16,))


@opcode("RET", modifiers="REL NODEC")
def _return(_modifiers, operands):
    return Action("return_", (target(operands[0].split()[0]),))


@opcode("EXIT")
def _exit(_modifiers, operands):
    read("", operands)
    return Action("exit")


@opcode("BPT", modifiers="TRAP")
def _trap(modifiers, _operands):
    if modifiers != ("TRAP",):
        raise UnknownInstructionError("a breakpoint")
    return Action("trap")


def _meeting(text):
    return number(text.removeprefix("B"))


@opcode("BSSY", modifiers="RECONVERGENT")
def _set_meeting(_modifiers, operands):
    return Action("set_meeting", (), (_meeting(operands[0]),))


@opcode("BMOV", modifiers="32 CLEAR")
def _clear_meeting(modifiers, operands):
    if modifiers != ("32", "CLEAR") or operands[0] != "RZ":
        raise UnknownInstructionError("BMOV that keeps what it moves")
    return Action("clear_meeting", (), (_meeting(operands[1]),))


@opcode("BREAK", modifiers="RELIABLE RECONVERGENT")
def _leave_meeting(_modifiers, operands):
    *condition, meeting = operands
    return Action("leave_meeting", tuple(map(predicate, condition)) or (ALWAYS,), (_meeting(meeting),))


@opcode("BSYNC", modifiers="RECONVERGENT")
def _meet(_modifiers, operands):
    return Action("meet", (), (_meeting(operands[0]),))


@opcode("WARPSYNC", modifiers="ALL")
def _meet_warp(modifiers, operands):
    if modifiers != ("ALL",) and operands != ["0xffffffff"]:
        raise UnknownInstructionError("a barrier of some lanes of a warp")
    return Action("meet_warp")


@opcode("BAR", modifiers="SYNC DEFER_BLOCKING")
def _barrier(modifiers, operands):
    if "SYNC" not in modifiers or operands != ["0x0"]:
        raise UnknownInstructionError("a barrier other than __syncthreads")
    return Action("barrier")


@opcode("S2R", "S2UR")
def _special(_modifiers, operands):
    to, name = operands
    if name not in _SPECIAL + _ZERO:
        raise UnknownInstructionError(f"the special register {name}")
    return Action("read_special", (target(to),), ((*_SPECIAL, name).index(name),))


@opcode("SHFL", modifiers="IDX UP DOWN BFLY")
def _shuffle(modifiers, operands):
    return Action("shuffle", read("P T i i i", operands), (one_of(modifiers, _SHUFFLES),))


@opcode("VOTE", "VOTEU", modifiers="ALL ANY")
def _vote(modifiers, operands):
    *targets, said = operands
    lanes = next((target(text) for text in targets if not is_predicate(text)), Operand())
    together = next((predicate_target(text) for text in targets if is_predicate(text)), Operand())
    return Action("vote", (lanes, together, predicate(said)), (one_of(modifiers, ("ANY", "ALL")),))
