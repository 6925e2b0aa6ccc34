"""What the tests of planner and tiles share: random gates of every kind, a quicker naive application, plans replayed.

Expectations come from `applied`, which is checked against `reference.apply`; nothing here asks the planner what it
thinks of a gate, except for the numbers of gates that a plan has split.
"""

from __future__ import annotations

from functools import reduce

import numpy as np

import reference
from basicaer.devices.numbers import numbers_of
from basicaer.engine.bits import mask_of
from basicaer.engine.plan import Costs, Monomials, Product
from basicaer.engine.program import Form, Gate, Segment
from basicaer.plan.actions import pieces_of, structure
from basicaer.plan.local_wires import runnable_gates

HADAMARD = np.array([[1, 1], [1, -1]]) / np.sqrt(2)


def costs_of(tile_qubits=4, shared_qubits=1, selectors=3, widest=6):
    """Costs with the proportions of a CPU, large enough that several ways to cut a pass are tried."""
    return Costs(
        tile_qubits=tile_qubits,
        shared_qubits=shared_qubits,
        product=(0.06, 0.19, 0.21, 0.3, 0.45, 0.73, 1.33)[: widest + 1],
        rearrange=0.12,
        multiply=0.11,
        move=0.3,
        step_seconds=3e-6,
        selectors=selectors,
    )


def gate(form, data, targets, controls=(), control_state=0, *, actions=None):
    """Make a gate; it acts in no special way on its targets unless `actions` says so or its form does."""
    actions = actions or ("Z" if form is Form.DIAGONAL else "G") * len(targets)
    return Gate("test", actions, tuple(targets), form, np.asarray(data), tuple(controls), control_state)


def swap(a, b):
    return gate(Form.PERMUTATION, [0, 2, 1, 3], (a, b))


def hadamard(q):
    return gate(Form.MATRIX, HADAMARD, (q,))


def flip(q, *controls):
    """X, CX, Toffoli, ..."""
    return gate(Form.PERMUTATION, [1, 0], (q,), controls, 2 ** len(controls) - 1, actions="X")


def phase(angle, *qubits):
    return gate(Form.DIAGONAL, [1, np.exp(1j * angle)], qubits[:1], qubits[1:], 2 ** len(qubits[1:]) - 1)


def matrix_of(form, data):
    if form is Form.DIAGONAL:
        return np.diag(data)
    if form is Form.PERMUTATION:
        return np.eye(len(data))[np.argsort(data)]
    return data


def random_of_actions(random, actions):
    """A random unitary that acts on each target as its action says, and in no simpler way."""
    own = [j for j, action in enumerate(actions) if action == "G"]
    matrix = np.zeros((2 ** len(actions),) * 2, complex)
    rows = np.arange(len(matrix))
    rest = rows & ~mask_of(own)
    for value in np.unique(rest):
        block = rows[rest == value]
        matrix[np.ix_(block, block)] = reference.random_unitary(len(block), int(random.integers(2**31)))
    basis = reduce(np.kron, [HADAMARD if action == "X" else np.eye(2) for action in reversed(actions)], np.eye(1))
    return basis @ matrix @ basis


def random_gate(random, n, widest=4):
    """A gate of any form, with any actions, width and controls that n qubits have room for."""
    k = int(random.integers(1, min(n, widest) + 1))
    controls = min(n - k, int(random.choice([0, 0, 0, 1, 1, 2, 3, 4])))
    qubits = [int(q) for q in random.permutation(n)[: k + controls]]
    state = int(random.integers(2**controls))
    where = (qubits[:k], qubits[k:], state)
    match random.integers(0, 8):
        case 0:
            return swap(*qubits[:2]) if k + controls > 1 else flip(qubits[0])
        case 1 | 2:
            return gate(Form.DIAGONAL, np.exp(1j * random.uniform(-3, 3, 2**k)), *where)
        case 3:
            return gate(Form.PERMUTATION, random.permutation(2**k), *where)
        case 4:
            # On the others' every value, flips of the last target and of some more: a function of X on all of these.
            actions = "".join(random.choice(["Z", "X"], k - 1)) + "X"
            flipped = [j for j, action in enumerate(actions) if action == "X"]
            flips = random.integers(2**k, size=2**k) & mask_of(flipped)
            index = np.arange(2**k)
            return gate(Form.PERMUTATION, index ^ flips[index & ~mask_of(flipped)], *where, actions=actions)
        case 5:
            actions = "X" * k
        case 6:
            actions = "G" * k
        case _:
            actions = "".join(random.choice(["Z", "X", "G"], k - 1)) + str(random.choice(["X", "G"]))
    return gate(Form.MATRIX, random_of_actions(random, actions), *where, actions=actions)


def random_gates(random, n, size, widest=4):
    return [random_gate(random, n, widest) for _ in range(size)]


