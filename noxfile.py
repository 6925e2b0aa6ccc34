"""Every task of the project is a session; `nox -l` lists them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "venv"

_ON_ALL_CORES = ("-n", "logical", "--maxprocesses", "4")

_GROUPS = nox.project.load_toml("pyproject.toml")["dependency-groups"]


@nox.session
def tests(session: nox.Session) -> None:
    """Run the default tests with the newest Qiskit."""
    session.install(".[plot]", *_GROUPS["test"])
    session.run("pytest", *_ON_ALL_CORES, *session.posargs)


@nox.session
def tests_all(session: nox.Session) -> None:
    """Run all tests, including the slow ones, and show the branch coverage."""
    session.install("-e", ".[plot]", *_GROUPS["test"])
    everything = ("-m", "slow or not slow", "--cov", "--cov-report=term-missing:skip-covered")
    session.run("pytest", *_ON_ALL_CORES, *everything, *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """Run the slow tests. BASICAER_SOAK_SHARE=0.1 makes them run a tenth of their thousands of jobs.

    Those that kill jobs at random moments run by themselves, because other tests would change the timing.
    `-- tests/test_soak.py` runs only the tests that kill jobs.
    """
    session.install(".[plot]", *_GROUPS["test"])
    if session.posargs:
        session.run("pytest", "-m", "slow", *session.posargs)
        return
    session.run("pytest", "-m", "slow", *_ON_ALL_CORES, "--ignore=tests/test_soak.py")
    session.run("pytest", "-m", "slow", "tests/test_soak.py")


@nox.session(venv_backend="none")
def oldest(session: nox.Session) -> None:
    """Run the default tests with the oldest Qiskit that is supported, with Python 3.12 where that is installed.

    Those of the GPU are left out, to which Qiskit makes no difference.
    """
    _test_with(
        session,
        _interpreter("3.12") or sys.executable,
        "qiskit==2.0.0",
        arguments=["-k", "not gpu", *session.posargs],
    )


@nox.session(venv_backend="none")
@nox.parametrize("version", [nox.param(version, id=version) for version in ("3.11", "3.12", "3.13")])
def pythons(session: nox.Session, version: str) -> None:
    """Run the default tests with each Python that is supported and installed; skip those that are not installed."""
    interpreter = _interpreter(version)
    if interpreter is None:
        session.skip(f"Python {version} is not installed here")
    _test_with(session, interpreter, arguments=session.posargs)


def _test_with(session: nox.Session, interpreter: str, *requirements: str, arguments: list[str]) -> None:
    """Run the default tests in a new virtual environment of an interpreter."""
    folder = session.cache_dir / "venv"  # `create_tmp` would put the tests' own temporary files into the checkout
    session.run(interpreter, "-m", "venv", "--clear", folder, external=True)
    python = str(folder / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    session.run(python, "-m", "pip", "install", "--quiet", ".[plot]", *_GROUPS["test"], *requirements)
    session.run(python, "-m", "pytest", *_ON_ALL_CORES, *arguments)


def _interpreter(version: str) -> str | None:
    """Return an interpreter of a version that can be started: that of the path, or one that pyenv has installed."""
    found = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    for one in filter(None, found):
        if subprocess.run([one, "-c", ""], capture_output=True, check=False).returncode == 0:  # noqa: S603
            return str(one)
    return None


@nox.session
@nox.parametrize("group", ["ecosystem", "pennylane"])
def ecosystem(session: nox.Session, group: str) -> None:
    """Run programs that are written with other packages; PennyLane's plugin needs an older Qiskit."""
    session.install(".", *_GROUPS["test"], *_GROUPS[group])
    files = sorted(Path("tests", "ecosystem").glob("test_*.py"))
    files = [file for file in files if (file.stem == "test_pennylane") == (group == "pennylane")]
    # Warnings of other packages are ignored; a warning of ours would be a fault of the program.
    warnings = ("-W", "ignore", "-W", "error::basicaer.errors.BasicAerWarning")
    session.run("pytest", *_ON_ALL_CORES, *warnings, *map(str, files), *session.posargs)


@nox.session
def bindings(session: nox.Session) -> None:
    """Run programs of PyTorch, JAX and PennyLane on basicaer, and PennyLane's own tests of devices.

    Set PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS to where pip finds builds of PyTorch for the CPU, which are small.
    """
    session.install(".", *_GROUPS["test"], *_GROUPS["bindings"])
    warnings = ("-W", "ignore", "-W", "error::basicaer.errors.BasicAerWarning")
    session.run("pytest", *_ON_ALL_CORES, *warnings, "tests/bindings", *session.posargs)


@nox.session
def mpi(session: nox.Session) -> None:
    """Run the tests of ranks and of mpi4py's executor, and the scripts of the page on clusters, with a wheel's MPI."""
    session.install(".[mpi]", "mpich", *_GROUPS["test"])
    tests = [f"tests/test_{name}.py" for name in ("distributed_mpi", "rank_pool", "job_mpi", "cluster")]
    session.run("pytest", "-m", "slow or not slow", *tests, *session.posargs)


