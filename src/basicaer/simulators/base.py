"""What the three simulators share: options, targets, and the way from `run` to a submitted job."""

from __future__ import annotations

import cmath
import secrets
import time
import uuid
import warnings
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2, Options

from basicaer._version import __version__
from basicaer.calibration import known_crossover
from basicaer.compile.binding import bound_circuits
from basicaer.compile.from_qobj import check_size, lower_experiment
from basicaer.compile.saves import as_unitary
from basicaer.compile.values import NoNumberError, Patience
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.registry import choose_device
from basicaer.engine.program import Over, Phase, Save, SetState, walk
from basicaer.engine.sampling import seed_of_experiment
from basicaer.errors import BasicAerError, BasicAerWarning, at_border, shown
from basicaer.foreign_options import ACCEPTED_NAMES, without_foreign_options
from basicaer.job import BasicAerJob
from basicaer.options import (
    ArrayPlace,
    DeviceChoice,
    DeviceOptions,
    Precision,
    check_options,
)
from basicaer.plan_view.making import plan_experiment
from basicaer.qobj.assembly import assemble
from basicaer.qobj.validation import as_dict
from basicaer.result import circuit_header
from basicaer.simulators.target import build_target
from basicaer.simulators.work import Experiment, Saving, Work, check_room, run_work
from basicaer.wording import unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from qiskit.transpiler import Target

    from basicaer.compile.binding import BoundCircuit
    from basicaer.engine.program import Program
    from basicaer.plan_view.model import CircuitPlan
    from basicaer.primitives import EstimatorV2, SamplerV2

__all__ = ["BasicAerSimulator", "check_initial_statevector", "check_initial_unitary", "warn"]

_ANY_ANGLE = 0.618  # in radians: a plan depends on no angle, and this one makes no gate anything special
_WHOLE = ("shots", "seed_simulator", "max_parallel_threads")
_NONE_IS_DEFAULT = frozenset({"max_parallel_experiments", "max_parallel_threads", "memory", "shots"})
_QOBJ_OPTIONS = (  # what a Qobj's configuration may set; the others make no sense in JSON
    "shots",
    "memory",
    "seed_simulator",
    "chop_threshold",
    "initial_statevector",
    "initial_unitary",
    "device",
    "precision",
    "max_parallel_threads",
    "target_gpus",
)


