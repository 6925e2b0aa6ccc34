"""Programs that `mypy --strict` reads as it reads those of a library that uses basicaer; they are never run.

A line that is wrong says so by `type: ignore` with the kind of the error; mypy complains if there is no such error.
"""

from concurrent.futures import Future, as_completed
from typing import Any, assert_type

from qiskit import QuantumCircuit

import basicaer
from basicaer import (
    BasicAer,
    BasicAerError,
    BasicAerJob,
    CircuitPlan,
    EstimatorV2,
    PrimitiveJob,
    Progress,
    QasmSimulator,
    QasmSimulatorOptions,
    SamplerV2,
    StatevectorSimulator,
    UnitarySimulator,
    library,
    watch,
)

circuit = QuantumCircuit(2)
qasm = BasicAer.get_backend("qasm_simulator", shots=100)
statevector = BasicAer.get_backend("statevector_simulator", array="host")
unitary = BasicAer.get_backend("unitary_simulator")


def the_name_says_which_simulator_it_is(name: str) -> None:
    assert_type(BasicAer.get_backend(), QasmSimulator)
    assert_type(qasm, QasmSimulator)
    assert_type(statevector, StatevectorSimulator)
    assert_type(unitary, UnitarySimulator)
    assert_type(BasicAer.get_backend(name).run(circuit), BasicAerJob)
    BasicAer.get_backend("qasm_simulator", shts=100)  # type: ignore[call-overload]
    BasicAer.get_backend("unitary_simulator", array="host")  # type: ignore[call-overload]


def options_have_names_and_types(progress: Progress) -> None:
    def tell(how_far: Progress) -> None:
        str(how_far.fraction)

    assert_type(qasm.run(circuit, shots=100, memory=True, callback=tell, fusion_enable=False), BasicAerJob)
    qasm.run(circuit, shts=100)  # type: ignore[call-arg]
    qasm.run(circuit, shots="many")  # type: ignore[arg-type]
    qasm.run(circuit, device="TPU")  # type: ignore[arg-type]
    qasm.run(circuit, callback=progress)  # type: ignore[arg-type]
    qasm.run(circuit, array="device")  # type: ignore[call-arg]
    statevector.run(circuit, array="device", initial_statevector=[1, 0, 0, 0])
    unitary.run(circuit, initial_unitary=[[1, 0], [0, 1]], shots=1)
    qasm.set_options(shts=100)  # type: ignore[call-arg]
    QasmSimulator(shots=10, shts=10)  # type: ignore[call-arg]
    assert_type(statevector.plan(circuit, device="CPU"), CircuitPlan)
    statevector.plan(circuit, devise="CPU")  # type: ignore[call-arg]


def options_may_be_kept_in_a_dictionary() -> None:
    options: QasmSimulatorOptions = {"shots": 100, "precision": "single"}
    qasm.run(circuit, **options)
    options["precision"] = "half"  # type: ignore[typeddict-item]


def a_dictionary_says_what_its_values_are() -> None:
    numbers = {"shots": 100}
    qasm.run(circuit, **numbers)  # type: ignore[arg-type]
    anything: dict[str, Any] = {"shots": 100}
    qasm.run(circuit, **anything)
    unitary.run(circuit, shots=1, memory=True, seed_simulator=7)  # which it ignores


def primitives_have_options_too() -> None:
    assert_type(SamplerV2(seed=7, device="CPU").run([circuit]), PrimitiveJob)
    assert_type(EstimatorV2.from_backend(statevector, default_precision=0.1), EstimatorV2)
    assert_type(qasm.sampler(default_shots=100), SamplerV2)
    SamplerV2(default_precision=0.1)  # type: ignore[call-arg]
    EstimatorV2(shts=100)  # type: ignore[call-arg]
    qasm.estimator(default_shots=100)  # type: ignore[call-arg]


def jobs_are_waited_for(job: BasicAerJob) -> None:
    assert_type(watch(job), BasicAerJob)
    assert_type(job.progress().fraction, float)
    assert_type(job.cancel(), bool)
    job.add_done_callback(lambda one: str(one.times))
    job.result(timeout="soon")  # type: ignore[arg-type]
    futures: list[Future[object]] = [job.future()]
    for future in as_completed(futures):
        future.result()


async def jobs_are_awaited(job: BasicAerJob) -> None:
    await job


def errors_are_caught(job: BasicAerJob) -> None:
    try:
        job.result()
    except basicaer.JobTimeLimitError as error:
        str(error.partial)
    except BasicAerError:
        basicaer.jobs()
    library.save_probabilities(circuit, [0], label="half way")
    basicaer.library.save_statevector(circuit, labl="half way")  # type: ignore[call-arg]
    str(basicaer.no_such_name)  # type: ignore[attr-defined]
