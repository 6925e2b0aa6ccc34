"""Gates in many passes, wide ones among them, all that can be read of a state afterwards, and sums for derivatives."""

import numpy as np

import reference
from basicaer.engine.program import Form, Gate, Segment
from basicaer.plan.planner import plan_segment
from plan_checks import in_program_order, random_gates


def circuits(n):
    """Return lists of gates: one with chains of CX between rotations, and random ones, the last of them wide."""
    flips = [Gate("cx", "X", (q + 1,), Form.PERMUTATION, np.array([1, 0]), (q,), 1) for q in range(n - 1)]
    rotation = Gate("u", "G", (0,), Form.MATRIX, reference.random_unitary(2))
    randoms = [random_gates(np.random.default_rng(seed), n, 60, widest=w) for seed, w in enumerate((2, 2, 2, 3, 4))]
    return [[rotation, *flips, rotation, *reversed(flips), rotation], *randoms]


def derivative(state, vector):
    """Return the sums for gates after the last one, as the device finds them, and what they should be.

    The gates are too wide for one transition matrix together, so that there are three.
    """
    random = np.random.default_rng(1)
    on = ((0, 1, 2), (3, 4, 5), (6, 7))
    parts = [random.normal(size=(2, 2 ** len(qubits), 2 ** len(qubits))) for qubits in on]
    generators = [real + 1j * imaginary for real, imaginary in parts]
    gates = [Gate("id", "G" * len(qubits), qubits, Form.MATRIX, np.eye(2 ** len(qubits))) for qubits in on]
    ket = state.copy()
    ket.bring_into_order()  # so that the qubits are the lowest index bits, and a tile has them all
    bra = ket.operated([(0, 5)], np.ones(1))
    found = ket.undo(
        [bra], Segment(tuple(gates)), None, ket.layout(), {g: [one[None]] for g, one in enumerate(generators)}
    )
    signed = (-1.0) ** np.bitwise_count(np.arange(len(vector)) & 5) * vector
    want = [np.vdot(signed, reference.apply(vector, one, qubits)) for one, qubits in zip(generators, on, strict=True)]
    return [found[g][0, 0, 0] for g in range(len(on))], want


def is_right(device, n, precision, tolerance=1e-8):
    """Run gates on a device; tell whether everything that is read of the state is right."""
    for seed, gates in enumerate(circuits(n)):
        segment = Segment(tuple(gates))
        state = device.new_state(n, precision)
        state.load(start := reference.random_state(n, seed))
        # Without a plan, the chains of the first circuit become parts of exchanges.
        state.run(segment, plan_segment(segment, n, device.costs(n, precision)) if seed > 0 else None)
        want = in_program_order(gates, start)
        weights = abs(want) ** 2
        products = [(x, z) for x in (0, 1, 6) for z in range(0, 2**n, 2**n // 50 | 1)]
        values = [reference.expectation(want, x, z) for x, z in products]
        middles = weights.cumsum() - weights / 2
        found = state.indices_of_draws(n, np.zeros(2**n, np.int64), middles)
        checks = [
            np.allclose(state.block_weights(1), weights.reshape(-1, 2).sum(axis=1), atol=tolerance),
            np.allclose(state.weights(6), weights.reshape(-1, 2, 2**6).sum(axis=(0, 2)), atol=tolerance),
            np.allclose(state.expectations(products), values, atol=tolerance),
            np.allclose(*derivative(state, want), atol=tolerance),
            (abs(middles[found] - middles) <= weights[found] / 2 + tolerance).all(),
            np.allclose(state.amplitudes(), want, atol=tolerance),
        ]
        if not all(checks):
            return False
    return True
