"""Plans to look at: what `backend.plan(circuit)` returns, its table and its picture."""
