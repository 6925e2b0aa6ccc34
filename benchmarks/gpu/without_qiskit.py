"""Makes basicaer's planner and devices importable where Qiskit is not installed, as on a machine that one has lent.

Neither uses it, but `import basicaer` brings in all that a user meets, and its errors derive from Qiskit's.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2] / "src" / "basicaer" / "__init__.py"


def stand_in() -> None:
    """Put an empty package in basicaer's place, and one exception in Qiskit's; nothing where Qiskit is installed."""
    if importlib.util.find_spec("qiskit"):
        return
    for name in ("qiskit", "qiskit.exceptions"):
        sys.modules[name] = importlib.util.module_from_spec(ModuleSpec(name, None))
    sys.modules["qiskit.exceptions"].QiskitError = type("QiskitError", (Exception,), {})
    spec = importlib.util.find_spec("basicaer") or importlib.util.spec_from_file_location(
        "basicaer", _CHECKOUT, submodule_search_locations=[str(_CHECKOUT.parent)]
    )
    sys.modules["basicaer"] = importlib.util.module_from_spec(spec)  # its __init__ is not run: that needs Qiskit
