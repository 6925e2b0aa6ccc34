"""Builds wheel and sdist, and checks what they hold, what they say of themselves, and that the wheel works."""

import email
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import basicaer

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CUDA = {"cuda12": "cupy-cuda12x", "cuda13": "cupy-cuda13x"}


def build(source, into, *targets):
    """Build without network and without an environment of its own."""
    wanted = [word for target in targets for word in ("-t", target)]
    command = [sys.executable, "-m", "hatchling", "build", *wanted, "-d", str(into)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of a wheel and an sdist of the checkout."""
    pytest.importorskip("hatchling", reason="hatchling, which builds, is not installed")
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder, "wheel", "sdist")
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return email.message_from_string(wheel.read(name).decode())


@pytest.fixture(scope="module")
def requirements(metadata):
    return [Requirement(text) for text in metadata.get_all("Requires-Dist")]


def files_under(folder):
    """The files of a folder of the checkout, as paths from the checkout on, without what tools leave behind."""
    found = [path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()]
    return {path.as_posix() for path in found if not any(p.startswith((".", "__pycache__")) for p in path.parts)}


def test_the_wheel_holds_the_package_the_kernels_and_nothing_else(wheel):
    package = {name.removeprefix("src/") for name in files_under("src")}
    kernels = {f"basicaer/{name}" for name in files_under("kernels")}
    assert {"basicaer/py.typed", "basicaer/qobj/qobj.schema.json", "basicaer/cli/__init__.py"} <= package
    assert "basicaer/kernels/README.md" in kernels
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == package | kernels


def test_the_wheel_is_for_every_platform(built):
    assert [path.name for path in built.glob("*.whl")] == [f"basicaer-{basicaer.__version__}-py3-none-any.whl"]


def test_the_wheel_names_the_command_and_brings_the_licence(wheel):
    (entry_points,) = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    assert wheel.read(entry_points).decode().split() == [
        *("[console_scripts]", "basicaer", "=", "basicaer.cli:main"),
        *("[pennylane.plugins]", "basicaer.qubit", "=", "basicaer.pennylane:BasicAerDevice"),
    ]
    (licence,) = [name for name in wheel.namelist() if ".dist-info/licenses/" in name]
    assert wheel.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_runs_by_itself(wheel, tmp_path):
    """Circuit and Qobj, the latter of which needs the schema; from the wheel's files, not the checkout's."""
    for name in wheel.namelist():
        wheel.extract(name, tmp_path)
    code = (
        "import basicaer; from qiskit import QuantumCircuit\n"
        "circuit = QuantumCircuit(1, 1); circuit.x(0); circuit.measure(0, 0)\n"
        "backend = basicaer.BasicAer.get_backend('qasm_simulator')\n"
        "print(backend.run(backend.run(circuit, shots=5).qobj()).result().get_counts())\n"
        "print(basicaer.__file__)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    counts, file = done.stdout.splitlines()
    assert counts == str({"1": 5})
    assert Path(file).is_relative_to(tmp_path)


def test_the_metadata_is_the_projects(metadata):
    assert metadata["Name"] == "basicaer"
    assert metadata["Version"] == basicaer.__version__
    assert metadata["License-Expression"] == PROJECT["license"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert metadata["Summary"] == PROJECT["description"]
    assert metadata.get_payload().strip() == (ROOT / "README.md").read_text("utf-8").strip()
    assert set(metadata.get_all("Provides-Extra")) == {
        *CUDA,
        "dask",
        "jax",
        "mpi",
        "pennylane",
        "plot",
        "rocm",
        "torch",
    }


def test_the_classifiers_name_each_python_that_is_tested(metadata):
    named = set(re.findall(r"Programming Language :: Python :: (3\.\d+)", "\n".join(metadata.get_all("Classifier"))))
    assert named == set(re.findall(r'"(3\.\d+)"', (ROOT / "noxfile.py").read_text("utf-8")))


def test_the_citation_is_of_this_version():
    cited = (ROOT / "CITATION.cff").read_text("utf-8").splitlines()
    assert {f"version: {basicaer.__version__}", f"license: {PROJECT['license']}"} <= set(cited)


def test_the_default_requirements_have_no_cuda(requirements):
    default = {requirement.name for requirement in requirements if requirement.marker is None}
    assert default == {Requirement(text).name for text in PROJECT["dependencies"]}
    assert not [name for name in default if "cupy" in name or "nvidia" in name or "matplotlib" in name]


@pytest.mark.parametrize("extra", CUDA)
def test_each_cuda_extra_brings_one_cupy_with_compiler_and_headers(requirements, extra):
    names = {r.name for r in requirements if r.marker is not None and r.marker.evaluate({"extra": extra})}
    assert {name for name in names if "cupy" in name} == {CUDA[extra]}
    assert any(name.startswith("nvidia-cuda-nvrtc") for name in names)
    assert any(name.startswith("nvidia-cuda-runtime") for name in names)


def test_the_rocm_extra_brings_cupy_only(requirements):
    assert {r.name for r in requirements if r.marker and r.marker.evaluate({"extra": "rocm"})} == {"cupy-rocm-7-0"}


def test_the_plot_extra_brings_matplotlib_only(requirements):
    assert {r.name for r in requirements if r.marker and r.marker.evaluate({"extra": "plot"})} == {"matplotlib"}


def test_the_sdist_holds_sources_kernels_tests_benchmarks_and_examples(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    for folder in ("src", "kernels", "tests", "benchmarks", "examples"):
        assert files_under(folder), folder
        assert files_under(folder) <= held, folder
    assert {"noxfile.py", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"} <= held


def test_the_sdist_makes_the_same_wheel(built, wheel, tmp_path):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    build(source, tmp_path / "dist", "wheel")
    (again,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(again) as archive:
        assert {i.filename: i.CRC for i in archive.infolist()} == {i.filename: i.CRC for i in wheel.infolist()}


def test_names_and_modules_of_the_package_are_there_on_first_use():
    code = (
        "import sys, basicaer\n"
        "assert 'qiskit' not in sys.modules\n"
        "assert basicaer.errors.BasicAerError is basicaer.BasicAerError\n"
        "assert not hasattr(basicaer, 'nonsense') and not hasattr(basicaer, '__wrapped__')\n"
        "print(*[name for name in basicaer.__all__ if getattr(basicaer, name, None) is None])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("\n", "")
