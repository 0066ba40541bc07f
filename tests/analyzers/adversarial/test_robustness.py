from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from csg_analyze.analysis import analyze
from csg_analyze.analyzers.adversarial.comparisons import compare_robustness
from csg_analyze.checkpoints import Classifier
from csg_analyze.errors import UsageError
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.network_attacks import NetworkAttacks
from csg_analyze.plan import plan
from csg_analyze.result import Result
from tests.examples import classified_dataset, nudged, small_classifier

CLASSIFIER, OTHER = small_classifier(), nudged(small_classifier(name="other"))
DATA = classified_dataset(CLASSIFIER, 70, wrong=8)
EPS = {"1/255": 1 / 255, "4/255": 4 / 255, "0.05": 0.05}
DEEPFOOL = "foolbox:L2DeepFoolAttack"


def run(classifier: Classifier = CLASSIFIER, folder: Path | None = None, **options: Any) -> Result:
    settings = {"attack": f"fgsm,{DEEPFOOL}", "eps": "4/255,1/255,0.05", "n_images": 50, **options}
    steps = plan(["robustness"], {"robustness": settings})
    together = tuple((each, DATA) for each in (CLASSIFIER, OTHER))
    return analyze(classifier, DATA, steps, compared=together, cache=Cache(folder)).results["robustness"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Result]:
    folder = tmp_path_factory.mktemp("cache")
    return {each.name: run(each, folder) for each in (CLASSIFIER, OTHER)}


def fgsm_fools(classifier: Classifier, index: int, eps: float) -> bool:
    """One image, one step away from its label, written out, on logits that span 10."""
    image = DATA.images[index : index + 1].float() / 255
    leaf, label = image.clone().requires_grad_(), DATA.labels[index : index + 1]
    logits = classifier.network(leaf)
    loss = torch.nn.functional.cross_entropy(10 * logits / (logits.max() - logits.min()).detach(), label)
    (gradient,) = torch.autograd.grad(loss, leaf)
    attacked = (image + eps * gradient.sign()).clamp(0, 1)
    return bool((classifier.network(attacked).argmax(1) != label).item())


def test_every_share_by_loops(both: Mapping[str, Result]) -> None:
    ids = list(DATA.sample_ids)
    for classifier in (CLASSIFIER, OTHER):
        result = both[classifier.name]
        assert result.samples is not None
        chosen = [ids.index(name) for name in result.samples["sample_id"]]
        pixels = DATA.images[chosen].float() / 255
        right = {c.name: (c.network(pixels).argmax(1) == DATA.labels[chosen]).tolist() for c in (CLASSIFIER, OTHER)}
        common = [a and b for a, b in zip(right["small"], right["other"], strict=True)]
        assert result.summary["clean_accuracy"] == pytest.approx(np.mean(right[classifier.name]))
        assert result.summary["n_common"] == sum(common)
        survived = list(right[classifier.name])
        table = result.frame("robustness").set_index("eps")
        for text, eps in sorted(EPS.items(), key=lambda pair: pair[1]):
            survived = [s and not fgsm_fools(classifier, i, eps) for s, i in zip(survived, chosen, strict=True)]
            assert result.summary[f"fgsm@{text}/robust_accuracy"] == pytest.approx(np.mean(survived))
            assert result.samples[f"robust fgsm@{text}"].tolist() == survived
            of_common = [s for s, c in zip(survived, common, strict=True) if c]
            assert result.summary[f"fgsm@{text}/common_robust_accuracy"] == pytest.approx(np.mean(of_common))
            wilson = binomtest(sum(survived), 50).proportion_ci(method="wilson")
            assert (table.loc[text, "low"], table.loc[text, "high"]) == pytest.approx((wilson.low, wilson.high))


def test_the_smallest_perturbations(both: Mapping[str, Result]) -> None:
    result = both["small"]
    assert result.samples is not None
    norms = result.samples[f"minimal_l2 {DEEPFOOL}"]
    assert norms.notna().sum() == result.samples["correct"].sum() == result.frame("minimal_l2")["n"][0]
    assert result.summary[f"{DEEPFOOL}/mean_l2"] == pytest.approx(norms.mean())
    assert result.summary[f"{DEEPFOOL}/median_l2"] == pytest.approx(norms.median())
    row = result.frame("minimal_l2").iloc[0]
    for statistic in ("mean", "median"):
        assert row[f"{statistic}_low"] <= row[f"{statistic}_l2"] <= row[f"{statistic}_high"]
    assert row["common_mean_l2"] == pytest.approx(norms[result.samples["common"]].mean())
    steps = result.frame("withstood")
    for l2, share in zip(steps["l2"], steps["share"], strict=True):
        assert share == pytest.approx((norms.dropna() > l2).mean())


def test_robust_accuracy_falls_and_is_never_above_the_clean_one(both: Mapping[str, Result]) -> None:
    table = both["small"].frame("robustness")
    assert table["eps_value"].is_monotonic_increasing
    assert table["robust_accuracy"].is_monotonic_decreasing
    assert (table["robust_accuracy"] <= table["clean_accuracy"]).all()
    counts = both["small"].frame("attacks")
    assert counts["attacked"].iloc[0] == both["small"].samples["correct"].sum()  # type: ignore[index]
    assert counts["attacked"].iloc[1] == counts["not_fooled"].iloc[0]  # who is fooled within less needs no attack


