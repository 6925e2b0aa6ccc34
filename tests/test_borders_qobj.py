"""A small valid Qobj with any of its fields replaced by a value of any odd kind: it runs, or is refused in words."""

import copy

import pytest

from basicaer import BasicAer, BasicAerError
from odd_values import ODD_VALUES
from qobjs import instruction, one

# Among the default tests one in three, and what was once let through.
OFTEN = {*list(ODD_VALUES)[::3], "10**400", "10**5000", "nan", "set", "bytes", "open controls", "array of objects"}
H = [[0.5**0.5, 0.0], [0.5**0.5, 0.0]]
SMALL = {
    "qobj_id": "small",
    "schema_version": "1.3.0",
    "type": "QASM",
    "header": {"backend": "any"},
    "config": {"shots": 5, "memory": True, "memory_slots": 2, "n_qubits": 2, "seed_simulator": 1},
    "experiments": [
        {
            "header": {
                "name": "all",
                "n_qubits": 2,
                "memory_slots": 2,
                "global_phase": 0.5,
                "creg_sizes": [["c", 2]],
                "qubit_labels": [["q", 0], ["q", 1]],
                "metadata": {"mine": [1]},
            },
            "config": {"shots": 3, "n_qubits": 2, "memory_slots": 2, "precision": "double", "device": "CPU"},
            "instructions": [
                {"name": "rx", "qubits": [0], "params": [0.25]},
                {"name": "cx_o0", "qubits": [0, 1]},
                {"name": "unitary", "qubits": [0], "params": [[[[0.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]]]},
                {"name": "diagonal", "qubits": [1], "params": [[1.0, 0.0], [0.0, 1.0]]},
                {"name": "pauli", "qubits": [0, 1], "params": ["XY"]},
                {"name": "permutation", "qubits": [0, 1], "params": [1, 0]},
                {"name": "initialize", "qubits": [0], "params": [[1.0, 0.0], [0.0, 0.0]]},
                {"name": "measure", "qubits": [0], "memory": [0], "register": [0]},
                {"name": "bfunc", "mask": "0x3", "relation": "==", "val": "0x1", "register": 2, "memory": 1},
                {"name": "x", "qubits": [1], "conditional": 2},
                {"name": "x", "qubits": [1], "conditional": {"type": "equals", "mask": "0x1", "val": "0x1"}},
                {"name": "reset", "qubits": [0]},
                {"name": "barrier", "qubits": [0, 1], "label": "here"},
                {"name": "u0", "qubits": [0], "params": [1]},
            ],
        }
    ],
}


def places(value, path=()):
    """The path of every field, and of every item of a list."""
    if path:
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield from places(item, (*path, key))


def replaced(path, value):
    qobj = copy.deepcopy(SMALL)
    part = qobj
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return qobj


PLACES = list(places(SMALL))


def runs_or_refuses(qobj, **options):
    try:
        BasicAer.get_backend("qasm_simulator").run(qobj, **options).result(timeout=60)
    except BasicAerError as error:
        message = error.message
    else:
        return None
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 1000
    return message


def test_the_small_one_is_valid():
    assert runs_or_refuses(SMALL) is None


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in OFTEN else pytest.mark.slow) for name in ODD_VALUES]
)
def test_any_value_in_any_place(name):
    for path in PLACES:
        runs_or_refuses(replaced(path, ODD_VALUES[name]()))


@pytest.mark.parametrize("key", [None, 3, ("a",), "", "\ud800", 1.5, float("nan"), b"x"], ids=repr)
def test_any_key_besides_the_known_ones(key):
    for path in [(), *PLACES]:
        qobj = copy.deepcopy(SMALL)
        part = qobj
        for step in path:
            part = part[step]
        if isinstance(part, dict):
            part[key] = {key: [key]}
            runs_or_refuses(qobj)


HUGE = (10**6 + 1, 10**9, 10**12, 1e12, 10**400)


@pytest.mark.parametrize("size", HUGE)
@pytest.mark.parametrize("simulator", ["qasm_simulator", "statevector_simulator", "unitary_simulator"])
def test_sizes_are_checked_before_anything_of_that_size_is_made(simulator, size):
    gate = instruction("x", 0)
    too_large = {
        "n_qubits": [one(gate, n_qubits=size), with_header(gate, n_qubits=size), of_own(gate, n_qubits=size)],
        "memory_slots": [
            one(gate, memory_slots=size),
            with_header(gate, memory_slots=size),
            of_own(gate, memory_slots=size),
        ],
    }
    for what, qobjs in too_large.items():
        for qobj in qobjs:
            with pytest.raises(BasicAerError) as caught:
                BasicAer.get_backend(simulator).run(qobj)
            assert f"as {what}; at most 1000000 are possible." in caught.value.message
            assert caught.value.message.startswith("Experiment '")


