"""Qobj: the parts, the schema, circuits as a Qobj and back, and what each instruction of a Qobj means."""

import cmath
import itertools
import json
import operator
from concurrent.futures import Executor
from importlib import resources

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import AnnotatedOperation, ControlModifier, Gate, Instruction, Operation, library
from qiskit.circuit.classical import expr
from qiskit.providers import JobError
from qiskit.quantum_info import Clifford, Operator, SparsePauliOp, Statevector

import reference
from basicaer import BasicAer, BasicAerError, BasicAerJob
from basicaer.compile.gates import BY_NAME, GATES
from basicaer.errors import QobjValidationError
from basicaer.qobj import (
    QasmQobj,
    QasmQobjConfig,
    QasmQobjExperiment,
    QasmQobjExperimentConfig,
    QasmQobjInstruction,
    QobjExperimentHeader,
    QobjHeader,
    validate,
)
from basicaer.qobj.assembly import assemble
from basicaer.simulators import base

ANGLES = (0.3, -1.1, 2.7, 0.9)
ATOL = 1e-12
SHOTS = 200


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


# The model.

PARTS = {
    QobjHeader: {"backend_name": "qasm_simulator", "anything": [1, {"deep": None}]},
    QobjExperimentHeader: {"name": "bell", "n_qubits": 2, "creg_sizes": [["c", 2]], "metadata": {}},
    QasmQobjConfig: {"shots": 5, "memory": True, "seed_simulator": 0, "noise": {"p": 0.5}},
    QasmQobjExperimentConfig: {"shots": 6, "n_qubits": 2},
    QasmQobjInstruction: {"name": "u3", "qubits": [1], "params": [0.5, 1, -2.0], "label": "my gate"},
    QasmQobjExperiment: {
        "instructions": [{"name": "h", "qubits": [0]}, {"name": "x", "qubits": [1]}],
        "header": {"name": "bell"},
        "config": {"shots": 6},
        "extra": 1,
    },
    QasmQobj: qobj_of(experiment(instruction("h", 0), header={"name": "one"}), experiment(), header={"by": "me"}),
}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_part_comes_back_from_its_dictionary_with_extra_keys_and_without_missing_ones(part):
    made = part.from_dict(PARTS[part])
    assert type(made) is part
    assert made.to_dict() == PARTS[part]
    assert part.from_dict(made.to_dict()) == made
    assert vars(made).keys() == PARTS[part].keys()


def test_parts_of_parts_are_parts_themselves():
    qobj = QasmQobj.from_dict(PARTS[QasmQobj])
    assert type(qobj.header) is QobjHeader
    assert type(qobj.config) is QasmQobjConfig
    assert [type(e) for e in qobj.experiments] == [QasmQobjExperiment] * 2
    assert type(qobj.experiments[0].header) is QobjExperimentHeader
    assert type(qobj.experiments[0].instructions[0]) is QasmQobjInstruction
    assert type(QasmQobjExperiment.from_dict(PARTS[QasmQobjExperiment]).config) is QasmQobjExperimentConfig


def test_numbers_and_arrays_are_written_in_the_types_of_json():
    matrix = reference.random_unitary(4)
    written = QasmQobjInstruction(
        "unitary", params=[matrix], qubits=np.arange(2), label=None, twice=(1j, np.float32(0.5)), real=np.eye(2)
    ).to_dict()
    assert json.loads(json.dumps(written)) == written
    assert written["params"] == [[[[entry.real, entry.imag] for entry in row] for row in matrix]]
    assert written["qubits"] == [0, 1]
    assert written["twice"] == [[0, 1], 0.5]
    assert written["real"] == [[1, 0], [0, 1]]
    assert "label" not in written  # what is None is left out


def test_a_qobj_made_of_parts_has_type_version_and_a_header():
    qobj = QasmQobj("an id", QasmQobjConfig(shots=3), [QasmQobjExperiment([QasmQobjInstruction("h", qubits=[0])])])
    validate(qobj)
    assert qobj.to_dict() == {
        "qobj_id": "an id",
        "type": "QASM",
        "schema_version": qobj.schema_version,
        "header": {},
        "config": {"shots": 3},
        "experiments": [{"instructions": [{"name": "h", "qubits": [0]}]}],
    }


# The schema.

