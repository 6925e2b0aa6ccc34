"""A state that does not fit one GPU is divided among those of `target_gpus`, by threads of one process."""

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest

from basicaer import BasicAer, sharing
from basicaer.devices import registry
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.distributed import device as distributed_device
from basicaer.devices.distributed.comm import Comm
from basicaer.devices.distributed.threads import on_threads
from basicaer.devices.registry import DeviceKind
from basicaer.errors import BasicAerError
from basicaer.options import DeviceChoice
from basicaer.simulators import experiments
from conftest import TINY_SHAPES, emulated_gpu
from jobs import GUARD
from test_distributed_runs import CIRCUITS, layered

ROOM = 2**9  # amplitudes that a card has room for, beside its scratch memory and the buffers of exchanges


class Card:
    """A device with little memory, which is not the host's."""

    is_host = False

    def __init__(self, number, device):
        self.number, self.device, self.states = number, device, []

    def __getattr__(self, name):
        return getattr(self.device, name)

    def free_bytes(self):
        return 16 * ROOM * 9 // 8 + 1

    expected_free_bytes = free_bytes

    def scratch_bytes(self, _precision):
        return 0

    def new_state(self, n_qubits, *arguments):
        self.states.append(n_qubits)
        return self.device.new_state(n_qubits, *arguments)


@pytest.fixture(params=["CPU", pytest.param("GPU", marks=pytest.mark.slow)])
def cards(request, monkeypatch):
    """Four cards, which are used wherever GPUs are asked for."""
    make = (lambda: emulated_gpu(TINY_SHAPES)) if request.param == "GPU" else lambda: NumpyDevice(1, tile_qubits=3)
    made = [Card(number, make()) for number in range(4)]
    kind = DeviceKind(lambda _options: "", lambda options: made[options.gpu])
    monkeypatch.setitem(registry.KINDS, DeviceChoice.GPU, kind)
    monkeypatch.setattr(distributed_device, "_SMALLEST_DIVIDED", 0)
    return made


def run(circuit, gpus, simulator="qasm_simulator", **options):
    backend = BasicAer.get_backend(simulator, device="GPU", target_gpus=gpus)
    return backend.run(circuit, **options)


def measured(n, depth=3):
    circuit = layered(n, depth)
    circuit.measure_all()
    return circuit


@pytest.mark.parametrize(("n", "used"), [(9, 1), (10, 2), (11, 4)])
def test_as_many_cards_as_are_given_share_what_one_cannot_have(n, used, cards):
    options = {"seed_simulator": 3, "shots": 200}
    want = BasicAer.get_backend("qasm_simulator").run(measured(n), device="CPU", **options).result().get_counts()
    result = run(measured(n), [0, 1, 2, 3][: max(used, 2)], **options).result()
    assert result.get_counts() == want
    assert [card.states for card in cards] == [[n - used.bit_length() + 1]] * used + [[]] * (4 - used)
    assert ("divided among" in result.results[0].metadata["device_reason"]) is (used > 1)


def test_of_three_cards_two_are_used(cards):
    run(measured(10), [0, 1, 2]).result()
    assert [bool(card.states) for card in cards] == [True, True, False, False]


def test_what_all_of_them_have_no_room_for_is_refused(cards, monkeypatch):
    monkeypatch.setattr(experiments, "seconds_if_spilled", lambda *_: None)  # nor may the host keep it
    with pytest.raises(BasicAerError, match=r"on the [CG]PU, where"):
        run(measured(26, 1), [0, 1])
    assert not any(card.states for card in cards)


@pytest.mark.parametrize("name", ["measurements, resets and control flow", "preparations"])
def test_branches_and_preparations(name, cards, monkeypatch):
    monkeypatch.setattr(Card, "free_bytes", lambda _card: 16 * 2**4 * 9 // 8 + 1)
    monkeypatch.setattr(sharing, "gpus_together", lambda *_args, **_keywords: cards[:2])
    circuit, options = CIRCUITS[name], {"seed_simulator": 3, "shots": 50}
    want = BasicAer.get_backend("qasm_simulator").run(circuit, device="CPU", **options).result().get_counts()
    assert run(circuit, [0, 1], **options).result().get_counts() == want


def test_a_whole_state_is_brought_to_the_host(cards):
    want = BasicAer.get_backend("statevector_simulator").run(layered(10)).result().get_statevector()
    got = run(layered(10), [0, 1], "statevector_simulator").result().get_statevector()
    assert np.allclose(got, want, rtol=0, atol=1e-12)
    assert cards[1].states == [9]


def test_a_job_that_is_cancelled_stops_all_threads(cards, monkeypatch):
    jobs, is_there, swaps, swap = [], threading.Event(), [], Comm.swap

    def cancelling(comm, *arguments):
        swaps.append(comm.rank)
        if len(swaps) == 5:
            is_there.wait(GUARD)
            jobs[0].cancel()
        swap(comm, *arguments)

    monkeypatch.setattr(Comm, "swap", cancelling)
    jobs.append(run(measured(10, depth=400), [0, 1]))
    is_there.set()
    with pytest.raises(CancelledError):
        jobs[0].result(GUARD)
    assert cards[0].states == cards[1].states == [9]


def test_an_error_of_one_thread_is_the_error_of_the_job(cards, monkeypatch):
    monkeypatch.setattr(cards[1], "new_state", lambda *_: (_ for _ in ()).throw(MemoryError("none")))
    with pytest.raises(BasicAerError, match="rank 1: MemoryError: none"):
        run(measured(10), [0, 1]).result()


def test_threads_return_what_the_first_makes():
    assert on_threads(4, lambda comm: sum(comm.gather(comm.rank)) * 10 + comm.rank) == 60
