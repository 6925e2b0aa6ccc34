"""`.ci/gpu`, which tests on a card, where CuPy is the emulator, which has a driver or has none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emulated_gpu import why_unavailable

ROOT = Path(__file__).parents[1]
CUPY = """
from emulated_gpu import EmulatedCupy

emulated = EmulatedCupy()
emulated.gpu.no_driver = {no_driver}
globals().update(vars(emulated))
"""
DRIVER = 'extern "C" int cuDriverGetVersion(int* version) { *version = 13000; return 0; }'

pytestmark = pytest.mark.skipif(
    why_unavailable() is not None or sys.platform != "linux", reason=f"kernels cannot run here: {why_unavailable()}"
)


@pytest.fixture
def tested(tmp_path):
    """A function that runs the script on the emulated card; it returns the completed process."""

    def run(*words, no_driver=False):
        package = tmp_path / "cupy"
        package.mkdir()
        (package / "__init__.py").write_text(CUPY.format(no_driver=no_driver), "utf-8")
        (tmp_path / "bin").mkdir()
        python = tmp_path / "bin" / "python3"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', "utf-8")
        python.chmod(0o755)
        if not no_driver:  # the library of the driver, which is asked before CuPy
            library = ["-shared", "-fPIC", "-x", "c++", "-", "-o", tmp_path / "libcuda.so.1"]
            subprocess.run(["g++", *library], input=DRIVER, text=True, check=True)
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        env = os.environ | {"PATH": path, "PYTHONPATH": str(tmp_path), "LD_LIBRARY_PATH": str(tmp_path)}
        return subprocess.run([ROOT / ".ci" / "gpu", *words], env=env, capture_output=True, text=True, check=False)

    return run


@pytest.mark.slow
def test_a_card_is_named_and_all_that_takes_one_is_tested_on_it(tested):
    some = "(test_new_state_is_zero or test_without_a_plan) and GPU- and not GPU-emulated"
    done = tested("-q", "-k", some)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("0: Emulated GPU, compute capability 9.0")
    assert "6 passed" in done.stdout
    assert "there is no compute-sanitizer" in done.stdout


def test_without_a_card_the_script_says_why(tested):
    done = tested(no_driver=True)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("; the CPU runs everything, and there is nothing to install")
