"""The GPU: plans as launches of the CUDA kernels in `kernels/`, through CuPy."""
