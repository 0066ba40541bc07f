"""The version, which stands in pyproject.toml and nowhere else."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """The version that was installed; "0+unknown" for a checkout that was not."""
    try:
        return version("csg-analyze")
    except PackageNotFoundError:
        return "0+unknown"


__version__ = installed_version()
