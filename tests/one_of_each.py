"""Launches every kernel, with every kind of operation, on states of a real size; compute-sanitizer watches it run."""

import sys

import numpy as np

import reference
from basicaer.devices.gpu.device import CupyDevice
from basicaer.engine.program import Form, Gate, Segment
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment

N_QUBITS = 14


def gates():
    """Return gates on qubits inside and outside of a tile, each kind of operation among them."""

    def gate(form, data, targets, controls=()):
        return Gate("test", "G" * len(targets), targets, form, np.asarray(data), controls, 2 ** len(controls) - 1)

    random = np.random.default_rng(1)
    phases = np.exp(1j * random.normal(size=2**5))
    hadamard, rotation = np.array([[1, 1], [1, -1]]) / 2**0.5, np.array([[0.6, 0.8j], [0.8j, 0.6]])
    found = []
    for q in range(N_QUBITS):
        other, third = (q + 1) % N_QUBITS, (q + 6) % N_QUBITS
        found += [
            gate(Form.MATRIX, hadamard, (q,)),
            gate(Form.PERMUTATION, [1, 0], (q,), (third,)),
            gate(Form.MATRIX, hadamard, (q,)),
            gate(Form.PERMUTATION, [1, 0], (q,), (other, third)),
            gate(Form.MATRIX, rotation, (q,), (third,)),
            gate(Form.MATRIX, reference.random_unitary(2, q), (q,), (other,)),
            gate(Form.MATRIX, reference.random_unitary(4, q), (q, other)),
            gate(Form.DIAGONAL, phases[:4], (q, third)),
            gate(Form.PERMUTATION, [0, 2, 1, 3], (q, third)),
        ]
    found.append(gate(Form.DIAGONAL, phases, (0, 3, 6, 9, 13)))
    found.append(gate(Form.MATRIX, reference.random_unitary(4), (3, 8), (11,)))
    found.append(gate(Form.MATRIX, reference.random_unitary(8), (0, 5, 13), (2,)))
    found.append(gate(Form.PERMUTATION, random.permutation(8), (13, 1, 4), (2,)))
    found += [gate(Form.MATRIX, reference.random_unitary(4), (q, q + 1)) for q in range(0, 12, 2)]  # some in lanes
    return found


def differentiate(state):
    """Apply an observable, and undo gates with angles of which one is a diagonal."""
    gates = [
        Gate("ry", "G", (0,), Form.MATRIX, np.array([[0.8, -0.6], [0.6, 0.8]])),
        Gate("rzz", "ZZ", (1, 12), Form.DIAGONAL, np.exp(1j * np.array([-0.1, 0.1, 0.1, -0.1]))),
    ]
    generators = {
        0: [np.array([[[0, -0.5], [0.5, 0]]], complex)],
        1: [np.array([[-0.5j, 0.5j, 0.5j, -0.5j]])],
    }
    segment, start = Segment(tuple(gates)), state.layout()
    state.run(segment, None)
    bra = state.operated([(1, 2), (0, 5)], np.array([0.5, 1.5]))
    state.undo([bra], segment, None, start, generators)


def launch_all(device, precision):
    """Make a state do all that it can; return the square of its norm, which should be 1."""
    segment = Segment(tuple(gates()))
    plan = plan_segment(segment, N_QUBITS, device.costs(N_QUBITS, precision))
    state = device.new_state(N_QUBITS, precision)
    state.prepare((3, 1), np.array([0.5, 0.5j, -0.5, 0.5]))
    state.run(segment, plan)
    _, one = state.weights(5)
    state.collapse(5, outcome=True, probability=one)
    state.expectations([(3, 6)])
    blocks = N_QUBITS - 4
    weights = state.block_weights(blocks)
    state.block_probabilities(1, blocks)
    hit = np.flatnonzero(weights > 0)
    state.indices_of_draws(blocks, hit, weights[hit] / 2)
    state.read(np.arange(3))
    part = np.empty(2 ** (N_QUBITS - 3), state.read(np.arange(1)).dtype)
    state.read_part((0, 2), 1, 1, part)
    state.write_part((0, 2), 1, 1, part)
    batch = device.new_batch(N_QUBITS, precision, 2)
    batch.run([segment, segment], plan)
    batch.collapse(5, np.array([False, True]), batch.weights(5)[[0, 1], [0, 1]])
    batch.expectations([(3, 6)])
    differentiate(state)
    state.bring_into_order()
    norm = float(np.linalg.norm(state.copy().amplitudes()))
    state.set_identity()
    return norm**2 if len(state.amplitudes()) == 2**N_QUBITS else 0.0


if __name__ == "__main__":
    import cupy

    cupy.cuda.set_allocator(None)  # no pool: an access behind an array must not land in another one
    norms = [launch_all(CupyDevice(), precision) for precision in Precision]
    sys.exit(None if np.allclose(norms, 1, atol=1e-4) else f"the norms are {norms}")