def applied(vector, matrix, targets, controls=(), control_state=0):
    """What `reference.apply` does, for all rows at once; a matrix of one axis is the diagonal of one."""
    index = np.arange(len(vector))
    on = np.ones(len(vector), bool)
    for j, q in enumerate(controls):
        on &= index // 2**q % 2 == control_state // 2**j % 2
    for q in targets:
        on &= index // 2**q % 2 == 0
    rows = [sum(reference.bit(row, j) * 2**q for j, q in enumerate(targets)) for row in range(2 ** len(targets))]
    places = index[on] + np.array(rows)[:, None]
    result = vector.astype(complex)
    result[places] = matrix @ result[places] if matrix.ndim > 1 else matrix[:, None] * result[places]
    return result


def in_program_order(gates, vector):
    for own in gates:
        matrix = own.data if own.form is Form.DIAGONAL else matrix_of(own.form, own.data)
        vector = applied(vector, matrix, own.targets, own.controls, own.control_state)
    return vector


def scheduled(plan):
    """The gates of a plan in the order in which it runs them."""
    return [number for current in plan.passes for step in current.steps for number in step.gates]


def replayed(plan, gates, vector):
    """What a plan makes of a state, its gates applied one by one in the order in which it runs them."""
    for number in scheduled(plan):
        planned = plan.gates[number]
        numbers = numbers_of(planned, gates[plan.origins[number]])
        vector = applied(
            vector, matrix_of(numbers.form, numbers.data), numbers.targets, numbers.controls, numbers.control_state
        )
    index = np.arange(len(vector))
    on_wires = sum((index // 2**q % 2 * 2**wire for q, wire in enumerate(plan.wire_of)), 0 * index)
    return vector[on_wires]


def faults(plan, gates, costs):
    """Everything that is wrong with the form of a plan, as `basicaer.engine.plan` describes it."""
    planned, origins, items, _ = pieces_of(structure(gates), plan.n_qubits)
    found = [] if (list(plan.gates), plan.origins) == (planned, origins) else ["the gates are not the segment's"]
    if sorted(scheduled(plan)) != list(range(len(planned))):
        found.append("not every gate runs exactly once")
    left = dict(enumerate(items))
    previous = None
    for number, current in enumerate(plan.passes):
        tile, here = mask_of(current.tile), f"pass {number}"
        size = min(costs.tile_qubits, plan.n_qubits)
        first = next((item.pairs for item in left.values() if item.pairs), 0)
        if list(current.tile) != sorted(set(current.tile)) or max(current.tile, default=0) >= plan.n_qubits:
            found.append(f"{here}: a tile of {current.tile}")
        if len(current.tile) != size and len(current.tile) != first.bit_count():
            found.append(f"{here}: a tile of {len(current.tile)} qubits")
        if previous is not None and (tile & previous).bit_count() < min(costs.shared_qubits, len(current.tile)):
            found += [
                f"{here}: shares too little, though {need:b} could"
                for need in runnable_gates(items, left, plan.n_qubits, len(current.tile))[0].values()
                if need and (need & previous).bit_count() + len(current.tile) - need.bit_count() >= costs.shared_qubits
            ]
        found += [f"{here}: {fault}" for step in current.steps for fault in faults_of_step(step, items, tile, costs)]
        for gate_number in [number for step in current.steps for number in step.gates]:
            left.pop(gate_number, None)
        previous = tile
    return found


def faults_of_step(step, items, tile, costs):
    own = [items[number] for number in step.gates]
    if not own:
        yield "a step without gates"
    if any(item.pairs & ~tile for item in own):
        yield "a gate pairs wires outside of the tile"
    match step:
        case Product(_, wires, selectors):
            if list(wires) != sorted(set(wires)) or list(selectors) != sorted(set(selectors)):
                yield f"wires {wires}, selectors {selectors}"
            if mask_of(wires) & mask_of(selectors) or mask_of(wires) & ~tile:
                yield "wires outside of the tile, or selectors among them"
            if any(item.pairs & ~mask_of(wires) for item in own):
                yield "a gate pairs other wires than the product's"
            if any(item.wires_mask & ~mask_of(wires + selectors) for item in own):
                yield "a gate acts on wires that are not in the product"
            if len(selectors) > costs.selectors and all(mask_of(selectors) & ~item.wires_mask for item in own):
                yield f"{len(selectors)} selectors"
            if len(wires) > max([costs.widest_product, *(item.pairs.bit_count() for item in own)]):
                yield f"a matrix on {len(wires)} wires, wider than any should be and than any gate"
        case Monomials():
            if any(item.pairs and (not item.permutes or item.wires_mask & ~tile) for item in own):
                yield "neither diagonal nor a permutation within the tile"


def differences(plan, gates, costs, seed=0):
    """Everything that is wrong with a plan: with its form, and whether it does what its gates do in program order."""
    found = faults(plan, gates, costs)
    vector = reference.random_state(plan.n_qubits, seed)
    try:
        same = np.allclose(replayed(plan, gates, vector), in_program_order(gates, vector), atol=1e-11)
    except IndexError as error:
        same, found = True, [*found, str(error)]
    return found if same else [*found, "the plan does something else than its gates in program order"]


def segment(gates):
    return Segment(tuple(gates))


def kinds_of_steps(plan):
    return {type(step) for current in plan.passes for step in current.steps}
