"""`python -m rung` is the command line."""

from rung.cli import main

main()
