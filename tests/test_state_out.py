"""States that are returned where they were made: CuPy's array on a GPU, and on the CPU the state's own memory."""

import gc
import warnings

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from basicaer import BasicAerError
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.simulators import running
from conftest import DEVICES, TOLERANCE
from jobs import GUARD


def turned(n=7):
    """Gates that leave the amplitudes in another order, and an idle qubit."""
    circuit = QuantumCircuit(n, global_phase=0.2)
    for q in range(n - 1):
        circuit.ry(0.3 + q, q)
        circuit.cx(q, (q + 2) % (n - 1))
    circuit.swap(0, n - 2)
    return circuit


@pytest.fixture(params=["GPU-emulated", "GPU"])
def device(request, monkeypatch):
    device = DEVICES[request.param]()
    monkeypatch.setattr(running, "choose_device", lambda *_, **__: (device, "a test wants it"))
    return device


def test_a_gpus_state_stays_on_it(device, statevector, precision):
    circuit = turned()
    array = statevector.run(circuit, array="device", precision=precision).result(GUARD).data()["statevector"]
    assert not isinstance(array, np.ndarray)
    assert array.shape == (2**7,)
    assert array.dtype == (np.complex128 if precision == "double" else np.complex64)
    assert np.allclose(array.get(), Statevector(circuit).data, rtol=0, atol=4 * TOLERANCE[precision])


def test_its_memory_is_given_back_with_the_last_reference(device, statevector):
    emulated = getattr(device.card.cupy, "gpu", None)

    def taken():
        gc.collect()
        return emulated.live_bytes if emulated else -device.card.cupy.cuda.runtime.memGetInfo()[0]

    circuit = turned(7 if emulated else 22)  # the driver of a card has pages of 2 MiB
    statevector.run(circuit).result(GUARD)  # from now on the kernels are loaded
    before = taken()
    array = statevector.run(circuit, array="device").result(GUARD).data()["statevector"]
    assert taken() - before >= array.nbytes
    del array
    assert taken() == before


@pytest.mark.parametrize(("array", "idle"), [("host", False), ("device", False), ("device", True)])
def test_the_cpus_state_is_handed_over_uncopied_and_without_a_warning(array, idle, statevector, monkeypatch):
    made = []
    new_state = NumpyDevice.new_state

    def noted(self, *arguments):
        state = new_state(self, *arguments)
        made.append(state._vector)
        return state

    monkeypatch.setattr(NumpyDevice, "new_state", noted)
    circuit = turned(12)
    if not idle:
        circuit.h(11)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vector = statevector.run(circuit, array=array).result(GUARD).data()["statevector"]
        assert np.shares_memory(np.asarray(vector), vector)
    assert np.shares_memory(vector, made[0])
    assert vector.flags.writeable
    assert np.allclose(vector, Statevector(circuit).data)


def test_a_job_that_is_saved_returns_states_on_the_host(statevector, tmp_path):
    with pytest.raises(BasicAerError, match="returns its states on the host: leave out array"):
        statevector.run(turned(), array="device", checkpoint_dir=tmp_path / "job")
    with pytest.raises(BasicAerError, match="array must be one of 'host', 'device', not 'gpu'"):
        statevector.run(turned(), array="gpu")
