"""Makes basicaer's planner and devices importable where Qiskit is not installed, as on a borrowed machine with a GPU.

Neither uses Qiskit, but `import basicaer` also imports the parts that do, and basicaer's errors derive from Qiskit's.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2] / "src" / "basicaer" / "__init__.py"


def import_without_qiskit() -> None:
    """Replace the package basicaer by an empty one, and Qiskit by four exceptions, unless it is installed."""
    if importlib.util.find_spec("qiskit"):
        return
    for name in ("qiskit", "qiskit.exceptions", "qiskit.providers", "qiskit.providers.exceptions"):
        sys.modules[name] = importlib.util.module_from_spec(ModuleSpec(name, None))
    base = sys.modules["qiskit.exceptions"].QiskitError = type("QiskitError", (Exception,), {})
    of_providers = sys.modules["qiskit.providers.exceptions"]
    job_error = of_providers.JobError = type("JobError", (base,), {})
    of_providers.JobTimeoutError = type("JobTimeoutError", (job_error,), {})
    of_providers.QiskitBackendNotFoundError = type("QiskitBackendNotFoundError", (base,), {})
    spec = importlib.util.find_spec("basicaer") or importlib.util.spec_from_file_location(
        "basicaer", _CHECKOUT, submodule_search_locations=[str(_CHECKOUT.parent)]
    )
    # The package's own __init__ is not run, because it needs Qiskit; submodules are found by the package's path.
    sys.modules["basicaer"] = importlib.util.module_from_spec(spec)
