"""The language of OpenQASM 3: a program for each feature, and what is said where one is refused."""

import pytest

from basicaer import BasicAer, BasicAerError
from basicaer.openqasm.loading import load_circuit
from openqasm3_programs import HEADER, PROGRAMS


@pytest.fixture
def loaded(tmp_path):
    """A function that writes a program to a file and loads it."""

    def load(text, inputs=None, **beside):
        for name, included in beside.items():
            (tmp_path / f"{name}.inc").write_text(included, "utf-8")
        path = tmp_path / "program.qasm"
        path.write_text(text, "utf-8")
        return load_circuit(path, inputs)

    return load


def outcomes(circuit, shots=20):
    counts = BasicAer.get_backend("qasm_simulator").run(circuit, shots=shots, seed_simulator=1).result().get_counts()
    return {outcome.replace(" ", "") for outcome in counts}


@pytest.mark.parametrize("program", PROGRAMS, ids=[f"{one.chapter}: {one.feature}" for one in PROGRAMS])
def test_every_feature_runs_or_is_refused_as_the_page_says(program, loaded):
    inputs = {name: float(number) for name, number in (one.split("=") for one in program.inputs.split())}
    if program.refused:
        with pytest.raises(BasicAerError) as caught:
            loaded(HEADER + program.text)
        assert program.refused in caught.value.message
    else:
        assert outcomes(loaded(HEADER + program.text, inputs)) == {program.outcome}
