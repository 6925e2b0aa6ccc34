"""Decides which gates run in which pass over the state. Integers only: no arrays, no devices, no Qiskit."""
