"""What commands are given, a file and options, and how they refuse it: in the words of the command line."""

from __future__ import annotations

import contextlib
import re
import warnings
from typing import TYPE_CHECKING, Any

import click

from basicaer.cli.exit_status import TIMED_OUT
from basicaer.errors import BasicAerError, BasicAerWarning, JobTimeLimitError, NothingMeasuredWarning, shown
from basicaer.openqasm.loading import its_inputs, load
from basicaer.provider import BasicAer
from basicaer.wording import unknown_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from qiskit import QuantumCircuit

    from basicaer.simulators.base import BasicAerSimulator

__all__ = ["check_picture", "circuit_in", "qasm_options", "refusal", "simulator_called", "warnings_printed"]

_SIMULATORS = {"qasm": "qasm_simulator", "statevector": "statevector_simulator", "unitary": "unitary_simulator"}
_FLAGS = {  # options of `run`, as its messages call them -> options of the command line
    "checkpoint_dir": "--checkpoint-dir",
    "checkpoint_every": "--checkpoint-every",
    "checkpoint_margin": "--checkpoint-margin",
    "device": "--device",
    "max_parallel_threads": "--threads",
    "method": "--method",
    "noise_model": "--noise",
    "precision": "--precision",
    "seed_simulator": "--seed",
    "spill": "--spill",
    "shots": "--shots",
    "timeout": "--timeout",
}
_ASSIGNED = re.compile(
    rf"\b({'|'.join(_FLAGS)})=(?:'(\w+)'|(\w+)|('[^']*')|)"
)  # "precision='single'", or "timeout=" alone
_NAMED = re.compile(  # "shots must be", "timeout (5 s)", "checkpoint_dir", "leave out spill"
    rf"\A({'|'.join(_FLAGS)})(?= must be)|\b(timeout)(?= \()|\b(\w+_\w+)\b(?![=(])|(?<![-'/\w])(spill)(?![='/\w])"
)


_DISTRIBUTED = re.compile(r"(?<!')\bdistributed\b(?!')(=True)?")  # it takes no value on the command line


class _TimedOut(click.ClickException):
    exit_code = TIMED_OUT


def refusal(error: BasicAerError | MemoryError) -> click.ClickException:
    """Return the exception that ends a command with one sentence."""
    if isinstance(error, MemoryError):
        return click.ClickException("The memory is full; use a smaller circuit.")
    if isinstance(error, JobTimeLimitError) and error.saved_in is not None:
        return _TimedOut(f"{error.reached}; it is saved, and basicaer resume {error.saved_in} continues it.")
    words = _ASSIGNED.sub(lambda found: " ".join(filter(None, [_FLAGS[found[1]], *found.groups()[1:]])), str(error))
    words = _NAMED.sub(lambda found: _FLAGS.get(found[0], found[0]), words).replace(" or None, not", ", not")
    words = _DISTRIBUTED.sub("--distributed", words)
    return _TimedOut(words) if isinstance(error, JobTimeLimitError) else click.ClickException(words)


@contextlib.contextmanager
def warnings_printed(file: Path | None = None) -> Iterator[None]:
    """Print the warnings that are raised inside, unless an error is."""
    with warnings.catch_warnings(record=True, action="always", category=BasicAerWarning) as caught:
        yield
    for warning in caught:
        words = str(warning.message)
        if isinstance(warning.message, NothingMeasuredWarning) and file is not None:
            words = (
                f"{file} measures nothing, so there is nothing to count; add measurements to it, or see its amplitudes "
                "with --simulator statevector."
            )
        click.echo(f"Warning: {words}", err=True)


def simulator_called(name: str) -> BasicAerSimulator:
    """Return the simulator of a name, short or whole."""
    short = name.removesuffix("_simulator")
    if short not in _SIMULATORS:
        raise BasicAerError(unknown_name("simulator", name, _SIMULATORS))
    return BasicAer.get_backend(_SIMULATORS[short])


def circuit_in(file: Path, bind: tuple[str, ...], *, needs_values: bool) -> QuantumCircuit:
    """Return the circuit in a file, whose inputs have the values that are given: all of them if it `needs_values`."""
    values: dict[str, float] = {}
    for given in bind:
        name, _, number = given.partition("=")
        value = _number(number)
        if value is None:
            raise BasicAerError(f"--bind {shown(given)} has no number; give NAME=NUMBER.")
        if name in values:
            raise BasicAerError(f"--bind gives {shown(name)} twice; give it once.")
        values[name] = value
    circuit, inputs = load(file, values)
    for given in bind:
        if given.partition("=")[0] not in inputs:
            raise BasicAerError(f"--bind {shown(given)} names no input of {file}; {its_inputs(inputs)}.")
    missing = [parameter.name for parameter in circuit.parameters]
    if needs_values and missing:
        raise BasicAerError(
            f"{file} has inputs without a value ({_quoted(missing)}); give each with --bind NAME=NUMBER."
        )
    return circuit


def _number(written: str) -> float | None:
    """Return a number as it is written: an integer of any size is exact."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(written)
    return None


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def qasm_options(noise: Path | None, spill: str | None) -> dict[str, Any]:
    """Return those options that not every simulator has: for the noise model in a file and for a folder, if given."""
    given: dict[str, Any] = {} if spill is None else {"spill": spill}
    if noise is not None:
        from basicaer.noise import NoiseModel

        given["noise_model"] = NoiseModel.load(noise)
    return given


def check_picture(option: str, path: Path) -> None:
    """Refuse a file name that no picture can have, before a result is computed that would be lost."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BasicAerError(f"{option} needs matplotlib; pip install 'basicaer[plot]'.") from error
    endings = [f".{ending}" for ending in Figure().canvas.get_supported_filetypes()]
    if path.suffix.lower() not in endings:
        wrong = f"its name must end in one of {', '.join(endings)}"
    elif path.is_dir():
        wrong = "it is a folder; give the name of a file"
    elif not path.parent.is_dir():
        wrong = f"there is no folder {path.parent}; make it first"
    else:
        return
    raise BasicAerError(f"Cannot write the picture {path}: {wrong}.")
