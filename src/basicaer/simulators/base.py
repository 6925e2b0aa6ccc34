"""What the three simulators share: options, targets, and the way from `run` to a submitted job."""

from __future__ import annotations

import secrets
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from qiskit import QuantumCircuit
from qiskit.providers import BackendV2, Options

from basicaer._version import __version__
from basicaer.compile.bound_circuits import bound_circuits
from basicaer.compile.values import NoNumberError, ReadingTimeLimit
from basicaer.engine.collector import OBJECTS_OF_EXPERIMENT, collector_paused
from basicaer.engine.draws import seed_of_experiment, seeds_of_experiments
from basicaer.errors import BasicAerError, OptionValueError, at_border
from basicaer.foreign_names import missing_attribute
from basicaer.foreign_options import is_ideal
from basicaer.notebooks import interrupts_shortened
from basicaer.options import (
    SECONDS_BETWEEN_SAVES,
    DeviceChoice,
    Precision,
    check_option,
    keywords_checked,
)
from basicaer.plan_view.making import plan_experiment
from basicaer.qobj.assembly import assemble
from basicaer.qobj.validation import as_dict
from basicaer.result import circuit_header
from basicaer.simulation import Experiment, SimulationPayload
from basicaer.simulators.checks import circuits_in, is_qobj
from basicaer.simulators.experiments import Experiments
from basicaer.simulators.noise import noise_of
from basicaer.simulators.qobj_reading import QOBJ_OPTIONS, options_in, read_experiment
from basicaer.simulators.ranks import (
    ImaginedRanks,
    check_call,
    check_with_ranks,
    planned_ranks,
    submitted_with_ranks,
)
from basicaer.simulators.run_options import RunOptions, check_spill
from basicaer.simulators.submitting import submitted
from basicaer.simulators.target import build_target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from qiskit.transpiler import Target

    from basicaer.compile.bound_circuits import BoundCircuit
    from basicaer.devices.distributed.comm import Comm
    from basicaer.engine.program import Program
    from basicaer.job import BasicAerJob
    from basicaer.option_types import EstimatorArguments, SamplerArguments, SimulatorOptions
    from basicaer.plan_view.circuit_plan import CircuitPlan
    from basicaer.primitives import CompiledCircuit, EstimatorV2, SamplerV2

__all__ = ["BasicAerSimulator"]

_ANY_ANGLE = 0.618  # radians: a plan depends on no angle, and no gate is special at this one


