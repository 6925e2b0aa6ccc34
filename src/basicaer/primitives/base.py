"""What the sampler and the estimator share: their options, and how their jobs are made."""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from basicaer.calibration import known_crossover
from basicaer.compile.sweep import lower_sweep
from basicaer.compile.values import ReadingTimeLimit
from basicaer.devices.distributed.device import divides
from basicaer.engine.method import choose_method
from basicaer.errors import OptionValueError, PubError, UnknownOptionError, at_border, shown
from basicaer.options import DeviceOptions, Method
from basicaer.primitives.job import PrimitiveJob
from basicaer.primitives.options import RUN_OPTIONS
from basicaer.primitives.payload import EstimatorTask, PrimitivePayload
from basicaer.primitives.running import run_primitive
from basicaer.sharing import all_fit, in_parts, options_of_rank, qubits_of_rank
from basicaer.simulation import check_state
from basicaer.simulators import QasmSimulator
from basicaer.simulators.base import BasicAerSimulator
from basicaer.simulators.noise import noise_of
from basicaer.simulators.ranks import (
    check_same,
    left_together,
    settings_of_rank,
    submitted_with_ranks,
    without_name,
)
from basicaer.simulators.run_options import places_elsewhere
from basicaer.spilling import choose_device
from basicaer.submission import submit_job
from basicaer.wording import unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qiskit import QuantumCircuit

    from basicaer.compile.sweep import ProgramSweep
    from basicaer.engine.device import Device
    from basicaer.engine.method import MethodChoice
    from basicaer.primitives.options import PrimitiveOptions
    from basicaer.primitives.payload import Task

__all__ = ["Primitive", "devices_of", "expected_device", "parts_of_task", "read_pubs"]

_Pub = TypeVar("_Pub")
_IN_OPTIONS = frozenset({"backend_options", "run_options", "seed_simulator"})


class Primitive:
    """The base class of both primitives.

    Parameters
    ----------
    backend
        The backend whose options serve as defaults; None for a new ``qasm_simulator``.
    own
        The primitive's own keyword arguments, under the names that its options have.
    options
        The options in the form of Qiskit's and Aer's primitives; they override the keyword arguments.
    run_options
        Options of ``backend.run``, given as keyword arguments; they override all others.
    """

    _options_type: ClassVar[type[PrimitiveOptions]]

    def __init__(
        self,
        backend: BasicAerSimulator | None,
        own: dict[str, Any],
        options: dict[str, Any] | None,
        run_options: Mapping[str, Any],
    ) -> None:
        self._backend = QasmSimulator() if backend is None else backend
        if not isinstance(self._backend, BasicAerSimulator):
            raise OptionValueError(
                f"{type(self).__name__} runs on a simulator of basicaer, not on {shown(backend)}; leave out the "
                "backend, or use qiskit.primitives with it."
            )
        for name in run_options:
            if name in _IN_OPTIONS:
                raise UnknownOptionError(
                    f"{type(self).__name__} has no argument '{name}': give it as a part of options, as in "
                    f"{type(self).__name__}(options={{'{name}': ...}})."
                )
            if name not in RUN_OPTIONS:
                known = {*RUN_OPTIONS, *own, "options", "seed"} - _IN_OPTIONS
                raise UnknownOptionError(unknown_name(f"option of {type(self).__name__}", name, known))
        if not isinstance(options, dict | None):
            raise OptionValueError(f"options must be a dictionary or None, not {shown(options)}.")
        self._options_type.check_names(options or {})
        self._options = self._options_type(**own | (options or {}))
        self._options.run_options |= run_options
        self._options.settings(self._backend)

    def __repr__(self) -> str:
        default, options = vars(self._options_type()), vars(self._options)
        named = [f"{name}={shown(value)}" for name, value in options.items() if value != default[name]]
        return f"<{type(self).__name__} on {self._backend.name}{': ' * bool(named)}{', '.join(named)}>"

    @property
    def seed(self) -> int | np.random.Generator | None:
        """The seed, or the generator that each run draws a seed from; without one, the seed of the backend."""
        own = self._options.seed
        if own is not None:
            return own
        of_backend: int | None = getattr(self._backend.options, "seed_simulator", None)  # not all simulators have it
        return of_backend

    def _seed_of_run(self) -> int:
        seed = self.seed
        if seed is None:
            return secrets.randbits(63)
        return int(seed.integers(2**63) if isinstance(seed, np.random.Generator) else seed)

    def _settings(self) -> dict[str, Any]:
        """Return all options, checked."""
        return self._options.settings(self._backend)

    def _run_with(self, make: Callable[[dict[str, Any]], PrimitiveJob]) -> PrimitiveJob:
        """Make a job with all options, checked, together with other ranks if there are any."""
        settings = self._settings()
        return submitted_with_ranks(
            settings["distributed"], lambda ranks: make({**settings, "distributed": ranks or False})
        )

    def _lowered(
        self, circuit: QuantumCircuit, bindings: Any, settings: dict[str, Any], shots: int, *, exactly: bool = False
    ) -> tuple[ProgramSweep, MethodChoice]:
        """Lower a circuit for all sets of values, choose how it is simulated, and check that its state fits.

        Parameters
        ----------
        shots
            How many shots are taken, or would be without a density matrix.
        exactly
            The same as in `choose_method`.
        """
        with at_border(lambda why: PubError(f"The values for circuit '{circuit.name}' cannot be read: {why}.")):
            values = np.asarray(bindings.as_array(circuit.parameters), float)
        values = values.reshape(bindings.size, circuit.num_parameters)
        noise, (circuit,) = noise_of(settings.get("noise_model"), [circuit])
        sweep = lower_sweep(circuit, values, noise=noise, poll=ReadingTimeLimit(settings["timeout"]))
        return sweep, self._checked_choice(sweep, settings, shots, exactly=exactly)

    def _checked_choice(
        self, sweep: ProgramSweep, settings: dict[str, Any], shots: int, *, exactly: bool = False
    ) -> MethodChoice:
        """Choose how the programs of a sweep are simulated, and check that their state fits into memory."""
        program, differ = sweep.structure, len(sweep.programs) > 1
        choice = choose_method(settings.get("method", Method.STATEVECTOR), program, shots, exactly=exactly)
        device = _shared_device(program.state_qubits * choice.axes, settings)
        check_state(
            device,
            program,
            program.state_qubits,
            settings["precision"],
            "counts",
            density=choice.is_density,
            one_of_many=differ,
            elsewhere=places_elsewhere(settings),
        )
        return choice

    def _submitted(self, tasks: Sequence[Task], settings: dict[str, Any]) -> PrimitiveJob:
        widest = max((task.evolved_qubits for task in tasks), default=0)
        gpu = expected_device(widest, settings, may_spill=True).queue
        devices = devices_of(settings, may_spill=True)
        payload = PrimitivePayload(tuple(tasks), self._seed_of_run(), devices, settings["precision"], gpu)
        submit = partial(submit_job, PrimitiveJob, self._backend, run_primitive, no_qobj)
        if not (ranks := settings["distributed"]):
            return submit(prepare=lambda: payload, settings=settings)
        check_same({f"PUB {number}": parts_of_task(task) for number, task in enumerate(tasks)}, ranks)
        of_job = ranks.again()
        payload = replace(payload, seed=ranks.broadcast(payload.seed), ranks=of_job)
        return left_together(submit(prepare=lambda: payload, settings=settings_of_rank(settings, ranks)), of_job)