ARITIES = {  # (qubits, parameters) -> instructions
    (1, 0): "id h s sdg t tdg x y z sx sxdg reset",
    (1, 1): "u0 u1 p rx ry rz",
    (1, 2): "u2 r",
    (1, 3): "u3 u U",
    (2, 0): "cx CX cy cz ch cs csdg csx swap iswap dcx ecr",
    (2, 1): "cu1 cp crx cry crz rxx ryy rzz rzx",
    (2, 3): "cu3",
    (2, 4): "cu",
    (3, 0): "ccx ccz cswap rccx",
}
FIXED = [(name, *arity) for arity, names in ARITIES.items() for name in names.split()]
IDENTITY = [[[1, 0], [0, 0]], [[0, 0], [1, 0]]]
OTHERS = [
    measure(0, 1),
    instruction("measure", 0, 1, memory=[1, 0], register=[5, 6]),
    instruction("barrier"),
    instruction("barrier", 0, 1),
    instruction("unitary", 0, params=[IDENTITY]),
    instruction("unitary", 0, params=[IDENTITY], label="nothing"),
    instruction("initialize", 0, params=[[0.6, 0], [0, 0.8]]),
    instruction("snapshot", 0, label="here", snapshot_type="statevector"),
    {"name": "bfunc", "mask": "0XF", "relation": ">=", "val": "0x0", "register": 2, "memory": 0},
    *(
        {"name": "bfunc", "mask": "0x3", "relation": relation, "val": "0xa", "register": 2}
        for relation in ("==", "!=", "<", "<=", ">", ">=")
    ),
    {"name": "copy", "register_orig": [0], "register_copy": [1]},
    instruction("x", 0, conditional=3),
    instruction("x", 0, conditional={"type": "equals", "mask": "0xA", "val": "0x2"}),
    instruction("not_known_here", 0, params=["anything", {}]),
]
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
GONE = object()
FIRST = "experiments[0]."
BROKEN = [  # where, what is put there, the path that is named if it is another one, the rule
    *((key, GONE, "the top level", "required") for key in FULL),
    ("qobj_id", 5, None, "type"),
    ("schema_version", 1.3, None, "type"),
    ("type", "PULSE", None, "const"),
    ("header", [], None, "type"),
    ("config", None, None, "type"),
    ("config.shots", 0, None, "minimum"),
    ("config.shots", 1.5, None, "type"),
    ("config.memory_slots", -1, None, "minimum"),
    ("config.memory_slots", "2", None, "type"),
    ("config.n_qubits", 0, None, "minimum"),
    ("config.n_qubits", True, None, "type"),
    ("config.seed_simulator", -1, None, "minimum"),
    ("config.seed_simulator", "7", None, "type"),
    ("config.memory", 1, None, "type"),
    ("config.max_credits", "many", None, "type"),
    ("config.parameter_binds", {}, None, "type"),
    ("experiments", [], None, "minItems"),
    ("experiments", {}, None, "type"),
    ("experiments[0]", [], None, "type"),
    (FIRST + "instructions", GONE, "experiments[0]", "required"),
    (FIRST + "instructions", {}, None, "type"),
    (FIRST + "config", [], None, "type"),
    (FIRST + "config.shots", 0, None, "minimum"),
    (FIRST + "header", "bell", None, "type"),
    (FIRST + "header.name", 5, None, "type"),
    (FIRST + "header.n_qubits", -1, None, "minimum"),
    (FIRST + "header.n_qubits", 0.5, None, "type"),
    (FIRST + "header.memory_slots", -1, None, "minimum"),
    (FIRST + "header.memory_slots", None, None, "type"),
    (FIRST + "header.global_phase", "pi", None, "type"),
    (FIRST + "header.metadata", [], None, "type"),
    *(
        case
        for labels in ("qubit_labels", "clbit_labels", "qreg_sizes", "creg_sizes")
        for case in (
            (f"{FIRST}header.{labels}", {}, None, "type"),
            (f"{FIRST}header.{labels}[0]", "q0", None, "type"),
            (f"{FIRST}header.{labels}[0]", ["q"], None, "minItems"),
            (f"{FIRST}header.{labels}[0]", ["q", 0, 1], None, "maxItems"),
            (f"{FIRST}header.{labels}[0][0]", 0, None, "type"),
            (f"{FIRST}header.{labels}[0][1]", "0", None, "type"),
            (f"{FIRST}header.{labels}[0][1]", -1, None, "minimum"),
        )
    ),
    (FIRST + "instructions[0]", "x", None, "type"),
    (FIRST + "instructions[0].name", GONE, "experiments[0].instructions[0]", "required"),
    (FIRST + "instructions[0].name", 5, None, "type"),
    (FIRST + "instructions[0].name", "", None, "minLength"),
    (FIRST + "instructions[0].params", 0.5, None, "type"),
    (FIRST + "instructions[0].params[0]", "theta", None, "type"),
    (FIRST + "instructions[0].params", GONE, "experiments[0].instructions[0]", "required"),
    (FIRST + "instructions[0].qubits", 0, None, "type"),
    (FIRST + "instructions[0].qubits[0]", "0", None, "type"),
    (FIRST + "instructions[0].qubits[0]", -1, None, "minimum"),
    (FIRST + "instructions[0].label", 5, None, "type"),
    (FIRST + "instructions[0].snapshot_type", 5, None, "type"),
    *(
        (f"{FIRST}instructions[0].{slots}", value, None, "oneOf")
        for slots in ("memory", "register")
        for value in (-1, "0", 0.5, [], [-1], ["0"], {})
    ),
    (FIRST + "instructions[0].conditional", -1, None, "oneOf"),
    (FIRST + "instructions[0].conditional", "0x1", None, "oneOf"),
    (FIRST + "instructions[1].conditional.mask", GONE, "experiments[0].instructions[1].conditional", "oneOf"),
    (FIRST + "instructions[1].conditional.val", GONE, "experiments[0].instructions[1].conditional", "oneOf"),
    (FIRST + "instructions[1].conditional.mask", "1", "experiments[0].instructions[1].conditional", "oneOf"),
    (FIRST + "instructions[1].conditional.val", 1, "experiments[0].instructions[1].conditional", "oneOf"),
    (FIRST + "instructions[1].conditional.type", 1, "experiments[0].instructions[1].conditional", "oneOf"),
    (FIRST + "instructions[1].params", [1], None, "maxItems"),
    (FIRST + "instructions[2].qubits", GONE, "experiments[0].instructions[2]", "required"),
    (FIRST + "instructions[2].qubits", [], None, "minItems"),
    (FIRST + "instructions[2].memory", GONE, "experiments[0].instructions[2]", "required"),
    (FIRST + "instructions[2].memory", 0, None, "type"),
    (FIRST + "instructions[2].register", 1, None, "type"),
    *(
        (f"{FIRST}instructions[3].{key}", GONE, "experiments[0].instructions[3]", "required")
        for key in ("mask", "relation", "val", "register")
    ),
    (FIRST + "instructions[3].mask", "0xG", None, "pattern"),
    (FIRST + "instructions[3].mask", 3, None, "type"),
    (FIRST + "instructions[3].val", "1", None, "pattern"),
    (FIRST + "instructions[3].relation", "=", None, "enum"),
    (FIRST + "instructions[3].register", [2], None, "type"),
    (FIRST + "instructions[3].memory", [1], None, "type"),
    (FIRST + "instructions[4].params", GONE, "experiments[0].instructions[4]", "required"),
    (FIRST + "instructions[4].params", [], None, "minItems"),
    (FIRST + "instructions[4].params", [IDENTITY, IDENTITY], None, "maxItems"),
    (FIRST + "instructions[4].params[0]", 1, None, "type"),
    (FIRST + "instructions[4].params[0]", [[1]], None, "minItems"),
    (FIRST + "instructions[4].qubits", GONE, "experiments[0].instructions[4]", "required"),
    (FIRST + "instructions[4].qubits", [], None, "minItems"),
    (FIRST + "instructions[5].params", GONE, "experiments[0].instructions[5]", "required"),
    (FIRST + "instructions[5].params", [1], None, "minItems"),
    (FIRST + "instructions[5].qubits", GONE, "experiments[0].instructions[5]", "required"),
    (FIRST + "instructions[5].qubits", [], None, "minItems"),
    (FIRST + "instructions[6].label", GONE, "experiments[0].instructions[6]", "required"),
    (FIRST + "instructions[6].snapshot_type", GONE, "experiments[0].instructions[6]", "required"),
    (FIRST + "instructions[7].register_orig", GONE, "experiments[0].instructions[7]", "required"),
    (FIRST + "instructions[7].register_copy", GONE, "experiments[0].instructions[7]", "required"),
    (FIRST + "instructions[8].params", {}, None, "type"),
    (FIRST + "instructions[8].qubits", 1, None, "type"),
    (FIRST + "instructions[8].qubits[1]", "1", None, "type"),
    (FIRST + "instructions[8].qubits[1]", -1, None, "minimum"),
    (FIRST + "instructions[8].qubits[1]", 0, "experiments[0].instructions[8].qubits", "uniqueItems"),
]


def broken(where, value):
    """`FULL` with another value, or none, at a path like ``a.b[0]``."""
    qobj = json.loads(json.dumps(FULL))
    *outer, last = [
        int(step) if step.isdigit() else step for step in where.replace("[", ".").replace("]", "").split(".")
    ]
    place = qobj
    for step in outer:
        place = place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return qobj


