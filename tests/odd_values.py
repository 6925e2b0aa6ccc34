"""Values of every odd kind, for options, fields and names that expect something else."""

import collections
import datetime as dt
import decimal
import fractions
import pathlib
import uuid

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator, Statevector


def _fails(*_, **__):
    raise LookupError("this object refuses everything")


REFUSED = ("eq", "repr", "str", "hash", "float", "int", "index", "bool", "len", "iter", "lt", "le", "gt", "ge", "call")
Refusing = type("Refusing", (), {f"__{name}__": _fails for name in REFUSED})
RefusingAttributes = type("RefusingAttributes", (), {"__getattr__": _fails})
RefusingInt = type("RefusingInt", (int,), {f"__{name}__": _fails for name in ("lt", "le", "gt", "ge", "eq", "repr")})
RefusingStr = type("RefusingStr", (str,), dict.fromkeys(("lower", "__eq__", "__hash__", "__repr__"), _fails))
RefusingList = type("RefusingList", (list,), dict.fromkeys(("__iter__", "__len__", "__repr__"), _fails))
RefusingPath = type("RefusingPath", (), {"__fspath__": _fails})
BytesPath = type("BytesPath", (), {"__fspath__": lambda _: b"folder"})
State = type("State", (), {"dims": 2, "data": property(_fails)})


def _inside_itself(kind):
    outer = kind()
    outer.append(outer) if kind is list else outer.update({"inside": outer})
    return outer


def _deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


ODD_VALUES = {
    "None": lambda: None,
    "True": lambda: True,
    "zero": lambda: 0,
    "one": lambda: 1,
    "minus one": lambda: -1,
    "2**31": lambda: 2**31,
    "2**63": lambda: 2**63,
    "2**64": lambda: 2**64,
    "10**400": lambda: 10**400,
    "10**5000": lambda: 10**5000,
    "-10**400": lambda: -(10**400),
    "half": lambda: 0.5,
    "1e-320": lambda: 1e-320,
    "1e300": lambda: 1e300,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: float("-inf"),
    "complex": lambda: 1 + 2j,
    "Fraction": lambda: fractions.Fraction(1, 3),
    "Decimal": lambda: decimal.Decimal("NaN"),
    "np.int8": lambda: np.int8(3),
    "np.uint64": lambda: np.uint64(2**64 - 1),
    "np.float16": lambda: np.float16(0.5),
    "np.longdouble": lambda: np.longdouble("1e400"),
    "np.complex64": lambda: np.complex64(1),
    "np.bool": lambda: np.bool_(1),
    "np.timedelta64": lambda: np.timedelta64(5, "s"),
    "np.datetime64": lambda: np.datetime64("2020-01-01"),
    "NaT": lambda: np.timedelta64("NaT", "s"),
    "timedelta": lambda: dt.timedelta(seconds=3),
    "scalar array": lambda: np.array(2),
    "array": lambda: np.array([1, 2]),
    "array of names": lambda: np.array(["CPU", "GPU"]),
    "array of objects": lambda: np.array([None, {}], object),
    "empty array": lambda: np.array([]),
    "array of records": lambda: np.zeros(2, [("a", int)]),
    "empty text": lambda: "",
    "text": lambda: "nonsense",
    "zero byte": lambda: "a\0b",
    "surrogate": lambda: "\ud800",
    "undecodable": lambda: "\udcff",
    "300 letters": lambda: "x" * 300,
    "100000 letters": lambda: "y" * 100_000,
    "digits": lambda: "1" * 5000,
    "open controls": lambda: "x_o" + "1" * 5000,
    "bytes": lambda: b"CPU",
    "bytearray": lambda: bytearray(b"ab"),
    "memoryview": lambda: memoryview(b"ab"),
    "empty list": list,
    "list": lambda: [0, 1],
    "twice": lambda: [0, 0],
    "ragged": lambda: [[1, 2], [3]],
    "list of None": lambda: [None],
    "list of texts": lambda: ["0", "1"],
    "deep list": lambda: _deep(3000),
    "list in itself": lambda: _inside_itself(list),
    "tuple": lambda: (1, 0),
    "set": lambda: {1, 2},
    "frozenset": lambda: frozenset({0}),
    "empty dict": dict,
    "dict": lambda: {"mask": "0x1", "val": "zzz"},
    "dict of odd keys": lambda: {None: 1, 2: {3: b"4"}, ("a",): 5},
    "dict in itself": lambda: _inside_itself(dict),
    "OrderedDict": lambda: collections.OrderedDict(a=1),
    "range": lambda: range(3),
    "generator": lambda: (number for number in (1, 2)),
    "object": object,
    "class": lambda: dict,
    "function": lambda: len,
    "lambda": lambda: lambda: None,
    "module": lambda: np,
    "Path": lambda: pathlib.PurePosixPath("nonsense\0"),
    "uuid": lambda: uuid.UUID(int=7),
    "exception": lambda: ValueError("no"),
    "NotImplemented": lambda: NotImplemented,
    "Parameter": lambda: Parameter("p"),
    "circuit": lambda: QuantumCircuit(1),
    "Statevector": lambda: Statevector([1, 0]),
    "Operator": lambda: Operator([[1, 0], [0, 1]]),
    "Refusing": Refusing,
    "Refusing class": lambda: Refusing,
    "RefusingAttributes": RefusingAttributes,
    "RefusingInt": lambda: RefusingInt(3),
    "RefusingStr": lambda: RefusingStr("CPU"),
    "RefusingList": lambda: RefusingList([0]),
    "RefusingPath": RefusingPath,
    "BytesPath": BytesPath,
    "State": State,
}
"""What makes a new value, by name: none that a test changes is seen by another."""
