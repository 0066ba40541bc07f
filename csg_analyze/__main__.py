"""python -m csg_analyze."""

from csg_analyze.cli import main

main()
