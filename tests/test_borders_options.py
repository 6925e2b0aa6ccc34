"""Every option of everything that takes options, with values of every odd kind: each runs, or is refused in words."""

import itertools
import re
import warnings
from pathlib import Path

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter
from qiskit.exceptions import QiskitError
from qiskit.providers.exceptions import QiskitBackendNotFoundError

from basicaer import BasicAer, BasicAerError, EstimatorV2, SamplerV2
from basicaer.errors import BasicAerWarning
from basicaer.openqasm.loading import load_circuit
from basicaer.wording import unknown_name
from odd_values import ODD_VALUES

NAMES = list(ODD_VALUES)
SIMULATORS = ("qasm_simulator", "statevector_simulator", "unitary_simulator")
OPTIONS = [
    (simulator, option)
    for simulator in SIMULATORS
    for option in (*BasicAer.get_backend(simulator).options, "method", "noise_model", "fusion_enable", "nonsense", "")
]
ROTATED = QuantumCircuit(1, 1)
ROTATED.rx(Parameter("p"), 0)
PRIMITIVES = {SamplerV2: ("shots", ([0.3], 5)), EstimatorV2: ("precision", ("Z", [0.3], 0.1))}
OF_PRIMITIVES = ("backend", "seed", "device", "precision", "max_parallel_threads", "executor", "timeout", "callback")
OF_RESUME = (
    *("checkpoint_dir", "checkpoint_every", "checkpoint_margin", "checkpoint_on_sigterm"),
    *("executor", "timeout", "callback", "progress", "cancel_on_interrupt", "distributed"),
)


def circuit_for(simulator):
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    if simulator != "unitary_simulator":
        circuit.measure(0, 0)
    return circuit


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some values are names of folders


