"""Binds a plan to the layout of a state, and then to numbers of its gates, which makes passes that are ready to run.

A `Recipe` has all that depends on the structure of the gates and on the layout. It is bound to one set of numbers, or
to many at once for as many states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.bound_plans import BoundPlans
from basicaer.devices.cpu.arrangement import arranged
from basicaer.devices.cpu.binding import PassBinding
from basicaer.devices.cpu.blas import has_small_kernels
from basicaer.devices.cpu.set_numbers import Chains, SetNumbers
from basicaer.devices.cpu.undoing import UndoneRecipe
from basicaer.devices.numbers import ListedGates, PlanGates
from basicaer.engine.bits import inverse_positions
from basicaer.engine.plan import Product

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from basicaer.devices.cpu.binding import PassRecipe
    from basicaer.devices.cpu.tiles import BoundPass
    from basicaer.devices.cpu.undoing import UndonePass
    from basicaer.engine.device import Generators, SegmentBatch
    from basicaer.engine.plan import Plan
    from basicaer.engine.program import Segment

__all__ = ["Bound", "Recipe", "Wires", "bind_reordering", "first_places", "recipe_for", "recipe_to_undo"]


class Wires(NamedTuple):
    """The layout of a state: ``place[w]`` is the index bit that wire w is, and the wires `zero` are still |0>."""

    place: tuple[int, ...]
    zero: frozenset[int]

    def of_qubits(self, wire_of: Sequence[int]) -> Wires:
        """Return the same by qubits, after a plan that leaves qubit q on ``wire_of[q]``."""
        place = tuple([self.place[wire] for wire in wire_of])
        return Wires(place, frozenset(q for q, wire in enumerate(wire_of) if wire in self.zero))


class Bound(NamedTuple):
    """A plan's passes, ready to run, and the wires after each."""

    passes: tuple[BoundPass, ...]
    after: tuple[Wires, ...]


def first_places(plan: Plan) -> tuple[int, ...]:
    """Return the index bit that each wire should be when the first pass begins, if all wires are |0>."""
    first = plan.passes[0]
    products = [step for step in first.steps if isinstance(step, Product)]
    needed = [(step.wires, [wire for wire in step.selectors if wire in first.tile]) for step in products]
    order = arranged(first.tile, needed[:1] if has_small_kernels() else needed) if needed else list(first.tile)
    return tuple(inverse_positions(plan.wires_in_order(order)))


class Recipe:
    """A plan that is bound to the layout of a state, but for the numbers.

    Parameters
    ----------
    template
        A segment that the plan was made for. Others may have other numbers, but real ones where it has real ones.
    place
        ``place[w]`` is the index bit that wire w is.
    zero
        Wires that are |0>.
    done
        How many passes have been run already; these are left out.
    poll
        Called before each pass.

    Attributes
    ----------
    start, after
        The wires before the first pass, and after each.
    """

    def __init__(  # noqa: PLR0917  # what a plan is bound to
        self,
        plan: Plan,
        template: Segment,
        place: Sequence[int],
        zero: frozenset[int],
        dtype: np.dtype[Any],
        done: int = 0,
        poll: Callable[[], None] = lambda: None,
    ) -> None:
        self._dtype = dtype
        self._gates = PlanGates(plan, template)
        self._chains = Chains(self._gates)
        self._passes: list[PassRecipe] = []
        self.start = Wires(tuple(place), zero)
        after: list[Wires] = []
        place = list(place)
        for number, current in enumerate(plan.passes[done:], done):
            poll()
            following = plan.passes[number + 1] if number + 1 < len(plan.passes) else None
            binding = PassBinding(current.tile, place, dtype, self._chains)
            binding.add(current.steps, self._gates)
            binding.write_back(following)
            self._passes.append(binding.recipe(zero))
            binding.move(place)
            if zero:
                zero -= plan.taken_out_of_zero(current)
            after.append(Wires(tuple(place), zero))
        self.after = tuple(after)
        self._undone: dict[frozenset[tuple[int, bool]], list[UndoneRecipe]] = {}

    def bound(self, segments: SegmentBatch | None = None, poll: Callable[[], None] = lambda: None) -> Bound:
        """Return the passes with the numbers of segments, one for each state; of the template if None are given."""
        numbers = SetNumbers(self._gates, segments)
        blocks = self._chains.matrices(numbers)
        passes = []
        for recipe in self._passes:
            poll()
            passes.append(recipe.bound(numbers, blocks, self._dtype))
        return Bound(tuple(passes), self.after)

    def undone(self, bound: Bound, segments: SegmentBatch, generators: Generators) -> list[UndonePass]:
        """Return what undoes the passes, the last one first.

        Parameters
        ----------
        bound
            The passes with the numbers of segments.
        generators
            Those of the gates of a segment whose sums are wanted.
        """
        numbers, plan = SetNumbers(self._gates, segments), self._gates.plan
        own = {number: generators[origin] for number, origin in enumerate(plan.origins) if origin in generators}
        # Of generators that are given as real numbers, only the real part of the sums is wanted.
        recipes = self._undone_recipes({number: not any(map(np.iscomplexobj, some)) for number, some in own.items()})
        undone = [recipe.bound(whole, numbers, own) for recipe, whole in zip(recipes, bound.passes, strict=True)]
        undone.reverse()
        return undone

    def _undone_recipes(self, wanted: dict[int, bool]) -> list[UndoneRecipe]:
        key = frozenset(wanted.items())
        known = self._undone.get(key)
        if known is None:
            befores = [self.start, *self.after[:-1]]
            known = [
                UndoneRecipe(recipe, (before.zero, after.zero), self._gates, wanted)
                for recipe, before, after in zip(self._passes, befores, self.after, strict=True)
            ]
            self._undone = {key: known}  # one is enough, since the same gates are wanted again and again
        return known


_recipes: BoundPlans[Recipe] = BoundPlans(64)


def recipe_for(
    plan: Plan,
    template: Segment,
    to: tuple[tuple[int, ...], frozenset[int], np.dtype[Any], int],
    poll: Callable[[], None],
) -> Recipe:
    """Return the recipe for a template that others will share; `to` has the arguments from `place` to `done`."""
    return _recipes.bound(plan, template, to, lambda: Recipe(plan, template, *to, poll))


def recipe_to_undo(
    plan: Plan, template: Segment, start: Wires, dtype: np.dtype[Any], poll: Callable[[], None]
) -> Recipe:
    """Return the recipe by which a whole plan was run that began with some wires, as `NumpyState.run` does."""
    place, zero = start
    if len(zero) == len(place):
        place = first_places(plan)
    return recipe_for(plan, template, (place, zero, dtype, 0), poll)


def bind_reordering(places: Sequence[int], place: list[int], home: Sequence[int], dtype: np.dtype[Any]) -> BoundPass:
    """Return the pass that moves the wires at the index bits `places` to their homes, and update `place`.

    A wire whose home is not among `places` moves to any of them.
    """
    wire_at = inverse_positions(place)
    none = ListedGates([])
    binding = PassBinding([wire_at[p] for p in places], place, dtype, Chains(none))
    binding.go_home(home)
    bound = binding.recipe(frozenset()).bound(SetNumbers(none), {}, dtype)
    binding.move(place)
    return bound
