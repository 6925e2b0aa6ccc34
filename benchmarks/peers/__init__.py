"""basicaer side by side with other statevector simulators: same circuits, same machine, same threads, in turn."""
