"""`python -m basicaer` is the command line."""

from basicaer.cli import main

if __name__ == "__main__":
    main(prog_name="basicaer")
