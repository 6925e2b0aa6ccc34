"""`SamplerV2`: the outcome of every shot, register by register, for arrays of parameter values."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self, Unpack

from qiskit.primitives import BaseSamplerV2
from qiskit.primitives.containers.sampler_pub import SamplerPub

from basicaer.devices.memory import check_shots
from basicaer.errors import NothingMeasuredWarning, warn
from basicaer.notebooks import interrupts_shortened
from basicaer.options import check_option, keywords_checked
from basicaer.primitives.base import Primitive, read_pubs
from basicaer.primitives.options import SamplerOptions
from basicaer.primitives.payload import Register, SamplerTask

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from qiskit.primitives.containers.sampler_pub import SamplerPubLike

    from basicaer.option_types import PrimitiveRunOptions, SamplerArguments
    from basicaer.primitives.job import PrimitiveJob
    from basicaer.simulators.base import BasicAerSimulator

__all__ = ["SamplerV2"]


class SamplerV2(Primitive, BaseSamplerV2):
    """Samples circuits: Qiskit's `BaseSamplerV2`, also for circuits with mid-circuit measurement and control flow.

    Parameters
    ----------
    backend
        The backend whose options serve as defaults for those below; None for a new ``qasm_simulator``.
    default_shots
        Default for PUBs without shots.
    seed
        Makes outcomes reproducible: the outcomes of a parameter set depend only on the seed and on the position of the
        set among all sets of the job. Each run draws a seed from a generator of NumPy.
    options
        The same options in the form of Qiskit's and Aer's primitives, which override the keyword arguments: a
        dictionary of ``default_shots``, ``seed_simulator``, ``backend_options`` and ``run_options``; see
        `SamplerOptions`.
    run_options
        ``device``, ``precision``, ``max_parallel_threads``, ``spill``, ``executor``, ``timeout``, ``callback`` and
        ``progress``, as for ``backend.run``.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from basicaer import SamplerV2
    >>> coin = QuantumCircuit(1)
    >>> _ = coin.x(0)
    >>> coin.measure_all()
    >>> SamplerV2(seed=7).run([coin], shots=5).result()[0].data.meas.get_counts()
    {'1': 5}
    """

    _options_type = SamplerOptions
    _options: SamplerOptions

    def __init__(
        self,
        backend: BasicAerSimulator | None = None,
        *,
        default_shots: int = 1024,
        seed: int | np.random.Generator | None = None,
        options: dict[str, Any] | None = None,
        **run_options: Unpack[PrimitiveRunOptions],
    ) -> None:
        own = {"default_shots": default_shots, "seed_simulator": seed}
        super().__init__(backend, own, options, run_options)

    @classmethod
    def from_backend(cls, backend: BasicAerSimulator, **options: Unpack[SamplerArguments]) -> Self:
        """Return a primitive that runs on a backend; for programs that call Aer's method of this name.

        Parameters
        ----------
        backend
            A simulator of `BasicAer`.
        options
            Arguments of the class.
        """
        return cls(backend, **options)

    @property
    def options(self) -> SamplerOptions:
        """The options; each may be set again, for later runs."""
        return self._options

    @property
    def default_shots(self) -> int:
        """Default for PUBs without shots."""
        return self._options.default_shots

    @keywords_checked
    @interrupts_shortened("run() was interrupted; no job runs.")
    def run(self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None) -> PrimitiveJob:
        """Submit PUBs: circuits, each alone or with an array of parameter values, and with shots.

        Parameters
        ----------
        pubs
            PUBs, as `qiskit.primitives.BaseSamplerV2.run` takes them.
        shots
            Default for PUBs without shots.

        Returns
        -------
        PrimitiveJob
            The job, already submitted. Its result has for each PUB a `DataBin` with a `BitArray` for each classical
            register, of the shape of the parameter values.

        Raises
        ------
        BasicAerError
            For anything that cannot be run, before the job is queued. For a bad PUB the error is also a ValueError and
            a TypeError, which Qiskit's own primitives raise.
        """
        default = self._options.default_shots
        if shots is not None:
            default = check_option("default_shots", shots, called="shots")
        coerced = read_pubs(pubs, partial(SamplerPub.coerce, shots=default))
        return self._run_with(partial(self._sampled, coerced))

    def _sampled(self, pubs: list[SamplerPub], settings: dict[str, Any]) -> PrimitiveJob:
        tasks = []
        for pub in pubs:
            circuit = pub.circuit
            if not circuit.cregs:
                warn(
                    f"Circuit '{circuit.name}' has no classical registers, so its result is empty; add measure_all().",
                    NothingMeasuredWarning,
                )
            n_shots = check_option("default_shots", pub.shots, called="shots")
            check_shots(f"Circuit '{circuit.name}'", n_shots)
            number = {bit: c for c, bit in enumerate(circuit.clbits)}
            registers = tuple(Register(one.name, tuple(number[bit] for bit in one)) for one in circuit.cregs)
            sweep, choice = self._lowered(circuit, pub.parameter_values, settings, n_shots)
            tasks.append(SamplerTask(sweep, choice, pub.shape, circuit.metadata, n_shots, registers))
        return self._submitted(tasks, settings)
