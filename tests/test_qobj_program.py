"""What the instructions, options, headers and seeds of a Qobj mean."""

import cmath
import itertools
import json
import operator

import numpy as np
import pytest
from qiskit.circuit import library

import reference
from basicaer import BasicAer, BasicAerError
from basicaer.qobj import (
    validate,
)
from qobjs import ANGLES, ATOL, FULL, IDENTITY, SHOTS, counts, experiment, instruction, measure, one, qobj_of

# What the instructions of a Qobj mean.


def holding(number, slots, **keys):
    """Instructions that put a number into memory slots, or register slots of the same numbers too."""
    flips = [instruction("x", q) for q in range(slots) if reference.bit(number, q)]
    return [*flips, *(measure(q, q, **{key: [q] for key in keys}) for q in range(slots))]


def test_a_conditional_slot_of_the_register_decides(qasm):
    """Bit 1 is measured into register slot 3, past which nothing was written; slot 0 mirrors nothing."""
    for measured, slot in itertools.product((0, 1), (0, 3, 9)):
        flips = [instruction("x", 1)] * measured
        items = [*flips, measure(1, 1, register=[3]), instruction("x", 0, conditional=slot), measure(0, 0)]
        assert counts(qasm, one(*items)) == [{2 * measured + (measured and slot == 3): SHOTS}]


def test_conditional_measure_and_bfunc_happen_only_where_the_slot_is_1(qasm):
    for on in (0, 1):
        items = [
            *[instruction("x", 0)] * on,
            measure(0, 0, register=[0]),
            instruction("x", 1),
            measure(1, 1, conditional=0),
            {
                "name": "bfunc",
                "mask": "0x0",
                "relation": "==",
                "val": "0x0",
                "register": 5,
                "memory": 2,
                "conditional": 0,
            },
        ]
        assert counts(qasm, one(*items, memory_slots=3)) == [{7 * on: SHOTS}]


def test_a_mask_and_value_are_compared_with_the_memory_from_the_masks_lowest_bit_on(qasm):
    """All masks of three bits, gaps included, and two that reach past the memory, where nothing is (and not the
    register, which holds the same number); a mask of 0 is always met.
    """
    cases = list(itertools.product(range(8), (*range(8), 0b111_0000, 0b111_0001), range(8)))
    experiments, want = [], []
    for number, mask, value in cases:
        condition = {"mask": hex(mask), "val": hex(value)}
        items = [*holding(number, 3, register=True), instruction("x", 3, conditional=condition), measure(3, 3)]
        experiments.append(experiment(*items))
        lowest = next((p for p in range(8) if reference.bit(mask, p)), 0)
        met = mask == 0 or (number & mask) // 2**lowest == value
        want.append({number + 8 * met: 1})
    assert counts(qasm, qobj_of(*experiments, shots=1, n_qubits=4, memory_slots=4)) == want


RELATIONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("with_memory", [False, True], ids=["register", "memory"])
def test_bfunc_compares_the_masked_register(qasm, relation, with_memory):
    """The masked register is not shifted; the truth is seen in the slot by a conditional X, and in memory if named."""
    experiments, want = [], []
    for number, mask, value in itertools.product(range(8), (0, 0b101, 0b110, 0b111, 0b10_0000), (0, 1, 4, 5, 7)):
        bfunc = {"name": "bfunc", "mask": hex(mask), "relation": relation, "val": hex(value), "register": 9}
        items = [
            *holding(number, 3, register=True),
            bfunc | ({"memory": 4} if with_memory else {}),
            instruction("x", 3, conditional=9),
            measure(3, 3),
        ]
        experiments.append(experiment(*items))
        truth = RELATIONS[relation](number & mask, value)
        want.append({number + 8 * truth + 16 * (truth and with_memory): 1})
    assert counts(qasm, qobj_of(*experiments, shots=1, n_qubits=4, memory_slots=5)) == want


