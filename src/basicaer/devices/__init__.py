"""What holds states and does arithmetic. CuPy is imported only below here, and only when a GPU is asked about."""
