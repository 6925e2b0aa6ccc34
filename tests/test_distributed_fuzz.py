"""Random programs do the same on several ranks as in one process, or are refused there with what would work."""

import os

import pytest

from basicaer import BasicAer
from basicaer.devices.distributed import device as distributed_device
from basicaer.errors import BasicAerError
from random_programs import program
from thread_ranks import comms, on_ranks

MANY = int(os.environ.get("BASICAER_FUZZED", "2000")) // 4
REFUSED = ("run it on at most", "cannot be prepared behind other gates")  # since states are so small

pytestmark = pytest.mark.filterwarnings("ignore::basicaer.errors.BasicAerWarning")


@pytest.fixture(autouse=True)
def small_states_are_divided(monkeypatch):
    monkeypatch.setattr(distributed_device, "_SMALLEST_DIVIDED", 0)


def outcomes(result):
    return [(one.data.counts, one.data.memory) for one in result.results]


def same_on(ranks, number):
    """Whether a program ran on ranks, rather than being refused; fail if any rank differs from one process."""
    drawn, backend = program(number), BasicAer.get_backend("qasm_simulator")
    options = {"shots": 40, "seed_simulator": number, "memory": True}
    if drawn.sets[0]:
        options["parameter_binds"] = [drawn.binds]
    want = outcomes(backend.run(drawn.circuit, **options).result())

    def of_rank(comm):
        return outcomes(backend.run(drawn.circuit, distributed=comm, **options).result())

    done = on_ranks(comms(ranks), of_rank)
    if all(isinstance(one, BasicAerError) and any(words in str(one) for words in REFUSED) for one in done):
        return False
    assert done == [want] * ranks, number
    return True


@pytest.mark.parametrize("ranks", [2, 4])
def test_some_programs_do_the_same(ranks):
    assert sum(same_on(ranks, number) for number in range(12)) > 7


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 4])
def test_many_programs_do_the_same(ranks):
    assert sum(same_on(ranks, number) for number in range(12, 12 + MANY)) > 0.6 * MANY