def no_qobj() -> None:
    """Stand in for the circuits of a job: `PrimitiveJob.qobj` says that there is no Qobj."""


def parts_of_task(task: Task) -> Any:
    """Return what is the same for tasks with the same outcome."""
    sweep = task.sweep
    programs = [without_name(one) for one in (*sweep.programs, *([sweep.template] if sweep.template else []))]
    own: Any = (task.terms, task.sets, task.observables) if isinstance(task, EstimatorTask) else task.shots
    return programs, sweep.segments, sweep.size, task.shape, task.choice.is_density, own


def read_pubs(pubs: Any, coerce: Callable[[Any], _Pub]) -> list[_Pub]:
    """Return PUBs in Qiskit's own form, made by its method `coerce`.

    Raises
    ------
    PubError
        Naming the PUB, with Qiskit's reason.
    """
    with at_border(lambda why: PubError(f"run() takes a list of PUBs, not {shown(pubs)} ({why}).")):
        pubs = iter(pubs)
    read: list[_Pub] = []
    for pub in pubs:
        with at_border(lambda why: PubError(f"PUB {len(read)} cannot be read: {why}.")):
            read.append(coerce(pub))
    return read


def devices_of(settings: dict[str, Any], *, may_spill: bool = False) -> DeviceOptions:
    """Return which devices checked options allow; a folder among them only if states in files can be worked with."""
    folder = settings.get("spill") if may_spill else None
    spill = "" if folder is None else str(folder)
    devices = DeviceOptions(settings["device"], settings["max_parallel_threads"], spill=spill)
    if ranks := settings["distributed"] or None:
        devices = options_of_rank(devices, ranks, settings["target_gpus"] or (0,))
    return devices


def expected_device(n_qubits: int, settings: dict[str, Any], *, may_spill: bool = False) -> Device:
    """Return the device that a state is expected to run on; see `devices_of`."""
    devices = devices_of(settings, may_spill=may_spill)
    device, _ = choose_device(devices, n_qubits, settings["precision"], known_crossover, ahead=True)
    return device


def _shared_device(n_qubits: int, settings: dict[str, Any]) -> Device:
    """Return the device that a state is expected to run on, which ranks share if it does not fit each of them."""
    device, ranks = expected_device(n_qubits, settings, may_spill=True), settings["distributed"] or None
    if ranks is None or not divides(n_qubits, ranks.size) or all_fit(device, n_qubits, settings["precision"], ranks):
        return device
    return in_parts(expected_device(qubits_of_rank(n_qubits, ranks), settings), ranks)