@nox.session
@nox.parametrize("versions", ["newest", "oldest"])
def kernels(session: nox.Session, versions: str) -> None:
    """Compile the CUDA kernels for every architecture, and compare CuPy with its stand-in; needs no card or driver.

    The newest versions are those of CuPy and of the compilers of CUDA 12 and 13 and for AMD, the oldest are those that
    are supported.
    """
    wheels = {
        "newest": [".[cuda13]", "nvidia-cuda-nvrtc-cu12", *_GROUPS["amd"]],
        "oldest": [".[cuda12]", "cupy-cuda12x==13.6.0", "nvidia-cuda-nvrtc-cu12==12.0.*"],
    }
    session.install("-e", *wheels[versions], *_GROUPS["test"])
    names = ("compiled", "amd", "cupy")
    session.run("pytest", *_ON_ALL_CORES, *(f"tests/test_gpu_{name}.py" for name in names), *session.posargs)


@nox.session
def sanitized(session: nox.Session) -> None:
    """Run the CUDA kernels on the CPU under AddressSanitizer and UndefinedBehaviorSanitizer."""
    session.install("-e", ".", *_GROUPS["test"])
    runtime = session.run("g++", "-print-file-name=libasan.so", external=True, silent=True).strip()
    environment = {"BASICAER_SANITIZED": "1", "LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"}
    emulated = "(GPU-emulated or gpu_planned or gpu_kernels or gpu_batch or gpu_adjoint) and not little_scratch"
    names = (
        "device_contract",
        "gates",
        "gpu_planned",
        "gpu_lanes",
        "gpu_kernels",
        "gpu_batch",
        "gpu_adjoint",
        "undoing",
        "noise_devices",
    )
    files = [f"tests/test_{name}.py" for name in names]
    # A finding of a sanitizer ends the process, so pytest must not capture the report.
    session.run("python", "-m", "pytest", "--capture=sys", "-k", emulated, *files, *session.posargs, env=environment)


@nox.session
def machine_code(session: nox.Session) -> None:
    """Run the machine code that a card would run on the CPU, under the tests of the GPU device and a race check.

    `-- 90` does so only for compute capability 9.0; what follows goes to pytest.
    """
    session.install("-e", ".", *_GROUPS["test"], *_GROUPS["machine-code"])
    chosen, others = session.posargs[:1], session.posargs[1:]
    if not chosen:
        files = sorted(map(str, Path("tests").glob("test_machine_code*.py")))
        session.run("pytest", *_ON_ALL_CORES, *files)
    emulated = "GPU-emulated or gpu_planned or gpu_batch or gpu_permuted or gpu_kernels or gpu_adjoint or one_of_each"
    for architecture in chosen or ("90", "80", "75"):
        environment = {"BASICAER_MACHINE_CODE": architecture}
        selected = f"({emulated}) and not little_scratch"  # its state is too large for a check of every access
        session.run("pytest", *_ON_ALL_CORES, "-k", selected, *others, env=environment)


@nox.session
def gpu(session: nox.Session) -> None:
    """Run the device contract on the card of this machine, and its kernels under compute-sanitizer."""
    session.install("-e", ".[cuda13]", *_GROUPS["test"], *_GROUPS["sanitizer"])
    session.run(".ci/gpu", *session.posargs, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*_GROUPS["lint"])
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types strictly, also those that programs see which use the package."""
    session.install(".", *_GROUPS["types"])
    session.run("mypy")
    session.run("mypy", "--config-file", "tests/typed/mypy.ini", "tests/typed", "examples/typed_library.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks of single parts with pytest, with one thread in every numerical library.

    `-- peers` compares the circuit families with other simulators, `-- gpu` measures the card of this machine, and
    `-- latency` measures how soon cancelled jobs end. Options may follow each of them.
    """
    session.install(".", *_GROUPS["bench"])
    program = session.posargs[0] if session.posargs else ""
    if program not in {"peers", "gpu", "latency"}:
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
        ours = {"BASICAER_NUM_THREADS": str(os.cpu_count())}  # OMP_NUM_THREADS is for the others
        session.run("pytest", "benchmarks", "--benchmark-only", *session.posargs, env=one | ours)
        return
    if program == "peers":
        for peer in _GROUPS["peers"]:  # One at a time, so that a peer without a wheel does not keep the others away.
            session.install(peer, f"--only-binary={peer.partition('>')[0]}", success_codes=[0, 1])
    elif program == "gpu":
        session.install(".[cuda13,plot]", "custatevec-cu13", "nvidia-cublas>=13,<14")  # cuStateVec needs cuBLAS.
    session.chdir("benchmarks")
    session.run("python", "-m", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into build/site, where every warning is an error, and run the code of its pages."""
    session.install(".[plot]", *_GROUPS["docs"], *_GROUPS["test"])
    session.run("mkdocs", "build", "--quiet", env={"NO_MKDOCS_2_WARNING": "1"})
    session.run("pytest", "tests/test_docs.py", *session.posargs)


@nox.session
def notebook(session: nox.Session) -> None:
    """Run the notebook in a kernel from top to bottom, and check what it shows; `-- store` stores what it shows."""
    session.install(".[plot]", *_GROUPS["notebook"], *_GROUPS["test"])
    if session.posargs == ["store"]:
        session.run("python", "tests/notebook_outputs.py")
    else:
        session.run("pytest", "tests/test_notebook.py", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build wheel and sdist into dist/."""
    session.install("build")
    session.run("python", "-m", "build")
