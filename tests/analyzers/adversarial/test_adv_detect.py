from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from csg_analyze.analysis import analyze
from csg_analyze.analyzers.adversarial.comparisons import compare_detection, table_3
from csg_analyze.checkpoints import Classifier
from csg_analyze.errors import TooFew, UsageError
from csg_analyze.inputs.cache import Cache
from csg_analyze.plan import plan
from csg_analyze.report.writing import long_form
from csg_analyze.result import Result
from tests.examples import classified_dataset, nudged, small_classifier

CLASSIFIER, OTHER = small_classifier(), nudged(small_classifier(name="other"))
DATA = classified_dataset(CLASSIFIER, 160, wrong=10)
QUICK = {"pgd_steps": 8, "cw_steps": 15, "cw_searches": 2}
SMALL = {"train_sizes": "20,60", "test_size": 40, "repeats": 2}
NEAREST = "sklearn.neighbors:KNeighborsClassifier"


def run(
    classifier: Classifier = CLASSIFIER, *compared: Classifier, folder: Path | None = None, **options: Any
) -> Result:
    steps = plan(["adv-detect"], {"adv-detect": {**SMALL, **options}, "attacks": QUICK})
    together = tuple((each, DATA) for each in (compared or (classifier,)))
    return analyze(classifier, DATA, steps, compared=together, cache=Cache(folder)).results["adv-detect"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Result]:
    """Two compared models under two attacks, with all that can be asked for."""
    folder = tmp_path_factory.mktemp("cache")
    options = {"attack": "fgsm,pgd", "transfer": True, "adaptive": True}
    return {c.name: run(c, CLASSIFIER, OTHER, folder=folder, **options) for c in (CLASSIFIER, OTHER)}


def test_summary_keys_and_tables(both: Mapping[str, Result]) -> None:
    result = both["small"]
    for attack in ("fgsm", "pgd"):
        for size in (20, 60):
            for key in ("error_percent", "auroc", "tpr_at_5_fpr", "noise_alarm_percent"):
                assert isinstance(result.summary[f"{attack}/{key}@{size}"], float)
        assert result.summary[f"{attack}/success_rate"] > 0.5  # type: ignore[operator]
        assert 0 <= result.summary[f"{attack}/logistic/adaptive_detected_percent"] <= 100  # type: ignore[operator]
    assert next(iter(result.summary)) == "fgsm/error_percent@20"
    detection = result.frame("detection")
    assert detection[["attack", "train_size", "n_train", "n_test"]].to_numpy().tolist() == [
        [attack, size, size, 40] for attack in ("fgsm", "pgd") for size in (20, 60)
    ]
    assert len(long_form(result.matrices["transfer"])) == len(result.frame("adaptive")) == 4


def test_the_caption_gives_settings_and_counts(both: Mapping[str, Result]) -> None:
    result = both["small"]
    caption = result.tables["detection"].caption
    counts = result.frame("attacks").set_index("attack")
    for attack in ("fgsm", "pgd"):
        row = counts.loc[attack]
        assert f"{int(row['success'])} successes of {int(row['attacked'])} attacked sources" in caption
        outcomes = ["success", "not_fooled", "not_moved", "all_black", "not_finite", "at_target"]
        assert row[outcomes].sum() == row["attacked"]
    for words in ("Protocol paired", "negatives clean", "detector forest", "2 repeats", "8 steps of eps/4", "(8/255)"):
        assert words in caption


def test_samples_have_a_row_for_every_attacked_source(both: Mapping[str, Result]) -> None:
    result = both["small"]
    assert result.samples is not None
    assert list(result.samples.columns[:3]) == ["sample_id", "attack", "label"]
    assert {"target", "success", "l2", "linf", "score"} <= set(result.samples.columns)
    counts = result.frame("attacks").set_index("attack")
    for attack, rows in result.samples.groupby("attack"):
        assert len(rows) == counts.loc[attack, "attacked"]
        assert rows["success"].sum() == counts.loc[attack, "success"]
        assert (rows["target"] != rows["label"]).all()
        assert (rows.loc[rows["success"], "prediction"] == rows.loc[rows["success"], "target"]).all()
        assert rows.loc[~rows["success"], "score"].isna().all()
        assert (rows["linf"] <= 8 / 255 + 1e-6).all()
    assert result.samples["score"].notna().sum() > 50


