"""Settings of all tests, and where real data is for those that need some."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# a busy machine must not make a property fail
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder named by CSG_DATA, by default ../shared/data beside the checkout; skips where there is none."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CSG_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder} (set CSG_DATA)")
    return folder


@pytest.fixture(scope="session")
def cifar10_zip(real_data: Path) -> Path:
    """CIFAR-10 as an image folder in a .zip; skips where it is absent."""
    path = real_data / "cifar10.zip"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {real_data} (set CSG_DATA)")
    return path
