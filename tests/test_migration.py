"""The page for people who come from another simulator: each line of its tables runs, and what it says of options."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Pauli

from basicaer import BasicAer, BasicAerError, EstimatorV2, SamplerV2, library, options
from basicaer.simulators import QasmSimulator
from basicaer.simulators.base import BasicAerSimulator
from jobs import GUARD

PAGE = Path(__file__).parents[1].joinpath("docs", "migration.md").read_text("utf-8")
ROWS = re.findall(r"^\| (?!there)(.+?) \| (.+?) \|$", PAGE, re.MULTILINE)


def code(cell):
    """What stands in a cell between back-quotes, the first of it."""
    return re.search("`(.+?)`", cell)[1]


@pytest.fixture
def names():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    angle = Parameter("angle")
    turning = QuantumCircuit(1)
    turning.ry(angle, 0)
    turning.measure_all()
    with ThreadPoolExecutor(1) as pool:
        yield {
            "BasicAer": BasicAer,
            "EstimatorV2": EstimatorV2,
            "Pauli": Pauli,
            "SamplerV2": SamplerV2,
            "angle": angle,
            "backend": BasicAer.get_backend("qasm_simulator"),
            "circuit": circuit,
            "library": library,
            "pool": pool,
            "turning": turning,
        }


@pytest.mark.parametrize("there", [there for there, _ in ROWS])
def test_each_line_of_the_migration_tables_runs(there, names):
    here = code(dict(ROWS)[there])
    if here.startswith("from "):
        exec(here, names)  # noqa: S102  # it is our own page, and that is the test
        return
    value = eval(here, names)  # noqa: S307
    if here.endswith(".cancel()"):
        assert value in {True, False}
    elif ".run(" in here:
        result = value if here.endswith(")") and "result(" in here else value.result(GUARD)
        assert result.success
    elif here.startswith("BasicAer.get_backend"):
        assert isinstance(value, BasicAerSimulator)
    elif "save" in here.lower():
        assert len(names["backend"].run(names["circuit"]).result(GUARD).data()) == 2


def test_the_tables_have_lines():
    assert len(ROWS) > 30


def test_the_options_without_effect_are_those_of_the_page(qasm):
    paragraph = next(part for part in PAGE.split("\n\n") if part.startswith("These options of Aer"))
    listed = set(re.findall("`(.+?)`", paragraph))
    assert listed == options.AERS_ALONE | {"method"}
    for name in sorted(options.AERS_ALONE):
        circuit = QuantumCircuit(1, 1)
        circuit.measure(0, 0)
        assert qasm.run(circuit, **{name: 3}).result(GUARD).get_counts() == {"0": 1024}


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (
            "qasm_simulator",
            {"method": "stabilizer"},
            "method must be one of 'automatic', 'statevector', not 'stabilizer'",
        ),
        (
            "unitary_simulator",
            {"method": "statevector"},
            "method must be one of 'automatic', 'unitary', not 'statevector'",
        ),
        ("qasm_simulator", {"noise_model": "any"}, "noise_model must be None: noise is not simulated here"),
        ("qasm_simulator", {"fusion_enabled": True}, "'fusion_enabled': did you mean 'fusion_enable'"),
        ("qasm_simulator", {"seed": 3}, "'seed': did you mean 'seed_simulator'"),
        ("qasm_simulator", {"metod": "statevector"}, "'metod': did you mean 'method'"),
        ("qasm_simulator", {"array": "device"}, "no option 'array': it is one of statevector_simulator"),
        (
            "unitary_simulator",
            {"initial_statevector": [1, 0]},
            "no option 'initial_statevector': it is one of qasm_simulator and statevector_simulator",
        ),
    ],
)
def test_what_would_change_what_comes_out_is_refused(name, given, message):
    with pytest.raises(BasicAerError, match=message):
        BasicAer.get_backend(name).run(QuantumCircuit(1), **given)


@pytest.mark.parametrize("backend", [BasicAer.get_backend, QasmSimulator])
def test_options_of_aer_may_be_set_for_all_runs(backend):
    simulator = backend(shots=7, method="statevector", fusion_enable=True, noise_model=None)
    simulator.set_options(memory=True, method="automatic", blocking_enable=True)
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    assert simulator.run(circuit).result(GUARD).get_memory() == 7 * ["0"]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"shotz": 5}, AttributeError, "Unknown option of qasm_simulator 'shotz': did you mean 'shots'"),
        ({"shots": 0}, BasicAerError, "shots must be a whole number of at least 1, not 0"),
        ({"method": "stabilizer"}, BasicAerError, "method must be one of"),
    ],
)
def test_options_that_cannot_be_set_are_refused_and_none_of_them_is(qasm, given, error, message):
    with pytest.raises(error, match=message):
        qasm.set_options(memory=True, **given)
    assert qasm.options.memory is False
    with pytest.raises(error, match=message):
        BasicAer.get_backend(**given)