def test_compared_models_share_sources_and_targets(both: Mapping[str, Result]) -> None:
    first, second = (result.samples for result in both.values())
    assert first is not None
    assert second is not None
    for attack in ("fgsm", "pgd"):
        a, b = (frame[frame["attack"] == attack].reset_index(drop=True) for frame in (first, second))
        shorter = min(len(a), len(b))
        assert a["sample_id"][:shorter].tolist() == b["sample_id"][:shorter].tolist()
        assert a["target"][:shorter].tolist() == b["target"][:shorter].tolist()


def test_table_3_over_both_models(both: Mapping[str, Result]) -> None:
    compared = table_3(both)
    table, bold = compared.frame, compared.best
    assert bold is not None
    assert list(table.columns) == ["attack", "model", "20", "60"]
    assert table[["attack", "model"]].to_numpy().tolist() == [
        [attack, model] for attack in ("fgsm", "pgd") for model in ("small", "other")
    ]
    for row in table.to_dict("records"):
        for size in ("20", "60"):
            assert row[size] == both[row["model"]].summary[f"{row['attack']}/error_percent@{size}"]
            tidy = compared.rows.set_index(["attack", "model", "train_size"])["error_percent"]
            assert row[size] == tidy[row["attack"], row["model"], int(size)]
    for attack, rows in table.groupby("attack"):
        for size in ("20", "60"):
            best = rows[size].round(2) == rows[size].round(2).min()
            expected = best.tolist() if not best.all() else [False, False]
            assert bold.loc[rows.index, size].tolist() == expected, attack
    for name in both:
        assert f"{name}: Protocol paired" in compared.caption
    assert "instead of" not in compared.caption


def test_a_paired_difference_is_that_of_table_3(both: Mapping[str, Result]) -> None:
    table = compare_detection(*both.values()).frame.set_index("attack")
    errors = table_3(both).frame.set_index(["attack", "model"])["60"]
    tested = [result.samples[result.samples["judged"] > 0] for result in both.values()]  # type: ignore[index]
    for attack in ("fgsm", "pgd"):
        row = table.loc[attack]
        assert row["error_difference"] == pytest.approx(errors[attack, "other"] - errors[attack, "small"], abs=1e-9)
        assert row["low"] <= row["error_difference"] <= row["high"]
        first, second = (set(frame.loc[frame["attack"] == attack, "sample_id"]) for frame in tested)
        assert (row["n_sources"], row["n_in_both"]) == (len(first | second), len(first & second))


def test_other_protocols_and_detectors() -> None:
    disjoint = run(protocol="disjoint", detector=NEAREST)
    assert "Protocol disjoint" in disjoint.tables["detection"].caption
    assert "importance" not in disjoint.tables
    assert "depth" not in disjoint.figures
    noisy = run(negatives="clean+noise", detector="sklearn.linear_model:LogisticRegression", layers="2")
    assert "on 8 features of 1 convolutions" in noisy.tables["detection"].caption
    assert noisy.frame("importance")["layer"].tolist() == ["2"]
    paper = run(protocol="paper", train_sizes=None, detector=NEAREST, test_size=60, repeats=1)
    assert paper.frame("detection")["train_size"].tolist() == [500, 1000, 2000]


def test_fewer_successes_than_asked_are_used_and_said() -> None:
    result = run(train_sizes="20,2000", detector=NEAREST)
    detection, counts = result.frame("detection"), result.frame("attacks").iloc[0]
    assert detection["n_train"].tolist()[0] == 20
    assert detection["n_train"].tolist()[1] < 300
    assert detection["train_size"].tolist() == [20, 2000]
    assert counts["shortfall"] == counts["wanted"] - counts["used"] > 0
    together = table_3({"a": result, "b": result}).caption
    assert f"a, pgd: {detection['n_train'][1]} instead of 2000 training images." in together
    assert f"{counts['used']} adversarial samples instead of the {counts['wanted']}" in result.notes[0]


def test_an_attack_with_too_few_successes_is_left_out_with_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUICK, "cw_steps", 2)
    monkeypatch.setitem(QUICK, "cw_searches", 1)
    result = run(attack="pgd,cw", detector=NEAREST)
    assert set(result.frame("detection")["attack"]) == {"pgd"}
    assert result.frame("attacks").set_index("attack").loc["cw", "used"] == 0
    assert any(note.startswith("cw: ") and "no detector is trained" in note for note in result.notes)
    with pytest.raises(TooFew, match=r"too few adversarial samples .* by cw\): at least 50"):
        run(attack="cw", detector=NEAREST)