def test_a_bfunc_overwrites_its_slot_and_may_read_it(qasm):
    toggle = {"name": "bfunc", "mask": "0x1", "relation": "==", "val": "0x0", "register": 0, "memory": 0}
    for times in range(1, 4):
        assert counts(qasm, one(*[toggle] * times, n_qubits=1, memory_slots=1)) == [{times % 2: SHOTS}]


def test_measure_writes_memory_and_register_and_only_memory_is_reported(qasm):
    """Qubits 0 and 2 are 1; they go to memory slots 2 and 0, and to register slots 1 and 4, in one instruction."""
    items = [
        instruction("x", 0),
        instruction("x", 2),
        instruction("measure", 0, 1, 2, memory=[2, 1, 0], register=[1, 0, 4]),
        *(
            {"name": "bfunc", "mask": hex(2**slot), "relation": "!=", "val": "0x0", "register": 9, "memory": 3 + slot}
            for slot in range(5)
        ),
    ]
    assert counts(qasm, one(*items, n_qubits=3, memory_slots=8)) == [{0b10010_101: SHOTS}]


def test_measuring_into_a_register_in_the_middle_of_random_outcomes(qasm):
    """A coin in register slot 5 decides whether another qubit is flipped: both bits are always equal."""
    items = [
        instruction("h", 0),
        measure(0, 0, register=[5]),
        instruction("x", 1, conditional=5),
        measure(1, 1),
    ]
    (got,) = counts(qasm, one(*items))
    assert got.keys() == {0, 3}
    assert sum(got.values()) == SHOTS


def test_unitary_initialize_diagonal_pauli_and_permutation_by_their_parameters(statevector):
    matrix, state = reference.random_unitary(4), reference.random_state(2, seed=5)
    factors = [cmath.exp(1j * angle) for angle in ANGLES]
    plain = [[[[entry.real, entry.imag] for entry in row] for row in matrix]]
    items = [
        instruction("initialize", 2, 0, params=[[a.real, a.imag] for a in state]),
        instruction("unitary", 1, 2, params=plain),
        instruction("diagonal", 0, 1, params=[[f.real, f.imag] for f in factors]),
        instruction("pauli", 0, 2, params=["XY"]),
        instruction("permutation", 0, 1, 2, params=[1, 2, 0]),
        instruction("global_phase", params=[0.5]),
    ]
    want = reference.prepare(reference.zero(3), (2, 0), state)
    want = reference.apply(want, matrix, (1, 2))
    want = reference.apply(want, np.diag(factors), (0, 1))
    want = reference.apply(want, library.YGate().to_matrix(), (0,))  # the label's last letter is the first qubit's
    want = reference.apply(want, library.XGate().to_matrix(), (2,))
    moved = np.zeros(8, complex)
    for i, amplitude in enumerate(want):  # the state of qubit pattern[i] comes to qubit i
        moved[sum(reference.bit(i, q) * 2**place for place, q in enumerate((1, 2, 0)))] = amplitude
    got = statevector.run(one(*items, n_qubits=3, memory_slots=0)).result().get_statevector()
    assert np.allclose(got, cmath.exp(0.5j) * moved, atol=ATOL)


def test_real_numbers_may_stand_for_complex_ones(statevector):
    items = [instruction("initialize", 0, params=[0.6, 0.8]), instruction("unitary", 0, params=[[[0, 1], [1, [0, 0]]]])]
    got = statevector.run(one(*items, n_qubits=1, memory_slots=0)).result().get_statevector()
    assert np.allclose(got, [0.8, 0.6], atol=ATOL)


def test_whole_numbers_may_be_written_with_a_point(qasm):
    """To JSON, and so to the schema, 1.0 is an integer."""
    items = [
        instruction("x", 1.0),
        measure(1.0, 0.0, register=[2.0]),
        {"name": "bfunc", "mask": "0x4", "relation": "!=", "val": "0x0", "register": 3.0, "memory": 1.0},
        instruction("x", 0, conditional=3.0),
        measure(0, 2.0),
    ]
    assert counts(qasm, one(*items, n_qubits=2.0, memory_slots=3.0)) == [{7: SHOTS}]


