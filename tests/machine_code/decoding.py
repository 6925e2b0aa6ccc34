"""Instructions of a kernel as the array of steps that the runner carries out."""

import numpy as np

from machine_code.opcodes import action_of
from machine_code.operands import Operand, UnknownInstructionError, predicate

# These are the structures of structures.h.
OPERAND = np.dtype(
    [("kind", "u1"), ("changes", "u1"), ("byte", "u1"), ("scale", "u1"), ("number", "u4"), ("value", "u8")],
    align=True,
)
MOST_OPERANDS, MOST_OPTIONS = 8, 4
STEP = np.dtype(
    [
        ("guard", OPERAND),
        ("operands", OPERAND, MOST_OPERANDS),
        ("handler", "u4"),
        ("options", "i4", MOST_OPTIONS),
    ],
    align=True,
)


def steps_of(instructions, kernel, number_of):
    """Return the steps; `number_of` gives the number of a handler by its name.

    Raises
    ------
    UnknownInstructionError
        If there is an instruction that the runner does not know; the message names it, its place and the kernel.
    """
    steps = np.zeros(len(instructions), STEP)
    for step, instruction in zip(steps, instructions, strict=True):
        try:
            action = action_of(instruction)
            step["guard"] = predicate(instruction.guard)
        except (UnknownInstructionError, ValueError, IndexError) as error:
            why = f"{error}" if isinstance(error, UnknownInstructionError) else f"this form of {instruction.opcode}"
            raise UnknownInstructionError(
                f"the runner of machine code does not know {why}: '{instruction.text}' at {instruction.place:#x} of "
                f"{kernel}; teach it in tests/machine_code/opcodes.py"
            ) from error
        operands = [*action.operands, *[Operand()] * (MOST_OPERANDS - len(action.operands))]
        options = [int(option) for option in action.options]
        step["operands"] = operands
        step["handler"] = number_of(action.handler)
        step["options"] = [*options, *[0] * (MOST_OPTIONS - len(options))]
    return steps