def with_header(gate, **keys):
    return qobj_of_one({"instructions": [gate], "header": keys})


def of_own(gate, **keys):
    return qobj_of_one({"instructions": [gate], "config": keys})


def qobj_of_one(item):
    return {**SMALL, "config": {"shots": 3}, "experiments": [item]}


@pytest.mark.parametrize("size", HUGE)
def test_numbers_of_qubits_and_slots_that_instructions_use_are_checked_too(size):
    for used, words in (
        (named("x", qubits=[size]), "as n_qubits; at most 1000000"),
        (named("measure", qubits=[0], memory=[size]), "as memory_slots; at most 1000000"),
        (named("measure", qubits=[0], memory=[0], register=[size]), "uses a register slot, mask or value"),
        (named("x", qubits=[0], conditional=size), "uses a register slot, mask or value"),
        (named("bfunc", mask="0x1", relation="==", val="0x1", register=size), "uses a register slot, mask"),
    ):
        with pytest.raises(BasicAerError) as caught:
            BasicAer.get_backend("qasm_simulator").run(qobj_of_one({"instructions": [used]}))
        assert words in caught.value.message


def named(name, **keys):
    return {"name": name, **keys}


@pytest.mark.parametrize("digits", [10**6, 10**7])
def test_masks_and_values_of_enormous_length(digits):
    long = "0x" + "f" * digits
    for item in (
        {"name": "bfunc", "mask": long, "relation": "==", "val": "0x1", "register": 0},
        {"name": "bfunc", "mask": "0x1", "relation": "==", "val": long, "register": 0},
        instruction("x", 0, conditional={"mask": long, "val": "0x1"}),
        instruction("x", 0, conditional={"mask": "0x1", "val": long}),
    ):
        with pytest.raises(BasicAerError, match=r"instruction 0 of experiment 'experiment 0'.* at most so many are"):
            BasicAer.get_backend("qasm_simulator").run(qobj_of_one({"instructions": [item]}))


def test_the_largest_sizes_run():
    full = "0x" + "f" * 249_999
    items = [
        instruction("x", 999_999),
        instruction("measure", 999_999, memory=[999_999], register=[0]),
        {"name": "bfunc", "mask": full, "relation": "==", "val": "0x1", "register": 1},
        instruction("x", 3, conditional=1),
        instruction("x", 3, conditional={"mask": full, "val": "0x0"}),
        instruction("measure", 3, memory=[0]),
    ]
    qobj = one(*items, n_qubits=10**6, memory_slots=10**6)
    counts = BasicAer.get_backend("qasm_simulator").run(qobj, shots=2).result().results[0].data.counts
    assert counts == {hex(2**999_999): 2}


@pytest.mark.parametrize("name", ["x_o", "cx_o", "mcx_o"])
def test_states_of_controls_of_any_length(name):
    for digits in (3, 400, 4000, 5000, 10**6):
        with pytest.raises(BasicAerError, match=r"instruction 0 of experiment 'experiment 0'") as caught:
            BasicAer.get_backend("qasm_simulator").run(one(instruction(name + "1" * digits, 0, 1)))
        assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("path", "name", "words"),
    [
        (("config", "shots"), "10**5000", "Experiment 0 of the Qobj cannot be read|shots must be a whole number"),
        (("experiments", 0, "instructions", 0, "params", 0), "10**400", "'rx' (instruction 0 of experiment 'all')"),
        (("experiments", 0, "instructions", 2, "params", 0, 0, 0, 0), "10**400", "'unitary' (instruction 2 of"),
        (("experiments", 0, "instructions", 0, "params", 0), "set", "at experiments[0].instructions[0].params[0]"),
        (("experiments", 0, "instructions", 0, "qubits"), "set", "at experiments[0].instructions[0].qubits"),
        (("experiments", 0, "header", "global_phase"), "10**400", "experiment 'all'"),
    ],
)
def test_experiment_and_instruction_are_named(path, name, words):
    message = runs_or_refuses(replaced(path, ODD_VALUES[name]()))
    assert any(part in message for part in words.split("|"))
