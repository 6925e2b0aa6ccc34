"""Reads every module of the package and fails on an import, or a trick, that is not where it belongs."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "basicaer"

# The layers from the top down, and the modules of each from the top down; "" is the package itself. A module may import
# what stands after it, never what stands before it.
LAYERS = {
    "user-facing": (
        *("torch", "jax", "pennylane", "pennylane.device", "pennylane.executing", "pennylane.samples"),
        *("pennylane.tapes", "pennylane.operations"),
        *(
            "__main__",
            "cli",
            "cli.running",
            "cli.planning",
            "cli.devices",
            "cli.ranks",
            "cli.inputs",
            "cli.exit_status",
            "cli.results",
            "rank_worker",
            "",
            "provider",
            "resuming",
        ),
        *("gradients", "gradients.estimator_gradient", "gradients.states"),
        *("gradients.autodiff", "gradients.compiled", "gradients.methods", "gradients.inputs"),
        *("gradients.submitting", "gradients.job", "gradients.running", "gradients.persister"),
        *("gradients.checks", "gradients.by_patterns", "gradients.sums", "gradients.payload"),
        *("primitives", "primitives.estimator", "primitives.observables", "primitives.compiled"),
        *("primitives.sampler", "primitives.base"),
        *("primitives.options", "primitives.job", "primitives.running", "primitives.estimating"),
        *("primitives.sweep_run", "primitives.payload"),
        *("simulators", "simulators.qasm", "simulators.statevector", "simulators.unitary", "simulators.base"),
        *("simulators.submitting", "simulators.experiments"),
        *("simulators.running", "simulators.outcomes", "simulators.qobj_reading", "simulators.checks"),
        *("simulators.ranks", "simulators.noise"),
        *("simulators.run_options", "simulators.target", "option_types"),
        *("submission", "termination", "watching", "job", "job_future", "job_state", "latch", "notebooks"),
        *("handles", "handles.dask", "handles.dask_worker", "handles.processes", "handles.local", "handles.base"),
        "callbacks",
        *(
            "persistence",
            "persistence.of_ranks",
            "persistence.job_persister",
            "persistence.persister",
            "persistence.checks",
            "persistence.program_checks",
        ),
        *("persistence.codec", "persistence.folder", "persistence.lock"),
        *(
            "plan_view",
            "plan_view.making",
            "plan_view.division",
            "plan_view.circuit_plan",
            "plan_view.picture",
            "plan_view.table",
        ),
        *("plan_view.layout", "plan_view.figure", "plan_view.prediction", "plan_view.model"),
        *("simulation", "payload"),
        *("qobj.assembly", "qobj", "qobj.validation", "qobj.model"),
        *("result", "state_array", "records", "spilling", "sharing", "calibration", "rank_pool", "executor"),
        *("openqasm.loading", "openqasm.version3", "openqasm.version2", "openqasm.elaboration"),
        *("openqasm.functions", "openqasm.flow", "openqasm.assignments", "openqasm.names"),
        *("openqasm.output", "openqasm.symbols", "openqasm.checks", "openqasm.importer", "openqasm.expressions"),
        *(
            "openqasm.trees",
            "openqasm.sources",
            "openqasm.operators",
            "openqasm.values",
            "openqasm.decisions",
            "openqasm",
        ),
        "library",
        *(
            "noise",
            "noise.model",
            "noise.on_circuit",
            "noise.device_model",
            "noise.device_errors",
            "noise.error_table",
            "noise.model_file",
            "noise.delays",
            "noise.local_pass",
        ),
        *("noise.standard_errors", "noise.model_inputs", "noise.pauli_errors", "noise.readout_error"),
        *("noise.quantum_error",),
        *("noise.circuit_terms", "noise.base"),
    ),
    "compile": (
        *("compile.from_qobj", "compile.qobj_gates", "compile.bound_circuits"),
        *("compile.differentiable", "compile.shift_rules", "compile.occurrences", "compile.sweep"),
        *("compile.program_cache", "compile.compiled", "compile.columns"),
        *("compile.lower", "compile.instructions", "compile.unitary", "compile.paulis"),
        *("compile.clifford", "compile.modifiers"),
        *("compile.table_gates", "compile.classical", "compile.idle", "compile.saves"),
        *("compile.scope", "compile.values", "compile.formulas", "compile.result_forms", "compile.builder"),
        "compile.footprint",
        *("compile.noise", "compile.noise_passes", "compile.noise_model", "compile.noise_entries", "compile.channels"),
        *("compile.matrices", "compile.gates", "compile.gate_numbers", "compile"),
    ),
    "plan": (
        *("plan.planner", "plan.stages", "plan.steps", "plan.local_wires", "plan.bundles", "plan.actions", "plan"),
    ),
    "devices": (
        *(
            "devices.registry",
            "devices.null",
            "devices.spilled.device",
            "devices.spilled.state",
            "devices.spilled.running",
            "devices.spilled.stage_gates",
            "devices.spilled.readings",
            "devices.spilled.pauli_values",
            "devices.spilled.amplitudes",
            "devices.spilled.on_card",
            "devices.spilled.on_cpu",
            "devices.spilled.chunks",
            "devices.spilled.cosets",
            "devices.spilled.state_file",
            "devices.spilled",
            "devices.distributed.mpi",
            "devices.distributed.alone",
            "devices.distributed.threads",
            "devices.distributed.device",
            "devices.distributed.state",
            "devices.distributed.pauli_values",
            "devices.distributed.amplitudes",
            "devices.distributed.pauses",
            "devices.distributed.rank_gates",
            "devices.distributed.comm",
            "devices.distributed",
            "devices.gpu.probe",
            "devices.gpu.device",
            "devices.gpu.batch",
        ),
        *(
            "devices.gpu.state",
            "devices.gpu.adjoint",
            "devices.gpu.stops",
            "devices.gpu.amplitudes",
            "devices.gpu.running",
            "devices.gpu.pauli_groups",
        ),
        *("devices.gpu.summation", "devices.gpu.card", "devices.gpu.memory", "devices.gpu.kernel_cache"),
        *("devices.gpu.kernels", "devices.gpu.errors", "devices.gpu.causes", "devices.gpu.surroundings"),
        *(
            "devices.gpu.binding",
            "devices.gpu.passes",
            "devices.gpu.lanes",
            "devices.gpu.recording",
            "devices.gpu.encoding",
        ),
        *("devices.gpu.layers", "devices.gpu.frames", "devices.gpu.pass_arrays"),
        *("devices.gpu.recipes", "devices.gpu.launches", "devices.gpu.merging", "devices.gpu.rewriting"),
        *("devices.gpu.operations", "devices.gpu.tape", "devices.gpu.steps", "devices.gpu.turning"),
        *("devices.gpu.affine", "devices.gpu.thread_order", "devices.gpu.shape", "devices.gpu.structs"),
        "devices.gpu",
        *("devices.cpu.device", "devices.memory", "devices.cpu.batch", "devices.likeness", "devices.cpu.state"),
        "devices.marginals",
        *("devices.cpu.recipe", "devices.cpu.undoing", "devices.transitions"),
        *("devices.operators", "devices.cpu.binding", "devices.cpu.expectations", "devices.cpu.threads"),
        *("devices.cpu.diagonal_sums", "devices.cpu.pauli_groups"),
        *("devices.cpu.pauli_sums", "devices.cpu.tiles"),
        *("devices.cpu.diagonals", "devices.cpu.fusion", "devices.cpu.set_numbers", "devices.cpu.permutations"),
        *("devices.cpu.blas", "devices.cpu.denormals", "devices.cpu.gatewise", "devices.cpu.parts"),
        *(
            "devices.limits",
            "devices.numbers",
            "devices.cpu.arrangement",
            "devices.cpu",
            "devices.bound_plans",
            "devices",
        ),
    ),
    "engine": (
        *(
            "engine.error_patterns",
            "engine.adjoint",
            "engine.sweeps",
            "engine.kept_states",
            "engine.exactly",
            "engine.together",
            "engine.execute",
            "engine.trajectories",
        ),
        *("engine.shot_progress", "engine.parts", "engine.stretches"),
        *("engine.method", "engine.expected_errors", "engine.error_sites", "engine.slots"),
        *("engine.suspended", "engine.team", "engine.superoperators"),
        *(
            "engine.saved",
            "engine.finishing",
            "engine.noise",
            "engine.control_flow",
            "engine.group_queue",
            "engine.shortcuts",
        ),
        *("engine.splitting", "engine.liveness", "engine.request"),
        *(
            "engine.planning",
            "engine.readings",
            "engine.density",
            "engine.irreversible",
            "engine.paulis",
            "engine.groups",
            "engine.records",
        ),
        *("engine.ensemble", "engine.frames", "engine.unitaries", "engine.sampling", "engine.draws", "engine.device"),
        *("engine.stages", "engine.plan", "engine.program"),
        *(
            "engine.lru_cache",
            "engine.classical",
            "engine.monitor",
            "engine.progress",
            "engine.collector",
            "engine.bits",
            "engine",
        ),
    ),
    "leaves": ("foreign_options", "foreign_names", "options", "wording", "_version"),
    "errors": ("errors",),
}
ORDER = [(layer, name) for layer, names in LAYERS.items() for name in names]
# The one pair that imports each other: `backend.sampler()` and `backend.estimator()` need the primitives when they are
# called, and no sooner.
LAZY = {("simulators.base", "primitives")}
MAY_IMPORT_QISKIT = {"user-facing", "compile"}
MAY_SHIFT = {
    "engine/bits.py",
    "engine/classical.py",  # the operators of classical expressions
    "wording.py",  # stands below the engine, and cannot import its functions
}
FUNCTIONS_THAT_SHIFT = {"left_shift", "right_shift", "bitwise_left_shift", "bitwise_right_shift", "lshift", "rshift"}


class Import(NamedTuple):
    """One module that a module imports."""

    name: str
    line: int
    in_function: bool
    for_types_only: bool


def place_of(module):
    """The place of a module in the order; lower is higher up."""
    (place,) = (place for place, (_, name) in enumerate(ORDER) if name == module)
    return place


def layer_of(module):
    return ORDER[place_of(module)][0]


def is_type_checking(test):
    return (
        isinstance(test, ast.Name | ast.Attribute) and getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"
    )


def imports_of(source, module, *, is_package=False):
    """Every import in a module's source, wherever it stands; ``from package import part`` names the part."""
    found = []

    def visit(node, **where):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else names_from(node)
            found.extend(Import(name, node.lineno, **where) for name in names)
        elif isinstance(node, ast.If) and is_type_checking(node.test):
            for child in node.body:
                visit(child, **where | {"for_types_only": True})
            for child in node.orelse:
                visit(child, **where)
        else:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                where |= {"in_function": True}
            for child in ast.iter_child_nodes(node):
                visit(child, **where)

    def names_from(node):
        base = node.module or ""
        if node.level:
            steps = ["basicaer", *module.split(".")] if module else ["basicaer"]
            steps = steps[: len(steps) - node.level + is_package]
            base = ".".join([*steps, *([base] if base else [])])
        parts = [f"{base}.{alias.name}" for alias in node.names]
        return [part if part.startswith("basicaer.") and exists(part) else base for part in parts]

    visit(ast.parse(source), in_function=False, for_types_only=False)
    return found