def fixed(name, qubits, parameters):
    return instruction(name, *range(qubits), **({"params": list(ANGLES[:parameters])} if parameters else {}))


@pytest.mark.parametrize(("name", "qubits", "parameters"), FIXED)
def test_schema_knows_how_many_qubits_and_parameters_an_instruction_takes(name, qubits, parameters):
    validate(one(fixed(name, qubits, parameters)))
    wrong = [
        (fixed(name, qubits + 1, parameters), ".qubits", "maxItems"),
        (fixed(name, qubits - 1, parameters), ".qubits", "minItems"),
        (fixed(name, qubits, parameters) | {"params": [*ANGLES, 1.0]}, ".params", "maxItems"),
        ({"name": name, "params": list(ANGLES[:parameters])}, "", "required"),
    ]
    if parameters:
        wrong += [
            (fixed(name, qubits, parameters) | {"params": list(ANGLES[: parameters - 1])}, ".params", "minItems"),
            (fixed(name, qubits, 0), "", "required"),
            (fixed(name, qubits, parameters) | {"params": ["a"] * parameters}, ".params[0]", "type"),
        ]
    if qubits > 1:
        wrong.append((fixed(name, qubits, parameters) | {"qubits": [1] * qubits}, ".qubits", "uniqueItems"))
    for item, key, rule in wrong:
        with pytest.raises(QobjValidationError) as raised:
            validate(one(item))
        assert f"at experiments[0].instructions[0]{key}: " in raised.value.message, item
        assert f"(rule: {rule})" in raised.value.message, item


def test_the_arities_are_those_of_the_gate_table():
    for name, qubits, parameters in FIXED:
        if name != "reset":
            record = BY_NAME[name]
            assert (record.controls + len(record.kinds), record.parameters) == (qubits, parameters), name


@pytest.mark.parametrize("item", OTHERS, ids=lambda item: item["name"])
def test_schema_passes_instructions_of_any_width(item):
    validate(one(item))


def test_schema_passes_a_qobj_that_has_everything():
    validate(FULL)
    validate(QasmQobj.from_dict(FULL))


@pytest.mark.parametrize(("where", "value", "path", "rule"), BROKEN, ids=[f"{row[0]} {row[3]}" for row in BROKEN])
def test_schema_error_names_path_and_rule(where, value, path, rule):
    with pytest.raises(QobjValidationError) as raised:
        validate(broken(where, value))
    assert f" at {path or where}: " in raised.value.message
    assert f"(rule: {rule})" in raised.value.message
    assert isinstance(raised.value, BasicAerError)


def test_schema_is_a_draft_07_schema_and_another_validator_agrees():
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema, a second opinion, is not installed")
    schema = json.loads(resources.files("basicaer.qobj").joinpath("qobj.schema.json").read_text("utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    passing = [FULL, *(one(item) for item in OTHERS), *(one(fixed(*row)) for row in FIXED)]
    assert all(validator.is_valid(qobj) for qobj in passing)
    assert not any(validator.is_valid(broken(where, value)) for where, value, _, _ in BROKEN)


# Submission.


class Recorder(Executor):
    """Takes calls and never makes them."""

    def __init__(self):
        self.calls = []

    def submit(self, fn, /, *args, **kwargs):
        self.calls.append(fn)
        raise RuntimeError("queued")


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (one(instruction("rx", 0)), QobjValidationError),
        (one(instruction("not_known_here", 0)), BasicAerError),
        (one(measure(0, 5)), BasicAerError),
    ],
    ids=["schema", "instruction", "range"],
)
def test_a_bad_qobj_is_refused_in_the_caller_before_anything_is_queued(qasm, bad, error):
    executor = Recorder()
    with pytest.raises(error):
        qasm.run(bad, executor=executor)
    assert not executor.calls
    with pytest.raises(RuntimeError, match="queued"):
        qasm.run(one(measure(0, 0)), executor=executor)
    assert len(executor.calls) == 1


def test_submit_validates_the_qobj_of_a_job_and_leaves_the_job_unsubmitted(qasm):
    executor = Recorder()
    job = BasicAerJob(qasm, "a job", lambda _job_id, _qobj: None, one(instruction("rx", 0)), executor=executor)
    with pytest.raises(QobjValidationError, match="required"):
        job.submit()
    assert not executor.calls
    with pytest.raises(JobError, match="not been submitted"):
        job.status()


class Foreign:
    """A Qobj of somebody else's making."""

    def __init__(self, data):
        self.data = data

    def to_dict(self):
        return self.data


@pytest.mark.parametrize("kind", [dict, QasmQobj.from_dict, Foreign], ids=["dict", "QasmQobj", "to_dict"])
def test_dictionaries_qobj_and_objects_with_to_dict_are_run(qasm, kind):
    qobj = kind(one(instruction("x", 1), measure(0, 0), measure(1, 1)))
    assert counts(qasm, qobj) == [{2: SHOTS}]


@pytest.mark.parametrize("other", [None, 5, "OPENQASM 2.0;", [one()], (Foreign(one()),), []])
def test_anything_else_is_refused(qasm, other):
    with pytest.raises(BasicAerError, match="run"):
        qasm.run(other)


@pytest.mark.parametrize("other", [None, 5, [1]])
def test_to_dict_must_return_a_dictionary(qasm, other):
    with pytest.raises(QobjValidationError, match="Foreign is neither"):
        qasm.run(Foreign(other))


def test_the_qobj_submitted_is_the_one_that_comes_back(qasm):
    data = one(instruction("h", 0), measure(0, 0))
    qobj = QasmQobj.from_dict(data)
    assert qasm.run(qobj).qobj() is qobj
    assert qasm.run(data).qobj() == qobj
    assert BasicAerJob(qasm, "not submitted", lambda _job_id, _qobj: None, qobj).qobj() is qobj


def test_a_jobs_circuits_are_assembled_when_the_qobj_is_asked_for_and_once(qasm, monkeypatch):
    assembled = []

    def recorded(circuits, *args, **keys):
        assembled.append(circuits)
        return assemble(circuits, *args, **keys)

    monkeypatch.setattr(base, "assemble", recorded)
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    job = qasm.run(circuit)
    job.result()
    assert not assembled
    assert job.qobj() is job.qobj()
    assert assembled == [[circuit]]


def test_the_qobj_of_a_job_names_the_jobs_settings(qasm):
    circuit = QuantumCircuit(2, 1, name="a circuit")
    circuit.measure(0, 0)
    job = qasm.run([circuit, circuit], shots=3, memory=True, seed_simulator=5)
    qobj = job.qobj()
    validate(qobj)
    assert qobj.qobj_id == job.result().qobj_id
    assert (qobj.config.shots, qobj.config.memory, qobj.config.seed_simulator) == (3, True, 5)
    assert (qobj.config.n_qubits, qobj.config.memory_slots) == (2, 1)
    assert [e.header.name for e in qobj.experiments] == ["a circuit"] * 2


