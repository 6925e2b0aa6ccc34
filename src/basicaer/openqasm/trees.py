"""Finds nodes and names in a part of the parser's tree of an OpenQASM 3 program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from openqasm3 import ast

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["names_in", "nodes_in", "written_in"]

_Node = TypeVar("_Node", bound=ast.QASMNode)


def nodes_in(part: Any, kind: type[_Node]) -> Iterator[_Node]:
    """Yield the nodes of a kind in a part of a tree, from outside to inside."""
    if isinstance(part, list | tuple):
        for one in part:
            yield from nodes_in(one, kind)
    elif isinstance(part, ast.QASMNode):
        if isinstance(part, kind):
            yield part
        for one in vars(part).values():
            yield from nodes_in(one, kind)


def names_in(part: Any) -> set[str]:
    """Return the names in a part of a tree."""
    return {node.name for node in nodes_in(part, ast.Identifier)}


def written_in(part: Any) -> set[str]:
    """Return the names that a part of a tree writes to, in whatever scope, or gives another name."""
    names = names_in([node.lvalue for node in nodes_in(part, ast.ClassicalAssignment)])
    names |= names_in([node.target for node in nodes_in(part, ast.QuantumMeasurementStatement)])
    return names | names_in([node.value for node in nodes_in(part, ast.AliasStatement)])
