"""`StateArray`: the array of a state or a unitary, which has the methods of Qiskit's classes for these as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.quantum_info import Operator, Statevector

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["StateArray"]


class StateArray(np.ndarray[Any, np.dtype[np.complexfloating[Any, Any]]]):
    """The amplitudes of a state, ``state[i]`` for basis state i, or a unitary, ``unitary[i, j]``: an array of NumPy.

    Aer returns Qiskit's `Statevector` and `Operator` instead. Their methods work here, too:
    ``state.probabilities()`` is ``Statevector(state).probabilities()``, and ``unitary.is_unitary()`` is
    ``Operator(unitary).is_unitary()``. What NumPy has under the same name is NumPy's, except for `data`. Arithmetic
    returns plain arrays.

    Attributes
    ----------
    data : numpy.ndarray
        The numbers as a plain array, as Qiskit's classes have them.
    """

    @property
    def data(self) -> NDArray[np.complexfloating[Any, Any]]:  # type: ignore[override]  # NumPy has a memoryview here
        """The numbers as a plain array, without a copy."""
        return self.view(np.ndarray)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:  # noqa: FBT001, FBT002  # NumPy's signature
        """Return what arithmetic has made as a plain array or number."""
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain

    if not TYPE_CHECKING:  # a type checker would let every name pass

        def __getattr__(self, name: str) -> Any:
            """Return a method of `Statevector` or `Operator`; called for names that NumPy does not have."""
            kind = {1: Statevector, 2: Operator}.get(self.ndim)
            if kind is None or name.startswith("_") or not hasattr(kind, name):
                raise AttributeError(f"'StateArray' object has no attribute '{name}'", name=name, obj=self)
            return getattr(kind(self.data), name)