def runs_or_refuses(attempt, *refusals):
    """Attempt something, which may be refused in one readable line."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The callback of job", BasicAerWarning)  # many can be called, and fail
            attempt()
    except (BasicAerError, *refusals) as error:
        words = getattr(error, "message", None) or str(error)
        assert words.rstrip().endswith((".", "?"))
        assert "\n" not in words
        assert len(words) < 1000


@pytest.mark.parametrize(("simulator", "option"), OPTIONS)
def test_any_value_of_any_option(simulator, option):
    backend, circuit = BasicAer.get_backend(simulator), circuit_for(simulator)

    def set_and_run(value):
        configured = BasicAer.get_backend(simulator, **{option: value})
        configured.set_options(**{option: value})
        configured.run(circuit).result(timeout=60)

    for name in NAMES:
        runs_or_refuses(lambda name=name: backend.run(circuit, **{option: ODD_VALUES[name]()}).result(timeout=60))
        runs_or_refuses(lambda name=name: backend.plan(circuit, **{option: ODD_VALUES[name]()}))
        runs_or_refuses(lambda name=name: set_and_run(ODD_VALUES[name]()), AttributeError)


@pytest.mark.parametrize("name", NAMES)
def test_any_value_within_parameter_binds(name):
    backend = BasicAer.get_backend("statevector_simulator")

    def run(binds):
        backend.run(ROTATED, parameter_binds=binds).result(timeout=60)

    runs_or_refuses(lambda: run([ODD_VALUES[name]()]))
    runs_or_refuses(lambda: run([{"p": ODD_VALUES[name]()}]))
    runs_or_refuses(lambda: run([{"p": [ODD_VALUES[name]()]}]))


@pytest.mark.parametrize("name", NAMES)
def test_any_value_for_what_runs_and_finds(name):
    backend = BasicAer.get_backend("statevector_simulator")
    runs_or_refuses(lambda: backend.run(ODD_VALUES[name]()))
    runs_or_refuses(lambda: backend.run([ODD_VALUES[name]()]))
    runs_or_refuses(lambda: backend.plan(ODD_VALUES[name]()))
    runs_or_refuses(lambda: BasicAer.get_backend(ODD_VALUES[name]()), QiskitBackendNotFoundError)
    assert len(BasicAer.backends(ODD_VALUES[name]())) in {0, 3}
    for option in OF_RESUME:
        taken = {"checkpoint_dir": "nothing"} | {option: ODD_VALUES[name]()}
        with pytest.raises(BasicAerError):
            BasicAer.resume(**taken)


@pytest.mark.filterwarnings("ignore:Circuit .* has no classical registers:UserWarning")
@pytest.mark.parametrize("primitive", PRIMITIVES)
@pytest.mark.parametrize("name", NAMES)
def test_any_value_for_primitives(primitive, name):
    of_run, rest = PRIMITIVES[primitive]
    pub = (ROTATED, *rest)
    for option in (*OF_PRIMITIVES, f"default_{of_run}", "nonsense"):
        runs_or_refuses(lambda option=option: primitive(**{option: ODD_VALUES[name]()}).run([pub]).result())
    runner = primitive()
    runs_or_refuses(lambda: runner.run([pub[:-1]], **{of_run: ODD_VALUES[name]()}).result())
    runs_or_refuses(lambda: runner.run(ODD_VALUES[name]()).result())
    runs_or_refuses(lambda: runner.run([ODD_VALUES[name]()]).result())
    for position in range(len(pub) + 1):
        changed = (*pub[:position], ODD_VALUES[name](), *pub[position + 1 :])
        runs_or_refuses(lambda changed=changed: runner.run([changed]).result())


def test_what_iterates_over_pubs_raises_its_own():
    def pubs():
        yield (ROTATED, [0.3])
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        SamplerV2().run(pubs())


@pytest.mark.parametrize(
    ("option", "name", "words"),
    [
        ("timeout", "10**400", r"timeout must be a positive number of seconds or None, not 1000\S+\."),
        ("timeout", "np.timedelta64", r"positive number of seconds or None, not np\.timedelta64\(5,'s'\)\."),
        ("shots", "np.timedelta64", "shots must be a whole number of at least 1, not"),
        ("shots", "10**5000", r"not a number of about 5001 digits \(it may be 2\*\*53 at most\)"),
        ("seed_simulator", "10**5000", r"digits \(it may be 10\*\*4000 at most\)"),
        ("device", "array of names", r"one of 'auto', 'CPU', 'GPU', not array\(\['CPU', 'GPU'\], dtype='<U3'\)\."),
        ("method", "array of names", "method must be one of 'automatic'"),
        ("checkpoint_dir", "zero byte", r"path of a folder or None, not 'a\\x00b' \(.*embedded null .*\)"),
        ("checkpoint_dir", "300 letters", r"path of a folder or None, not 'x+\.\.\.x+' \(.*name too long\)"),
        ("checkpoint_dir", "surrogate", r"path of a folder or None, not '\\ud800'\."),
        ("checkpoint_dir", "bytes", "path of a folder or None, not b'CPU'"),
        ("memory", "Refusing", "memory must be True or False, not <Refusing instance at"),
        ("initial_statevector", "State", "initial_statevector must be an array of complex numbers"),
    ],
)
def test_the_sentence_names_option_and_value(option, name, words):
    with pytest.raises(BasicAerError) as caught:
        BasicAer.get_backend("qasm_simulator").run(circuit_for("qasm_simulator"), **{option: ODD_VALUES[name]()})
    assert re.search(words, caught.value.message, re.IGNORECASE)


def test_sizes_and_seeds_that_numpy_can_count_are_taken():
    backend = BasicAer.get_backend("qasm_simulator", timeout=1e300, max_parallel_experiments=2**63 - 1)
    result = backend.run(circuit_for("qasm_simulator"), seed_simulator=2**128, max_parallel_threads=2**63 - 1).result()
    assert result.results[0].seed_simulator == 2**128


def _circuit(name="c", gate="x", parameter="p"):
    circuit = QuantumCircuit(1, name=name)
    circuit.append(Gate(gate, 1, []), [0])
    circuit.rx(Parameter(parameter), 0)
    return circuit


WHERE_NAMES_STAND = {
    "option": lambda name: BasicAer.get_backend("qasm_simulator").run(_circuit(), **{name: 1}),
    "set option": lambda name: BasicAer.get_backend("qasm_simulator").set_options(**{name: 1}),
    "first option": lambda name: BasicAer.get_backend("qasm_simulator", **{name: 1}),
    "backend": BasicAer.get_backend,
    "option of a primitive": lambda name: SamplerV2(**{name: 1}),
    "value": lambda name: BasicAer.get_backend("qasm_simulator").set_options(device=name),
    "circuit": lambda name: BasicAer.get_backend("qasm_simulator").run(_circuit(name)),
    "parameter": lambda name: BasicAer.get_backend("qasm_simulator").run(_circuit(parameter=name)),
    "gate": lambda name: BasicAer.get_backend("qasm_simulator").run(
        _circuit(gate=name).assign_parameters([1.0]), shots=1
    ),
    "key of parameter_binds": lambda name: BasicAer.get_backend("qasm_simulator").run(
        _circuit(), parameter_binds=[{name: [1]}]
    ),
    "file": lambda name: load_circuit(Path(name)),
    "folder": BasicAer.resume,
    "warned circuit": lambda name: BasicAer.get_backend("qasm_simulator").run(QuantumCircuit(1, name=name)),
}


ODD_NAMES = ("a\ud800", "a\nb", "a\tb", "a\x1b[2J", "a\u2028b", "a\u202eb")
NOT_IN_QISKIT = {("gate", "a\ud800"), ("parameter", "a\ud800")}  # which refuses them by itself


@pytest.mark.parametrize(
    ("where", "name"), [one for one in itertools.product(WHERE_NAMES_STAND, ODD_NAMES) if one not in NOT_IN_QISKIT]
)
def test_a_name_that_cannot_be_printed_is_escaped(where, name):
    with pytest.raises((BasicAerError, BasicAerWarning, QiskitError, AttributeError)) as caught:
        WHERE_NAMES_STAND[where](name)
    words = getattr(caught.value, "message", None) or str(caught.value)
    assert words.isprintable()
    assert repr(name)[1:-1] in words


def test_a_long_name_is_cut_and_costs_nothing():
    assert unknown_name("option", "x" * 10**6, ["shots"]) == f"Unknown option '{'x' * 100}...': known are shots."


def test_values_that_belong_to_no_parameter_are_named():
    with pytest.raises(ValueError, match=r"The values for circuit '.*' cannot be read: .*'q'"):
        SamplerV2().run([(ROTATED, {"q": 0.3})])


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("shotss", "shots"),
        ("seed_simulater", "seed_simulator"),
        ("seed", "seed_simulator"),
        ("fusion_enabled", "fusion_enable"),
        ("max_parallel_thread", "max_parallel_threads"),
        ("noise", "noise_model"),
        ("s", None),
        ("backend", None),
        ("optimization_level", None),
        ("max_circuits", None),
        ("properties", None),
        ("rep_delay", None),
        ("init_qubits", None),
    ],
)
def test_only_a_name_that_is_near_is_said_to_be_meant(name, meant):
    with pytest.raises(BasicAerError) as caught:
        BasicAer.get_backend("qasm_simulator").run(QuantumCircuit(1, 1), **{name: 1})
    assert (f"did you mean '{meant}'?" if meant else "known are ") in caught.value.message
