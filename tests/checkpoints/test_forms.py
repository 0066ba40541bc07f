from __future__ import annotations

from pathlib import Path

import pytest
import torch

from csg_analyze.checkpoints import load_classifier
from csg_analyze.errors import UsageError
from csg_analyze.models import build
from tests.checkpoints import forms_contained, forms_foreign, forms_hub, forms_recognised, forms_wrapped
from tests.checkpoints.forms import REFUSED, Form

FORMS = (
    *forms_wrapped.FORMS, *forms_recognised.FORMS, *forms_contained.FORMS, *forms_hub.FORMS, *forms_foreign.FORMS,
)  # fmt: skip
TABLE = Path(__file__).parents[2] / "docs" / "checkpoints.md"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_form_gives_the_logits_of_its_module_or_is_refused_by_name(tmp_path: Path, form: Form) -> None:
    torch.manual_seed(0)
    network = (build(form.architecture, 4) if form.build is None else form.build()).eval()
    path = form.make(network, tmp_path)
    if form.outcome == REFUSED:
        with pytest.raises(UsageError) as caught:
            load_classifier(path, **form.flags)
        message = str(caught.value)
        assert form.says in message
        assert str(path) in message
        assert "\n" not in message
        assert "damaged" not in message or "cut off" in form.name or "in name only" in form.name
        return
    classifier = load_classifier(path, size=32, **form.flags)
    assert (classifier.architecture, classifier.n_classes) == (form.loaded_as or form.architecture, 4)
    notes = [note for note in classifier.notes if "preprocessing" not in note]
    assert form.says in "; ".join(notes)
    assert bool(form.says) == any("no checksums" not in note for note in notes) or "no checksums" in form.says
    if not any("cast" in note for note in notes):
        restored = classifier.network.network.state_dict()
        assert all(torch.equal(restored[name], tensor) for name, tensor in network.state_dict().items())
    pixels = torch.rand(2, 3, 32, 32)
    expected = network((pixels - classifier.network.mean) / classifier.network.std)
    tolerance = 0.1 if any("float16" in note for note in notes) else 1e-5
    assert torch.allclose(classifier.network(pixels), expected, atol=tolerance)


def test_the_table_of_the_documentation_is_what_is_tested() -> None:
    rows = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert rows[0] == "| form | flags | outcome | what is said |"
    assert rows[1:] == [form.row for form in FORMS]
    assert len({form.name for form in FORMS}) == len(FORMS)
