"""The devices, which hold states and do the arithmetic. CuPy is imported only in this package, and only when needed."""
