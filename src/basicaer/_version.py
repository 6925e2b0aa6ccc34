"""The version, once: read by the build, the result and the command line."""

__version__ = "0.1.0"
