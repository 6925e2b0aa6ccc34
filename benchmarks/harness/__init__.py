"""What all benchmarks share: runs in turn, goals and verdicts, results, tables and pictures.

Nothing in here imports Qiskit or CuPy, because a machine with a GPU often has no Qiskit, and others have no CuPy.
"""
