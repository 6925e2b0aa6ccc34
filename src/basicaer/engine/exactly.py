"""Runs that follow every outcome with its probability, beside those that draw outcomes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from basicaer.engine.execute import execute
from basicaer.engine.program import OverShots, Save, SavedQuantity, changed
from basicaer.engine.splitting import NoRoomError
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from basicaer.engine.device import Device
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.plan import Planner
    from basicaer.engine.planning import NumbersOf
    from basicaer.engine.request import Request

__all__ = ["mean_values", "outcome_probabilities"]

_MOST_CUT = 1e-9  # Largest total probability of outcomes that are not followed.


def outcome_probabilities(
    request: Request, device: Device, planner: Planner, monitor: Monitor, *, numbers_of: NumbersOf | None = None
) -> dict[int, float]:
    """Return the exact probability of each value that the classical bits can have at the end of a program.

    Raises
    ------
    BasicAerError
        If there are too many outcomes, or too much of the probability belongs to those that are too unlikely to be
        followed.
    """
    program = request.program
    outcomes_save = program.outcomes_save
    assert outcomes_save is not None  # callers make sure of it  # noqa: S101
    exact = _exactly(request, (outcomes_save,))
    try:
        outcome = execute(exact, device, planner, monitor.silent(), numbers_of=numbers_of)
    except NoRoomError as error:
        raise BasicAerError(
            f"Circuit '{program.name}' has too many outcomes of its measurements to follow each of them, as "
            f"{outcomes_save.form} asks; remove that instruction, and estimate the probabilities from the counts."
        ) from error
    if outcome.cut > _MOST_CUT:
        raise BasicAerError(
            f"Circuit '{program.name}' has so many unlikely outcomes that {outcome.cut:.1g} of the probability is lost "
            f"to {outcomes_save.form}; remove that instruction, and estimate the probabilities from the counts."
        )
    return dict(zip(outcome.values, outcome.counts, strict=True))


def mean_values(
    request: Request, device: Device, planner: Planner, monitor: Monitor, *, numbers_of: NumbersOf | None = None
) -> dict[str, dict[int, Any]]:
    """Return the exact values of those saves that keep the mean over all shots, as `Outcome.saved` has them.

    Only those are left out that take it of numbers for which the mean over states is not that of the mean state, and
    all of them if a run has too many outcomes to follow each.
    """
    saves = tuple([save for save in request.program.saves if _is_mean(save)])
    if not saves:
        return {}
    try:
        outcome = execute(_exactly(request, saves), device, planner, monitor.silent(), numbers_of=numbers_of)
    except NoRoomError:
        return {}
    return outcome.saved if outcome.cut <= _MOST_CUT else {}


def _is_mean(save: Save) -> bool:
    is_linear = save.quantity not in {SavedQuantity.VARIANCE, SavedQuantity.OUTCOMES}
    return save.over_shots is OverShots.MEAN and is_linear and not save.conditional


def _exactly(request: Request, saves: tuple[Save, ...]) -> Request:
    """Return the request for an exact run of a program that has no other saves, which might keep branches apart."""
    program = request.program
    if program.saves != saves:
        body = changed(program.body, lambda one: None if isinstance(one, Save) and one not in saves else one)
        program = replace(program, body=body, saves=saves)
    return replace(
        request, program=program, shots=1, seed=0, exact=True, keep_order=False, keep_state=False, on_device=False
    )
