"""One state divided among ranks: processes on one host or on many, each with a device of its own."""
