"""OpenQASM files of both versions: files that they include, versions that they do not state, and values of inputs."""

import json

import pytest
from click.testing import CliRunner

from basicaer import BasicAerError
from basicaer.cli import main

HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
UNKNOWN = "does not begin with 'OPENQASM 2.0;' or 'OPENQASM 3.0;' and"


def refusal(load, text, **beside):
    with pytest.raises(BasicAerError) as caught:
        load(text, **beside)
    return caught.value.message.partition("program.qasm ")[2]


# Included files.


def test_files_beside_a_program_of_version_3_are_included(loaded):
    circuit = loaded(
        f"{HEADER}include \"mine.inc\"; include 'other.inc'; qubit[n] q; mine q[1];",
        mine="OPENQASM 3.0;\n// a gate\ngate mine a { x a; x a; }",
        other='/* "*/ include "nested.inc";',
        nested="const int n = 2;\n",
    )
    assert (circuit.num_qubits, [item.name for item in circuit.data]) == (2, ["mine"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('include "none.inc";', "3,0: there is no file 'none.inc' beside the program"),
        ('include "qelib1.inc";', "3,0: 'qelib1.inc' is of OpenQASM 2; its gates are in \"stdgates.inc\""),
        ('include "loop.inc";', "loop.inc:2,3: 'loop.inc' includes itself"),
        ('include "syntax.inc"; qubit q;', "syntax.inc:3,2: syntax error at 'x'"),
        ('include "token.inc"; qubit q;', "token.inc:2,1: token recognition error"),
        ('qubit q;\ninclude "wrong.inc"; x q;', "wrong.inc:2,2: gate 'nothing' is not defined"),
        ('qubit q;\ninclude "known.inc"; x q[k];', "known.inc:2,18: this has no value (math domain error)"),
        ('qubit q;\ninclude "fine.inc"; nothing q;', "4,20: gate 'nothing' is not defined"),
        ('include "fine.inc"; qubit q;\nrx(1, 2) q;', "4,0: 'rx' takes 1 parameter, but got 2"),
        ('include "gate.inc"; gate g a { }', "3,20: 'g' is already defined. Previous definition on line gate.inc:2"),
    ],
)
def test_errors_in_included_files_name_them(text, words, loaded):
    files = {
        "loop": '/*\n*/ include "loop.inc";',
        "syntax": "// one\nqubit r\n  x r;",
        "token": "// one\n \\",
        "wrong": "// one\n  nothing q;",
        "known": "// one\n  const float k = sqrt(-1);",
        "fine": "gate fine a { }\n\n",
        "gate": "// one\ngate g a { }",
    }
    place = "program.qasm:" if words[0].isdecimal() else ""
    assert f"cannot be read as OpenQASM 3: {place}{words}" in refusal(loaded, HEADER + text, **files)


def test_a_comment_of_version_3_may_hold_anything(loaded):
    text = '/* include "none.inc"; \n */ qubit q; // include "none.inc";\n/* // */ x q; // /*\nx q;'
    assert len(loaded(HEADER + text).data) == 2


# Programs that do not state their version.


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('include "stdgates.inc"; qubit q; x q;', "3"),
        ('include "stdgates.inc"; qreg q[1]; x q;', "3"),
        ('include "qelib1.inc"; qreg q[1]; x q[0];', "2"),
        ("qreg q[1]; U(0, 0, 0) q[0];", "2"),
        ("// qreg q[1];\nqubit q; U(0, 0, 0) q;", "3"),
        ("opaque g a; qreg q[1]; g q[0];", "2"),
        ("gate g a { U(0, 0, 0) a; } qubit q; g q;", "3"),
    ],
)
def test_the_version_is_found_without_its_statement(text, version, loaded):
    assert len(loaded(text).data) == 1
    assert refusal(loaded, f"{text}\n  nothing q;").startswith(
        f"{UNKNOWN} cannot be read as OpenQASM {version}: program.qasm:2,2: " if "//" not in text else UNKNOWN
    )


def test_an_opaque_gate_is_of_version_2(loaded):
    assert refusal(loaded, "opaque g a; nothing q;").startswith(f"{UNKNOWN} cannot be read as OpenQASM 2: ")


# Values of inputs.

INPUTS = f"{HEADER}input float a; input int n; qubit[n] q; bit[n] c; rx(a) q[n - 1]; c = measure q;"


