"""What each opcode does: which handler of the runner carries it out, on which operands and with which options.

To teach the runner an instruction, register its opcode in one of the modules that are imported here; if no handler does
what it needs, add one to the headers, where a comment says what the operands and options of each are.
"""

from machine_code import arithmetic_opcodes, flow_opcodes, memory_opcodes
from machine_code.actions import Action, action_of, known_opcodes

__all__ = ["Action", "action_of", "arithmetic_opcodes", "flow_opcodes", "known_opcodes", "memory_opcodes"]
