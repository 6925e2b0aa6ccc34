"""The CUDA sources as text, what they share with the Python side, and kernels that no run through a job reaches."""

import itertools
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from basicaer.devices import gpu
from basicaer.devices.gpu import kernels, structs
from basicaer.devices.gpu.kernels import COMPILE_OPTIONS, kernel_source
from basicaer.engine import bits
from basicaer.errors import BasicAerError
from conftest import emulated_cupy
from emulated_gpu.building import why_unavailable

ROOT = Path(__file__).parents[1]

runs = pytest.mark.skipif(why_unavailable() is not None, reason=f"kernels cannot run here: {why_unavailable()}")


def test_the_text_has_every_source_once_and_no_include_left():
    text = kernel_source()
    assert "#include" not in text
    assert "#pragma once" not in text
    files = re.findall(r'^#line 1 "(.+)"$', text, re.MULTILINE)
    assert sorted(files) == sorted(path.name for path in (ROOT / "kernels").glob("*.cu*"))


def test_lines_keep_their_numbers():
    """The line before which ``#line N "file"`` stands is line N of that file."""
    file, number = "", 0
    for line in kernel_source().splitlines():
        if match := re.match(r'#line (\d+) "(.+)"$', line):
            number, file = int(match[1]), match[2]
            continue
        written = (ROOT / "kernels" / file).read_text("utf-8").splitlines()[number - 1]
        assert line == written or (line, written) == ("", "#pragma once"), (file, number)
        number += 1


def test_each_file_of_the_device_imports_only_those_listed_before_it():
    """So there are no circles; the list, and its order, is that of the package's docstring."""
    folder = ROOT / "src" / "basicaer" / "devices" / "gpu"
    headings = re.findall(r"^`.*`$", gpu.__doc__, re.MULTILINE)
    order = re.findall(r"`(\w+)`", " ".join(headings))
    assert sorted(order) == sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    for number, name in enumerate(order):
        text = (folder / f"{name}.py").read_text("utf-8")
        assert set(re.findall(r"from basicaer\.devices\.gpu\.(\w+) import", text)) <= set(order[:number]), name


def test_missing_sources_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr(kernels.resources, "files", lambda _package: tmp_path / "a" / "b")
    kernel_source.cache_clear()
    with pytest.raises(BasicAerError, match=r"The CUDA sources are missing from .*; install basicaer again"):
        kernel_source()
    kernel_source.cache_clear()


def test_a_wheel_has_the_sources_where_they_are_looked_for(tmp_path):
    pytest.importorskip("hatchling", reason="hatchling, which builds wheels, is not installed")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True, timeout=120
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    script = "from basicaer.devices.gpu import kernels; print(kernels._folder()); print(len(kernels.kernel_source()))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    folder, size = done.stdout.split()
    assert Path(folder) == tmp_path / "site" / "basicaer" / "kernels"
    assert int(size) == len(kernel_source())


def launched(source, name, blocks, threads, *arguments):
    module = emulated_cupy().RawModule(code=source, options=COMPILE_OPTIONS, name_expressions=(name,))
    module.get_function(name)((blocks,), (threads,), arguments)


def on_card(array):
    there = emulated_cupy().empty(array.size, array.dtype)
    there.set(array)
    return there


STRUCTURES = re.findall(r"(?<!>\n)^struct (?:alignas\(16\) )?(\w+) {", kernel_source(), re.MULTILINE)  # no templates
LIMITS = re.findall(
    r"^constexpr (?:int|unsigned) (\w+)", (ROOT / "kernels" / "limits.cuh").read_text("utf-8"), re.MULTILINE
)
SIZES = f"""
template <int> __global__ void sizes(unsigned* out) {{
  const unsigned sizes[] = {{{", ".join([*(f"sizeof({name})" for name in STRUCTURES), *LIMITS])}}};
  for (unsigned size : sizes) *out++ = size;
}}
"""


