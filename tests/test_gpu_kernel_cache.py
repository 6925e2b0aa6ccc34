"""Where CuPy does not keep compiled kernels for the next process, basicaer does: each file is right, or made anew."""

import os

import numpy as np
import pytest

from basicaer.devices.gpu import kernel_cache
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.kernels import kernel_source
from basicaer.options import Precision
from conftest import TINY_SHAPES
from emulated_gpu import EmulatedCupy, why_unavailable

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=f"kernels cannot run here: {why_unavailable()}")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The folder of compiled kernels, which is not there yet."""
    monkeypatch.delenv("CUPY_CACHE_IN_MEMORY", raising=False)
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def compilations(precision=Precision.DOUBLE, version="13.6.0", **gpu):
    """Run kernels as a new process does; return how many texts it compiled."""
    cupy = EmulatedCupy(version=version)
    for name, value in gpu.items():
        setattr(cupy.gpu, name, value)
    state = CupyDevice(cupy=cupy, shapes=TINY_SHAPES).new_state(4, precision)
    assert np.array_equal(state.amplitudes(), [1] + [0] * 15)
    return cupy.gpu.compilations


@pytest.mark.parametrize("version", ["13.6.0", "14.0.1", "14.1.1"])
def test_the_next_process_finds_what_was_compiled(folder, version):
    assert compilations(version=version) == 1
    (kept,) = folder.iterdir()
    assert compilations(version=version) == 0
    assert list(folder.iterdir()) == [kept]


@pytest.mark.parametrize("version", ["14.2.0", "14.10.0rc1", "15.0.0a1"])
def test_a_cupy_that_keeps_templates_does_it_all_by_itself(folder, version):
    assert compilations(version=version) == 0
    assert not folder.exists()


@pytest.mark.parametrize(
    "other",
    [
        {"precision": Precision.SINGLE},
        {"version": "14.0.1"},
        {"compiler_version": (12, 0)},
        {"properties": {"major": 8}},
    ],
    ids=["precision", "CuPy", "NVRTC", "architecture"],
)
def test_what_was_made_of_something_else_is_not_taken(folder, other):
    assert compilations() == 1
    assert compilations(**other) == 1
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("changed", ["kernel_source", "COMPILE_OPTIONS"])
def test_what_was_made_of_another_text_or_with_other_options_is_not_taken(folder, monkeypatch, changed):
    assert compilations() == 1
    text = kernel_source()
    changes = {"kernel_source": lambda: f"{text}//\n", "COMPILE_OPTIONS": ("--std=c++17", "-DX")}
    monkeypatch.setattr(kernel_cache, changed, changes[changed])
    assert compilations() == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:64],
        lambda content: content.replace(b"_Z1", b"_Z2"),
    ],
    ids=["empty", "cut", "a digest alone", "another symbol"],
)
def test_a_damaged_file_is_made_anew(folder, damage):
    assert compilations() == 1
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    assert damage(whole) != whole
    file.write_bytes(damage(whole))
    assert compilations() == 1
    assert file.read_bytes() == whole
    assert compilations() == 0


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(folder):
    folder.write_text("a file stands in the folder's place", "utf-8")
    assert compilations() == 1
    assert compilations() == 1


def test_a_write_that_fails_leaves_no_file_under_the_name(folder, monkeypatch):
    def full(path, content):
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(folder), "write_bytes", full)
    kernel_cache._write(folder / "kernels", kernel_cache._MachineCode({"a": "_Z1"}, b"a binary of many bytes" * 100))
    assert [path.name for path in folder.iterdir()] == [f"kernels.{os.getpid()}"]


def test_whoever_wants_no_files_has_none(folder, monkeypatch):
    monkeypatch.setenv("CUPY_CACHE_IN_MEMORY", "1")
    assert compilations() == 1
    assert compilations() == 1
    assert not folder.exists()
