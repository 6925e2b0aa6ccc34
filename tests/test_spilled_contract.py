"""What every device's state promises, tested on states that are spilled: the tests of all devices, on tiny chunks."""

import pytest

from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.shape import TileShape
from basicaer.devices.spilled.device import SpilledDevice
from basicaer.devices.spilled.state import SpilledState
from basicaer.errors import BasicAerError
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages
from conftest import TINY_GPUS
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
    test_gates_wider_than_a_block,
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

COSTLY = {
    test_expectation_values_of_many_products_at_once,
    test_expectation_values_of_products_of_paulis,
    test_gates_of_every_form_on_many_orders_of_qubits,
    test_matrices_need_not_be_unitary,
    test_probabilities_of_some_qubits,
    test_probability_and_collapse_of_every_qubit,
}


def pytest_generate_tests(metafunc):
    """Run in one precision what takes long, since a chunk is computed as its device does; others in both."""
    if "precision" in metafunc.fixturenames:
        precisions = [Precision.DOUBLE] if metafunc.function in COSTLY else list(Precision)
        metafunc.parametrize("precision", precisions, indirect=True, ids=str)


@pytest.fixture
def precision(request):
    return request.param


SMALLEST_SHAPES = dict.fromkeys(Precision, TileShape(3, 1, 1))


@pytest.fixture(params=["file", *TINY_GPUS])
def device(request, tmp_path):
    """A device whose chunks and tiles are so small that there are several, and each chunk takes several passes."""
    if request.param == "file":
        cpu = NumpyDevice(threads=1, tile_qubits=2)
        return SpilledDevice(tmp_path, plan_segment, plan_stages, device=cpu, chunk_qubits=3)
    gpu = CupyDevice(cupy=TINY_GPUS[request.param]().card.cupy, shapes=SMALLEST_SHAPES)
    return SpilledDevice(None, plan_segment, plan_stages, device=gpu, chunk_qubits=3)


@pytest.fixture
def most_orders():
    """Few: what is here does no arithmetic, and what does is tested with its device."""
    return 3


@pytest.fixture
def block_size():
    """Nothing: in how large blocks a chunk is gone through is tested with its device."""


@pytest.fixture(autouse=True)
def skip_what_is_refused(monkeypatch):
    """Some gates are wider than a chunk."""

    def skipping(method):
        def run(self, *arguments, **keywords):
            try:
                return method(self, *arguments, **keywords)
            except BasicAerError as error:
                if "definition by smaller ones" in str(error) or "prepare them first" in str(error):
                    pytest.skip(str(error))
                raise

        return run

    for name in ("run", "prepare"):
        monkeypatch.setattr(SpilledState, name, skipping(getattr(SpilledState, name)))