def exists(name):
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path.is_dir() or path.with_suffix(".py").is_file()


def name_of(path):
    """A file's name as a module, from the package on."""
    steps = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(steps[:-1] if steps[-1] == "__init__" else steps)


FILES = sorted(PACKAGE.rglob("*.py"))
every_file = pytest.mark.parametrize("path", FILES, ids=[path.relative_to(PACKAGE).as_posix() for path in FILES])


def imports_in(path):
    return imports_of(path.read_text("utf-8"), name_of(path), is_package=path.name == "__init__.py")


def upward_edges(found, module):
    """The imports that go against the order."""
    own = place_of(module)
    edges = []
    for item in found:
        root, _, target = item.name.partition(".")
        is_exception = is_lazy(item) and (module, target) in LAZY
        if root == "basicaer" and place_of(target) < own and not is_exception:
            edges.append(f"line {item.line}: {module} imports {item.name}")
    return edges


def is_lazy(item):
    return item.in_function or item.for_types_only


def misplaced_qiskit(found, module):
    layer = layer_of(module)
    wrong = []
    for item in found:
        if item.name.split(".")[0] != "qiskit" or layer in MAY_IMPORT_QISKIT:
            continue
        is_base_class_of_errors = item.name in {"qiskit.exceptions", "qiskit.providers.exceptions"}
        if layer != "errors" or not (is_base_class_of_errors or item.for_types_only):
            wrong.append(f"line {item.line}: {layer} imports {item.name}")
    return wrong


