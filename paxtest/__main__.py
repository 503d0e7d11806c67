"""`python -m paxtest` is `paxtest`."""

from paxtest.cli import main

main()
