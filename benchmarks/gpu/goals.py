"""What is to be reached, foretold before any card was at hand: from an H200's bandwidth and published times.

Atlas (SC'24) and HyQuas (ICS'21) publish times on an A100, of which an H200 has 3.1 times the bandwidth.
"""

from __future__ import annotations

# (family) -> milliseconds, from .. to, of 28 qubits in double precision from a random state on an H200
BANDS_MS: dict[str, tuple[float, float]] = {
    "qft": (5, 9),
    "ansatz_cx_all": (18, 32),
    "tfim": (12, 30),
    "ansatz_cz_chain": (13, 32),
    "grid": (23, 51),
    "volume": (100 * 10 / 28, 189 * 10 / 28),  # foretold for 28 layers; ours has 10
}
BAND_QUBITS, BAND_PRECISION = 28, "double"

EMPTY_PASS = 0.85  # of the copy bandwidth, for a pass that does no arithmetic
RATIO = 3.0  # cuStateVec's time divided by ours, as a geometric mean over the families, ahead in every one
COLD_SECONDS = 3.0  # from starting Python to the first result


def goal_at(family: str, n: int, precision: str) -> str:
    """Return the goal in words."""
    ahead = f"{RATIO:g} times as fast as cuStateVec as a geometric mean over the families, behind it in none"
    if (n, precision) != (BAND_QUBITS, BAND_PRECISION) or family not in BANDS_MS:
        return ahead
    low, high = BANDS_MS[family]
    return f"{low:.3g} to {high:.3g} ms from a random state on an H200; {ahead}"