def test_inputs_are_bound_when_a_program_is_loaded(loaded):
    circuit = loaded(INPUTS, {"a": 0.5, "n": 3})
    assert (circuit.num_qubits, len(circuit.parameters)) == (3, 0)
    assert circuit.data[0].operation.params == [0.5]
    assert [parameter.name for parameter in loaded(INPUTS, {"n": 2}).parameters] == ["a"]
    simple = loaded(f"{HEADER}input angle a; input float b; qubit q; rx(a) q; rx(b) q;", {"a": 7.5})
    assert simple.data[0].operation.params == [7.5]
    assert [parameter.name for parameter in simple.parameters] == ["b"]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "3,15: the input 'n' needs a value; give it with --bind n=NUMBER"),
        ({"n": 1.5}, "3,15: an input of type 'int' cannot be 1.5"),
        ({"n": 1e30}, "3,15: an input of type 'int' cannot be 1e+30"),
        ({"n": 2**63}, "3,15: an input of type 'int' cannot be 9223372036854775808"),
        ({"n": float(2**63)}, "3,15: an input of type 'int' cannot be 9223372036854775808"),
        ({"n": 10**400}, "3,15: an input of type 'int' cannot be 10000000"),
        ({"n": 1, "a": float("inf")}, "The value of the input 'a' must be a finite number, not inf"),
        ({"n": 1, "z": 1}, "has no input 'z'; its inputs are 'a', 'n'"),
    ],
)
def test_values_of_inputs_that_cannot_be_are_refused(inputs, words, loaded):
    with pytest.raises(BasicAerError) as caught:
        loaded(INPUTS, inputs)
    assert words in caught.value.message


def test_a_whole_number_that_no_real_number_is_as_large_as_is_refused(loaded):
    with pytest.raises(BasicAerError, match="the input 'a' is a real number, and 10000000"):
        loaded(f"{HEADER}input float a; qubit q; rx(a) q;", {"a": 10**400})


@pytest.mark.parametrize("other", ["", "const int k = 1; "])  # read by the importer, or worked out
def test_a_real_input_stays_real_if_it_is_a_whole_number(other, loaded):
    circuit = loaded(
        f"{HEADER}{other}input float a; input angle b; qubit q; rx(a / 2) q; rx(b / 2) q;", {"a": 7, "b": 3}
    )
    assert [item.operation.params for item in circuit.data] == [[3.5], [1.5]]


def test_an_integer_of_any_size_is_bound_as_it_is(tmp_path):
    path = tmp_path / "large.qasm"
    path.write_text(f"{HEADER}input int n; qubit q; bit c; if (n == 9223372036854775807) x q; c = measure q;", "utf-8")
    done = basicaer("run", path, "--json", "--bind", "n=9223372036854775807")
    assert json.loads(done.stdout)["counts"] == {"1": 1024}


@pytest.mark.parametrize(
    ("binds", "message"),
    [
        (["n=two"], "--bind 'n=two' has no number; give NAME=NUMBER."),
        (["n"], "--bind 'n' has no number; give NAME=NUMBER."),
        (["a=1", "a=2"], "--bind gives 'a' twice; give it once."),
        (["a=1"], "the input 'n' needs a value; give it with --bind n=NUMBER."),
    ],
)
def test_what_is_wrong_with_a_value_is_said_before_what_is_missing(binds, message, tmp_path):
    path = tmp_path / "open.qasm"
    path.write_text(INPUTS, "utf-8")
    assert message in basicaer("run", path, *[word for bind in binds for word in ("--bind", bind)]).stderr


def test_a_program_of_version_2_has_no_inputs(loaded):
    with pytest.raises(BasicAerError, match="has no input 'a'; it has none"):
        loaded("OPENQASM 2.0; qreg q[1];", {"a": 1})


def basicaer(*arguments):
    return CliRunner().invoke(main, [str(word) for word in arguments])


def test_the_commands_bind_inputs(tmp_path):
    path = tmp_path / "open.qasm"
    path.write_text(INPUTS, "utf-8")
    done = basicaer("run", path, "--json", "--bind", "a=3.141592653589793", "--bind", "n=2")
    assert json.loads(done.stdout)["counts"] == {"10": 1024}
    done = basicaer("plan", path, "--bind", "n=2")
    assert (done.exit_code, "the same for all values of 'a'" in done.stdout) == (0, True)
    done = basicaer("plan", path, "--bind", "n=2", "--bind", "a=1")
    assert (done.exit_code, "the same for all values" in done.stdout) == (0, False)
    for command in ("run", "plan"):
        assert "the input 'n' needs a value; give it with --bind n=NUMBER." in basicaer(command, path).stderr
        done = basicaer(command, path, "--bind", "n=2", "--bind", "m=2")
        assert f"--bind 'm=2' names no input of {path}; its inputs are 'a', 'n'." in done.stderr