# Circuits -> Qobj -> run.


def assert_runs_alike(backend, circuit, **options):
    """Run a circuit, its Qobj and the Qobj's JSON, and compare everything that comes back."""
    job = backend.run(circuit, **options)
    (want,) = job.result().results
    for qobj in (job.qobj(), as_json(job.qobj())):
        validate(qobj)
        (got,) = backend.run(qobj).result().results
        assert got.seed_simulator == want.seed_simulator or backend.name == "unitary_simulator"
        assert got.data.to_dict().keys() == want.data.to_dict().keys()
        for key, value in want.data.to_dict().items():
            if key in {"counts", "memory"}:
                assert getattr(got.data, key) == value
            else:
                assert np.allclose(getattr(got.data, key), value, rtol=0, atol=ATOL), key
    return job.qobj()


def with_general_start(gate, n):
    """A gate on qubits in reverse order, of a state in which every amplitude differs."""
    circuit = QuantumCircuit(n)
    for qubit in range(n):
        circuit.u(0.4 + qubit, 0.3 * qubit, 0.7, qubit)
    for qubit in range(1, n):
        circuit.cx(qubit - 1, qubit)
    circuit.append(gate, range(gate.num_qubits)[::-1])
    return circuit


def gates_of(record):
    """A gate of the table with every state of its controls, of which it has three if it may have any number."""
    angles = ANGLES[: record.parameters]
    free = [3] if record.controls is None else []
    if record.controls == 0:
        return [record.gate_class(*angles)]
    return [record.gate_class(*angles, *free, ctrl_state=state) for state in range(2 ** (record.controls or 3))]


@pytest.mark.parametrize("record", [r for r in GATES if r.gate_class is not None], ids=lambda record: record.name)
def test_every_gate_of_the_table_survives_the_way_through_a_qobj(record, statevector, unitary):
    for gate in gates_of(record):
        circuit = with_general_start(gate, max(gate.num_qubits, 1))
        assert_runs_alike(statevector, circuit)
        assert_runs_alike(unitary, circuit)


@pytest.mark.parametrize("record", GATES, ids=lambda record: record.name)
def test_a_gates_name_in_a_qobj_means_qiskits_gate(record, unitary):
    angles = list(ANGLES[: record.parameters])
    meant = {"u0": library.IGate, "U": library.UGate, "CX": library.CXGate}.get(record.name, record.gate_class)
    gate = meant(*angles, *([3] if record.controls is None else [])) if record.name != "u0" else meant()
    n = max(gate.num_qubits, 1)
    item = instruction(record.name, *range(gate.num_qubits), params=angles)
    got = unitary.run(one(item, n_qubits=n, memory_slots=0)).result().get_unitary()
    want = Operator(gate).data if gate.num_qubits else Operator(gate).data * np.eye(2)
    assert np.allclose(got, want, atol=ATOL)


def definition_in_definition():
    inner = QuantumCircuit(2, name="inner", global_phase=0.3)
    inner.append(library.iSwapGate(), [1, 0])
    outer = QuantumCircuit(3, name="outer", global_phase=-1.0)
    outer.append(inner.to_gate(), [2, 0])
    outer.append(inner.to_gate().control(1, ctrl_state=0), [0, 1, 2])
    return outer.to_gate()


def renamed(gate, name):
    gate = gate.to_mutable() if hasattr(gate, "to_mutable") else gate
    gate.name = name
    return gate


class MatrixOnly(Gate):
    """A gate that has a matrix and no definition."""

    def __init__(self):
        super().__init__("matrix_only", 2, [])

    def __array__(self, dtype=None, copy=None):
        return reference.random_unitary(4, seed=3)


