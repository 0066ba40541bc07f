"""`python -m training std ...` is `csg-train std ...`."""

from training.cli import main

main()
