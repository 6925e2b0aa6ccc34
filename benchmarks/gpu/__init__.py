"""basicaer on a GPU: against the card's limits, and beside NVIDIA's cuStateVec and Aer; see README.md."""
