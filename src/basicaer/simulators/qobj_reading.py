"""Reads the options and the experiments of a Qobj."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.compile.from_qobj import check_size, lower_experiment

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from basicaer.engine.program import Program

__all__ = ["QOBJ_OPTIONS", "QobjExperiment", "options_in", "read_experiment"]

QOBJ_OPTIONS = (
    "shots",
    "memory",
    "seed_simulator",
    "chop_threshold",
    "initial_statevector",
    "initial_unitary",
    "device",
    "precision",
    "method",
    "max_parallel_threads",
    "target_gpus",
)
"""The options of `run` that a Qobj's configuration may set; the others make no sense in JSON."""

_INTEGERS = ("shots", "seed_simulator", "max_parallel_threads")


class QobjExperiment(NamedTuple):
    """One experiment of a Qobj.

    Attributes
    ----------
    config
        The Qobj's configuration, overridden by that of the experiment.
    header
        The experiment's header, completed with its name and sizes.
    seed
        The seed that the experiment's own configuration gives; None if it gives none.
    lower
        Makes the program; takes the keyword argument ``keep_idle`` of `lower_experiment`.
    """

    config: dict[str, Any]
    header: dict[str, Any]
    seed: Any
    lower: Callable[..., Program]


def read_experiment(
    config: dict[str, Any], experiment: dict[str, Any], position: int, poll: Callable[[], None]
) -> QobjExperiment:
    """Read an experiment of a Qobj that is valid.

    Parameters
    ----------
    config
        The Qobj's configuration.
    position
        The experiment's position in the Qobj, which names it if its header does not.
    poll
        Called now and then while the program is made.
    """
    own, header = experiment.get("config", {}), experiment.get("header", {})
    config = config | own
    given = [where["memory_slots"] for where in (config, header) if "memory_slots" in where]
    sizes = {
        "n_qubits": config.get("n_qubits", header.get("n_qubits", _used(experiment, "qubits"))),
        "memory_slots": max(given) if given else _used(experiment, "memory"),
    }
    sizes = {name: int(size) for name, size in sizes.items()}  # JSON may hold 2.0
    header = {"name": f"experiment {position}"} | sizes | header
    header |= {name: int(header[name]) for name in sizes}
    for name in sizes:
        check_size(header[name], name, header["name"])
    lower = partial(lower_experiment, experiment, header["name"], **sizes, poll=poll)
    return QobjExperiment(config, header, own.get("seed_simulator"), lower)


def _used(experiment: dict[str, Any], key: str) -> int:
    """Return one more than the highest number that an experiment's instructions use."""
    numbers = [n for i in experiment["instructions"] for n in (i[key] if isinstance(i.get(key), list) else [])]
    return max(numbers, default=-1) + 1


def options_in(config: dict[str, Any], known: Container[str]) -> dict[str, Any]:
    """Return the options of `run` in a Qobj's configuration, which may hold other keys; `known` is what `run` takes."""
    names = [name for name in QOBJ_OPTIONS if name in config and name in known]
    return {name: _from_json(name, config[name]) for name in names}


def _from_json(name: str, value: Any) -> Any:
    """Return the value of an option: JSON holds complex numbers as pairs, and may hold integers as 3.0."""
    dimensions = {"initial_statevector": 1, "initial_unitary": 2}.get(name)
    if dimensions is None:
        return int(value) if isinstance(value, float) and value.is_integer() and name in _INTEGERS else value
    try:
        pairs = np.array(value, float)
    except (TypeError, ValueError, OverflowError):
        return value
    return pairs[..., 0] + 1j * pairs[..., 1] if pairs.ndim == dimensions + 1 and pairs.shape[-1] == 2 else value
