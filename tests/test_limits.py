"""The memory and the cores that are left to a process, and the threads that it uses: of made-up containers."""

import math
import os
import subprocess
import sys

import pytest

from basicaer.devices import limits, memory
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.errors import BasicAerError

GROUP = "a/job.slice/step"


@pytest.fixture
def system(monkeypatch, tmp_path):
    """A function that makes files, given by their paths and contents; cores and the environment are made up."""
    monkeypatch.setattr(limits, "_ROOT", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.delenv("BASICAER_NUM_THREADS", raising=False)
    monkeypatch.setattr(limits, "_openmp_threads", "")
    limits._quota.cache_clear()

    def make(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)

    yield make
    limits._quota.cache_clear()


def newer(folder, limit, use="0", cache="0"):
    """Files of a folder of the newer control groups."""
    folder = f"sys/fs/cgroup/{folder}".rstrip("/")
    statistics = f"anon 5\ninactive_file {cache}\n"
    return {f"{folder}/memory.max": limit, f"{folder}/memory.current": use, f"{folder}/memory.stat": statistics}


def older(folder, limit, use="0", cache="0"):
    folder = f"sys/fs/cgroup/memory/{folder}".rstrip("/")
    files = {"limit_in_bytes": limit, "usage_in_bytes": use, "stat": f"total_inactive_file {cache}\n"}
    return {f"{folder}/memory.{name}": text for name, text in files.items()}


GROUPS = {"newer": (newer, f"0::/{GROUP}\n"), "older": (older, f"5:cpu,memory:/{GROUP}\n1:name=systemd:/b\n0::/\n")}


@pytest.mark.parametrize(("files", "lines"), GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("limited", ["", "a", "a/job.slice", GROUP])
def test_memory_is_what_the_strictest_group_around_the_process_leaves(system, files, lines, limited):
    unlimited = "max" if files is newer else str(2**63 - 4096)
    system({"proc/self/cgroup": lines})
    for folder in ("", "a", "a/job.slice", GROUP):
        system(files(folder, unlimited, use="700"))
    system(files("elsewhere", "10"))
    assert limits.memory_left() > 2**62
    system(files(limited, "5000\n", use="3000\n", cache="10"))
    assert limits.memory_left() == memory.free_host_bytes() == 2010
    system(files(limited, "2000", use="3000", cache="10"))
    assert limits.memory_left() == memory.free_host_bytes() == 0


def test_memory_is_that_of_the_machine_where_nothing_limits_it(system):
    assert limits.memory_left() == math.inf
    assert memory.free_host_bytes() > 2**20
    system({"proc/self/cgroup": "0::/gone/since\nnonsense\n"})
    assert limits.memory_left() == math.inf


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, 8),
        ({"sys/fs/cgroup/cpu.max": "300000 100000"}, 3),
        ({"sys/fs/cgroup/a/cpu.max": "150000 100000", f"sys/fs/cgroup/{GROUP}/cpu.max": "400000 100000"}, 2),
        ({f"sys/fs/cgroup/{GROUP}/cpu.max": "1000 100000"}, 1),
        ({"sys/fs/cgroup/cpu.max": "9900000 100000"}, 8),
        ({"sys/fs/cgroup/cpu.max": "100000 0"}, 8),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, 8),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "250000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, 3),
    ],
)
def test_cores_are_those_the_process_is_bound_to_or_the_quota_of_its_time(system, files, cores):
    system({"proc/self/cgroup": f"0::/{GROUP}\n3:cpu:/\n"} | files)
    assert limits.usable_cores() == limits.default_threads() == NumpyDevice().threads == cores


@pytest.mark.parametrize(
    ("own", "openmp", "threads"),
    [
        (None, None, 8),
        (None, "3", 3),
        (None, "4,2", 4),
        ("6", "3", 6),
        ("6", None, 6),
        ("", "3", 3),
        (None, "0", 8),
        (None, "many", 8),
        (None, "-2", 8),
        ("100000", None, 256),
        (None, "100000", 256),
    ],
)
@pytest.mark.usefixtures("system")
def test_threads_are_those_of_the_environment(monkeypatch, own, openmp, threads):
    if own is not None:
        monkeypatch.setenv("BASICAER_NUM_THREADS", own)
    monkeypatch.setattr(limits, "_openmp_threads", openmp or "")
    assert NumpyDevice().threads == threads
    assert NumpyDevice(7).threads == 7


def test_openmps_variable_is_read_when_the_provider_is_imported_and_not_later():
    """Dask changes it in the process of its client too."""
    code = (
        "import os; from basicaer import BasicAer; os.environ['OMP_NUM_THREADS'] = '2'\n"
        "from basicaer.devices.limits import default_threads; print(default_threads())"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "3"}
    environment.pop("BASICAER_NUM_THREADS", None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "3\n"


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "²"])
@pytest.mark.usefixtures("system")
def test_a_number_of_threads_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv("BASICAER_NUM_THREADS", value)
    with pytest.raises(BasicAerError, match="BASICAER_NUM_THREADS must be a whole number of at least 1, not '"):
        NumpyDevice()
