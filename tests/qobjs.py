"""What the tests of Qobj share: short ways to write one, and to count what comes of it."""

import json

ANGLES = (0.3, -1.1, 2.7, 0.9)
ATOL = 1e-12
SHOTS = 200
IDENTITY = [[[1, 0], [0, 0]], [[0, 0], [1, 0]]]


def instruction(name, *qubits, **keys):
    return {"name": name, "qubits": list(qubits)} | keys


def experiment(*instructions, **keys):
    return {"instructions": list(instructions)} | keys


def qobj_of(*experiments, header=None, **config):
    return {
        "qobj_id": "a name",
        "schema_version": "1.3.0",
        "type": "QASM",
        "header": header or {},
        "config": {"shots": SHOTS, "n_qubits": 2, "memory_slots": 2, "seed_simulator": 7} | config,
        "experiments": list(experiments),
    }


def one(*instructions, **config):
    return qobj_of(experiment(*instructions), **config)


def measure(qubit, slot, **keys):
    return instruction("measure", qubit, memory=[slot], **keys)


def counts(backend, qobj, **options):
    """The counts of each experiment by the number that the memory holds."""
    results = backend.run(qobj, **options).result().results
    return [{int(key, 16): count for key, count in result.data.counts.items()} for result in results]


def as_json(qobj):
    return json.loads(json.dumps(qobj.to_dict()))


FULL = qobj_of(
    experiment(
        instruction("rx", 0, params=[0.5], conditional=0),
        instruction("x", 0, conditional={"mask": "0x1", "val": "0x1"}),
        instruction("measure", 0, memory=[0], register=[1]),
        {"name": "bfunc", "mask": "0x1", "relation": "==", "val": "0x1", "register": 2, "memory": 1},
        instruction("unitary", 0, params=[IDENTITY]),
        instruction("initialize", 0, params=[1, 0]),
        instruction("snapshot", label="here", snapshot_type="statevector"),
        {"name": "copy", "register_orig": [0], "register_copy": [1]},
        instruction("not_known_here", 0, 1, params=["anything"]),
        config={"shots": 10, "n_qubits": 1},
        header={
            "name": "all of it",
            "n_qubits": 2,
            "memory_slots": 2,
            "qubit_labels": [["q", 0], ["q", 1]],
            "clbit_labels": [["c", 0], ["c", 1]],
            "qreg_sizes": [["q", 2]],
            "creg_sizes": [["c", 2]],
            "global_phase": 0.25,
            "metadata": {"any": "thing"},
        },
    ),
    memory=False,
    max_credits=10,
    parameter_binds=[],
    something_else="kept",
)
