"""basicaer on a GPU: compared with the limits of the card, with cuStateVec and with Aer. README.md has the details."""
