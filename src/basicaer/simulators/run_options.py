"""The options that one simulator's `run` takes: their defaults, and the check of given values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from basicaer.devices.memory import free_host_bytes
from basicaer.devices.spilled.state_file import why_no_files
from basicaer.errors import OptionValueError, UnknownOptionError
from basicaer.foreign_options import ACCEPTED_NAMES, without_foreign_options
from basicaer.options import HOST_MEMORY, ArrayPlace, DeviceChoice, check_options, check_saving
from basicaer.rank_pool import RankPool
from basicaer.wording import duration, readable, unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["RunOptions", "check_spill", "places_elsewhere"]

_DICTIONARIES = frozenset({"backend_options", "options", "run_options"})  # how other simulators are given options
_NONE_IS_DEFAULT = frozenset({"max_parallel_experiments", "max_parallel_threads", "memory", "method", "shots"})


class RunOptions(NamedTuple):
    """The options that one simulator's `run` takes.

    Attributes
    ----------
    simulator
        The name of the simulator.
    defaults
        The default of each option that has an effect.
    methods
        Aer's names for the simulation methods that compute what the simulator computes.
    ignored
        Options that are checked and have no effect.
    simulators_with
        Returns the names of all simulators that have a certain option.
    """

    simulator: str
    defaults: dict[str, Any]
    methods: tuple[str, ...]
    ignored: frozenset[str]
    simulators_with: Callable[[str], list[str]]

    def settings(self, backend_options: dict[str, Any], given: Mapping[str, Any], *others: str) -> dict[str, Any]:
        """Return all options with an effect, checked: `given` overrides the options of the backend.

        What else may be meant by a name that is not known is among `others`.

        Raises
        ------
        UnknownOptionError
            For an unknown option.
        OptionValueError
            For a value that an option cannot have, and options that exclude each other.
        """
        given = {name: value for name, value in given.items() if not _means_default(name, value)}
        settings = self.with_effect({**backend_options, **given})
        changed = {}
        for name, value in settings.items():
            if name not in self.defaults:
                raise UnknownOptionError(self.unknown_option(name, *others))
            if value is not self.defaults[name]:
                changed[name] = value
        settings |= check_options(changed)
        if settings.get("array") is ArrayPlace.DEVICE and settings["checkpoint_dir"] is not None:
            raise OptionValueError("A job saved in checkpoint_dir returns its states on the host: leave out array.")
        check_spill(settings)
        check_saving(settings)
        return settings

    def with_effect(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return options without those that are accepted and ignored, once their values are accepted."""
        options = without_foreign_options(options, self.methods, self.defaults)
        if self.ignored.isdisjoint(options):
            return options
        ignored = {name: options[name] for name in self.ignored.intersection(options)}
        check_options({name: value for name, value in ignored.items() if not _means_default(name, value)})
        return {name: value for name, value in options.items() if name not in self.ignored}

    def checked_for_backend(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return new values for the options of a backend, checked; of options that are ignored only the check remains.

        Raises
        ------
        UnknownOptionError
            For an unknown option.
        OptionValueError
            For a value that an option cannot have.
        """
        options = self.with_effect(dict(options))
        for name in options:
            if name not in self.defaults:
                raise UnknownOptionError(self.unknown_option(name))
        checked = check_options(
            {name: self.defaults[name] if _means_default(name, value) else value for name, value in options.items()}
        )
        if checked.get("distributed"):
            raise OptionValueError("distributed is given to run(), not to a backend, since all ranks run it together.")
        return checked

    def unknown_option(self, name: str, *more: str) -> str:
        """Return the sentence for an option that this simulator does not have."""
        if name in _DICTIONARIES:
            return f"{self.simulator} has no option '{name}': give each option by itself, as in run(circuit, shots=10)."
        others = self.simulators_with(name)
        if others:
            return f"{self.simulator} has no option '{name}': it is one of {' and '.join(others)}."
        return unknown_name(f"option of {self.simulator}", name, {*self.defaults, *more}, ACCEPTED_NAMES | self.ignored)


def places_elsewhere(
    settings: Mapping[str, Any], predicted: Callable[[str, int], float | None] = lambda _place, _size: None
) -> Callable[[int], Iterator[str]]:
    """Return what yields remedies by which a state of so many bytes would be spilled, if ``spill`` is free for that.

    Parameters
    ----------
    predicted
        Returns how many seconds the circuit would take with a value of ``spill`` and so many bytes there; None if that
        is not known.
    """
    on_gpu = settings["device"] is DeviceChoice.GPU

    def places(size: int) -> Iterator[str]:
        is_free = "spill" in settings and settings["spill"] is None and _runs_circuits_in_turn(settings)
        if not is_free or _leads_to_ranks(settings):
            return
        if on_gpu and settings["checkpoint_dir"] is None and size <= free_host_bytes():
            yield f"spill='{HOST_MEMORY}' keeps it in the host's memory{_in_about(predicted(HOST_MEMORY, size))}"
        if not why_no_files():
            device = "device='CPU' with " if on_gpu else ""
            yield f"{device}spill=FOLDER keeps it in a file of {readable(size)}{_in_about(predicted('.', size))}"

    return places


def _in_about(seconds: float | None) -> str:
    return "" if seconds is None else f" (about {duration(seconds)})"


def check_spill(settings: Mapping[str, Any]) -> None:
    """Refuse what cannot be done with a spilled state, if ``spill`` is among checked options."""
    spill, on_gpu = settings.get("spill"), settings["device"] is DeviceChoice.GPU
    if spill is None:
        return
    if settings["distributed"]:
        raise OptionValueError("The states of several ranks are in memory: leave out spill, or distributed.")
    if isinstance(settings["executor"], RankPool):
        raise OptionValueError("The states of a RankPool are in memory: leave out spill, or executor.")
    if spill == HOST_MEMORY and not on_gpu:
        raise OptionValueError(
            f"spill='{HOST_MEMORY}' is for states on a GPU, as those on the CPU are in the host's memory: give "
            "device='GPU', or a folder."
        )
    if spill == HOST_MEMORY and settings["checkpoint_dir"] is not None:
        raise OptionValueError(
            f"A state with spill='{HOST_MEMORY}' is not saved while it runs: leave out checkpoint_dir, or take a "
            "folder and device='CPU'."
        )
    if spill != HOST_MEMORY and on_gpu:
        raise OptionValueError(
            f"A folder in spill is for states on the CPU: leave out device='GPU', or give spill='{HOST_MEMORY}'."
        )
    if not _runs_circuits_in_turn(settings):
        raise OptionValueError(
            "With spill, circuits run one after another, as each takes memory for its chunks: leave out "
            "max_parallel_experiments and give one of target_gpus at most, or leave out spill."
        )


def _runs_circuits_in_turn(settings: Mapping[str, Any]) -> bool:
    return settings["max_parallel_experiments"] == 1 and len(settings.get("target_gpus") or (0,)) == 1


def _leads_to_ranks(settings: Mapping[str, Any]) -> bool:
    return bool(settings["distributed"]) or isinstance(settings["executor"], RankPool)


def _means_default(name: str, value: Any) -> bool:
    """Tell whether a value is None for an option where other simulators take None as their default."""
    return value is None and name in _NONE_IS_DEFAULT