WHOLE = {
    "unitary": lambda: library.UnitaryGate(reference.random_unitary(8)),
    "controlled unitary": lambda: library.UnitaryGate(reference.random_unitary(2)).control(2, ctrl_state=1),
    "diagonal": lambda: library.DiagonalGate([cmath.exp(1j * angle) for angle in range(8)]),
    "pauli": lambda: library.PauliGate("XYZI"),
    "permutation": lambda: library.PermutationGate([2, 0, 3, 1]),
    "wide permutation": lambda: library.PermutationGate([3, 1, 0, 6, 7, 2, 5, 4]),
    "clifford": lambda: Clifford(library.iSwapGate()),
    "annotated": lambda: library.SXGate().control(2, ctrl_state=2, annotated=True),
    "definition": definition_in_definition,
    "matrix only": MatrixOnly,
    "evolution": lambda: library.PauliEvolutionGate(SparsePauliOp(["XYZ", "ZII"], [0.5, -1.1]), 0.3),
    "rotations": lambda: library.UCRYGate(list(ANGLES)),
    "state preparation": lambda: library.StatePreparation(reference.random_state(2)).inverse(),
    "multiplexer": lambda: library.UCGate([reference.random_unitary(2, seed) for seed in range(4)]),
    "global phase": lambda: library.GlobalPhaseGate(0.7),
    "renamed": lambda: renamed(library.MCXGate(3, ctrl_state=5), "measure"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_no_gate_of_the_table_survives_the_way_through_a_qobj(name, statevector, unitary):
    circuit = with_general_start(WHOLE[name](), max(WHOLE[name]().num_qubits, 1))
    circuit.global_phase = 0.6
    assert_runs_alike(statevector, circuit)
    assert_runs_alike(unitary, circuit)
    if name not in {"clifford", "evolution"}:  # to Qiskit, the one has no phase, and the other is no product formula
        assert np.allclose(statevector.run(circuit).result().get_statevector(), Statevector(circuit), atol=ATOL)


@pytest.mark.parametrize(
    "state", [[0, 1j, 0, 0], "r-", 2, reference.random_state(2)], ids=["one", "label", "int", "any"]
)
def test_initialize_survives_the_way_through_a_qobj(state, statevector):
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.initialize(state, [2, 0])
    assert_runs_alike(statevector, circuit, seed_simulator=3)
    assert_runs_alike(statevector, circuit, seed_simulator=4)


def test_resets_barriers_delays_and_measurements_in_the_middle_survive(qasm, statevector):
    circuit = QuantumCircuit(3, 4, global_phase=1.0)
    circuit.h([0, 1])
    circuit.measure(0, 2)
    circuit.barrier()
    circuit.delay(10, 1)
    circuit.cx(0, 2)
    circuit.reset(0)
    circuit.rx(0.4, 0)
    circuit.measure([0, 1, 2], [0, 1, 3])
    for backend in (qasm, statevector):
        assert_runs_alike(backend, circuit, shots=SHOTS, memory=True, seed_simulator=11)


def test_several_circuits_in_one_qobj_keep_their_own_sizes_and_seeds(qasm, statevector):
    wide, narrow = QuantumCircuit(4, 3, name="wide"), QuantumCircuit(1, 1, name="narrow")
    for circuit in (wide, narrow):
        circuit.h(range(circuit.num_qubits))
        circuit.measure(range(circuit.num_clbits), range(circuit.num_clbits))
    job = qasm.run([wide, narrow, wide], shots=SHOTS, seed_simulator=1)
    again = qasm.run(as_json(job.qobj())).result()
    for position in range(3):
        assert again.get_counts(position) == job.result().get_counts(position)
        assert again.results[position].header == job.result().results[position].header
    assert {len(key) for key in again.get_counts("narrow")} == {1}
    states = statevector.run(statevector.run([wide, narrow]).qobj()).result()
    assert [len(states.get_statevector(position)) for position in range(2)] == [2**4, 2]


# Conditions of circuits.


def scattered():
    """Two bits of a register of three that do not stand together, and random outcomes in them."""
    bits, other = ClassicalRegister(3, "bits"), ClassicalRegister(2, "other")
    circuit = QuantumCircuit(QuantumRegister(4, "q"), bits, other)
    pair = ClassicalRegister(bits=[other[1], bits[0]], name="pair")
    circuit.add_register(pair)
    circuit.h([0, 1])
    circuit.measure(0, other[1])
    circuit.measure(1, bits[0])
    return circuit, bits, other, pair


@pytest.mark.parametrize("value", range(6))
def test_an_if_on_a_register_survives_also_with_a_value_that_is_too_large(qasm, statevector, value):
    circuit, bits, _, pair = scattered()
    with circuit.if_test((pair, value)):
        circuit.x(2)
        circuit.h(3)
    circuit.measure(2, bits[1])
    circuit.measure(3, bits[2])
    assert_runs_alike(qasm, circuit, shots=SHOTS, memory=True, seed_simulator=2)
    assert_runs_alike(statevector, circuit, shots=5, seed_simulator=2)
    flipped = {key for key in counts(qasm, qasm.run(circuit, shots=SHOTS).qobj())[0] if key & 2}
    assert all((key >> 4 & 1) + 2 * (key & 1) == value for key in flipped)
    assert bool(flipped) == (value < 4)


@pytest.mark.parametrize("value", [0, 1, 2, False, True])
def test_an_if_on_a_bit_survives_whatever_stands_for_true(statevector, value):
    for angle in (0, np.pi):
        circuit = QuantumCircuit(2, 2)
        circuit.rx(angle, 0)
        circuit.measure(0, 1)
        with circuit.if_test((circuit.clbits[1], value)):
            circuit.x(1)
        assert_runs_alike(statevector, circuit)


def test_an_if_becomes_a_bfunc_past_the_memory_and_conditional_instructions(qasm):
    circuit, bits, other, pair = scattered()
    with circuit.if_test((pair, 1)):
        circuit.x(2)
        circuit.measure(2, bits[1])
    with circuit.if_test((other[0], 0)):
        circuit.y(3)
    qobj = assert_runs_alike(qasm, circuit, shots=SHOTS, seed_simulator=9).to_dict()
    (got,) = qobj["experiments"]
    first, second = circuit.num_clbits, circuit.num_clbits + 1
    bit_numbers = {bit: number for number, bit in enumerate(circuit.clbits)}
    low, high = bit_numbers[pair[0]], bit_numbers[pair[1]]
    assert got["instructions"][2:] == [
        measure(0, low, register=[low]),
        measure(1, high, register=[high]),
        {"name": "bfunc", "mask": hex(2**low + 2**high), "relation": "==", "val": hex(2**low), "register": first},
        instruction("x", 2, params=[], conditional=first),
        measure(2, bit_numbers[bits[1]], register=[bit_numbers[bits[1]]], conditional=first),
        {"name": "bfunc", "mask": hex(2 ** bit_numbers[other[0]]), "relation": "==", "val": "0x0", "register": second},
        instruction("y", 3, params=[], conditional=second),
    ]


def test_measurements_carry_a_register_only_where_a_condition_looks_at_it(qasm):
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    (item,) = qasm.run(circuit).qobj().to_dict()["experiments"][0]["instructions"]
    assert item == measure(0, 0)


def teleported(body):
    """A circuit with an `if` whose body acts on qubits that have been used, on a bit that is 1 and one that is 0."""
    circuit = QuantumCircuit(3, 3)
    circuit.x([0, 1])
    circuit.h(2)
    circuit.measure([0, 2], [0, 2])
    for bit in (0, 1):
        with circuit.if_test((circuit.clbits[bit], 1)):
            body(circuit)
    return circuit


@pytest.mark.parametrize(
    "body",
    [
        lambda circuit: circuit.reset([0, 1]),
        lambda circuit: circuit.initialize([0, 1j], 2),
        lambda circuit: circuit.initialize("+0", [1, 2]),
        lambda circuit: circuit.measure(1, 1),
        lambda circuit: circuit.append(library.GlobalPhaseGate(0.4), []),
        lambda circuit: circuit.append(definition_in_definition(), [0, 1, 2]),
        lambda circuit: circuit.append(library.UnitaryGate(reference.random_unitary(4)), [0, 2]),
        lambda circuit: circuit.barrier(),
        lambda circuit: None,
    ],
    ids=["reset", "initialize", "label", "measure", "phase", "definition", "unitary", "barrier", "nothing"],
)
def test_every_kind_of_body_of_an_if_survives(statevector, qasm, body):
    for seed in range(3):
        assert_runs_alike(statevector, teleported(body), seed_simulator=seed)
    assert_runs_alike(qasm, teleported(body), shots=SHOTS, seed_simulator=0)


def test_an_if_inside_a_definition_sees_what_was_measured_outside(statevector):
    definition = QuantumCircuit(1, 1)
    with definition.if_test((definition.clbits[0], 1)):
        definition.x(0)
    conditional = Instruction("conditional_x", 1, 1, [])
    conditional.definition = definition
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure(0, 1)
    circuit.append(conditional, [1], [1])
    assert_runs_alike(statevector, circuit)
    assert np.allclose(statevector.run(circuit).result().get_statevector(), Statevector.from_label("11"))


def put_else(circuit):
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.x(0)
    with otherwise:
        circuit.y(0)


def put_nested_if(circuit):
    with circuit.if_test((circuit.clbits[0], 1)), circuit.if_test((circuit.clbits[1], 1)):
        circuit.x(0)


def put_for(circuit):
    with circuit.for_loop(range(2)):
        circuit.x(0)


def put_while(circuit):
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.x(0)
        circuit.measure(0, 0)


def put_switch(circuit):
    with circuit.switch(circuit.cregs[0]) as case, case(1):
        circuit.x(0)


def put_expression(circuit):
    with circuit.if_test(expr.logic_not(circuit.clbits[0])):
        circuit.x(0)


def put_store(circuit):
    circuit.store(circuit.clbits[0], expr.logic_not(circuit.clbits[1]))


def put_loop_in_if(circuit):
    with circuit.if_test((circuit.clbits[0], 1)), circuit.for_loop(range(2)):
        circuit.x(0)


@pytest.mark.parametrize(
    "put", [put_else, put_nested_if, put_for, put_while, put_switch, put_expression, put_store, put_loop_in_if]
)
def test_other_control_flow_has_no_qobj_and_runs_all_the_same(qasm, put):
    circuit = QuantumCircuit(2, 2, name="of no form")
    circuit.x(0)
    circuit.measure(0, 0)
    put(circuit)
    circuit.measure(0, 1)
    job = qasm.run(circuit, shots=SHOTS)
    with pytest.raises(BasicAerError, match="Circuit 'of no form' has no form as a Qobj: "):
        job.qobj()
    assert sum(job.result().get_counts().values()) == SHOTS


def test_what_has_neither_name_definition_nor_matrix_has_no_qobj(statevector):
    circuit = QuantumCircuit(2, name="of no form")
    set_state = Instruction("set_statevector", 2, 0, [reference.random_state(2)])
    circuit.append(set_state, [0, 1])
    with pytest.raises(BasicAerError, match=r"'of no form' has no form as a Qobj: .*'set_statevector'"):
        statevector.run(circuit).qobj()


class Mystery(Operation):
    """Neither a gate nor an instruction, and nothing that Qiskit knows how to make."""

    name, num_qubits, num_clbits = "warp", 2, 0


@pytest.mark.parametrize(
    "operation",
    [
        Gate("warp", 2, []),
        Instruction("warp", 2, 0, []),
        Mystery(),
        AnnotatedOperation(Gate("warp", 1, []), ControlModifier(1)),
    ],
    ids=type,
)
def test_what_cannot_be_run_either_has_no_qobj(operation):
    circuit = QuantumCircuit(2, name="of no form")
    circuit.append(operation, [0, 1])
    with pytest.raises(BasicAerError, match=rf"'of no form' has no form as a Qobj: .*'{operation.name}'"):
        assemble([circuit])


def test_a_circuit_without_qubits_has_no_qobj(statevector):
    job = statevector.run(QuantumCircuit(name="of no form"))
    with pytest.raises(BasicAerError, match="'of no form' has no form as a Qobj: it has no qubits"):
        job.qobj()


# What the instructions of a Qobj mean.


def holding(number, slots, **keys):
    """Instructions that put a number into memory slots, or register slots of the same numbers too."""
    flips = [instruction("x", q) for q in range(slots) if reference.bit(number, q)]
    return [*flips, *(measure(q, q, **{key: [q] for key in keys}) for q in range(slots))]


def test_a_conditional_slot_of_the_register_decides(qasm):
    """Bit 1 is measured into register slot 3, past which nothing was written; slot 0 mirrors nothing."""
    for measured, slot in itertools.product((0, 1), (0, 3, 9)):
        flips = [instruction("x", 1)] * measured
        items = [*flips, measure(1, 1, register=[3]), instruction("x", 0, conditional=slot), measure(0, 0)]
        assert counts(qasm, one(*items)) == [{2 * measured + (measured and slot == 3): SHOTS}]


def test_conditional_measure_and_bfunc_happen_only_where_the_slot_is_1(qasm):
    for on in (0, 1):
        items = [
            *[instruction("x", 0)] * on,
            measure(0, 0, register=[0]),
            instruction("x", 1),
            measure(1, 1, conditional=0),
            {
                "name": "bfunc",
                "mask": "0x0",
                "relation": "==",
                "val": "0x0",
                "register": 5,
                "memory": 2,
                "conditional": 0,
            },
        ]
        assert counts(qasm, one(*items, memory_slots=3)) == [{7 * on: SHOTS}]


def test_a_mask_and_value_are_compared_with_the_memory_from_the_masks_lowest_bit_on(qasm):
    """All masks of three bits, gaps included, and two that reach past the memory, where nothing is (and not the
    register, which holds the same number); a mask of 0 is always met.
    """
    cases = list(itertools.product(range(8), (*range(8), 0b111_0000, 0b111_0001), range(8)))
    experiments, want = [], []
    for number, mask, value in cases:
        condition = {"mask": hex(mask), "val": hex(value)}
        items = [*holding(number, 3, register=True), instruction("x", 3, conditional=condition), measure(3, 3)]
        experiments.append(experiment(*items))
        lowest = next((p for p in range(8) if reference.bit(mask, p)), 0)
        met = mask == 0 or (number & mask) // 2**lowest == value
        want.append({number + 8 * met: 1})
    assert counts(qasm, qobj_of(*experiments, shots=1, n_qubits=4, memory_slots=4)) == want


RELATIONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("with_memory", [False, True], ids=["register", "memory"])
def test_bfunc_compares_the_masked_register(qasm, relation, with_memory):
    """The masked register is not shifted; the truth is seen in the slot by a conditional X, and in memory if named."""
    experiments, want = [], []
    for number, mask, value in itertools.product(range(8), (0, 0b101, 0b110, 0b111, 0b10_0000), (0, 1, 4, 5, 7)):
        bfunc = {"name": "bfunc", "mask": hex(mask), "relation": relation, "val": hex(value), "register": 9}
        items = [
            *holding(number, 3, register=True),
            bfunc | ({"memory": 4} if with_memory else {}),
            instruction("x", 3, conditional=9),
            measure(3, 3),
        ]
        experiments.append(experiment(*items))
        truth = RELATIONS[relation](number & mask, value)
        want.append({number + 8 * truth + 16 * (truth and with_memory): 1})
    assert counts(qasm, qobj_of(*experiments, shots=1, n_qubits=4, memory_slots=5)) == want


def test_a_bfunc_overwrites_its_slot_and_may_read_it(qasm):
    toggle = {"name": "bfunc", "mask": "0x1", "relation": "==", "val": "0x0", "register": 0, "memory": 0}
    for times in range(1, 4):
        assert counts(qasm, one(*[toggle] * times, n_qubits=1, memory_slots=1)) == [{times % 2: SHOTS}]


def test_measure_writes_memory_and_register_and_only_memory_is_reported(qasm):
    """Qubits 0 and 2 are 1; they go to memory slots 2 and 0, and to register slots 1 and 4, in one instruction."""
    items = [
        instruction("x", 0),
        instruction("x", 2),
        instruction("measure", 0, 1, 2, memory=[2, 1, 0], register=[1, 0, 4]),
        *(
            {"name": "bfunc", "mask": hex(2**slot), "relation": "!=", "val": "0x0", "register": 9, "memory": 3 + slot}
            for slot in range(5)
        ),
    ]
    assert counts(qasm, one(*items, n_qubits=3, memory_slots=8)) == [{0b10010_101: SHOTS}]


def test_measuring_into_a_register_in_the_middle_of_random_outcomes(qasm):
    """A coin in register slot 5 decides whether another qubit is flipped: both bits are always equal."""
    items = [
        instruction("h", 0),
        measure(0, 0, register=[5]),
        instruction("x", 1, conditional=5),
        measure(1, 1),
    ]
    (got,) = counts(qasm, one(*items))
    assert got.keys() == {0, 3}
    assert sum(got.values()) == SHOTS


def test_unitary_initialize_diagonal_pauli_and_permutation_by_their_parameters(statevector):
    matrix, state = reference.random_unitary(4), reference.random_state(2, seed=5)
    factors = [cmath.exp(1j * angle) for angle in ANGLES]
    plain = [[[[entry.real, entry.imag] for entry in row] for row in matrix]]
    items = [
        instruction("initialize", 2, 0, params=[[a.real, a.imag] for a in state]),
        instruction("unitary", 1, 2, params=plain),
        instruction("diagonal", 0, 1, params=[[f.real, f.imag] for f in factors]),
        instruction("pauli", 0, 2, params=["XY"]),
        instruction("permutation", 0, 1, 2, params=[1, 2, 0]),
        instruction("global_phase", params=[0.5]),
    ]
    want = reference.prepare(reference.zero(3), (2, 0), state)
    want = reference.apply(want, matrix, (1, 2))
    want = reference.apply(want, np.diag(factors), (0, 1))
    want = reference.apply(want, library.YGate().to_matrix(), (0,))  # the label's last letter is the first qubit's
    want = reference.apply(want, library.XGate().to_matrix(), (2,))
    moved = np.zeros(8, complex)
    for i, amplitude in enumerate(want):  # the state of qubit pattern[i] comes to qubit i
        moved[sum(reference.bit(i, q) * 2**place for place, q in enumerate((1, 2, 0)))] = amplitude
    got = statevector.run(one(*items, n_qubits=3, memory_slots=0)).result().get_statevector()
    assert np.allclose(got, cmath.exp(0.5j) * moved, atol=ATOL)


def test_real_numbers_may_stand_for_complex_ones(statevector):
    items = [instruction("initialize", 0, params=[0.6, 0.8]), instruction("unitary", 0, params=[[[0, 1], [1, [0, 0]]]])]
    got = statevector.run(one(*items, n_qubits=1, memory_slots=0)).result().get_statevector()
    assert np.allclose(got, [0.8, 0.6], atol=ATOL)


def test_whole_numbers_may_be_written_with_a_point(qasm):
    """To JSON, and so to the schema, 1.0 is an integer."""
    items = [
        instruction("x", 1.0),
        measure(1.0, 0.0, register=[2.0]),
        {"name": "bfunc", "mask": "0x4", "relation": "!=", "val": "0x0", "register": 3.0, "memory": 1.0},
        instruction("x", 0, conditional=3.0),
        measure(0, 2.0),
    ]
    assert counts(qasm, one(*items, n_qubits=2.0, memory_slots=3.0)) == [{7: SHOTS}]


def test_the_header_brings_the_global_phase(statevector):
    qobj = qobj_of(experiment(instruction("x", 0), header={"global_phase": 0.8}), n_qubits=1, memory_slots=0)
    got = statevector.run(qobj).result().get_statevector()
    assert np.allclose(got, [0, cmath.exp(0.8j)], atol=ATOL)


def test_sizes_come_from_the_experiments_config_then_the_qobjs_then_the_header_then_the_instructions(statevector):
    def width(config, own, header, *items):
        qobj = qobj_of(experiment(*items, config=own, header=header))
        qobj["config"] = config
        return int(np.log2(len(statevector.run(qobj).result().get_statevector())))

    top, own, header, last = {"n_qubits": 2}, {"n_qubits": 3}, {"n_qubits": 4}, instruction("x", 4)
    assert width(top, own, header) == 3
    assert width(top, {}, header) == 2
    assert width({}, {}, header) == 4
    assert width({}, {}, {}, last) == 5


NOT_UNITARY = [[[1, 0], [1, 0]], [[0, 0], [1, 0]]]
REFUSED = {  # what is wrong -> (the instruction, words of the message)
    "copy": ({"name": "copy", "register_orig": [0], "register_copy": [1]}, "'copy'", "not supported"),
    "snapshot": (instruction("snapshot", label="a", snapshot_type="b"), "'snapshot'", "not supported"),
    "unknown": (instruction("warp", 0), "Unknown instruction 'warp'"),
    "unknown with control state": (instruction("h_o0", 0), "Unknown instruction 'h_o0'"),
    "qubit": (instruction("h", 2), "qubits 2", "only 2"),
    "barrier": (instruction("barrier", 7), "qubits 7", "only 2"),
    "memory": (measure(0, 3), "memory 3", "only 2"),
    "bfunc": (
        {"name": "bfunc", "mask": "0x1", "relation": "==", "val": "0x1", "register": 0, "memory": 2},
        "memory 2",
        "only 2",
    ),
    "too few memory slots": (instruction("measure", 0, 1, memory=[0]), "2 qubits", "1 memory"),
    "too many memory slots": (instruction("measure", 0, memory=[0, 1]), "1 qubits", "2 memory"),
    "too few register slots": (instruction("measure", 0, 1, memory=[0, 1], register=[0]), "2 qubits", "1 register"),
    "no parameter": (instruction("xx_plus_yy", 0, 1, params=[1.0]), "'xx_plus_yy'", "2 parameters", "and 1"),
    "a parameter": (instruction("c3x", 0, 1, params=[]), "'c3x'", "4 qubits", "not 2"),
    "no qubits": (instruction("mcx"), "'mcx'", "not 0"),
    "text as parameter": (instruction("mcphase", 0, 1, params=["pi"]), "'mcphase'", "finite real numbers"),
    "pair as parameter": (instruction("rv", 0, params=[[1, 0], 0, 0]), "'rv'", "finite real numbers"),
    "infinite": (instruction("rx", 0, params=[float("inf")]), "'rx'", "finite real numbers"),
    "not a number": (instruction("p", 0, params=[float("nan")]), "'p'", "finite real numbers"),
    "control state": (instruction("cx_o2", 0, 1), "'cx_o2'", "no state 2"),
    "not unitary": (instruction("unitary", 0, params=[NOT_UNITARY]), "unitary 2 x 2"),
    "unitary of another width": (instruction("unitary", 0, 1, params=[IDENTITY]), "unitary 4 x 4"),
    "ragged unitary": (instruction("unitary", 0, params=[[[1, 0], [1]]]), "unitary 2 x 2"),
    "unitary of text": (instruction("unitary", 0, params=[[["1", 0], [0, "1"]]]), "'unitary'", "pairs"),
    "unitary of triples": (instruction("unitary", 0, params=[[[[1, 0, 0], 0], [0, 1]]]), "'unitary'", "pairs"),
    "unitary of numbers": (instruction("unitary", 0, params=[[1, 0]]), "'unitary'", "pairs"),
    "diagonal": (instruction("diagonal", 0, params=[1, 2]), "'diagonal'", "2 numbers of modulus 1"),
    "empty diagonal": (instruction("diagonal", 0), "'diagonal'", "2 numbers of modulus 1"),
    "norm": (instruction("initialize", 0, params=[1, 1]), "'initialize'", "norm"),
    "amplitudes": (instruction("initialize", 0, 1, params=[1, 0]), "'initialize'", "4 amplitudes", "not 2"),
    "labels": (instruction("initialize", 0, params=["0", "1"]), "'initialize'", "pairs"),
    "pauli": (instruction("pauli", 0, 1, params=["XQ"]), "'pauli'", "2 letters"),
    "short pauli": (instruction("pauli", 0, 1, params=["X"]), "'pauli'", "2 letters"),
    "permutation": (instruction("permutation", 0, 1, params=[0, 0]), "'permutation'", "each once"),
    "permutation of text": (instruction("permutation", 0, 1, params=["1", 0]), "'permutation'", "each once"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_instruction_cannot_be_is_refused_with_its_place(qasm, case):
    item, *words = REFUSED[case]
    qobj = qobj_of(experiment(), experiment(instruction("h", 0), item, header={"name": "my circuit"}))
    validate(qobj)
    with pytest.raises(BasicAerError) as raised, pytest.warns(UserWarning, match="measures nothing"):
        qasm.run(qobj)
    message = raised.value.message
    assert "nstruction 1 " in message
    assert "experiment 'my circuit'" in message
    assert all(word in message for word in words), message


def test_an_infinite_global_phase_is_refused(statevector):
    with pytest.raises(BasicAerError, match=r"header of experiment 'far'.*finite"):
        statevector.run(qobj_of(experiment(header={"global_phase": float("inf"), "name": "far"})))


# Options, headers, seeds.


def test_an_option_goes_by_the_run_then_the_experiment_then_the_qobj_then_the_backend(qasm):
    def shots(config, own, **options):
        qobj = qobj_of(experiment(measure(0, 0), config=own))
        qobj["config"] = config
        (result,) = qasm.run(qobj, **options).result().results
        assert sum(result.data.counts.values()) == result.shots
        return result.shots

    qasm.set_options(shots=11)
    assert shots({}, {}) == 11
    assert shots({"shots": 12}, {}) == 12
    assert shots({"shots": 12}, {"shots": 13}) == 13
    assert shots({"shots": 12}, {"shots": 13}, shots=14) == 14


def test_other_options_of_a_config_are_read_too(qasm, statevector):
    config = {"memory": True, "precision": "single", "device": "CPU"}
    (result,) = qasm.run(one(measure(0, 0), **config)).result().results
    assert result.data.memory == ["0x0"] * SHOTS
    assert (result.metadata["precision"], result.metadata["device"]) == ("single", "CPU")
    start = [[0.6, 0], [0, 0.8]]
    small = one(instruction("id", 0), n_qubits=1, memory_slots=0, initial_statevector=start, chop_threshold=0.7)
    assert np.allclose(statevector.run(small).result().get_statevector(), [0, 0.8j], atol=ATOL)


def test_a_config_may_hold_keys_that_mean_nothing_here(qasm):
    assert counts(qasm, one(measure(0, 0), executor="nobody's", max_credits=3, noise_model={})) == [{0: SHOTS}]


def test_a_bad_option_in_a_config_is_refused_by_its_name(qasm):
    with pytest.raises(BasicAerError, match="precision must be one of"):
        qasm.run(one(measure(0, 0), precision="half"))


def test_headers_come_back_as_they_were_given(qasm):
    header = FULL["experiments"][0]["header"] | {"extra": {"deep": [1, 2]}}
    qobj = qobj_of(experiment(measure(0, 0), header=header), header={"by": "me", "list": [1, {"a": None}]})
    kept = json.loads(json.dumps(qobj))
    result = qasm.run(qobj).result()
    assert result.results[0].header == header
    assert result.results[0].name == header["name"]
    assert result.header == qobj["header"]
    assert result.qobj_id == qobj["qobj_id"]
    assert qobj == kept  # nor is what was given changed


COIN = (instruction("h", 0), instruction("h", 1), measure(0, 0), measure(1, 1))


def test_the_first_experiment_has_the_jobs_seed_and_the_others_their_own(qasm):
    results = qasm.run(qobj_of(*[experiment(*COIN)] * 3, memory=True)).result().results
    assert results[0].seed_simulator == 7
    assert len({result.seed_simulator for result in results}) == 3
    assert len({tuple(result.data.memory) for result in results}) == 3


def test_the_reported_seed_alone_reproduces_an_experiment(qasm):
    for result in qasm.run(qobj_of(*[experiment(*COIN)] * 3, memory=True)).result().results:
        again = qobj_of(experiment(*COIN), memory=True, seed_simulator=result.seed_simulator)
        (alone,) = qasm.run(again).result().results
        assert alone.data.memory == result.data.memory
        (alone,) = (
            qasm.run(qobj_of(experiment(*COIN)), memory=True, seed_simulator=result.seed_simulator).result().results
        )
        assert alone.data.memory == result.data.memory


def test_an_experiment_may_have_its_own_seed_which_the_run_goes_before(qasm):
    own = experiment(*COIN, config={"seed_simulator": 99})
    qobj = qobj_of(experiment(*COIN), own, experiment(*COIN))
    seeds = [result.seed_simulator for result in qasm.run(qobj).result().results]
    plain = [result.seed_simulator for result in qasm.run(qobj_of(*[experiment(*COIN)] * 3)).result().results]
    assert seeds == [plain[0], 99, plain[2]]
    given = [result.seed_simulator for result in qasm.run(qobj, seed_simulator=7).result().results]
    assert given == plain


def test_without_a_seed_two_runs_differ(qasm):
    qobj = qobj_of(experiment(*COIN))
    del qobj["config"]["seed_simulator"]
    seeds = {qasm.run(qobj).result().results[0].seed_simulator for _ in range(3)}
    assert len(seeds) == 3


def test_the_unitary_simulator_refuses_what_is_not_unitary(unitary):
    with pytest.raises(BasicAerError, match="unitary_simulator cannot run 'measure' in circuit 'mine'"):
        unitary.run(qobj_of(experiment(measure(0, 0), header={"name": "mine"})))


def test_the_provider_runs_a_qobj_on_all_three_simulators():
    qobj = one(instruction("h", 0), memory_slots=0)
    for backend in BasicAer.backends():
        if backend.name == "qasm_simulator":
            with pytest.warns(UserWarning, match="no classical bits"):
                assert backend.run(qobj).result().success
        else:
            assert backend.run(qobj).result().success
