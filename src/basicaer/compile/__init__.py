"""Turns circuits and Qobjs into programs."""
