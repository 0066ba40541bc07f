"""Data without splits are for analyses: training would test on its own images."""

from __future__ import annotations

from pathlib import Path

import pytest

from csg_analyze.errors import UsageError
from tests.data.forms_of_data import FORMS, Form
from training.recipes import RECIPES
from training.setup import load_splits

UNDIVIDED = [form for form in FORMS if form.one_split and "saved" not in form.name]


@pytest.mark.parametrize("form", UNDIVIDED, ids=lambda form: form.name)
def test_the_same_images_for_training_and_testing_are_refused(tmp_path: Path, form: Form) -> None:
    with pytest.raises(UsageError, match="gives the same images for training and for testing"):
        load_splits(RECIPES["scenes-resnet8"], form.write(tmp_path))