class BasicAerSimulator(BackendV2):
    """A simulator backend; see its three subclasses.

    Any number of jobs may share one: `run` takes a snapshot of the options.
    """

    _name: ClassVar[str]
    _description: ClassVar[str]
    _returns: ClassVar[str]
    _unitary_only: ClassVar[bool] = False
    _methods: ClassVar[tuple[str, ...]] = ("statevector",)  # Aer's names for what is computed here
    _ignored: ClassVar[frozenset[str]] = frozenset()  # options that are checked and have no effect
    # The size of the target. With None, `transpile` adds no qubits to a circuit, as a state of all of them is returned.
    _num_qubits: ClassVar[int | None] = None

    def __init__(self, provider: Any = None, **options: Unpack[SimulatorOptions]) -> None:
        super().__init__(
            provider=provider,
            name=self._name,
            description=self._description,
            backend_version=__version__,
        )
        self._run_options = RunOptions(
            self.name, dict(self._default_options()), self._methods, self._ignored, _simulators_with
        )
        self._experiments = Experiments(
            self.name, self._returns, unitary=self._unitary_only, check=self._check, initial=self._initial
        )
        self.set_options(**options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}('{self.name}')>"

    if not TYPE_CHECKING:  # a type checker would let every name pass

        def __getattr__(self, name: str) -> Any:
            """Say what to do without an attribute that other backends have."""
            raise AttributeError(missing_attribute(type(self).__name__, name), name=name, obj=self)

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
            distributed=False,
            checkpoint_dir=None,
            checkpoint_every=SECONDS_BETWEEN_SAVES,
            checkpoint_margin=0.0,
            checkpoint_on_sigterm=False,
        )

    @property
    def target(self) -> Target:
        """The instructions that may be run: all gates, on any qubits."""
        return build_target(unitary_only=self._unitary_only, num_qubits=self._num_qubits)

    @property
    def max_circuits(self) -> None:
        """A job may have any number of circuits."""
        return

    def run(self, run_input: Any, **options: Unpack[SimulatorOptions]) -> BasicAerJob:
        """Submit circuits or a Qobj.

        Everything about the input and the options is checked here, before the job is queued.

        Parameters
        ----------
        run_input
            A circuit, a list of circuits, or a Qobj: a `QasmQobj`, a dictionary, or any object with ``to_dict()``.
            No transpile step is needed.
        options
            These override the Qobj's settings, the backend's options and the defaults:

            - ``shots``: number of repetitions of each circuit; default 1024, for the statevector simulator 1. None
              means the default, also for ``memory`` and the two options that begin with ``max_parallel``.
            - ``memory``: whether to return the outcome of every shot, in order.
            - ``seed_simulator``: an integer that makes the outcomes reproducible.
            - ``parameter_binds``: for each circuit a dictionary ``{parameter: [values]}``; one experiment per value.
            - ``initial_statevector``, ``initial_unitary``: initial state, for simulators that have the option.
            - ``chop_threshold``: amplitudes of smaller modulus are returned as zero.
            - ``array`` (statevector simulator): ``"host"``, the default, returns the state as an array of NumPy.
              ``"device"`` keeps it on the device: on a GPU as an array of CuPy, which supports DLPack. That array is
              not chopped, and it occupies the GPU's memory as long as anything refers to it. On the CPU both return the
              state's own memory without a copy, except ``"host"`` for a circuit with idle qubits.
            - ``device``: ``"auto"``, ``"CPU"`` or ``"GPU"``.
            - ``precision``: ``"double"`` (complex128) or ``"single"`` (complex64).
            - ``max_parallel_threads``: number of threads, at most, that work on one state; 0, the default, means the
              environment variable ``BASICAER_NUM_THREADS``, or else ``OMP_NUM_THREADS``, or else one for each core that
              the process may use. Results are the same bit by bit for any number.
            - ``spill`` (qasm_simulator): a folder for states that do not fit into memory. They lie in a file there,
              which is read and written chunk by chunk. With ``device="GPU"``, ``"host"`` keeps states that do not fit
              on the GPU in the host's memory.
            - ``max_parallel_experiments``: number of parts, at most, into which the circuits of the job are split to
              run beside each other on the executor; 0 means one for each core that the process may use, the
              default is 1. Results are the same for any number.
            - ``target_gpus``: numbers of the GPUs over which the circuits of the job are spread; default the first one.
              A state that does not fit one of them is divided among all, or the largest power of two of them.
            - ``executor``: any `concurrent.futures.Executor` to run on.
            - ``timeout``: seconds that the work may take; then the job ends as ERROR with a `JobTimeLimitError`.
              Reading the circuits, before the job is queued, may take as long, but at least 0.1 s; then `run` raises
              the error.
            - ``callback``: called with the job's `Progress` now and then, from another thread, or in this one if the
              job is so small that it runs inside `run`. If it raises an exception, it is not called again and the job
              goes on; ``job.result()`` then gives a `BasicAerWarning` that names the exception.
            - ``progress``: whether to show a progress bar in a terminal or notebook until the job has ended.
            - ``cancel_on_interrupt``: whether Ctrl-C cancels a job that is waited for, which is the default.
            - ``distributed``: whether one state is divided among all processes that ``mpiexec`` has started, each of
              which runs the same program and gets the same result. The page "Many machines" says how.
            - ``checkpoint_dir``, ``checkpoint_every``: a new folder in which the job is saved, between two passes, each
              time that so many seconds have passed (default 60), so that `BasicAer.resume` can continue it. It is also
              saved when it is cancelled or reaches its ``timeout`` while gates run: it then ends after the pass that is
              running.
            - ``checkpoint_margin``: seconds before the ``timeout`` at which such a job is saved and ends; default 0.
            - ``checkpoint_on_sigterm``: whether SIGTERM, which batch systems send before they kill a process, cancels
              and thereby saves the job before it does what it did otherwise; only where `run` is called in the main
              thread.
            - ``method`` (qasm simulator): ``"statevector"`` follows shots that have the same errors together.
              ``"density_matrix"`` evolves all of them as one density matrix, so that probabilities, expectation values
              and other saves are exact; it takes the memory of a state of twice the qubits. ``"automatic"``, the
              default, chooses by the circuit, its errors and the number of shots; see ``metadata["method_reason"]``.
            - ``fusion_enable`` and other options that affect only the performance of Aer are accepted and ignored; so
              is ``meas_level=2``, which asks devices for bits.

        Returns
        -------
        BasicAerJob
            The job, already submitted.

        Raises
        ------
        UnknownOptionError
            For an unknown option.
        OptionValueError
            For a value that an option cannot have.
        QobjValidationError
            For a Qobj that breaks the schema.
        BasicAerError
            For an unknown instruction, a parameter without a value, a state that does not fit into memory, and any
            other bad input, in a sentence that says which and what to do. The errors above are of this class, too.
        """
        with interrupts_shortened("run() was interrupted; no job runs."):
            submit = self._run_qobj if is_qobj(run_input) else self._run_circuits
            if "distributed" not in options:
                return submit(run_input, options)

            def of_rank(ranks: Comm | None) -> BasicAerJob:
                if ranks is not None:
                    check_call(self.name, run_input, options, ranks)
                return submit(run_input, {**options, "distributed": ranks or False})

            return submitted_with_ranks(options["distributed"], of_rank)

    def set_options(self, **fields: Unpack[SimulatorOptions]) -> None:
        """Set options of `run` for all later runs.

        Raises
        ------
        UnknownOptionError
            For an unknown option; it is an AttributeError too, as Qiskit's backends raise it.
        OptionValueError
            For a value that an option cannot have.
        """
        changed = self._run_options.checked_for_backend(fields)
        super().set_options(**changed)
        self.options.update_options(**{name: value for name, value in fields.items() if name not in changed})

    def sampler(self, **options: Unpack[SamplerArguments]) -> SamplerV2:
        """Return a `SamplerV2` that runs on this backend, with its options."""
        from basicaer.primitives import SamplerV2

        return SamplerV2(self, **options)

    def estimator(self, **options: Unpack[EstimatorArguments]) -> EstimatorV2:
        """Return an `EstimatorV2` that runs on this backend, with its options."""
        from basicaer.primitives import EstimatorV2

        return EstimatorV2(self, **options)

    @keywords_checked
    def compile(self, circuit: QuantumCircuit, observables: Any) -> CompiledCircuit:
        """Return a function of the circuit's parameters that gives exact expectation values.

        It is for programs that evaluate a circuit again and again, such as optimisers: what does not depend on the
        values is done once. It runs with this backend's options.

        Parameters
        ----------
        circuit
            A circuit, which is copied; it may have measurements and control flow, as for `EstimatorV2`.
        observables
            One observable, or an array of them, as `EstimatorV2` takes them.

        Raises
        ------
        BasicAerError
            For anything that an `EstimatorV2` would refuse.
        """
        return self.estimator().compile(circuit, observables)

    @interrupts_shortened("plan() was interrupted.")
    def plan(self, circuit: QuantumCircuit, *, ranks: int = 1, **options: Unpack[SimulatorOptions]) -> CircuitPlan:
        """Return the plan by which a circuit would run, without running it; print the plan, or draw it.

        Parameters
        ----------
        circuit
            One circuit; its parameters need no values.
        ranks
            The number of ranks, a power of two, that would share the state with ``distributed=True``; their exchanges
            are then part of the plan. Each is taken to have as much memory as is free here. With ``distributed=True``,
            the default is the number of processes that ``mpiexec`` has started.
        options
            Options of `run`. Those that matter are ``device``, ``precision``, ``max_parallel_threads``, the initial
            state, ``noise_model``, ``method`` (and ``shots``, by which ``"automatic"`` chooses it) and, for reading the
            circuit, ``timeout``.

        Raises
        ------
        BasicAerError
            For everything for which `run` would raise it.
        """
        if not isinstance(circuit, QuantumCircuit):
            raise BasicAerError(f"plan() takes one QuantumCircuit, not an object of type {type(circuit).__name__}.")
        settings = self._settings({**options, "distributed": False}, "ranks")
        ranks = planned_ranks(check_option("ranks", ranks), options.get("distributed", False))
        if ranks > 1:
            settings["distributed"] = ImaginedRanks(ranks)
            check_spill(settings)
        noise, (circuit,) = noise_of(settings.get("noise_model"), [circuit])
        bound = _bound([circuit], settings)[0]
        free = [parameter for parameter in circuit.parameters if parameter not in bound.values]
        bound = bound._replace(values={**bound.values, **dict.fromkeys(free, _ANY_ANGLE)}, sets=None)
        names = tuple(parameter.name for parameter in free)
        if noise is not None and free:
            noise.passes.check_no_wait(circuit, "planned")
        try:
            lower = partial(bound.program, noise=noise, poll=ReadingTimeLimit(settings["timeout"]))
            experiment = self._experiments.make(lower, dict, settings, seed=0)
        except NoNumberError as error:
            if not free:
                raise
            listed = ", ".join(f"'{name}'" for name in names)
            raise BasicAerError(
                f"Circuit '{circuit.name}' cannot be planned for any values of its parameters ({listed}), since an "
                f"angle is not a number at {_ANY_ANGLE}; bind them with assign_parameters or parameter_binds."
            ) from error
        return plan_experiment(experiment, unitary=self._unitary_only, free_parameters=names, ranks=ranks)

    def _run_circuits(self, run_input: Any, options: Mapping[str, Any]) -> BasicAerJob:
        circuits = circuits_in(run_input)
        if not circuits:
            raise BasicAerError("run() was given no circuits; give it at least one.")
        settings = self._settings(options)
        time_limit = ReadingTimeLimit(settings["timeout"])
        noise, with_errors = noise_of(settings.get("noise_model"), circuits)
        bound = _bound(with_errors, settings)
        seed = _seed(settings)
        qobj_id = str(uuid.uuid4())
        experiments: list[Experiment] = []
        seeds = seeds_of_experiments(seed, range(len(bound)))
        with collector_paused(OBJECTS_OF_EXPERIMENT * len(bound)):
            for position, one in enumerate(bound):
                time_limit()
                lower = partial(one.program, noise=noise, poll=time_limit)
                header = partial(circuit_header, one.circuit, one.global_phase)
                alike = experiments[-1] if position and one.is_like(bound[position - 1]) else None
                experiment = self._experiments.make(
                    lower, header, settings, seed=seeds[position], position=position, alike=alike
                )
                experiments.append(experiment)
        payload = SimulationPayload(self.name, self.backend_version, qobj_id, self._returns, tuple(experiments))
        config = {name: settings[name] for name in QOBJ_OPTIONS if settings.get(name) is not None}
        config |= {"seed_simulator": seed} if "seed_simulator" in settings else {}
        # A Qobj has no errors, also where passes have put some into the circuits.
        qobj = partial(assemble, bound if noise is None else _bound(circuits, settings), qobj_id, **config)
        return submitted(self, qobj, lambda: payload, settings)

    def _run_qobj(self, qobj: Any, options: Mapping[str, Any]) -> BasicAerJob:
        settings_of_job = self._settings(options)

        def prepare() -> SimulationPayload:  # called by submit() once the Qobj has been validated
            if not is_ideal(settings_of_job.get("noise_model")):
                raise OptionValueError("A Qobj runs without noise: give run() circuits for which noise_model is meant.")
            data, position, time_limit = as_dict(qobj), 0, ReadingTimeLimit(settings_of_job["timeout"])
            experiments = []
            with at_border(lambda why: BasicAerError(f"Experiment {position} of the Qobj cannot be read: {why}.")):
                seed = _seed(self._qobj_settings(data["config"], options))
                for position, item in enumerate(data["experiments"]):
                    read = read_experiment(data["config"], item, position, time_limit)
                    settings = self._qobj_settings(read.config, options)
                    if read.config.get("parameter_binds") or settings["parameter_binds"]:
                        raise OptionValueError("A Qobj has numbers for all its parameters; leave out parameter_binds.")
                    own_seed = read.seed
                    if own_seed is None or "seed_simulator" in options:
                        own_seed = seed_of_experiment(seed, position)
                    header: Callable[[], dict[str, Any]] = partial(dict, read.header)
                    make = partial(self._experiments.make, read.lower, header, settings)
                    experiments.append(make(seed=own_seed, position=position))
            return SimulationPayload(
                self.name, self.backend_version, data["qobj_id"], self._returns, tuple(experiments), data["header"]
            )

        return submitted(self, qobj, prepare, settings_of_job)

    def _qobj_settings(self, config: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        """Return all options, checked: those given to `run` override those in a Qobj's configuration."""
        return self._settings({**options_in(config, self._run_options.defaults), **options})

    def _settings(self, options: Mapping[str, Any], *others: str) -> dict[str, Any]:
        """Return all options, checked: those given to `run` override those of the backend.

        Names that are not known may be meant to be `others`.
        """
        settings = self._run_options.settings(dict(self.options), options, *others)
        if settings["distributed"]:
            check_with_ranks(settings)
        return settings

    def _check(self, program: Program) -> None:
        """Refuse circuits that this simulator cannot run, and warn of those that it runs in vain."""

    def _initial(self, settings: dict[str, Any], program: Program) -> NDArray[np.complexfloating]:
        """Return the state to start from, checked."""
        raise NotImplementedError  # pragma: no cover  # every simulator with such an option defines it


def _simulators_with(option: str) -> list[str]:
    """Return the names of the simulators whose `run` has an option."""
    kinds = BasicAerSimulator.__subclasses__()
    return [kind._name for kind in kinds if option in kind._default_options()]  # noqa: SLF001  # the class of this module


def _seed(settings: dict[str, Any]) -> int:
    if (seed := settings.get("seed_simulator")) is not None:
        return int(seed)
    seed = secrets.randbits(63)
    return settings["distributed"].broadcast(seed) if settings["distributed"] else seed


def _bound(circuits: Sequence[QuantumCircuit], settings: dict[str, Any]) -> list[BoundCircuit]:
    with at_border(lambda why: OptionValueError(f"parameter_binds cannot be read: {why}.")):
        return bound_circuits(circuits, settings["parameter_binds"])
