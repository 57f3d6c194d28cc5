"""``python -m posterity``: the command."""

from posterity.cli.main import main

main(prog_name="posterity")
