"""Expressions of parameters as functions of arrays, against Qiskit's own values of each set."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp, Statevector

from basicaer import BasicAer, EstimatorV2
from basicaer.compile import columns, sweep, values
from basicaer.compile.formulas import formula_of
from basicaer.compile.values import formula_for
from basicaer.errors import BasicAerError

FUNCTIONS = ("sin", "cos", "tan", "exp", "arctan", "arcsin", "arccos", "log", "abs", "sign", "conjugate")
FUNCTIONS_OF_MATH = {"exp": math.exp, "log": math.log, "acos": math.acos}
A, B = Parameter("a"), Parameter("b")


def random_expression(random, parameters, depth):
    if depth == 0:
        if random.integers(4) == 0:
            return float(random.choice([0.5, -1.25, 2.0, 1 / 3, 1e-3, 7e5]))
        return parameters[random.integers(len(parameters))]
    left = random_expression(random, parameters, depth - 1)
    if random.integers(3) == 0 and not isinstance(left, float):
        function = getattr(left, str(random.choice(FUNCTIONS)), None)  # not all versions have all of them
        return left if function is None else function()
    right = random_expression(random, parameters, depth - 1)
    match random.integers(5):
        case 0:
            return left + right
        case 1:
            return left - right
        case 2:
            return left * right
        case 3:
            return left / right if right else left
        case _:
            return left ** float(random.choice([2, 3, -1, 0.5]))


def qiskits(expression, parameters, row, tolerance=1e-12):
    """The value of an expression; NaN where it has no finite real one."""
    try:
        value = complex(expression.bind(dict(zip(parameters, row, strict=True))))
    except Exception:  # noqa: BLE001  # Qiskit raises errors of any type
        return np.nan
    # Qiskit 2.0 rounds powers of negative numbers to complex ones that are nearly real.
    return value.real if np.isfinite(value) and abs(value.imag) <= tolerance * abs(value) else np.nan


@pytest.mark.parametrize("seed", range(60))
def test_random_expressions_have_qiskits_values(seed):
    random = np.random.default_rng(seed)
    names = ["a", "θ", "sin", "x[0]", "x", "ab c", "tan"][: int(random.integers(2, 8))]
    parameters = [Parameter(name) for name in names]
    expression = random_expression(random, parameters, int(random.integers(1, 5)))
    if isinstance(expression, float) or not expression.parameters:
        expression = parameters[0] * 2
    parameters = [one for one in parameters if one in expression.parameters]
    formula = formula_for(expression, parameters, "here")
    if formula is None:
        rows = random.uniform(-20, 20, (40, len(parameters))).tolist()
        assert np.isnan([qiskits(expression, parameters, row, 0) for row in rows]).any(), str(expression)
        return
    rows = random.uniform(-2, 2, (50, len(parameters)))
    for own, row in zip(formula(rows), rows.tolist(), strict=True):
        theirs = qiskits(expression, parameters, row)
        if np.isfinite(own) and np.isfinite(theirs):
            assert own == pytest.approx(theirs, rel=1e-9, abs=1e-9), (str(expression), row)
        else:
            assert not np.isfinite(own), (str(expression), row)  # it is asked for by itself


@pytest.mark.parametrize(
    "names", [("2", "1"), ("a+b", "a"), ("sin(a)", "a"), ("exp", "e"), ("v[1]", "v[0]"), ("-", "*"), (" ", "  ")]
)
def test_names_that_look_like_something_else_lead_to_no_wrong_value(names):
    first, second = map(Parameter, names)
    expression = (first.sin() + 2 * second) * second
    formula = formula_for(expression, [first, second], "here")
    if formula is not None:
        rows = np.random.default_rng(1).uniform(-2, 2, (20, 2))
        want = (np.sin(rows[:, 0]) + 2 * rows[:, 1]) * rows[:, 1]
        assert np.allclose(formula(rows), want, rtol=0, atol=1e-12)


def test_usual_expressions_are_read():
    x = ParameterVector("x", 12)
    for expression in (
        A * A,
        A.sin() * B,
        (A + 1 / 3) ** 2 / B,
        (A * x[1]).exp() - x[11],
        2**A,
        abs(A) - B,
        A.arccos(),
    ):
        parameters = sorted(expression.parameters, key=str)
        assert formula_for(expression, parameters, "here") is not None, str(expression)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "a(",
        "__import__('os')",
        "a.real",
        "lambda: a",
        "[a]",
        "1j*a",
        "a if a else a",
        "9" * 400,
        "(" * 3000 + "a" + ")" * 3000,
    ],
)
def test_what_is_no_arithmetic_is_not_read(text):
    assert formula_of(text, ["a"], [[0.5], [0.6], [0.7]], lambda point: point[0]) is None


def test_a_formula_that_is_not_the_expression_is_not_used():
    points = [[0.5], [0.6], [0.7]]
    assert formula_of("a + 1", ["a"], points, lambda point: point[0] + 1) is not None
    assert formula_of("a + 1", ["a"], points, lambda point: point[0] + (1 if point[0] < 0.65 else 1.1)) is None
    assert formula_of("a + 1", ["a"], points, lambda _point: np.nan) is None


@pytest.mark.parametrize("read", [True, False])
def test_sets_of_expressions_are_those_of_bound_circuits(read, monkeypatch):
    if not read:
        monkeypatch.setattr(columns, "formula_for", lambda *_: None)
    sweep._sweeps.clear()
    circuit = QuantumCircuit(2)
    circuit.ry(A * A, 0)
    circuit.rz((A * B).sin() + B.exp() / 4, 0)
    circuit.cx(0, 1)
    circuit.u(A, B**3, abs(A - B), 1)
    observable = SparsePauliOp(["XY", "ZI", "YY"], [1, 0.5, -0.25])
    points = np.random.default_rng(3).uniform(-2, 2, (20, 2))
    want = [
        Statevector(circuit.assign_parameters(dict(zip((A, B), row, strict=True)))).expectation_value(observable).real
        for row in points
    ]
    got = EstimatorV2().run([(circuit, observable, points)]).result()[0].data.evs
    assert np.allclose(got, want, rtol=0, atol=1e-12)
    sweep._sweeps.clear()


def test_long_expressions_may_be_used_again_from_anywhere():
    """Nothing recurses over their terms, and no two expressions are compared, for which Qiskit needs minutes."""
    angles = ParameterVector("angles", 400)
    circuit = QuantumCircuit(1)
    circuit.rx(sum((angle.sin() for angle in angles), 0.5 * angles[0]), 0)
    assert formula_for(circuit.data[0].params[0], list(angles), "here") is not None
    values = np.full(400, 0.01)
    want = np.cos(400 * np.sin(0.01) + 0.005)

    def at_depth(depth):
        if depth:
            return at_depth(depth - 1)
        return EstimatorV2().run([(circuit, "Z", values)]).result()[0].data.evs

    for depth in (0, 0, 500):
        assert at_depth(depth) == pytest.approx(want)


@pytest.mark.parametrize("text", ["exp(-1/a**2)", "1/(1/a)", "log(a)/log(a)", "acos(a)-acos(a)"])
def test_values_by_way_of_infinity_or_complex_numbers_are_left_to_qiskit(text):
    def value_at(point):
        return eval(text, FUNCTIONS_OF_MATH, {"a": point[0]})  # noqa: S307  # one of the texts above

    formula = formula_of(text, ["a"], [[0.5], [0.6], [0.7]], value_at)
    assert np.isfinite(formula(np.array([[0.5], [0.9]]))).all()
    assert np.isnan(formula(np.array([[0.5], [0.0 if "1/" in text else -2.0]]))).all()


def test_a_set_for_which_an_expression_has_no_value_is_named():
    circuit = QuantumCircuit(1)
    circuit.ry(A.log() * A, 0)
    rows = np.linspace(0.5, 1.5, 20)
    rows[7] = -1.0
    with pytest.raises(BasicAerError, match=r"Set 7 of the parameters: 'a\*log\(a\)' .*a = -1.0"):
        EstimatorV2().run([(circuit, "Z", rows[:, None])]).result()


def dynamic(parameters, *, counted):
    """Parameters in bodies that stand in one another, and in what comes after them."""
    a, b, c, d = parameters
    circuit = QuantumCircuit(3, 3)
    circuit.ry(a, 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.rx(b, 1)
        with circuit.switch(circuit.cregs[0]) as case:
            with case(1):
                circuit.ry(a * b, 2)
            with case(case.DEFAULT):
                circuit.rz(c, 2)
    with otherwise:
        circuit.u(c, d, a.sin(), 1)
    with circuit.for_loop(range(2), Parameter("i") if counted else None) as i:
        circuit.ry(d * i / 3 if counted else d, 2)
        circuit.measure(2, 2)
    with circuit.while_loop((circuit.clbits[2], 1)):
        circuit.ry(b / 5 + 1, 2)
        circuit.measure(2, 2)
    circuit.rx(c, 0)
    circuit.measure([0, 1], [0, 1])
    return circuit


@pytest.mark.parametrize("counted", [False, True])
def test_sets_of_circuits_with_control_flow_are_those_of_bound_circuits(counted, monkeypatch):
    lowered = []
    lower = sweep.lower
    monkeypatch.setattr(sweep, "lower", lambda *args, **keys: (lowered.append(1), lower(*args, **keys))[1])
    parameters = [Parameter(name) for name in "abcd"]
    rows = np.random.default_rng(4).uniform(-3, 3, (9, 4))
    qasm = BasicAer.get_backend("qasm_simulator")
    binds = {parameter: column.tolist() for parameter, column in zip(parameters, rows.T, strict=True)}
    result = qasm.run(
        dynamic(parameters, counted=counted), parameter_binds=[binds], shots=200, seed_simulator=5, memory=True
    ).result()
    for number, row in enumerate(rows.tolist()):
        bound = dynamic(parameters, counted=counted).assign_parameters(dict(zip(parameters, row, strict=True)))
        seed = result.results[number].seed
        alone = qasm.run(bound, shots=200, seed_simulator=seed, memory=True).result()
        assert result.get_memory(number) == alone.get_memory()
    assert len(lowered) in ((0, 9) if counted else (2,))  # before Qiskit 2.1 a loop's parameter is the circuit's too


def test_tables_of_loops_are_made_of_formulas(monkeypatch):
    asked = []
    value_at = values.value_at

    def counted(*args):
        asked.append(args)
        return value_at(*args)

    monkeypatch.setattr(values, "value_at", counted)
    circuit = QuantumCircuit(1, 1)
    with circuit.for_loop(range(200), A):
        circuit.rx((A * A).sin(), 0)
    (state,) = [BasicAer.get_backend("statevector_simulator").run(circuit).result().get_statevector()]
    angle = np.sin(np.arange(200.0) ** 2).sum()
    assert np.allclose(state, [np.cos(angle / 2), -1j * np.sin(angle / 2)])
    assert len(asked) < 100
