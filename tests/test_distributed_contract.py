"""What every device's state promises, tested on states that are divided among ranks: the tests of all devices."""

import pytest

from basicaer.devices.cpu.device import NumpyDevice
from basicaer.errors import BasicAerError
from basicaer.options import Precision
from conftest import TINY_SHAPES, emulated_gpu
from test_device_contract import (  # noqa: F401  # they are collected here too, with the device of this module
    state_of,
    test_a_copy_is_independent,
    test_all_that_goes_through_a_state_can_be_stopped,
    test_amplitudes_are_read_and_the_state_stays,
    test_amplitudes_of_qubits_that_nothing_has_touched_are_read,
    test_block_weights_and_probabilities_are_in_logical_order_and_float64,
    test_draws_are_found_in_their_blocks,
    test_expectation_values_of_many_products_at_once,
    test_expectation_values_of_products_of_paulis,
    test_gates_of_every_form_on_many_orders_of_qubits,
    test_gates_run_in_order,
    test_gates_that_undo_each_other_leave_what_nothing_has_written_zero,
    test_identity_has_the_column_in_the_upper_qubits,
    test_load_copies,
    test_matrices_need_not_be_unitary,
    test_new_state_is_zero,
    test_precisions_have_their_types,
    test_prepare,
    test_probabilities_of_some_qubits,
    test_probability_and_collapse_of_every_qubit,
    test_weights_are_squared_norms_however_small,
)
from thread_ranks import Together, devices

# Tiles are so small that what each rank does by itself takes several passes.
RANKS = {
    "2 ranks": (2, lambda: NumpyDevice(threads=1, tile_qubits=2)),
    "4 ranks": (4, lambda: NumpyDevice(threads=1, tile_qubits=2)),
    "2 emulated GPUs": (2, lambda: emulated_gpu(TINY_SHAPES)),
}


@pytest.fixture(params=[*list(RANKS)[:2], pytest.param("2 emulated GPUs", marks=pytest.mark.slow)])
def device(request):
    """The devices of some ranks."""
    return devices(*RANKS[request.param])


@pytest.fixture(params=[Precision.DOUBLE], ids=str)
def precision(request):
    """One is enough: a rank computes as its device does."""
    return request.param


@pytest.fixture
def most_orders():
    """Few: what is here does no arithmetic, and what does is tested with its device."""
    return 3


@pytest.fixture
def block_size():
    """Nothing: in how large blocks a rank goes through its own amplitudes is tested with its device."""


@pytest.fixture(autouse=True)
def skip_what_is_refused(monkeypatch):
    """Some gates are wider than what a rank has of the small states here."""
    the_same = Together.the_same

    def skipping(self, of_ranks):
        try:
            return the_same(self, of_ranks)
        except BasicAerError as error:
            if "run it on at most" in str(error) or "cannot be prepared behind" in str(error):
                pytest.skip(str(error))
            raise

    monkeypatch.setattr(Together, "the_same", skipping)