def test_sources_that_no_step_moved_are_said() -> None:
    """Those of the first class come out of a layer through which no gradient returns."""

    class Partly(torch.nn.Module):
        def forward(self, logits: torch.Tensor) -> torch.Tensor:
            return torch.where((logits.argmax(1) == 0)[:, None], logits.detach(), logits)

    network = small_classifier().network
    network.network.append(Partly())
    partly = replace(CLASSIFIER, network=network)
    result = run(partly, attack="fgsm", eps="32/255", detector=NEAREST)
    counts = result.frame("attacks").iloc[0]
    assert counts["not_moved"] > 5
    (note,) = [note for note in result.notes if "no step moved" in note]
    assert note.startswith(f"fgsm: no step moved {counts['not_moved']} of {counts['attacked']} attacked sources")
    assert f"{counts['not_moved']} not moved" in result.tables["detection"].caption
    with pytest.raises(TooFew, match=r"0 of 150 by pgd, which moved 150 of them by no step"):
        run(attack="pgd", eps="0")


def test_too_few_end_a_command_of_their_own_and_are_skipped_in_a_report() -> None:
    steps = plan(["accuracy", "adv-detect"], {"adv-detect": {**SMALL, "eps": "0"}, "attacks": QUICK})
    report = analyze(CLASSIFIER, DATA, steps)
    assert set(report.results) == {"accuracy"}
    assert "of 150 by pgd" in report.skipped["adv-detect"]
    few = DATA.limited(40)
    assert "none was tried" in analyze(CLASSIFIER, few, ["accuracy", "adv-detect"]).skipped["adv-detect"]
    assert "too few adversarial samples" in report.skipped["adv-detect"]


def test_what_cannot_be_aimed_is_said() -> None:
    result = run(attack="foolbox:L2DeepFoolAttack", detector=NEAREST)
    assert "foolbox:L2DeepFoolAttack cannot be aimed at a class and ran untargeted." in result.notes
    assert result.samples is not None
    assert result.samples["target"].isna().all()


def test_repeatable_and_seeded() -> None:
    first, again, other = (run(seed=seed) for seed in (0, 0, 1))
    assert first.summary == again.summary
    pd.testing.assert_frame_equal(first.samples, again.samples)
    assert other.samples is not None
    assert first.samples is not None
    assert other.samples["sample_id"].tolist() != first.samples["sample_id"].tolist()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"attack": "pgdd"}, "did you mean 'pgd'"),
        ({"eps": "8"}, "between 0 and 1"),
        ({"eps": "2/255,8/255"}, "one number"),
        ({"train_sizes": "many"}, "--train-sizes"),
        ({"train_sizes": "2"}, "--train-sizes"),
        ({"test_size": 0}, "--test-size"),
        ({"repeats": 0}, "--repeats"),
        ({"transfer": True}, "at least two attacks"),
        ({"detector": "forrest"}, "--detector: unknown detector 'forrest'"),
        ({"layers": "conv9"}, "unknown convolution 'conv9'"),
        ({"layers": ","}, "names no convolution"),
        ({"adaptive_weight": -1.0}, "--adaptive-weight"),
    ],
)
def test_bad_options(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run(**options)


def test_figures_of_both_models(both: Mapping[str, Result]) -> None:
    drawn = {name: drawing.draw(both) for name, drawing in both["small"].figures.items()}
    assert set(drawn) == {"roc", "examples", "depth", "transfer"}
    roc = drawn["roc"].axes[0]
    for line, result in zip(roc.lines, both.values(), strict=False):
        curve = result.frame("roc")[result.frame("roc")["attack"] == "fgsm"]
        np.testing.assert_allclose(line.get_ydata(), curve["found"])
    matrix = long_form(both["small"].matrices["transfer"])
    texts = [text.get_text() for text in drawn["transfer"].axes[0].texts]
    assert texts == [f"{value:.1f}" for value in matrix["error_percent"]]
    assert len([axes for axes in drawn["examples"].axes if axes.images]) == 2 * 2 * 9
