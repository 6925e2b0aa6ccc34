"""Turns what a user gives, a circuit or a Qobj, into a `Program`."""