def misplaced_cupy(found, module):
    return [
        f"line {item.line}: {layer_of(module)} imports {item.name}"
        for item in found
        if item.name.split(".")[0] in {"cupy", "cupyx", "cupy_backends"}
        and not (layer_of(module) == "devices" and item.in_function)
    ]


def bit_tricks_in(source):
    """The lines where bits are shifted, by an operator or a function, or where arithmetic stands for a bit trick."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.BinOp(op=ast.LShift() | ast.RShift()) | ast.AugAssign(op=ast.LShift() | ast.RShift()):
                lines.append(node.lineno)
            case ast.Attribute(attr=name) | ast.Name(id=name) if name in FUNCTIONS_THAT_SHIFT:
                lines.append(node.lineno)
            case ast.ImportFrom(names=names) if FUNCTIONS_THAT_SHIFT.intersection(alias.name for alias in names):
                lines.append(node.lineno)
            case ast.BinOp() if is_bit_trick(node):
                lines.append(node.lineno)
    return lines


def is_power_of_two(node):
    """Whether an expression is written as a power of 2."""
    match node:
        case ast.BinOp(left=ast.Constant(value=2), op=ast.Pow()):
            return True
    return False


def is_moved_up(node):
    """Whether an expression is written as a product with a power of 2."""
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Mult)
        and (is_power_of_two(node.left) or is_power_of_two(node.right))
    )


def is_bit_trick(operation):
    """Whether arithmetic stands for something that `engine/bits.py` has a name for.

    A constant that is divided, such as ``_MOST_AMPLITUDES // 2**n``, is no bit trick: it tells how many states fit.
    """
    match operation:
        case ast.BinOp(op=ast.Mod(), right=right):
            return is_power_of_two(right)
        case ast.BinOp(op=ast.FloorDiv(), left=left, right=right):
            return is_power_of_two(right) and not (isinstance(left, ast.Name) and left.id.isupper())
        case ast.BinOp(op=ast.BitXor() | ast.BitOr() | ast.BitAnd(), left=left, right=right):
            is_negative = any(isinstance(side, ast.UnaryOp) and isinstance(side.op, ast.USub) for side in (left, right))
            return is_negative or any(is_power_of_two(side) or is_moved_up(side) for side in (left, right))
        case ast.BinOp(op=ast.Sub(), left=ast.Call(func=ast.Attribute(attr="bit_length")), right=ast.Constant(value=1)):
            return True
    return False


def test_every_module_has_one_place_in_the_order_and_every_place_a_module():
    modules = [name_of(path) for path in FILES]
    assert [module for module in modules if sum(name == module for _, name in ORDER) != 1] == []
    assert [name for _, name in ORDER if name not in modules] == []


@every_file
def test_no_module_imports_one_above_itself(path):
    assert not upward_edges(imports_in(path), name_of(path))


@every_file
def test_qiskit_is_imported_by_user_facing_and_compile_modules_only(path):
    assert not misplaced_qiskit(imports_in(path), name_of(path))


@every_file
def test_cupy_is_imported_by_devices_only_and_when_it_is_needed(path):
    assert not misplaced_cupy(imports_in(path), name_of(path))


@every_file
def test_imports_are_written_as_imports(path):
    """What is imported by a string cannot be read here."""
    names = [getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    assert not {"import_module", "__import__"}.intersection(names)


@every_file
def test_bit_tricks_stand_in_one_module_and_in_classical_expressions(path):
    lines = bit_tricks_in(path.read_text("utf-8"))
    assert not lines or path.relative_to(PACKAGE).as_posix() in MAY_SHIFT, f"bit tricks in lines {lines}"


def test_cuda_stands_in_files_of_its_own():
    """No Python file but the tests, which may write small kernels to test the compiler with, holds a kernel."""
    folders = [PACKAGE, ROOT / "benchmarks", ROOT / "examples"]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    assert files
    assert not [path for path in files if "__global__" in path.read_text("utf-8")]


IMPORT_EACH_FIRST = """
import sys
from importlib.machinery import SourceFileLoader
import basicaer

