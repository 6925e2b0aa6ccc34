"""basicaer on a GPU: against the limits of the card, and side by side with NVIDIA's cuStateVec and Aer; see README.md."""
