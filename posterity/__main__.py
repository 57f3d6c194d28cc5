"""The command, as ``python -m posterity``."""

from posterity.cli.main import main

if __name__ == "__main__":
    main(prog_name="posterity")