def test_the_header_brings_the_global_phase(statevector):
    qobj = qobj_of(experiment(instruction("x", 0), header={"global_phase": 0.8}), n_qubits=1, memory_slots=0)
    got = statevector.run(qobj).result().get_statevector()
    assert np.allclose(got, [0, cmath.exp(0.8j)], atol=ATOL)


def test_sizes_come_from_the_experiments_config_then_the_qobjs_then_the_header_then_the_instructions(statevector):
    def width(config, own, header, *items):
        qobj = qobj_of(experiment(*items, config=own, header=header))
        qobj["config"] = config
        return int(np.log2(len(statevector.run(qobj).result().get_statevector())))

    top, own, header, last = {"n_qubits": 2}, {"n_qubits": 3}, {"n_qubits": 4}, instruction("x", 4)
    assert width(top, own, header) == 3
    assert width(top, {}, header) == 2
    assert width({}, {}, header) == 4
    assert width({}, {}, {}, last) == 5


NOT_UNITARY = [[[1, 0], [1, 0]], [[0, 0], [1, 0]]]
REFUSED = {  # what is wrong -> (the instruction, words of the message)
    "copy": ({"name": "copy", "register_orig": [0], "register_copy": [1]}, "'copy'", "not supported"),
    "snapshot": (instruction("snapshot", label="a", snapshot_type="b"), "'snapshot'", "not supported"),
    "unknown": (instruction("warp", 0), "Unknown instruction 'warp'"),
    "unknown with control state": (instruction("h_o0", 0), "Unknown instruction 'h_o0'"),
    "qubit": (instruction("h", 2), "qubits 2", "only 2"),
    "barrier": (instruction("barrier", 7), "qubits 7", "only 2"),
    "memory": (measure(0, 3), "memory 3", "only 2"),
    "bfunc": (
        {"name": "bfunc", "mask": "0x1", "relation": "==", "val": "0x1", "register": 0, "memory": 2},
        "memory 2",
        "only 2",
    ),
    "too few memory slots": (instruction("measure", 0, 1, memory=[0]), "2 qubits", "1 memory"),
    "too many memory slots": (instruction("measure", 0, memory=[0, 1]), "1 qubit,", "2 memory"),
    "too few register slots": (instruction("measure", 0, 1, memory=[0, 1], register=[0]), "2 qubits", "1 register"),
    "no parameter": (instruction("xx_plus_yy", 0, 1, params=[1.0]), "'xx_plus_yy'", "2 parameters", "and 1"),
    "a parameter": (instruction("c3x", 0, 1, params=[]), "'c3x'", "4 qubits", "not 2"),
    "no qubits": (instruction("mcx"), "'mcx'", "not 0"),
    "text as parameter": (instruction("mcphase", 0, 1, params=["pi"]), "'mcphase'", "finite real numbers"),
    "pair as parameter": (instruction("rv", 0, params=[[1, 0], 0, 0]), "'rv'", "finite real numbers"),
    "infinite": (instruction("rx", 0, params=[float("inf")]), "'rx'", "finite real numbers"),
    "not a number": (instruction("p", 0, params=[float("nan")]), "'p'", "finite real numbers"),
    "control state": (instruction("cx_o2", 0, 1), "'cx_o2'", "no state 2"),
    "not unitary": (instruction("unitary", 0, params=[NOT_UNITARY]), "unitary 2 x 2"),
    "unitary of another width": (instruction("unitary", 0, 1, params=[IDENTITY]), "unitary 4 x 4"),
    "ragged unitary": (instruction("unitary", 0, params=[[[1, 0], [1]]]), "unitary 2 x 2"),
    "unitary of text": (instruction("unitary", 0, params=[[["1", 0], [0, "1"]]]), "'unitary'", "pairs"),
    "unitary of triples": (instruction("unitary", 0, params=[[[[1, 0, 0], 0], [0, 1]]]), "'unitary'", "pairs"),
    "unitary of numbers": (instruction("unitary", 0, params=[[1, 0]]), "'unitary'", "pairs"),
    "diagonal": (instruction("diagonal", 0, params=[1, 2]), "'diagonal'", "2 numbers of modulus 1"),
    "empty diagonal": (instruction("diagonal", 0), "'diagonal'", "2 numbers of modulus 1"),
    "norm": (instruction("initialize", 0, params=[1, 1]), "'initialize'", "norm"),
    "amplitudes": (instruction("initialize", 0, 1, params=[1, 0]), "'initialize'", "4 amplitudes", "not 2"),
    "labels": (instruction("initialize", 0, params=["0", "1"]), "'initialize'", "pairs"),
    "pauli": (instruction("pauli", 0, 1, params=["XQ"]), "'pauli'", "2 letters"),
    "short pauli": (instruction("pauli", 0, 1, params=["X"]), "'pauli'", "2 letters"),
    "permutation": (instruction("permutation", 0, 1, params=[0, 0]), "'permutation'", "each once"),
    "permutation of text": (instruction("permutation", 0, 1, params=["1", 0]), "'permutation'", "each once"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_instruction_cannot_be_is_refused_with_its_place(qasm, case):
    item, *words = REFUSED[case]
    qobj = qobj_of(experiment(), experiment(instruction("h", 0), item, header={"name": "my circuit"}))
    validate(qobj)
    with pytest.raises(BasicAerError) as raised, pytest.warns(UserWarning, match="measures nothing"):
        qasm.run(qobj)
    message = raised.value.message
    assert "nstruction 1 " in message
    assert "experiment 'my circuit'" in message
    assert all(word in message for word in words), message


def test_an_infinite_global_phase_is_refused(statevector):
    with pytest.raises(BasicAerError, match=r"header of experiment 'far'.*finite"):
        statevector.run(qobj_of(experiment(header={"global_phase": float("inf"), "name": "far"})))


# Options, headers, seeds.


def test_an_option_goes_by_the_run_then_the_experiment_then_the_qobj_then_the_backend(qasm):
    def shots(config, own, **options):
        qobj = qobj_of(experiment(measure(0, 0), config=own))
        qobj["config"] = config
        (result,) = qasm.run(qobj, **options).result().results
        assert sum(result.data.counts.values()) == result.shots
        return result.shots

    qasm.set_options(shots=11)
    assert shots({}, {}) == 11
    assert shots({"shots": 12}, {}) == 12
    assert shots({"shots": 12}, {"shots": 13}) == 13
    assert shots({"shots": 12}, {"shots": 13}, shots=14) == 14


def test_other_options_of_a_config_are_read_too(qasm, statevector):
    config = {"memory": True, "precision": "single", "device": "CPU"}
    (result,) = qasm.run(one(measure(0, 0), **config)).result().results
    assert result.data.memory == ["0x0"] * SHOTS
    assert (result.metadata["precision"], result.metadata["device"]) == ("single", "CPU")
    start = [[0.6, 0], [0, 0.8]]
    small = one(instruction("id", 0), n_qubits=1, memory_slots=0, initial_statevector=start, chop_threshold=0.7)
    assert np.allclose(statevector.run(small).result().get_statevector(), [0, 0.8j], atol=ATOL)


def test_a_config_may_hold_keys_that_mean_nothing_here(qasm):
    assert counts(qasm, one(measure(0, 0), executor="nobody's", max_credits=3, noise_model={})) == [{0: SHOTS}]


def test_a_bad_option_in_a_config_is_refused_by_its_name(qasm):
    with pytest.raises(BasicAerError, match="precision must be one of"):
        qasm.run(one(measure(0, 0), precision="half"))


def test_headers_come_back_as_they_were_given(qasm):
    header = FULL["experiments"][0]["header"] | {"extra": {"deep": [1, 2]}}
    qobj = qobj_of(experiment(measure(0, 0), header=header), header={"by": "me", "list": [1, {"a": None}]})
    kept = json.loads(json.dumps(qobj))
    result = qasm.run(qobj).result()
    assert result.results[0].header == header
    assert result.results[0].name == header["name"]
    assert result.header == qobj["header"]
    assert result.qobj_id == qobj["qobj_id"]
    assert qobj == kept  # nor is what was given changed


COIN = (instruction("h", 0), instruction("h", 1), measure(0, 0), measure(1, 1))


def test_the_first_experiment_has_the_jobs_seed_and_the_others_their_own(qasm):
    results = qasm.run(qobj_of(*[experiment(*COIN)] * 3, memory=True)).result().results
    assert results[0].seed_simulator == 7
    assert len({result.seed_simulator for result in results}) == 3
    assert len({tuple(result.data.memory) for result in results}) == 3


def test_the_reported_seed_alone_reproduces_an_experiment(qasm):
    for result in qasm.run(qobj_of(*[experiment(*COIN)] * 3, memory=True)).result().results:
        again = qobj_of(experiment(*COIN), memory=True, seed_simulator=result.seed_simulator)
        (alone,) = qasm.run(again).result().results
        assert alone.data.memory == result.data.memory
        (alone,) = (
            qasm.run(qobj_of(experiment(*COIN)), memory=True, seed_simulator=result.seed_simulator).result().results
        )
        assert alone.data.memory == result.data.memory


def test_an_experiment_may_have_its_own_seed_which_the_run_goes_before(qasm):
    own = experiment(*COIN, config={"seed_simulator": 99})
    qobj = qobj_of(experiment(*COIN), own, experiment(*COIN))
    seeds = [result.seed_simulator for result in qasm.run(qobj).result().results]
    plain = [result.seed_simulator for result in qasm.run(qobj_of(*[experiment(*COIN)] * 3)).result().results]
    assert seeds == [plain[0], 99, plain[2]]
    given = [result.seed_simulator for result in qasm.run(qobj, seed_simulator=7).result().results]
    assert given == plain


def test_without_a_seed_two_runs_differ(qasm):
    qobj = qobj_of(experiment(*COIN))
    del qobj["config"]["seed_simulator"]
    seeds = {qasm.run(qobj).result().results[0].seed_simulator for _ in range(3)}
    assert len(seeds) == 3


def test_the_unitary_simulator_refuses_what_is_not_unitary(unitary):
    with pytest.raises(BasicAerError, match="unitary_simulator cannot run 'measure' in circuit 'mine'"):
        unitary.run(qobj_of(experiment(measure(0, 0), header={"name": "mine"})))


def test_the_provider_runs_a_qobj_on_all_three_simulators():
    qobj = one(instruction("h", 0), memory_slots=0)
    for backend in BasicAer.backends():
        if backend.name == "qasm_simulator":
            with pytest.warns(UserWarning, match="no classical bits"):
                assert backend.run(qobj).result().success
        else:
            assert backend.run(qobj).result().success


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_a_saved_job_goes_on_whatever_memory_slots_its_header_gives(qasm, tmp_path, slots):
    """The configuration of all experiments gives the most that any has, and a header its own."""
    item = experiment(instruction("x", 0), measure(0, 0), header={"memory_slots": slots, "creg_sizes": [["c", slots]]})
    qobj = qobj_of(item, n_qubits=1, memory_slots=2)
    want = qasm.run(qobj, shots=3, checkpoint_dir=tmp_path).result().get_counts()
    assert want == {format(1, f"0{slots}b"): 3}
    assert BasicAer.resume(tmp_path).result().get_counts() == want