def test_every_test_that_the_how_to_names_exists():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "kernels" / "README.md").read_text("utf-8")))
    texts = [path.read_text("utf-8") for path in (ROOT / "tests").glob("test_*.py")]
    defined = {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
    assert named
    assert named <= defined


@runs
def test_structures_and_limits_have_the_sizes_that_the_kernels_see():
    assert "Pass" in STRUCTURES
    out = on_card(np.zeros(len(STRUCTURES) + len(LIMITS), np.uint32))
    launched(kernel_source() + SIZES, "sizes<0>", 1, 1, out)
    sizes = out.get().tolist()
    assert sizes[: len(STRUCTURES)] == [getattr(structs, name.upper()).itemsize for name in STRUCTURES]
    found = dict(zip(LIMITS, sizes[len(STRUCTURES) :], strict=True))
    assert found.pop("BLOCKS_ON_A_MULTIPROCESSOR") == 2  # only the compiler needs it
    assert found == {name: getattr(structs, name) for name in found}
    assert {name for name in structs.__all__ if name.startswith("MOST_")} <= set(found)


def test_fields_come_in_the_order_in_which_the_kernels_have_them():
    """Names and numbers of the fields of each structure, read from the C++ text."""
    kinds = {"Index": "u8", "unsigned": "u4", "unsigned short": "u2", "unsigned char": "u1"}
    for name in STRUCTURES:
        body = re.search(
            rf"^struct (?:alignas\(16\) )?{name} {{.*?$(.*?)^}};$", kernel_source(), re.MULTILINE | re.DOTALL
        )[1]
        found = []
        for declared in re.sub(r"//.*", "", body).split(";")[:-1]:
            kind, names = re.match(
                r"\s*(Index|unsigned short|unsigned char|unsigned) (.*)", declared, re.DOTALL
            ).groups()
            for field in names.split(","):
                plain, _, count = field.strip().rstrip("]").partition("[")
                found.append((plain, kinds[kind], getattr(structs, count) if count else 1))
        record = getattr(structs, name.upper())
        fields = [(f, record[f].base.str[1:], int(np.prod(record[f].shape))) for f in record.names]
        assert fields == found


@pytest.mark.parametrize("name", ["Exchange", "LayerDiagonal", "OperationKind"])
def test_enumerations_have_the_numbers_that_the_kernels_have(name):
    body = re.search(rf"^enum {name} {{\n(.*?)^}};$", kernel_source(), re.MULTILINE | re.DOTALL)[1]
    found = re.findall(r"(\w+) = (\d+),", re.sub(r"//.*", "", body))
    assert {one.name: one.value for one in getattr(structs, name)} == {word: int(number) for word, number in found}


def test_the_number_of_threads_stands_in_one_place():
    """Launch bounds and the Python side have it from limits.cuh and from its copy in structs.py."""
    for path in (ROOT / "kernels").glob("*.cu"):
        assert not re.search(r"__launch_bounds__\(\d", path.read_text("utf-8")), path.name
    for path in (ROOT / "src/basicaer/devices/gpu").glob("*.py"):
        assert not re.search(r"\b256\b", path.read_text("utf-8")), path.name


BITS = """
template <int> __global__ void tricks(const unsigned char* positions, Index* out) {
  const Index value = threadIdx.x;
  Index* own = out + 22 * value;
  Index columns[4];
  for (int p = 0; p < 4; ++p) columns[p] = bit_at(positions[p]);
  own[0] = has_bit(value, positions[0]);
  own[1] = parity(value);
  own[2] = value ? lowest_position(value) : 99;
  own[3] = combine(value, columns, 4);
  own[4] = bit_at(positions[1]);
  own[5] = all_ones(positions[2]);
  own[6] = shifted_down(value, positions[3]);
  own[7] = power_of_two<Index>(value);
  own[8] = lowest_bits(value, positions[0]);
  own[9] = with_gap(value, positions[0], positions[1]);
  own[10] = remainder_of(value, 8);
  Index eight[8], table[256];
  for (int p = 0; p < 8; ++p) eight[p] = 5 * p + positions[p % 4];
  for (int i = 0; i < 256; ++i) table[i] = combine(i, eight, 8);
  own[11] = combine_all(value, eight);
  own[12] = combine_bytes(value, table, 8);
  own[13] = with_bits_exchanged<5>(0x9a3c55e1u, value % 32);
  own[14] = picked<2>(joined(value, 5, 3), 0x3f00u | positions[0]);
  own[15] = picked<3>(value, positions[0] | positions[1] << 8 | positions[2] << 16);
  own[16] = value ? without_lowest(value) : 99;
  own[17] = numbers_with_bit(int(positions[0]) - 1, 5);
  own[18] = number_of_ones(value) + number_of_ones(unsigned(value));
  own[19] = highest_position(value + 1);
  own[20] = as_highest_bit(unsigned(value), positions[0]);
  own[21] = gray_code(value);
}
"""


@runs
def test_bit_tricks_are_those_of_the_python_side():
    for positions in itertools.islice(itertools.permutations(range(6), 4), 0, None, 37):
        out = on_card(np.zeros(64 * 22, np.uint64))
        launched(kernel_source() + BITS, "tricks<0>", 1, 64, on_card(np.array(positions, np.uint8)), out)
        rows = out.get().reshape(64, 22).tolist()
        for value, row in enumerate(rows):
            columns = [bits.bit_at(position) for position in positions]
            assert row[:-1] == [
                bits.has_bit(value, positions[0]),
                bits.parity(value),
                bits.lowest_position(value) if value else 99,
                bits.combine(value % 16, columns),
                bits.bit_at(positions[1]),
                bits.all_ones(positions[2]),
                bits.shifted_down(value, positions[3]),
                2**value,
                bits.lowest_bits(value, positions[0]),
                bits.with_gap(value, positions[0], positions[1]),
                value % 8,
                *[bits.combine(value, [5 * p + positions[p % 4] for p in range(8)])] * 2,
                bits.mask_of(number for number in range(32) if bits.has_bit(0x9A3C55E1, number ^ value % 32)),
                int(bits.has_bit(8 * value + 5, positions[0])),
                bits.extract_bits(value, positions[:3]),
                value ^ bits.bit_at(bits.lowest_position(value)) if value else 99,
                bits.mask_of(n for n in range(32) if positions[0] == 0 or bits.has_bit(n, positions[0] - 1)),
                2 * value.bit_count(),
                bits.highest_position(value + 1),
                2**31 * bits.has_bit(value, positions[0]),
            ]
        codes = [row[-1] for row in rows]
        assert sorted(codes) == list(range(64))
        changes = [before ^ after for before, after in itertools.pairwise(codes)]
        assert changes == [bits.bit_at(bits.lowest_position(number)) for number in range(1, 64)]


def test_every_bit_trick_is_compared_and_stands_in_its_header():
    """The kernels shift no bits themselves, and each function of the header is in the kernel above."""
    header = re.sub(r"//.*", "", (ROOT / "kernels" / "index.cuh").read_text("utf-8"))
    functions = re.findall(r"__forceinline__ (?:constexpr )?[\w ]+? (\w+)\(", header)
    assert len(functions) == 23
    assert all(f"{name}(" in BITS or f"{name}<" in BITS for name in functions)
    for path in (ROOT / "kernels").glob("*.cu*"):
        if path.name != "index.cuh":
            assert not re.search(r"<<|>>|&~|- 1\)? *&|& *\(?\w+ - 1", re.sub(r"//.*", "", path.read_text("utf-8"))), (
                path.name
            )


@runs
def test_a_launch_of_the_wrong_size_ends_with_an_error():
    cupy = emulated_cupy()
    passes = np.zeros(1, structs.PASS)
    passes["register_bits"], passes["thread_bits"], passes["block_bits"] = 2, 3, 1
    for way in ("load", "store"):
        passes[f"{way}_register"][0, :2] = 1, 2
        passes[f"{way}_threads"] = 256
    name = "run_pass<double, 2>"
    module = cupy.RawModule(code=kernel_source(), options=COMPILE_OPTIONS, name_expressions=(name,))
    none = on_card(np.zeros(64, np.uint64))
    state = on_card(np.zeros(2**6, complex))
    tables = on_card(np.concatenate([np.arange(256) * 32, np.arange(256) * 4]).astype(np.uint64))  # of block and thread
    arguments = (state, on_card(passes), *[none] * 7, tables, none, np.uint32(0), none, np.uint64(0))

    def launch(blocks, threads):
        module.get_function(name)((blocks,), (threads,), arguments, shared_mem=512)
        cupy.cuda.Device(0).synchronize()

    for blocks, threads in ((2, 4), (1, 8)):
        with pytest.raises(cupy.cuda.runtime.CUDARuntimeError):
            launch(blocks, threads)
    launch(2, 8)
