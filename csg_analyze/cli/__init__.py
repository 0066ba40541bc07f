"""csg-analyze on the command line: thin commands over `csg_analyze.stages`. Importing it does not import torch."""

from csg_analyze.cli.app import main

__all__ = ["main"]
