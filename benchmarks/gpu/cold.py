"""From starting Python to the first result, piece by piece; it runs as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def cold_starts(family: str, n: int, precision: str, circuits: Path, *, emulated: bool) -> dict[str, dict[str, float]]:
    """Return the seconds of each piece, where no kernel has been compiled before, and again where they have been."""
    command = [sys.executable, "-m", "gpu.cold", family, str(n), precision, str(circuits), str(int(emulated))]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("compiling", "compiled"):
            started = time.time()
            env = os.environ | {"CUPY_CACHE_DIR": folder, "GPU_COLD_STARTED": repr(started)}
            done = subprocess.run(  # noqa: S603
                command, cwd=Path(__file__).parents[1], env=env, check=True, stdout=subprocess.PIPE, text=True
            )
            found[name] = json.loads(done.stdout.splitlines()[-1])
    return found


def _main(family: str, n: int, precision: str, circuits: str, emulated: str) -> None:
    pieces: dict[str, float] = {}
    last = float(os.environ["GPU_COLD_STARTED"])

    def over(piece: str) -> None:
        nonlocal last
        now = time.time()
        pieces[piece], last = round(now - last, 4), now

    from gpu.without_qiskit import stand_in

    stand_in()
    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.options import Precision
    from gpu.card import Card
    from gpu.circuits import Circuits
    from gpu.ours import Ours

    card = Card(emulated=emulated == "1")
    over("import")
    device = CupyDevice(cupy=card.cupy)
    card.cupy.empty(1, "u1")
    over("context")
    device.card.kernels(Precision(precision), device.shapes[Precision(precision)].register_bits)
    over("compile")
    segment = Circuits.read(Path(circuits)).segment(family, n)
    over("read")  # in place of making and lowering a circuit, so it does not count
    ours = Ours(card, device, segment, n, Precision(precision))
    over("plan")
    ours.start("zero")
    ours.run()
    over("bind_and_run")
    pieces["together"] = round(sum(pieces.values()) - pieces["read"], 4)
    sys.stdout.write(json.dumps(pieces) + "\n")


if __name__ == "__main__":
    n_arguments = 5
    family, n, precision, circuits, emulated = sys.argv[1 : 1 + n_arguments]
    _main(family, int(n), precision, circuits, emulated)
