"""Cold starts: the time from starting Python to the first result, part by part, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def cold_starts(family: str, n: int, precision: str, circuits: Path, *, emulated: bool) -> dict[str, dict[str, float]]:
    """Return the seconds of each part when kernels have to be compiled, and again when they have been."""
    command = [sys.executable, "-m", "gpu.cold", family, str(n), precision, str(circuits), str(int(emulated))]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("compiling", "compiled"):
            env = os.environ | {"CUPY_CACHE_DIR": folder, "GPU_COLD_STARTED": repr(time.time())}
            done = subprocess.run(  # noqa: S603
                command, cwd=Path(__file__).parents[1], env=env, check=True, stdout=subprocess.PIPE, text=True
            )
            found[name] = json.loads(done.stdout.splitlines()[-1])
    return found


def _main(family: str, n: int, precision: str, circuits: str, emulated: str) -> None:
    parts: dict[str, float] = {}
    last = float(os.environ["GPU_COLD_STARTED"])

    def ended(part: str) -> None:
        nonlocal last
        now = time.time()
        parts[part], last = round(now - last, 4), now

    from gpu.without_qiskit import import_without_qiskit

    import_without_qiskit()
    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.options import Precision
    from gpu.card import Card
    from gpu.circuits import Circuits
    from gpu.ours import Ours

    card = Card(emulated=emulated == "1")
    ended("import")
    device = CupyDevice(cupy=card.cupy)
    card.cupy.empty(1, "u1")
    ended("context")
    device.card.kernels(Precision(precision), device.shapes[Precision(precision)].register_bits)
    ended("compile")
    segment = Circuits.read(Path(circuits)).segment(family, n)
    ended("read")  # It replaces making and lowering a circuit, so it is not counted.
    ours = Ours(card, device, segment, n, Precision(precision))
    ended("plan")
    ours.start("zero")
    ours.run()
    ended("bind_and_run")
    parts["together"] = round(sum(parts.values()) - parts["read"], 4)
    sys.stdout.write(json.dumps(parts) + "\n")


if __name__ == "__main__":
    family, n, precision, circuits, emulated = sys.argv[1:]
    _main(family, int(n), precision, circuits, emulated)
