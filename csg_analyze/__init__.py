"""Which filters of a CNN stand for which class, and what that buys.

    from csg_analyze import load_classifier, load_dataset, mutual_information

Names are imported at first use, so that `import csg_analyze` (and `csg-analyze --help`) is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from csg_analyze.analysis import analyze
    from csg_analyze.checkpoints import Classifier, classifier_of, load_classifier, save_checkpoint
    from csg_analyze.comparing.comparison import Comparison, compare
    from csg_analyze.data import Dataset, load_dataset
    from csg_analyze.errors import NotAvailable, UsageError
    from csg_analyze.metrics.mutual_information import mutual_information
    from csg_analyze.models import build
    from csg_analyze.report.folder import write_report
    from csg_analyze.result import Result
    from csg_analyze.settings import Loading, Run
    from csg_analyze.stages import run
    from csg_analyze.version import __version__

_HOMES = {
    "Classifier": "csg_analyze.checkpoints",
    "classifier_of": "csg_analyze.checkpoints",
    "load_classifier": "csg_analyze.checkpoints",
    "save_checkpoint": "csg_analyze.checkpoints",
    "Comparison": "csg_analyze.comparing.comparison",
    "compare": "csg_analyze.comparing.comparison",
    "Dataset": "csg_analyze.data",
    "load_dataset": "csg_analyze.data",
    "NotAvailable": "csg_analyze.errors",
    "UsageError": "csg_analyze.errors",
    "mutual_information": "csg_analyze.metrics.mutual_information",
    "build": "csg_analyze.models",
    "analyze": "csg_analyze.analysis",
    "Result": "csg_analyze.result",
    "Loading": "csg_analyze.settings",
    "Run": "csg_analyze.settings",
    "run": "csg_analyze.stages",
    "write_report": "csg_analyze.report.folder",
    "__version__": "csg_analyze.version",
}

__all__ = [
    "Classifier",
    "Comparison",
    "Dataset",
    "Loading",
    "NotAvailable",
    "Result",
    "Run",
    "UsageError",
    "__version__",
    "analyze",
    "build",
    "classifier_of",
    "compare",
    "load_classifier",
    "load_dataset",
    "mutual_information",
    "run",
    "save_checkpoint",
    "write_report",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'csg_analyze' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