class BasicAerSimulator(BackendV2):
    """A simulator backend; see its three subclasses.

    Any number of jobs may share one: `run` takes a snapshot of the options.
    """

    _name: ClassVar[str]
    _description: ClassVar[str]
    _returns: ClassVar[str]
    _unitary_only: ClassVar[bool] = False
    _methods: ClassVar[tuple[str, ...]] = ("statevector",)  # of Aer, that do the same
    _ignored: ClassVar[frozenset[str]] = frozenset()  # options that are checked, and have no effect
    _num_qubits: ClassVar[int | None] = None  # of the target; a state of all the qubits is returned, so none is added

    def __init__(self, provider: Any = None, **options: Any) -> None:
        super().__init__(
            provider=provider,
            name=self._name,
            description=self._description,
            backend_version=__version__,
        )
        self._defaults = dict(self._default_options())
        self.set_options(**options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}('{self.name}')>"

    @classmethod
    def _default_options(cls) -> Options:
        return Options(
            shots=1024,
            memory=False,
            seed_simulator=None,
            parameter_binds=None,
            chop_threshold=1e-15,
            device=DeviceChoice.AUTO,
            precision=Precision.DOUBLE,
            max_parallel_threads=0,
            max_parallel_experiments=1,
            target_gpus=None,
            executor=None,
            timeout=None,
            callback=None,
            progress=False,
            cancel_on_interrupt=True,
            checkpoint_dir=None,
            checkpoint_every=60.0,
        )

    @property
    def target(self) -> Target:
        """What may be run: all gates, on any qubits."""
        return build_target(unitary_only=self._unitary_only, num_qubits=self._num_qubits)

    @property
    def max_circuits(self) -> None:
        """As many circuits in one job as you like."""
        return

    def run(self, run_input: Any, **options: Any) -> BasicAerJob:
        """Submit circuits or a Qobj.

        Everything about the input and the options is checked here, before the job is queued.

        Parameters
        ----------
        run_input
            A circuit, a list of circuits, or a Qobj: a `QasmQobj`, a dictionary, or any object with ``to_dict()``.
            No transpile step is needed.
        options
            Go before the Qobj's settings, the backend's options and the defaults:

            - ``shots``: how often to repeat each circuit; default 1024, for the statevector simulator 1. None is the
              backend's own, as it is for ``memory`` and both that begin with ``max_parallel``.
            - ``memory``: whether to return the outcome of every shot, in order.
            - ``seed_simulator``: a whole number that makes the outcomes reproducible.
            - ``parameter_binds``: for each circuit a dictionary ``{parameter: [values]}``; one experiment per value.
            - ``initial_statevector``, ``initial_unitary``: what to start from (where the simulator has the option).
            - ``chop_threshold``: amplitudes of smaller modulus are returned as zero.
            - ``array`` (statevector simulator): ``"host"``, the default, returns the state as an array of NumPy;
              ``"device"`` leaves it where it was made, on a GPU as an array of CuPy, which DLPack hands on to other
              libraries. That one is not chopped, and its memory is the GPU's until the last reference to it is gone. On
              the CPU both are the state's own memory, uncopied, but for ``"host"`` with idle qubits.
            - ``device``: ``"auto"``, ``"CPU"`` or ``"GPU"``.
            - ``precision``: ``"double"`` (complex128) or ``"single"`` (complex64).
            - ``max_parallel_threads``: how many threads may work on one state at a time; 0, the default, is one on each
              core. Results are the same bit by bit for any number.
            - ``max_parallel_experiments``: into how many parts the circuits of the job may be split, to run beside each
              other on the executor; 0 is one for each core, the default 1. Results are the same for any number.
            - ``target_gpus``: numbers of the GPUs that the circuits of the job are spread over; default the first one.
            - ``executor``: any `concurrent.futures.Executor` to run on.
            - ``timeout``: seconds that the work may take; then the job ends as ERROR with a `JobTimeLimitError`.
              Reading the circuits, before the job is queued, may take as long, or 0.1 s; then `run` raises it.
            - ``callback``: called with the job's `Progress` now and then, from another thread, or in this one if the
              job is so small that it runs inside `run`. If it raises anything, it is not called again and the job goes
              on; ``job.result()`` then gives a `BasicAerWarning` that names what it raised.
            - ``progress``: whether a bar shows how far the job is, in a terminal or notebook, until it has ended.
            - ``cancel_on_interrupt``: whether Ctrl-C while the job is waited for cancels it, which is the default.
            - ``checkpoint_dir``, ``checkpoint_every``: a new folder in which the job is saved, between two passes every
              so many seconds (default 60), so that `BasicAer.resume` can go on with it.
            - ``method``, ``fusion_enable`` and other options that say how Aer works, never what comes out, are taken
              and have no effect; so is ``meas_level=2``, which asks devices for bits.

        Returns
        -------
        BasicAerJob
            Submitted already.

        Raises
        ------
        BasicAerError
            For an unknown option or instruction, a parameter without a value, a state that does not fit into memory,
            and any other bad input, in a sentence that says which and what to do.
        QobjValidationError
            For a Qobj that breaks the schema.
        """
        if _is_qobj(run_input):
            return self._run_qobj(run_input, options)
        circuits = _circuits(run_input)
        if not circuits:
            raise BasicAerError("run() was given no circuits; give it at least one.")
        settings = self._settings(options)
        patience = Patience(settings["timeout"])
        bound = _bound(circuits, settings)
        seed = _seed(settings)
        qobj_id = str(uuid.uuid4())
        experiments = []
        for position, one in enumerate(bound):
            patience()
            lower_it = partial(one.program, poll=patience)
            header = partial(circuit_header, one.circuit, one.global_phase)
            own_seed = seed_of_experiment(seed, position)
            experiments.append(self._experiment(lower_it, header, settings, seed=own_seed, position=position))
        work = Work(self.name, self.backend_version, qobj_id, self._returns, tuple(experiments))
        config = {name: settings[name] for name in _QOBJ_OPTIONS if settings.get(name) is not None}
        config |= {"seed_simulator": seed} if "seed_simulator" in settings else {}
        qobj = partial(assemble, bound, qobj_id, **config)
        return self._submitted(qobj, lambda: work, settings)

    def set_options(self, **fields: Any) -> None:
        """Set options of `run` for all runs to come.

        Raises
        ------
        AttributeError
            For an unknown option, as of all backends.
        BasicAerError
            For a value that an option cannot have.
        """
        changed = self._with_effect(fields)
        for name in changed:
            if name not in self._defaults:
                raise AttributeError(self._no_option(name))
        changed = {name: self._defaults[name] if _is_default(name, value) else value for name, value in changed.items()}
        super().set_options(**check_options(changed))
        self.options.update_options(**{name: value for name, value in fields.items() if name not in changed})

    def _no_option(self, name: str) -> str:
        """Return the sentence for an option that this simulator does not have."""
        family = BasicAerSimulator.__subclasses__()
        others = [other._name for other in family if name in other._default_options()]  # noqa: SLF001  # of this family
        if others:
            return f"{self.name} has no option '{name}': it is one of {' and '.join(others)}."
        taken = ACCEPTED_NAMES | self._ignored
        return unknown_name(f"option of {self.name}", name, self._defaults, taken)

    def _with_effect(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return options without those that are taken because other simulators and devices have them."""
        options = without_foreign_options(options, self._methods)
        if self._ignored.isdisjoint(options):
            return options
        ignored = {name: options[name] for name in self._ignored.intersection(options)}
        check_options({name: value for name, value in ignored.items() if not _is_default(name, value)})
        return {name: value for name, value in options.items() if name not in self._ignored}

    def sampler(self, **options: Any) -> SamplerV2:
        """Return a `SamplerV2` with this backend's options; see there."""
        from basicaer.primitives import SamplerV2

        return SamplerV2(self, **options)

    def estimator(self, **options: Any) -> EstimatorV2:
        """Return an `EstimatorV2` with this backend's options; see there."""
        from basicaer.primitives import EstimatorV2

        return EstimatorV2(self, **options)

    def plan(self, circuit: QuantumCircuit, **options: Any) -> CircuitPlan:
        """Show what would happen if a circuit were run, without running it: print what this returns, or draw it.

        Parameters
        ----------
        circuit
            What `run` takes, but one circuit only; its parameters need no values.
        options
            Those of `run`, of which ``device``, ``precision``, ``max_parallel_threads``, an initial state and, for the
            reading of the circuit, ``timeout`` matter.

        Raises
        ------
        BasicAerError
            Where `run` would raise it.
        """
        if not isinstance(circuit, QuantumCircuit):
            raise BasicAerError(f"plan() takes one QuantumCircuit, not an object of type {type(circuit).__name__}.")
        settings = self._settings(options)
        bound = _bound([circuit], settings)[0]
        free = [parameter for parameter in circuit.parameters if parameter not in bound.values]
        bound = bound._replace(values={**bound.values, **dict.fromkeys(free, _ANY_ANGLE)}, sets=None)
        names = tuple(parameter.name for parameter in free)
        try:
            lower_it = partial(bound.program, poll=Patience(settings["timeout"]))
            experiment = self._experiment(lower_it, dict, settings, seed=0)
        except NoNumberError as error:
            if not free:
                raise
            told = ", ".join(f"'{name}'" for name in names)
            raise BasicAerError(
                f"Circuit '{circuit.name}' cannot be planned for any values of its parameters ({told}), since an angle "
                f"is no number at {_ANY_ANGLE}; bind them with assign_parameters or parameter_binds."
            ) from error
        return plan_experiment(experiment, unitary=self._unitary_only, free_parameters=names)

    def _run_qobj(self, qobj: Any, options: dict[str, Any]) -> BasicAerJob:
        settings_of_job = self._settings(options)

        def prepare() -> Work:  # called by submit(), once the Qobj has been found valid
            data, position, patience = as_dict(qobj), 0, Patience(settings_of_job["timeout"])
            experiments = []
            with at_border(lambda why: BasicAerError(f"Experiment {position} of the Qobj cannot be read: {why}.")):
                seed = _seed(self._settings(self._read(data["config"]) | options))
                for position, item in enumerate(data["experiments"]):
                    made = self._of_qobj(data["config"], item, options, seed=seed, position=position, poll=patience)
                    experiments.append(made)
            return Work(
                self.name, self.backend_version, data["qobj_id"], self._returns, tuple(experiments), data["header"]
            )

        return self._submitted(qobj, prepare, settings_of_job)

    def _of_qobj(
        self,
        config: dict[str, Any],
        item: dict[str, Any],
        options: dict[str, Any],
        *,
        seed: int,
        position: int,
        poll: Callable[[], None],
    ) -> Experiment:
        """Return one experiment of a Qobj, of which the configuration of all is given too."""
        own, header = item.get("config", {}), item.get("header", {})
        config = config | own
        settings = self._settings(self._read(config) | options)
        own_seed = own.get("seed_simulator")
        if own_seed is None or "seed_simulator" in options:
            own_seed = seed_of_experiment(seed, position)
        if config.get("parameter_binds") or settings["parameter_binds"]:
            raise BasicAerError("A Qobj has numbers for all its parameters; leave out parameter_binds.")
        given = [where["memory_slots"] for where in (config, header) if "memory_slots" in where]
        sizes = {
            "n_qubits": config.get("n_qubits", header.get("n_qubits", _used(item, "qubits"))),
            "memory_slots": max(given) if given else _used(item, "memory"),
        }
        sizes = {name: int(size) for name, size in sizes.items()}  # JSON may say 2.0
        header = {"name": f"experiment {position}"} | sizes | header
        header |= {name: int(header[name]) for name in sizes}
        for name in sizes:
            check_size(header[name], name, header["name"])
        lower_it = partial(lower_experiment, item, header["name"], **sizes, poll=poll)
        return self._experiment(lower_it, partial(dict, header), settings, seed=own_seed, position=position)

    def _read(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return the options in a Qobj's configuration, which may hold any other keys."""
        names = [name for name in _QOBJ_OPTIONS if name in config and name in self._defaults]
        return {name: _from_json(name, config[name]) for name in names}

    def _submitted(self, qobj: Any, prepare: Callable[[], Work], settings: dict[str, Any]) -> BasicAerJob:
        def prepare_saving() -> Work:
            return replace(prepare(), saving=_saving(settings))

        job = BasicAerJob(
            self,
            str(uuid.uuid4()),
            run_work,
            qobj,
            prepare=prepare if settings["checkpoint_dir"] is None else prepare_saving,
            executor=settings["executor"],
            timeout=settings["timeout"],
            callback=settings["callback"],
            parts=settings["max_parallel_experiments"] or NumpyDevice().threads,
            cancel_on_interrupt=settings["cancel_on_interrupt"],
            progress=settings["progress"],
        )
        job.submit()
        return job

    def _settings(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return all options, checked: those given here go before the backend's."""
        given = {name: value for name, value in options.items() if not _is_default(name, value)}
        settings = self._with_effect(dict(self.options) | given)
        changed = {}
        for name, value in settings.items():
            if name not in self._defaults:
                raise BasicAerError(self._no_option(name))
            if value is not self._defaults[name]:
                changed[name] = value
        settings |= check_options(changed)
        if settings.get("array") is ArrayPlace.DEVICE and settings["checkpoint_dir"] is not None:
            raise BasicAerError("A job saved in checkpoint_dir returns its states on the host: leave out array.")
        return settings

    def _experiment(
        self,
        lower_it: Callable[..., Program],
        header: Callable[[], dict[str, Any]],
        settings: dict[str, Any],
        *,
        seed: int,
        position: int = 0,
    ) -> Experiment:
        """Lower a circuit and check that it can be run here with these settings."""
        started = time.perf_counter()
        starts_elsewhere = (
            settings.get("initial_statevector") is not None or settings.get("initial_unitary") is not None
        )
        on_device = settings.get("array") is ArrayPlace.DEVICE
        # An array that is returned as it is has all the qubits.
        program = lower_it(keep_idle=starts_elsewhere or on_device or self._unitary_only)
        if self._unitary_only:
            program = as_unitary(program)
        self._check(program)
        self._check_states(program)
        gpus = settings["target_gpus"] or (0,)
        devices = DeviceOptions(settings["device"], settings["max_parallel_threads"], gpus[position % len(gpus)])
        precision = settings["precision"]
        evolved = program.state_qubits * (2 if self._unitary_only else 1)
        device, _ = choose_device(devices, evolved, precision, known_crossover)
        shots = settings.get("shots", 1)
        check_room(device, program, precision, shots, self._returns)
        initial = self._initial(settings, program) if starts_elsewhere else None
        return Experiment(
            program,
            header(),
            shots,
            seed,
            settings.get("memory", False),
            precision,
            devices,
            settings["chop_threshold"],
            initial,
            time.perf_counter() - started,
            device.name,
            on_device,
        )

    def _check(self, program: Program) -> None:
        """Refuse, or warn of, what this simulator does not make sense of."""

    def _check_states(self, program: Program) -> None:
        """Refuse what sets or saves another kind of state than this simulator has."""
        if not self._unitary_only and any(isinstance(one, SetState) and one.axes > 1 for one in walk(program.body)):
            raise BasicAerError(
                f"{self.name} cannot run 'set_unitary' in circuit '{program.name}': only unitary_simulator can."
            )
        for save in program.saves:
            if save.label == self._returns and not _is_final_state(save, program):
                raise BasicAerError(
                    f"The label '{save.label}' of {save.form} (circuit '{program.name}') is that of what {self.name} "
                    "itself returns; give it one of its own."
                )
            if (save.form == "save_unitary") != self._unitary_only:
                remedy = "only unitary_simulator can" if save.form == "save_unitary" else "it saves unitaries only"
                raise BasicAerError(f"{self.name} cannot run '{save.form}' in circuit '{program.name}': {remedy}.")
            if self._unitary_only and save.qubits != tuple(range(program.circuit_qubits)):
                raise BasicAerError(
                    f"'{save.form}' in circuit '{program.name}' must be given the qubits in their order."
                )

    def _initial(self, settings: dict[str, Any], program: Program) -> NDArray[np.complexfloating]:
        """Return the state to start from, checked."""
        raise NotImplementedError  # pragma: no cover  # only those with such an option are asked


def _is_final_state(save: Save, program: Program) -> bool:
    """Tell whether a save is of the very state that a simulator returns: that of the last shot, after everything."""
    after, phase = list(program.body), complex(1.0)
    while after:
        match after[-1]:
            case Phase(factor):
                phase *= factor
            case Save(label) if label != save.label:
                pass
            case _:
                break
        after.pop()
    given = [(place, qubit) for place, qubit in enumerate(save.qubits) if qubit is not None]
    return (
        after[-1:] == [save]
        and cmath.isclose(phase, save.phase)
        and save.form in {"save_state", "save_statevector", "save_unitary"}
        and save.over is Over.LAST
        and not (save.conditional or program.final)
        and given == [(place, qubit) for qubit, place in enumerate(program.qubits)]
    )


def check_initial_statevector(settings: dict[str, Any], program: Program, backend: str) -> NDArray[np.complexfloating]:
    """Return ``initial_statevector`` as an array; it must fit the circuit and have norm 1 to 12 decimals."""
    vector = _complex_array(settings["initial_statevector"], "initial_statevector")
    wanted = 2**program.circuit_qubits
    if vector.shape != (wanted,):
        has = f"{vector.size} amplitudes" if vector.ndim == 1 else f"shape {vector.shape}"
        raise BasicAerError(
            f"initial_statevector of {backend} has {has}; circuit '{program.name}' of "
            f"{program.circuit_qubits} qubits needs {wanted} amplitudes in one row."
        )
    norm = float(np.linalg.norm(vector))
    if round(norm, 12) != 1:
        raise BasicAerError(f"initial_statevector of {backend} has norm {norm:.14g}, not 1; divide it by its norm.")
    return vector


def _complex_array(value: Any, name: str) -> NDArray[np.complexfloating]:
    """Return numbers, or a state or operator of `qiskit.quantum_info`, as a complex array."""
    with at_border(lambda _: BasicAerError(f"{name} must be an array of complex numbers, not {shown(value)}.")):
        array = np.asarray(getattr(value, "data", value) if hasattr(value, "dims") else value)
        if array.dtype.kind not in "biufc":
            raise TypeError
        with np.errstate(over="ignore"):  # what is too large for a double is infinite then
            array = array.astype(complex)
    if not np.isfinite(array).all():
        raise BasicAerError(f"{name} has entries that are not finite.")
    return array


def _from_json(name: str, value: Any) -> Any:
    """Return an option as a Qobj's configuration has it: complex numbers as pairs, whole numbers perhaps as 3.0."""
    dimensions = {"initial_statevector": 1, "initial_unitary": 2}.get(name)
    if dimensions is None:
        return int(value) if isinstance(value, float) and value.is_integer() and name in _WHOLE else value
    try:
        pairs = np.array(value, float)
    except (TypeError, ValueError, OverflowError):
        return value
    return pairs[..., 0] + 1j * pairs[..., 1] if pairs.ndim == dimensions + 1 and pairs.shape[-1] == 2 else value


def check_initial_unitary(settings: dict[str, Any], program: Program, backend: str) -> NDArray[np.complexfloating]:
    """Return ``initial_unitary`` column by column; it must fit the circuit and be unitary to 10 decimals."""
    matrix = _complex_array(settings["initial_unitary"], "initial_unitary")
    size = 2**program.circuit_qubits
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise BasicAerError(f"initial_unitary of {backend} has shape {matrix.shape}, which is not square.")
    if matrix.shape != (size, size):
        raise BasicAerError(
            f"initial_unitary of {backend} has shape {matrix.shape}; circuit '{program.name}' of "
            f"{program.circuit_qubits} qubits needs {(size, size)}."
        )
    if not np.allclose(matrix.conj().T @ matrix, np.eye(size), rtol=0, atol=1e-10):
        raise BasicAerError(f"initial_unitary of {backend} is not unitary to 10 decimals.")
    return matrix.T.reshape(-1)


def _is_default(name: str, value: Any) -> bool:
    """Tell whether an option is given as None where that is what other simulators call their default."""
    return value is None and name in _NONE_IS_DEFAULT


def _saving(settings: dict[str, Any]) -> Saving:
    if settings["max_parallel_experiments"] != 1 or len(settings["target_gpus"] or (0,)) > 1:
        raise BasicAerError(
            "checkpoint_dir saves circuits that run one after another; leave out max_parallel_experiments and give one "
            "of target_gpus at most."
        )
    from basicaer.persistence.store import Store

    Store(settings["checkpoint_dir"], lambda: None).check_new()
    return Saving(str(settings["checkpoint_dir"]), settings["checkpoint_every"])


def _seed(settings: dict[str, Any]) -> int:
    seed = settings.get("seed_simulator")
    return secrets.randbits(63) if seed is None else int(seed)


def _used(item: dict[str, Any], key: str) -> int:
    """Return one more than the highest number that an experiment's instructions use."""
    numbers = [n for i in item["instructions"] for n in (i[key] if isinstance(i.get(key), list) else [])]
    return max(numbers, default=-1) + 1


def _bound(circuits: Sequence[QuantumCircuit], settings: dict[str, Any]) -> list[BoundCircuit]:
    with at_border(lambda why: BasicAerError(f"parameter_binds cannot be read: {why}.")):
        return bound_circuits(circuits, settings["parameter_binds"])


def _is_qobj(value: Any) -> bool:
    try:
        return isinstance(value, dict) or hasattr(value, "to_dict")
    except Exception:  # noqa: BLE001  # an object's own __getattr__ may raise anything
        return False


def _circuits(value: Any) -> list[QuantumCircuit]:
    """Return the circuits that `run` was given."""
    is_list = isinstance(value, list | tuple)
    with at_border(lambda why: BasicAerError(f"run() was given a list that cannot be read: {why}.")):
        circuits = list(value) if is_list else [value]
    for circuit in circuits:
        if not isinstance(circuit, QuantumCircuit):
            given = f"{'a list that holds ' if is_list else ''}an object of type {type(circuit).__name__}"
            raise BasicAerError(f"run() takes a QuantumCircuit, a list of them or a Qobj, not {given}.")
    return circuits


def warn(message: str) -> None:
    """Warn of a circuit that runs but probably does not do what was meant."""
    warnings.warn(message, BasicAerWarning, stacklevel=5)
