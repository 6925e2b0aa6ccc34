"""Plans as a person sees them: `backend.plan(circuit)`, its table and its picture."""
