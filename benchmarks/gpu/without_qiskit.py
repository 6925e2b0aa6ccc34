"""Makes basicaer's planner and devices importable where Qiskit is not installed, as on a machine that one has lent.

Neither uses it, but `import basicaer` brings in all that a user meets, and its errors derive from Qiskit's.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_CHECKOUT = Path(__file__).parents[2] / "src" / "basicaer" / "__init__.py"


def stand_in() -> None:
    """Put an empty package in basicaer's place, and one exception in Qiskit's; nothing where Qiskit is installed."""
    if "qiskit" in sys.modules or importlib.util.find_spec("qiskit"):
        return
    qiskit, exceptions = ModuleType("qiskit"), ModuleType("qiskit.exceptions")
    exceptions.QiskitError = type("QiskitError", (Exception,), {})
    sys.modules |= {"qiskit": qiskit, "qiskit.exceptions": exceptions}
    spec = importlib.util.find_spec("basicaer") or importlib.util.spec_from_file_location(
        "basicaer", _CHECKOUT, submodule_search_locations=[str(_CHECKOUT.parent)]
    )
    sys.modules["basicaer"] = importlib.util.module_from_spec(spec)  # its __init__ is not run: that needs Qiskit
