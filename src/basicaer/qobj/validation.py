"""Checks a Qobj against the JSON schema in this folder."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import fastjsonschema

from basicaer.errors import QobjValidationError, at_border
from basicaer.qobj.model import plain

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["as_dict", "validate"]


@cache
def _checker() -> Callable[[Any], Any]:
    schema = json.loads(resources.files("basicaer.qobj").joinpath("qobj.schema.json").read_text("utf-8"))
    return fastjsonschema.compile(schema, use_default=False)  # type: ignore[no-any-return]


def as_dict(qobj: Any) -> dict[str, Any]:
    """Return a Qobj in the types of JSON; it may be a dictionary or any object with ``to_dict()``.

    Raises
    ------
    QobjValidationError
        If it is neither.
    """
    kind = type(qobj).__name__
    with at_border(lambda why: QobjValidationError(f"A {kind} cannot be read as a Qobj: {why}.")):
        data = qobj.to_dict() if not isinstance(qobj, dict | type) and hasattr(qobj, "to_dict") else qobj
        if isinstance(data, dict):
            return plain(data)  # type: ignore[no-any-return]
    raise QobjValidationError(
        f"A Qobj is a dictionary or has a method to_dict() that returns one; a {kind} is neither."
    )


def validate(qobj: Any) -> None:
    """Check a Qobj.

    Raises
    ------
    QobjValidationError
        Naming the path of the first thing that breaks the schema, and the rule it breaks.
    """
    data = as_dict(qobj)
    with at_border(lambda why: QobjValidationError(f"The Qobj cannot be compared with the schema: {why}.")):
        try:
            _checker()(data)
        except fastjsonschema.JsonSchemaValueException as error:
            path = error.name.removeprefix("data").removeprefix(".") or "the top level"
            rule = error.message.removeprefix(error.name).strip()
            raise QobjValidationError(
                f"The Qobj breaks the schema at {path}: it {rule} (rule: {error.rule})."
            ) from None
