"""OpenQASM 2 and 3: a program in a file becomes a circuit.

The parsers and importers are Qiskit's. A program in OpenQASM 3 that the importer refuses is worked out first: its
constants, variables, loops and functions are replaced by their values, and the importer gets the simpler program.
"""
