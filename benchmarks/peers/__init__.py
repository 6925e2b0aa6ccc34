"""basicaer beside other statevector simulators on a CPU: the same circuits, machine and number of threads, in turn."""
