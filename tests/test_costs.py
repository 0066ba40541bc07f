from __future__ import annotations

from dataclasses import replace

import pytest

from csg_analyze import costs
from csg_analyze.analysis import analyze
from csg_analyze.analyzers.adversarial.options import STEP
from csg_analyze.composing import compose
from csg_analyze.data.scenes import make_scenes
from csg_analyze.plan import plan
from csg_analyze.progress import Progress, Timed, untracked
from tests.examples import random_classifier

DATA = make_scenes("test", n=60)
CLASSIFIER = replace(random_classifier(), class_names=DATA.class_names)


@pytest.mark.parametrize(
    ("seconds", "words"), [(1.4, "1 s"), (9.6, "10 s"), (44, "40 s"), (96, "2 min"), (3000, "50 min"), (9000, "2 h")]
)
def test_estimates_are_rounded(seconds: float, words: str) -> None:
    assert costs.rounded(seconds) == words


def test_estimates_follow_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "seconds_of_an_image", lambda *_: 0.01)

    def estimated(analyzers: list[str], **options: dict[str, object]) -> dict[str, float]:
        return costs.estimated_seconds(CLASSIFIER, DATA, plan(analyzers, options))

    assert estimated(["robustness"]) == {"robustness": pytest.approx(0.01 * 60 * 3 * 40 * STEP)}
    twice = estimated(["robustness"], robustness={"attack": "fgsm,pgd", "eps": "1/255", "n_images": 50})
    assert twice == {"robustness": pytest.approx(0.01 * 50 * 41 * STEP)}
    assert estimated(["localize"]) == {"localize": pytest.approx(0.01 * 60 * 46)}
    assert estimated(["localize"], localize={"methods": "cam"}) == {}
    assert estimated(["adv-detect"])["adv-detect"] > 20
    assert estimated(["adv-detect"], **{"adv-detect": {"train_sizes": "x"}}) == {}
    assert estimated(["mis", "accuracy"]) == {}  # no word on analyses without passes of their own
    assert costs.in_words({"a": 0.2, "b": 100.0, "c": 41}) == "b about 2 min, c about 40 s"


def test_the_estimate_comes_first_and_only_where_something_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"robustness": {"n_images": 4}, "attacks": {"pgd_steps": 1}}
    analyze(CLASSIFIER, DATA, plan(["robustness"], options), track=Progress())
    assert "about" not in capsys.readouterr().err  # under 5 s
    monkeypatch.setattr(costs, "WORTH_SAYING", 0.0)
    monkeypatch.setattr(costs, "seconds_of_an_image", lambda *_: 2.0)
    analyze(CLASSIFIER, DATA, plan(["robustness"], options), track=Progress())
    first = capsys.readouterr().err.splitlines()[0]
    assert first == "random: robustness about 60 s; less where earlier runs kept results"
    analyze(CLASSIFIER, DATA, plan(["robustness"], options), track=untracked)
    assert capsys.readouterr().err == ""


def test_one_image_is_measured_and_a_broken_network_gives_no_estimate() -> None:
    assert 0 < costs.seconds_of_an_image(CLASSIFIER, DATA) < 1
    broken = replace(CLASSIFIER, network=None)  # type: ignore[arg-type]
    assert costs.estimated_seconds(broken, DATA, plan(["robustness"])) == {}


def test_every_pass_and_its_time_stand_in_the_provenance() -> None:
    timed = Timed(untracked)
    assert list(timed([1, 2], "twice", 2)) == [1, 2]
    assert list(timed([], "twice", 0)) == []
    assert list(timed.seconds) == ["twice"]
    assert timed.seconds["twice"] >= 0
    steps = plan(["accuracy", "robustness"], {"robustness": {"n_images": 60}, "attacks": {"pgd_steps": 1}})
    report = analyze(CLASSIFIER, DATA, steps)
    assert next(iter(report.passes)) == "random: 60 images"
    assert any("pgd on" in each for each in report.passes)
    written = compose([report], [CLASSIFIER], [DATA], steps).provenance["passes"]
    assert written == {"random": {text: round(seconds, 3) for text, seconds in report.passes.items()}}
