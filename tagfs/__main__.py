"""`python -m tagfs`: the command line."""

from tagfs.cli import main

main()
