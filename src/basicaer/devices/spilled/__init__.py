"""States that lie in a file and come into memory chunk by chunk, since they are larger than memory."""
