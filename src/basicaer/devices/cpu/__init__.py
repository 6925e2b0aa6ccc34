"""The CPU: plans carried out by NumPy, tile by tile on all cores, and small states gate by gate."""