codes, get_code = {}, SourceFileLoader.get_code  # compiling a module again and again would take most of the time
SourceFileLoader.get_code = lambda loader, name: codes.get(name) or codes.setdefault(name, get_code(loader, name))
before = set(sys.modules)

def forget():
    for name in set(sys.modules) - before:
        if name.startswith("basicaer."):
            package, _, attribute = name.rpartition(".")
            vars(sys.modules.get(package, basicaer)).pop(attribute, None)
            del sys.modules[name]

for name in sys.argv[1:]:
    forget()
    try:
        exec("import " + name)
    except ImportError as error:
        print(name, getattr(error, "name", None) or "", repr(error), sep="|")
"""
OPTIONAL = {"distributed", "jax", "matplotlib", "pennylane", "torch"}  # packages that need not be installed


@pytest.mark.slow
def test_every_module_can_be_imported_first():
    """In a process that has imported nothing but what `import basicaer` does, which comes before every module."""
    names = [f"basicaer.{name_of(path)}".rstrip(".") for path in FILES]
    command = [sys.executable, "-c", IMPORT_EACH_FIRST, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    failures = [line for line in done.stdout.splitlines() if line.split("|")[1] not in OPTIONAL]
    assert failures == []


# The readers themselves: each rule broken once, in a source that is not the package's.


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("compile.lower", "from basicaer.job import BasicAerJob"),
        ("compile.lower", "import basicaer.simulators.base"),
        ("compile.lower", "from basicaer import BasicAer"),
        ("plan.local_wires", "from basicaer.compile.gates import GATES"),
        ("devices.cpu.device", "from basicaer.plan import Plan"),
        ("engine.execute", "from basicaer.devices import registry"),
        ("engine.execute", "def f():\n    from basicaer.devices.registry import choose_device"),
        ("engine.execute", "if TYPE_CHECKING:\n    from basicaer.compile.gates import GateRecord"),
        ("engine.execute", "if typing.TYPE_CHECKING:\n    from ..result import result_of"),
        ("engine.execute", "class A:\n    try:\n        import basicaer.cli\n    except ImportError:\n        pass"),
        ("options", "from basicaer.engine.bits import mask_of"),
        ("options", "from . import cli"),
        ("errors", "from basicaer.options import Precision"),
        ("errors", "from .engine import bits"),
    ],
)
def test_an_upward_import_is_seen_wherever_it_stands(module, source):
    assert len(upward_edges(imports_of(source, module), module)) == 1


def test_only_a_lazy_import_may_go_in_a_circle():
    late, early = "def f():\n    from basicaer.primitives import SamplerV2", "from basicaer.primitives import SamplerV2"
    assert not upward_edges(imports_of(late, "simulators.base"), "simulators.base")
    assert upward_edges(imports_of(early, "simulators.base"), "simulators.base")
    assert upward_edges(imports_of(late, "submission"), "submission")


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("", "from basicaer.provider import BasicAer"),
        ("cli", "from basicaer.devices.memory import largest_state"),
        ("compile.lower", "from basicaer.compile.gates import GATES\nfrom basicaer.engine.program import If"),
        ("plan.local_wires", "from basicaer.devices.registry import choose_device"),
        ("devices.memory", "from basicaer.options import Precision\nimport numpy"),
        ("engine.program", "from . import bits\nfrom .classical import Value\nfrom ..errors import BasicAerError"),
        ("options", "from basicaer.errors import BasicAerError"),
    ],
)
def test_imports_downwards_and_beside_are_let_through(module, source):
    assert not upward_edges(imports_of(source, module), module)


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("engine.program", "import qiskit", True),
        ("devices.memory", "def f():\n    from qiskit.exceptions import QiskitError", True),
        ("plan.local_wires", "if TYPE_CHECKING:\n    from qiskit import QuantumCircuit", True),
        ("options", "from qiskit.providers import Options", True),
        ("errors", "from qiskit.result import Result", True),
        ("errors", "from qiskit.providers import Options", True),
        ("errors", "from qiskit.exceptions import QiskitError", False),
        ("errors", "from qiskit.providers.exceptions import JobError", False),
        ("errors", "if TYPE_CHECKING:\n    from qiskit.result import Result", False),
        ("compile.lower", "from qiskit import circuit", False),
        ("job", "from qiskit.providers import JobV1", False),
    ],
)
def test_qiskit_out_of_its_place_is_seen(module, source, wrong):
    assert bool(misplaced_qiskit(imports_of(source, module), module)) == wrong


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("devices.gpu.device", "import cupy", True),
        ("devices.gpu.device", "if TYPE_CHECKING:\n    import cupy", True),
        ("devices.gpu.device", "class A:\n    import cupy.cuda", True),
        ("engine.execute", "def f():\n    import cupyx", True),
        ("cli", "def f():\n    from cupy import ndarray", True),
        ("devices.gpu.device", "def f():\n    import cupy", False),
    ],
)
def test_cupy_out_of_its_place_is_seen(module, source, wrong):
    assert bool(misplaced_cupy(imports_of(source, module), module)) == wrong


@pytest.mark.parametrize(
    "source",
    [
        *("1 << n", "n >>= 1", "np.left_shift(a, b)", "from operator import rshift", "lambda n: n >> 1"),
        *(
            "a % 2**k",
            "a // 2 ** (k + 1)",
            "2**j ^ a",
            "a ^ 2**j",
            "a | 2**j",
            "a | b * 2**j",
            "n & -n",
            "n.bit_length() - 1",
        ),
    ],
)
def test_a_bit_trick_is_seen_wherever_it_stands(source):
    assert bit_tricks_in(source) == [1]


@pytest.mark.parametrize("source", ["_MOST // 2**n", "a * 2**n", "a % n", "a // 2", "a ^ b", "n.bit_length()", "a - 1"])
def test_other_arithmetic_is_no_bit_trick(source):
    assert bit_tricks_in(source) == []


@pytest.fixture(scope="module")
def loaded():
    """The modules loaded after importing what basicaer takes from Qiskit, and those loaded after importing BasicAer."""
    code = (
        "import sys, qiskit, qiskit.providers, qiskit.result, qiskit.quantum_info, qiskit.synthesis\n"
        "print(*sys.modules)\n"
        "from basicaer import BasicAer\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_importing_basicaer_brings_in_what_it_runs_on_and_no_more(loaded):
    before, after = loaded
    packages = {name.split(".")[0] for name in after - before} - set(sys.stdlib_module_names)
    assert packages == {"basicaer", "fastjsonschema"}


def test_importing_basicaer_loads_nothing_that_only_the_command_line_a_picture_a_file_or_a_gpu_needs(loaded):
    for name in ("click", "cupy", "matplotlib", "openqasm3", "qiskit_aer", "qiskit_qasm3_import", "rich", "tqdm"):
        assert name not in loaded[1]
    for name in ("basicaer.cli", "basicaer.primitives", "basicaer.simulators"):
        assert name not in loaded[1]
