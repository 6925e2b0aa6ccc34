"""How far the times that a plan predicts are off: for the first run of a circuit, and for later ones.

The factor is the measured time by the predicted one, or the inverse if that is larger: 1 is a perfect prediction.
`extra_info` has the geometric mean of measured by predicted, which says whether the predictions are too short or long.
"""

from __future__ import annotations

import math
import statistics

import pytest
from families import FAMILIES
from harness.goals import at_most
from harness.timing import stopwatch

from basicaer import BasicAer
from basicaer.plan_view.prediction import FACTOR

GOAL = at_most(FACTOR, "as the factor by which four of five predictions are off at most")
SHOTS, ROUNDS = 100, 5


def four_of_five(factors):
    return sorted(factors)[math.ceil(0.8 * len(factors)) - 1]


@pytest.mark.parametrize("n", [6, 10, 16, 20, pytest.param(24, marks=pytest.mark.slow)])
@pytest.mark.parametrize("which", ["first", "later"])
def test_predicted_times(benchmark, judge, size, which, n):
    backend = BasicAer.get_backend("qasm_simulator")
    families = list(FAMILIES)[: size(len(FAMILIES), smallest=1)]
    warm_up = FAMILIES["ghz"](n).measure_all(inplace=False)
    warm_up.rz(0.1, 0)  # so that it is no circuit of the families
    backend.run(warm_up, shots=SHOTS).result()
    ratios = []
    for family in families:
        circuit = FAMILIES[family](n).measure_all(inplace=False)
        plan = backend.plan(circuit)
        seconds = [stopwatch(lambda circuit=circuit: backend.run(circuit, shots=SHOTS).result()) for _ in range(ROUNDS)]
        first, later = seconds[0], statistics.median(seconds[1:])
        ratios.append(first / plan.first_seconds if which == "first" else later / plan.seconds)
    benchmark.extra_info["measured by predicted"] = round(statistics.geometric_mean(ratios), 3)
    judge(GOAL, [max(ratio, 1 / ratio) for ratio in ratios], counted="families", summary=four_of_five)
    benchmark.pedantic(lambda: backend.plan(warm_up), rounds=1)
