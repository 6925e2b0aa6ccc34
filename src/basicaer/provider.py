"""`BasicAer`, the provider: where the simulators are to be had by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qiskit.providers.exceptions import QiskitBackendNotFoundError

from basicaer.options import unknown_name
from basicaer.simulators import QasmSimulator, StatevectorSimulator, UnitarySimulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from basicaer.simulators.base import BasicAerSimulator

__all__ = ["BasicAer", "BasicAerProvider"]

_SIMULATORS = (QasmSimulator, StatevectorSimulator, UnitarySimulator)


class BasicAerProvider:
    """Makes simulator backends; each call makes new ones, so that nobody's options change under them."""

    def backends(
        self, name: str | None = None, filters: Callable[[BasicAerSimulator], bool] | None = None
    ) -> list[BasicAerSimulator]:
        """Return a backend of each simulator; only those called `name`, and of which `filters` says True, if given."""
        backends = [kind(provider=self) for kind in _SIMULATORS]
        return [b for b in backends if name in {None, b.name} and (filters is None or filters(b))]

    def get_backend(self, name: str = "qasm_simulator") -> BasicAerSimulator:
        """Return the simulator called `name`.

        Raises
        ------
        QiskitBackendNotFoundError
            If there is none of this name; the message names the nearest.
        """
        for backend in self.backends(name):
            return backend
        raise QiskitBackendNotFoundError(unknown_name("backend", str(name), (b.name for b in self.backends())))

    def __str__(self) -> str:
        return "BasicAer"

    def __repr__(self) -> str:
        return "<BasicAerProvider: qasm_simulator, statevector_simulator, unitary_simulator>"


BasicAer = BasicAerProvider()
