"""Reads every module of the package and fails on an import, or a trick, that is not where it belongs."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "basicaer"

# Each layer may import itself and what stands after it. A part that is not named here faces the user.
LAYERS = (
    ("user-facing", ()),
    ("compile", ("compile",)),
    ("plan", ("plan",)),
    ("devices", ("devices",)),
    ("engine", ("engine",)),
    ("leaves", ("foreign_options", "options", "wording", "_version")),
    ("errors", ("errors",)),
)
NAMES = [name for name, _ in LAYERS]
MAY_IMPORT_QISKIT = {"user-facing", "compile"}
MAY_SHIFT = {"engine/bits.py", "engine/classical.py"}  # the latter: the operators of classical expressions
FUNCTIONS_THAT_SHIFT = {"left_shift", "right_shift", "bitwise_left_shift", "bitwise_right_shift", "lshift", "rshift"}


class Import(NamedTuple):
    """One module that a module imports."""

    name: str
    line: int
    in_function: bool
    for_types_only: bool


def layer_of(module):
    """The layer of a module named from the package on, such as ``engine.bits``; the package itself is ''."""
    part = module.split(".")[0]
    return next((name for name, parts in LAYERS if part in parts), "user-facing")


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
    """The imports that go against the order of the layers."""
    own = NAMES.index(layer_of(module))
    edges = []
    for item in found:
        root, _, target = item.name.partition(".")
        if root == "basicaer" and NAMES.index(layer_of(target)) < own:
            edges.append(f"line {item.line}: {layer_of(module)} imports {item.name} ({layer_of(target)})")
    return edges


def misplaced_qiskit(found, module):
    layer = layer_of(module)
    wrong = []
    for item in found:
        if item.name.split(".")[0] != "qiskit" or layer in MAY_IMPORT_QISKIT:
            continue
        is_base_class_of_errors = item.name == "qiskit.exceptions"
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


def shifts_in(source):
    """The lines where bits are shifted, by an operator or a function for it."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.BinOp(op=ast.LShift() | ast.RShift()) | ast.AugAssign(op=ast.LShift() | ast.RShift()):
                lines.append(node.lineno)
            case ast.Attribute(attr=name) | ast.Name(id=name) if name in FUNCTIONS_THAT_SHIFT:
                lines.append(node.lineno)
            case ast.ImportFrom(names=names) if FUNCTIONS_THAT_SHIFT.intersection(alias.name for alias in names):
                lines.append(node.lineno)
    return lines


@every_file
def test_no_module_imports_from_a_layer_above_its_own(path):
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
def test_bits_are_shifted_in_one_module_and_in_classical_expressions(path):
    lines = shifts_in(path.read_text("utf-8"))
    assert not lines or path.relative_to(PACKAGE).as_posix() in MAY_SHIFT, f"shifts in lines {lines}"


def test_cuda_stands_in_files_of_its_own():
    """No Python file but the tests, which may write small kernels to test the compiler with, holds a kernel."""
    folders = [PACKAGE, ROOT / "benchmarks", ROOT / "examples"]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    assert files
    assert not [path for path in files if "__global__" in path.read_text("utf-8")]


def test_the_layers_are_those_of_the_package():
    """`plan` is to come; every other layer that is named is there."""
    for _, parts in LAYERS:
        for part in parts:
            assert exists(f"basicaer.{part}") or part == "plan", part


# The readers themselves: each rule broken once, in a source that is not the package's.


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("compile.lower", "from basicaer.job import BasicAerJob"),
        ("compile.lower", "import basicaer.simulators.base"),
        ("compile.lower", "from basicaer import BasicAer"),
        ("plan.closure", "from basicaer.compile.gates import GATES"),
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


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("", "from basicaer.provider import BasicAer"),
        ("cli", "from basicaer.devices.memory import largest_state"),
        ("compile.lower", "from basicaer.compile.gates import GATES\nfrom basicaer.engine.program import If"),
        ("plan.closure", "from basicaer.devices.registry import choose_device"),
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
        ("plan.closure", "if TYPE_CHECKING:\n    from qiskit import QuantumCircuit", True),
        ("options", "from qiskit.providers import Options", True),
        ("errors", "from qiskit.result import Result", True),
        ("errors", "from qiskit.exceptions import QiskitError", False),
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
        ("devices.cupy_device", "import cupy", True),
        ("devices.cupy_device", "if TYPE_CHECKING:\n    import cupy", True),
        ("devices.cupy_device", "class A:\n    import cupy.cuda", True),
        ("engine.execute", "def f():\n    import cupyx", True),
        ("cli", "def f():\n    from cupy import ndarray", True),
        ("devices.cupy_device", "def f():\n    import cupy", False),
    ],
)
def test_cupy_out_of_its_place_is_seen(module, source, wrong):
    assert bool(misplaced_cupy(imports_of(source, module), module)) == wrong


@pytest.mark.parametrize(
    "source", ["1 << n", "n >>= 1", "np.left_shift(a, b)", "from operator import rshift", "lambda n: n >> 1"]
)
def test_a_shift_is_seen_wherever_it_stands(source):
    assert shifts_in(source) == [1]


@pytest.fixture(scope="module")
def loaded():
    """The modules loaded after importing what basicaer takes from Qiskit, and those loaded after importing basicaer."""
    code = (
        "import sys, qiskit, qiskit.providers, qiskit.result, qiskit.quantum_info, qiskit.synthesis\n"
        "print(*sys.modules)\n"
        "import basicaer\n"
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
