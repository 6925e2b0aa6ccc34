"""Makes experiments: lowers circuits, chooses a method and a device for them, and checks that they can be run here."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from basicaer.calibration import known_crossover
from basicaer.compile.saves import as_density_matrix, as_unitary
from basicaer.engine.method import choose_method
from basicaer.options import ArrayPlace, DeviceOptions, Method, Precision
from basicaer.plan_view.making import seconds_if_spilled
from basicaer.sharing import gpus_together, in_parts, options_of_rank, qubits_of_rank, shared
from basicaer.simulation import Experiment, check_room
from basicaer.simulators.checks import check_states
from basicaer.simulators.ranks import ImaginedRanks, imagined_ranks
from basicaer.simulators.run_options import places_elsewhere
from basicaer.spilling import choose_device

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from basicaer.engine.device import Device
    from basicaer.engine.program import Program

__all__ = ["Experiments"]


class Experiments:
    """Makes the experiments of one simulator.

    Parameters
    ----------
    simulator
        Its name.
    returns
        What it returns besides counts.
    unitary
        Whether it evolves the columns of a unitary instead of a state.
    check
        Refuses circuits that it cannot run, and warns of those that it runs in vain.
    initial
        Returns the state to start from, which some options give, checked.
    """

    def __init__(
        self,
        simulator: str,
        returns: str,
        *,
        unitary: bool,
        check: Callable[[Program], None],
        initial: Callable[[dict[str, Any], Program], NDArray[np.complexfloating]],
    ) -> None:
        self._simulator = simulator
        self._returns = returns
        self._unitary = unitary
        self._check = check
        self._initial = initial

    def make(
        self,
        lower: Callable[..., Program],
        header: Callable[[], dict[str, Any]],
        settings: dict[str, Any],
        *,
        seed: int,
        position: int = 0,
        alike: Experiment | None = None,
    ) -> Experiment:
        """Lower a circuit and check that it can be run here with these settings.

        Parameters
        ----------
        position
            Its place among the circuits of the job, by which a GPU is chosen if there are several.
        alike
            An experiment with these settings whose circuit differs in the numbers of its gates only, so that all checks
            have been made, and its header is the same.
        """
        started = time.perf_counter()
        starts_elsewhere = (
            settings.get("initial_statevector") is not None or settings.get("initial_unitary") is not None
        )
        on_device = settings.get("array") is ArrayPlace.DEVICE
        # An array that is returned as it is must cover all qubits, the idle ones as well.
        program = lower(keep_idle=starts_elsewhere or on_device or self._unitary)
        if self._unitary:
            program = as_unitary(program)
        gpus = settings["target_gpus"] or (0,)
        if alike is not None and not alike.is_density and len(gpus) == 1:
            seconds = time.perf_counter() - started
            return replace(alike, program=program, seed=seed, lowering_seconds=seconds)
        self._check(program)
        shots = settings.get("shots", 1)
        method, method_reason = choose_method(settings.get("method", Method.STATEVECTOR), program, shots)
        density = method is Method.DENSITY_MATRIX
        if density:
            program = as_density_matrix(program)
        check_states(program, self._simulator, self._returns, density=density)
        evolved = program.state_qubits * (2 if self._unitary or density else 1)
        options, device = _device(settings, evolved, gpu=gpus[position % len(gpus)])
        precision, memory = settings["precision"], settings.get("memory", False)

        def experiment(initial: NDArray[np.complexfloating] | None) -> Experiment:
            return Experiment(
                program,
                header(),
                shots,
                seed,
                memory,
                precision,
                options,
                settings["chop_threshold"],
                initial,
                time.perf_counter() - started,
                device.queue,
                on_device,
                method,
                method_reason,
            )

        check_room(
            device,
            program,
            precision,
            shots,
            self._returns,
            memory=memory,
            is_persisted=settings["checkpoint_dir"] is not None,
            density=density,
            elsewhere=places_elsewhere(settings, lambda place, size: seconds_if_spilled(experiment(None), place, size)),
        )
        return experiment(self._initial(settings, program) if starts_elsewhere else None)


def _device(settings: dict[str, Any], qubits: int, *, gpu: int) -> tuple[DeviceOptions, Device]:
    """Return by which options the device is made for a state of so many qubits, and one with these limits."""
    gpus: tuple[int, ...] = tuple(settings["target_gpus"] or (0,))
    precision: Precision = settings["precision"]
    options = DeviceOptions(
        settings["device"],
        settings["max_parallel_threads"],
        gpu,
        "" if settings.get("spill") is None else str(settings["spill"]),
        () if settings.get("array") is ArrayPlace.DEVICE else gpus,  # a state that is kept on a device is whole there
    )
    if ranks := settings["distributed"] or imagined_ranks(settings["executor"]):
        options = options_of_rank(options, ranks, gpus)
    of_rank = qubits_of_rank(qubits, ranks)
    saved_in = settings["checkpoint_dir"]
    chosen = choose_device(options, of_rank, precision, known_crossover, ahead=True, saved_in=saved_in)
    device, _ = shared(chosen, qubits, ranks)
    if ranks is None and (together := gpus_together(options, qubits, precision, ahead=True)):
        imagined: Any = ImaginedRanks(len(together))
        device = in_parts(together[0], imagined)
    return options, device
