"""What `import basicaer` offers, what type checkers know of the options, and how the objects show themselves."""

import inspect
import re
import subprocess
import sys
import types
from typing import Literal, get_args, get_origin

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import basicaer
from basicaer import BasicAer, EstimatorV2, SamplerV2, errors, option_types
from basicaer.foreign_options import ACCEPTED_NAMES
from basicaer.primitives.options import RUN_OPTIONS
from documents import ROOT, text_of
from jobs import GUARD

# The names.


def in_a_new_process(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_dir_offers_the_public_names_and_no_other_before_any_of_them_was_used():
    assert in_a_new_process("import basicaer; print(*dir(basicaer))") == sorted(basicaer.__all__)


def test_every_public_name_is_there_and_called_what_it_is():
    for name in basicaer.__all__:
        value = getattr(basicaer, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__name__ == name
    with pytest.raises(AttributeError, match="module 'basicaer' has no attribute 'SamplerV3'"):
        basicaer.SamplerV3  # noqa: B018


def test_the_library_needs_no_import_of_its_own():
    code = "import basicaer; print(basicaer.library.SaveStatevector.__name__, 'basicaer.primitives' in sys.modules)"
    assert in_a_new_process(f"import sys; {code}") == ["SaveStatevector", "False"]


NEVER_RAISED_TO_USERS = {"Cancelled", "LostNormError"}


def test_every_error_and_warning_that_users_meet_is_public():
    kinds = {name for name in errors.__all__ if inspect.isclass(getattr(errors, name))}
    assert kinds - NEVER_RAISED_TO_USERS <= set(basicaer.__all__)


def annotations_of(value):
    """What the functions, methods and properties of a public object return, as their source says."""
    members = [value]
    if inspect.isclass(value):
        members = [member for name, member in vars(value).items() if not name.startswith("_")]
    functions = (getattr(member, "__func__", getattr(member, "fget", member)) for member in members)
    return [str(one.__annotations__.get("return")) for one in functions if isinstance(one, types.FunctionType)]


def test_whatever_public_functions_return_is_public():
    sources = (path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    own = {name for source in sources for name in re.findall(r"^class (\w+)", source, re.MULTILINE)}
    returned = " ".join(text for name in basicaer.__all__ for text in annotations_of(getattr(basicaer, name)))
    found = own.intersection(re.findall(r"\w+", returned))
    assert {"BasicAerJob", "BasicAerSimulator", "CircuitPlan", "CompiledCircuit", "PrimitiveJob", "Progress"} <= found
    assert found <= set(basicaer.__all__)


def test_the_reference_describes_every_public_name():
    pages = [path.read_text("utf-8") for path in (ROOT / "docs" / "api").glob("*.md")]
    described = {name.rpartition(".")[2] for page in pages for name in re.findall("^::: (.+)$", page, re.MULTILINE)}
    assert set(basicaer.__all__) - described == {"BasicAer", "QasmQobj", "__version__", "noise"}


def test_the_page_for_libraries_has_every_error_and_says_what_else_it_is():
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (.*?) ?\|$", text_of("docs/libraries.md"), re.MULTILINE)
    public = {name for name in basicaer.__all__ if name.endswith("Error")}
    assert {name for name, _ in rows} == public
    for name, others in rows:
        bases = {base.__name__ for base in getattr(basicaer, name).__mro__[1:]}
        named = set(re.findall(r"`(\w+)`", others))
        assert named <= bases
        of_python_and_qiskit = {
            "AttributeError",
            "ValueError",
            "TypeError",
            "TimeoutError",
            "QiskitBackendNotFoundError",
        }
        assert bases & (of_python_and_qiskit | {"JobTimeoutError"}) <= named


# The types of options.

OPTIONS_OF = {
    "qasm_simulator": option_types.QasmSimulatorOptions,
    "statevector_simulator": option_types.StatevectorSimulatorOptions,
    "unitary_simulator": option_types.UnitarySimulatorOptions,
}


def coin(name):
    circuit = QuantumCircuit(1)
    if name != "unitary_simulator":
        circuit.measure_all()
    return circuit


@pytest.mark.parametrize("name", OPTIONS_OF)
def test_the_types_name_every_option_and_no_other(name):
    backend = BasicAer.get_backend(name)
    taken = {*dict(backend.options), *type(backend)._ignored, *ACCEPTED_NAMES}
    refused_by_value = {"noise_model", "basis_gates", "coupling_map"}
    assert set(OPTIONS_OF[name].__annotations__) == taken | refused_by_value


def test_the_types_of_primitives_name_every_argument_and_no_other():
    assert set(option_types.PrimitiveRunOptions.__annotations__) == set(RUN_OPTIONS)
    for kind, arguments in ((SamplerV2, "SamplerArguments"), (EstimatorV2, "EstimatorArguments")):
        own = set(inspect.signature(kind).parameters) - {"backend", "run_options"}
        assert set(getattr(option_types, arguments).__annotations__) == own | set(RUN_OPTIONS)


def words_of(annotation):
    """The words that an annotation allows, if it names them."""
    value = eval(annotation, {**vars(option_types), "Literal": Literal})  # noqa: S307  # our own
    return get_args(value) if get_origin(value) is Literal else ()


@pytest.mark.parametrize("name", OPTIONS_OF)
def test_every_word_that_the_types_allow_is_accepted(name, monkeypatch):
    given = {
        option: words
        for option, annotation in OPTIONS_OF[name].__annotations__.items()
        if annotation.__forward_arg__.startswith("Literal") and (words := words_of(annotation.__forward_arg__))
    }
    assert {"device", "precision", "meas_level", "meas_return"} <= set(given)
    backend = BasicAer.get_backend(name)
    for option, words in given.items():
        for word in words:
            backend.set_options(**{option: word})


def test_the_name_of_a_simulator_says_its_class_to_type_checkers():
    typed = text_of("src/basicaer/provider.py")
    named = dict(re.findall(r'name: Literal\["(\w+)"\].*?-> (\w+): \.\.\.', typed, re.DOTALL))
    assert named == {backend.name: type(backend).__name__ for backend in BasicAer.backends()}


# How objects show themselves.


def test_objects_show_what_they_are():
    circuit = QuantumCircuit(1, name="turn")
    circuit.rx(Parameter("angle"), 0)
    backend = BasicAer.get_backend("statevector_simulator")
    shown = {
        SamplerV2(): "<SamplerV2 on qasm_simulator>",
        SamplerV2(backend, seed=7, device="CPU"): (
            "<SamplerV2 on statevector_simulator: seed_simulator=7, run_options={'device': 'CPU'}>"
        ),
        EstimatorV2(default_precision=0.5): "<EstimatorV2 on qasm_simulator: default_precision=0.5>",
        backend.compile(circuit, "Z"): "<CompiledCircuit of 'turn': 1 parameter, one observable>",
        backend.compile(circuit, ["X", "Z"]): "<CompiledCircuit of 'turn': 1 parameter, observables of shape (2,)>",
        backend.plan(circuit): "<CircuitPlan of 'turn': 1 qubit, 1 gate, 0 passes>",
        backend: "<StatevectorSimulator('statevector_simulator')>",
    }
    for value, text in shown.items():
        assert repr(value) == text
    assert repr(basicaer.library.SaveStatevector(1)) == "<SaveStatevector on 1 qubit, label 'statevector'>"
    job = backend.run(coin("coin"))
    job.wait_for_final_state(GUARD)
    assert repr(job) == f"<BasicAerJob {job.job_id()} on statevector_simulator: DONE>"
