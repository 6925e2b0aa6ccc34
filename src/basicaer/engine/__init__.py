"""Runs programs: what a program is, how it is carried out and sampled. Knows no Qiskit and no particular device."""
