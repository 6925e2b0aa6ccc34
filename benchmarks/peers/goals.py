"""What is to be reached."""

# (peer, precision, qubits) -> how many times as long as ours it is to take, as a geometric mean over the families.
GOALS = {("Aer", "double", 20): 3.0, ("Aer", "double", 24): 5.0, ("qsim", "single", 24): 1.5}


def goal_at(n: int, precision: str) -> str:
    """Return the goal in words; at sizes that have no other, it is to be behind nobody."""
    parts = [
        f"{factor:g} times as fast as {peer}"
        for (peer, goal_precision, size), factor in GOALS.items()
        if (goal_precision, size) == (precision, n)
    ]
    return f"{parts[0]} as a geometric mean over the families, behind it in none" if parts else "behind no peer"
