"""The parts of a Qobj, the schema, and when it is checked."""

import json
from concurrent.futures import Executor
from importlib import resources

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.providers import JobError

import reference
from basicaer import BasicAerError, BasicAerJob
from basicaer.compile.gates import BY_NAME
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
from qobjs import ANGLES, FULL, IDENTITY, SHOTS, counts, experiment, instruction, measure, one, qobj_of

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
            assert (record.controls + len(record.target_actions), record.parameters) == (qubits, parameters), name


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
    assert [[one.circuit for one in circuits] for circuits in assembled] == [[circuit]]


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


def test_a_qobj_that_cannot_be_read_is_said(qasm):
    class Broken:
        def to_dict(self):
            raise KeyError("inside")

    endless = {}
    endless["header"] = endless
    for given, words in (
        (Broken(), "A Broken cannot be read as a Qobj: KeyError: 'inside'"),
        (endless, "RecursionError"),
    ):
        with pytest.raises(QobjValidationError, match=words):
            qasm.run(given)
    with pytest.raises(QobjValidationError, match="a type is neither"):
        qasm.run(QasmQobj)
