"""The GPU: plans as launches of the CUDA kernels in `kernels/`, through CuPy.

These are the files, in an order in which each imports only those before it:

`structs`, `shape`, `thread_order`, `affine`
    What kernels read, as NumPy types; how tiles are held; how threads are ordered; permutations that cost nothing.
`turning`, `steps`, `tape`
    Matrices as rotations; how constants are made of the numbers of gates, once or for other numbers again.
`operations`, `rewriting`, `merging`
    What is done to amplitudes in registers; gates as other gates; the gates of a stage as few operations.
`launches`, `recipes`, `pass_arrays`, `frames`, `layers`, `encoding`, `recording`, `lanes`, `passes`, `binding`
    Wires that are renamed; operations, then stages, a pass and a whole plan as structures that kernels read.
`errors`, `kernels`, `kernel_cache`, `memory`, `card`
    What CUDA raises, in sentences; the CUDA sources; compiled or loaded kernels; the memory of states; all that talks
    to a card.
`summation`, `pauli_groups`, `running`, `amplitudes`, `stops`, `adjoint`, `state`, `batch`, `device`
    Sums over a state, and those of Paulis; launches with what they read; states in a card's memory, and their way back
    through gates; the device that makes them.
`surroundings`, `causes`, `probe`
    What is seen of drivers and packages without CuPy; why no card can be used, and what helps; what is found.
"""
