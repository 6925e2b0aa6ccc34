"""The memory of states on a GPU: what a user keeps of CuPy's pool, or of a result, is in nobody's way."""

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import reference
from basicaer.devices.gpu import memory
from basicaer.devices.gpu.device import CupyDevice
from basicaer.errors import DeviceFailedError
from basicaer.options import Precision
from emulated_gpu.building import why_unavailable
from emulated_gpu.stand_in import EmulatedCupy

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=f"kernels cannot run here: {why_unavailable()}")

N = 12
STATE_BYTES = 16 * 2**N
ROOM = 2**14  # bytes for what a run uploads


@pytest.fixture
def device(monkeypatch):
    """A card with room for a single state, which takes a block of its own."""
    monkeypatch.setattr(memory, "_SMALLEST_BLOCK", STATE_BYTES // 4)
    monkeypatch.setattr(memory, "_KEPT_SHARE", 1)
    cupy = EmulatedCupy()
    cupy.gpu.total_bytes = STATE_BYTES + ROOM
    return CupyDevice(cupy=cupy)


def state_of(device, n=N):
    return device.new_state(n, Precision.DOUBLE)


def is_free(device, wanted):
    """Whether so many bytes are free, apart from the little that the pool keeps of what runs upload."""
    return wanted - 2**12 < device.card.free_bytes() <= wanted


def address(state):
    return state._vector.data.ptr


def test_a_small_array_that_a_user_keeps_leaves_room_for_a_state(device):
    card = device.card
    state_of(device).release()
    with card.queue("").working(""):
        kept = card.cupy.empty(10)
    assert card.free_bytes() == STATE_BYTES + ROOM - 512
    state = state_of(device)
    with pytest.raises(DeviceFailedError, match="ran out of memory while making a state"):
        state_of(device)
    assert kept.size == 10
    assert np.allclose(state.amplitudes(), reference.zero(N))


def test_what_a_small_array_holds_of_the_pool_does_not_count_as_free(device):
    card = device.card
    with card.queue("").working(""):
        large = card.cupy.empty(STATE_BYTES // 2, np.uint8)
        del large
        kept = card.cupy.empty(10)  # from the same piece
    assert card.cupy.get_default_memory_pool().free_bytes() == STATE_BYTES // 2 - 512
    assert card.free_bytes() == STATE_BYTES // 2 + ROOM
    with pytest.raises(DeviceFailedError, match="ran out of memory"):
        state_of(device)
    del kept
    assert card.free_bytes() == STATE_BYTES + ROOM
    state_of(device)


def test_the_block_of_a_state_is_used_again_and_counts_as_free(device):
    state = state_of(device)
    first = address(state)
    assert device.card.free_bytes() <= ROOM
    state.release()
    assert is_free(device, STATE_BYTES + ROOM)
    live = device.card.cupy.gpu.live_bytes
    again = state_of(device)
    assert address(again) == first
    assert device.card.cupy.gpu.live_bytes - live < 512


def test_a_block_that_is_kept_gives_way_to_what_is_larger(device):
    state_of(device, N - 1).release()
    assert is_free(device, STATE_BYTES + ROOM)
    assert np.allclose(state_of(device).amplitudes(), reference.zero(N))


def test_a_block_that_is_kept_is_not_spent_on_a_state_of_less_than_half_its_size(device):
    state_of(device).release()
    state = state_of(device, N - 2)  # there is no room beside the block, which is then freed
    assert is_free(device, STATE_BYTES * 3 // 4 + ROOM)
    state.release()
    device.card.cupy.gpu.total_bytes *= 2
    small = state_of(device, N - 2)
    large = state_of(device)
    large.release()
    assert address(state_of(device, N - 1)) != address(small)


def test_only_a_part_of_the_card_is_kept(monkeypatch):
    monkeypatch.setattr(memory, "_SMALLEST_BLOCK", 2**10)
    cupy = EmulatedCupy()
    cupy.gpu.total_bytes = 16 * STATE_BYTES
    device = CupyDevice(cupy=cupy)
    before = cupy.gpu.live_bytes
    state_of(device, N + 1).release()
    gc.collect()
    assert cupy.gpu.live_bytes == before
    state_of(device).release()
    gc.collect()
    assert cupy.gpu.live_bytes == before + STATE_BYTES


def test_a_state_that_another_thread_gets_waits_for_what_was_sent_for_the_last_one(device):
    def make():
        state_of(device)
        stream = device.card.queue("")._stream
        return stream, stream.launched - stream.finished

    def in_another_thread(call):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(call).result()

    stream, waiting = in_another_thread(make)
    gc.collect()
    assert waiting == stream.launched - stream.finished > 0
    in_another_thread(make)
    assert stream.launched == stream.finished


@pytest.mark.parametrize("n", [3, N])
def test_the_memory_of_a_result_goes_to_the_driver_not_to_the_next_state(device, n):
    cupy = device.card.cupy
    state_of(device, n).release()
    state = state_of(device, n)
    array = state.device_array()
    assert np.allclose(array.get(), reference.zero(n))
    live = cupy.gpu.live_bytes
    used = cupy.get_default_memory_pool().used_bytes()
    del array
    gc.collect()
    assert live - cupy.gpu.live_bytes == 16 * 2**n
    assert cupy.get_default_memory_pool().used_bytes() == used


def test_the_states_of_jobs_before_it_do_not_stand_in_a_new_jobs_way(device):
    """Jobs on a card run one by one; what was handed over to a user stays."""
    state = state_of(device)
    assert device.free_bytes() <= ROOM
    assert device.expected_free_bytes() >= STATE_BYTES
    array = state.device_array()
    assert device.expected_free_bytes() <= ROOM
    del array


def test_an_error_that_is_no_lack_of_memory_is_not_taken_for_one(device):
    device.card.cupy.gpu.errors_stick = True
    device.card.cupy.gpu.fail_launch(1, late=False)
    with pytest.raises(DeviceFailedError, match="failed while making a state"):
        state_of(device)
    with pytest.raises(DeviceFailedError, match="failed while making a state"):
        state_of(device)
