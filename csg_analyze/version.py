"""The version, from pyproject.toml only."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """The installed version; "0+unknown" for a checkout that is not installed."""
    try:
        return version("csg-analyze")
    except PackageNotFoundError:
        return "0+unknown"


__version__ = installed_version()