def test_differences_are_paired_on_common_images(both: Mapping[str, Result]) -> None:
    table = compare_robustness(*both.values()).frame
    first, second = (result.samples for result in both.values())
    assert first is not None
    assert second is not None
    assert (first["common"] == second["common"]).all()
    row = table[table["attack"] == "fgsm@4/255"].iloc[0]
    a, b = (frame.loc[frame["common"], "robust fgsm@4/255"].astype(float) for frame in (first, second))
    assert row["difference"] == pytest.approx(b.mean() - a.mean())
    assert row["n"] == len(a)
    only = (int((a > b).sum()), int((b > a).sum()))
    assert row["mcnemar_p"] == pytest.approx(binomtest(only[0], sum(only)).pvalue if sum(only) else 1.0)
    minimal = table[table["quantity"] == "minimal L2"].iloc[0]
    a, b = (frame.loc[frame["common"], f"minimal_l2 {DEEPFOOL}"] for frame in (first, second))
    assert minimal["difference"] == pytest.approx((b - a).mean())
    assert minimal["low"] <= minimal["difference"] <= minimal["high"]


def test_captions_notes_and_figures(both: Mapping[str, Result]) -> None:
    result = both["small"]
    assert "50 images" in result.tables["robustness"].caption
    assert "one step of eps, Linf, eps 0.01569 (4/255), untargeted" in result.tables["robustness"].caption
    assert "70 images instead of the 200 requested" in run(n_images=200, eps="0", attack="fgsm").notes[0]
    aimed = run(targeted=True, attack=DEEPFOOL)
    assert f"{DEEPFOOL} cannot be aimed at a class and ran untargeted." in aimed.notes
    robust, minimal = (result.figures[name].draw(both) for name in ("robustness", "minimal_l2"))
    line = robust.axes[0].lines[0]
    np.testing.assert_allclose(line.get_xdata(), [0, 1, 4, 12.75])
    shares = result.frame("robustness")["robust_accuracy"].tolist()
    np.testing.assert_allclose(line.get_ydata(), [result.summary["clean_accuracy"], *shares])
    assert len(minimal.axes[0].lines) == 2
    assert set(run(attack="fgsm").figures) == {"robustness"}
    assert set(aimed.figures) == {"minimal_l2"}


def test_no_eps_is_no_attack() -> None:
    result = run(attack="pgd", eps="0")
    assert result.summary["pgd@0/robust_accuracy"] == result.summary["clean_accuracy"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"attack": "cww"}, "did you mean 'cw'"),
        ({"eps": "4"}, "between 0 and 1"),
        ({"eps": "a/b"}, "8/255 or 0.03"),
        ({"n_images": 0}, "--n-images"),
    ],
)
def test_bad_options(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run(**options)


def alone(network: Callable[[torch.nn.Sequential], object], **options: Any) -> Result:
    """The one network, after its layers were changed in place, on the same images."""
    changed = small_classifier()
    with torch.no_grad():
        network(changed.network.network)  # type: ignore[arg-type]
    steps = plan(
        ["robustness"], {"robustness": {"attack": "fgsm,pgd", "eps": "1/255,4/255", "n_images": 40, **options}}
    )
    return analyze(changed, DATA, steps).results["robustness"]


def with_head(factor: float) -> Callable[[torch.nn.Sequential], object]:
    return lambda layers: [parameter.mul_(factor) for parameter in layers[6].parameters()]


def test_a_larger_head_is_no_robustness() -> None:
    plain = alone(with_head(1))
    assert 0.05 < plain.summary["pgd@4/255/robust_accuracy"] < plain.summary["clean_accuracy"]  # type: ignore[operator]
    for factor in (16.0, 2.0**20):
        assert alone(with_head(factor)).summary == plain.summary
    assert not any("no step moved" in note for note in plain.notes)


def test_images_that_no_step_moves_are_counted_and_said() -> None:
    def constant(layers: torch.nn.Sequential) -> None:
        layers[6].weight.zero_()
        layers[6].bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))

    result = alone(constant, attack="pgd", eps="2/255")
    table = result.frame("robustness").iloc[0]
    n = int(result.frame("attacks").iloc[0]["attacked"])
    assert n > 0
    assert result.summary["pgd@2/255/not_moved"] == table["not_moved"] == n
    assert table["without_target"] == 0
    assert result.summary["pgd@2/255/robust_accuracy"] == result.summary["clean_accuracy"]
    (note,) = [note for note in result.notes if "no step moved" in note]
    assert note.startswith(f"pgd at 2/255: no step moved {n} of {n} attacked images")


def test_images_without_a_target_leave_n(monkeypatch: pytest.MonkeyPatch) -> None:
    def every_other(self: NetworkAttacks, sources: np.ndarray, seed: int) -> np.ndarray:
        return np.where(sources % 2 == 0, (self.labels[sources] + 1) % 4, -1)

    monkeypatch.setattr(NetworkAttacks, "_targets", every_other)
    result = alone(with_head(1), attack="fgsm", eps="8/255", targeted=True)
    table = result.frame("robustness").iloc[0]
    assert result.samples is not None
    ids = np.array([list(DATA.sample_ids).index(name) for name in result.samples["sample_id"]])
    right = result.samples["correct"].to_numpy()
    aimless = right & (ids % 2 == 1)
    assert table["without_target"] == aimless.sum() > 0
    assert table["n"] == 40 - aimless.sum()
    robust = result.samples["robust fgsm@8/255"].to_numpy()
    assert table["robust_accuracy"] == pytest.approx(robust[~aimless].mean())
    assert any(f"{aimless.sum()} images have no class left" in note for note in result.notes)
