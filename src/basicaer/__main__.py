"""Runs the command line for `python -m basicaer`."""

from basicaer.cli import main

if __name__ == "__main__":
    main(prog_name="basicaer")
