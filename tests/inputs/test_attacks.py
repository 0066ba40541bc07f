from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LayerActivation
from safetensors.numpy import load_file

from csg_analyze.checkpoints import Classifier, PixelNetwork
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.inputs.attacks import attacks
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.forward import forward_pass
from csg_analyze.inputs.network_attacks import NetworkAttacks
from csg_analyze.metrics.adversarial import SUCCESS, AttackRun, Differentiable
from csg_analyze.progress import untracked
from tests.examples import HALF, classified_dataset, random_classifier, small_classifier

CLASSIFIER = small_classifier()
DATA = classified_dataset(CLASSIFIER, 90, wrong=12)
EVERY = np.arange(60)


def on(
    classifier: Classifier = CLASSIFIER,
    dataset: Dataset = DATA,
    *others: Classifier,
    folder: Path | None = None,
    batch_size: int = 64,
    track: Any = untracked,
    **options: Any,
) -> NetworkAttacks:
    cache = Cache(folder)
    found = forward_pass(classifier, dataset, frozenset(), cache, untracked, batch_size=batch_size)
    compared = tuple((each, dataset) for each in (classifier, *others))
    labels = dataset.labels.numpy()
    return attacks(classifier, dataset, compared, found, labels, frozenset(), cache, track, **options)


def run(found: NetworkAttacks, attack: str = "pgd", sources: np.ndarray = EVERY, **options: Any) -> AttackRun:
    return found.run(attack, sources, **{"eps": 8 / 255, "targeted": True, "seed": 0, **options})


def same(first: AttackRun, second: AttackRun) -> bool:
    names = ("sources", "targets", "outcomes", "predictions", "l2", "linf", "features", "noise_features")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in names)


def entries(folder: Path, pattern: str = "attack-*") -> dict[str, dict[str, bytes]]:
    """The arrays of every entry, bit for bit."""
    return {path.name: {n: a.tobytes() for n, a in load_file(path).items()} for path in folder.glob(pattern)}


# what is attacked, and at which target


def test_the_same_images_targets_and_starts_for_every_compared_model() -> None:
    """Sources are what both get right; there the label is all that is forbidden, so that targets agree."""
    other = small_classifier(seed=2, name="other")
    mine, theirs = on(CLASSIFIER, DATA, other), on(other, DATA, CLASSIFIER)
    assert np.array_equal(mine.order(3), theirs.order(3))
    assert np.array_equal(mine.correct_by_all, theirs.correct_by_all)
    pixels = DATA.images[:].float() / 255
    right = [c.network(pixels).argmax(1) == DATA.labels for c in (CLASSIFIER, other)]
    assert np.array_equal(mine.correct_by_all, (right[0] & right[1]).numpy())
    assert np.array_equal(mine.correct, right[0].numpy())
    first, second = run(mine, "fgsm"), run(theirs, "fgsm")
    agreed = mine.correct_by_all[EVERY]
    assert agreed.sum() > 10
    assert np.array_equal(first.targets[agreed], second.targets[agreed])
    for found, classifier in ((first, CLASSIFIER), (second, other)):
        predictions = classifier.network(pixels).argmax(1)
        for source, target in zip(found.sources, found.targets, strict=True):
            assert target not in {int(DATA.labels[source]), int(predictions[source])}


def test_what_other_models_predict_leaves_no_image_without_a_target() -> None:
    others = [small_classifier(seed=seed, name=f"other-{seed}") for seed in range(2, 12)]
    beside, alone = (run(on(CLASSIFIER, DATA, *more), "fgsm", np.arange(90)) for more in (others, ()))
    assert beside.sources.tolist() == list(range(90))
    assert same(beside, alone)


def with_classes(n: int) -> tuple[Classifier, Dataset]:
    """A network with the first n classes of the small one, and the images with its predictions as labels."""
    network = small_classifier().network
    head = network.network[6]
    head.weight.data, head.bias.data = head.weight.data[:n], head.bias.data[:n]
    few = replace(CLASSIFIER, network=network, n_classes=n, class_names=CLASSIFIER.class_names[:n])
    return few, classified_dataset(few, 40)


def test_images_for_which_no_class_is_left_are_not_attacked() -> None:
    one, data = with_classes(1)
    found = run(on(one, data), "fgsm", np.arange(40))
    assert len(found.sources) == 0
    assert found.settings.startswith("fgsm")
    two, data = with_classes(2)
    found = run(on(two, data), "fgsm", np.arange(40))
    assert np.array_equal(found.targets, 1 - data.labels.numpy())


@pytest.mark.parametrize("attack", ["fgsm", "pgd", "cw"])
def test_a_larger_head_makes_no_network_robust(attack: str) -> None:
    quick = {"pgd_steps": 10, "cw_steps": 30, "cw_searches": 4, "cw_stepsize": 0.05}
    plain = run(on(**quick), attack, eps=2 / 255, targeted=False)
    assert plain.succeeded.sum() > 5
    for factor in (10, 30, 100, 1e6):
        network = small_classifier().network
        head = network.network[6]
        head.weight.data, head.bias.data = factor * head.weight.data, factor * head.bias.data
        louder = run(on(replace(CLASSIFIER, network=network), **quick), attack, eps=2 / 255, targeted=False)
        assert louder.outcomes.tolist() == plain.outcomes.tolist()


def test_a_network_without_a_gradient_moves_no_image() -> None:
    network = small_classifier().network
    network.network[6].weight.data.zero_()
    network.network[6].bias.data = torch.tensor([0.0, 1.0, 0.0, 0.0])
    constant = replace(CLASSIFIER, network=network)
    data = classified_dataset(constant, 40)
    for attack in ("fgsm", "pgd", "cw"):
        for targeted in (True, False):
            found = run(on(constant, data, cw_steps=5), attack, np.arange(40), targeted=targeted)
            assert found.count("not moved") == 40


def test_models_on_other_data_are_not_waited_for() -> None:
    elsewhere = classified_dataset(CLASSIFIER, 40)
    found = forward_pass(CLASSIFIER, DATA, frozenset(), Cache(None), untracked)
    other = replace(CLASSIFIER, name="elsewhere")
    given = attacks(
        CLASSIFIER, DATA, ((CLASSIFIER, DATA), (other, elsewhere)), found, DATA.labels.numpy(), frozenset(),
        Cache(None), untracked,
    )  # fmt: skip
    assert len(given.predictions) == 1
    assert "elsewhere: analysed on other data" in given.notes[0]


# bit for bit


@pytest.mark.parametrize("attack", ["fgsm", "pgd", "cw"])
def test_batch_sizes_change_no_bit(attack: str, tmp_path: Path) -> None:
    settings = {"pgd_steps": 4, "cw_steps": 8, "cw_searches": 2, "cw_stepsize": 0.1}
    classifier = random_classifier()
    data = classified_dataset(classifier, 40, side=32)
    runs = [
        run(on(classifier, data, folder=tmp_path / str(size), batch_size=size, **settings), attack, np.arange(40),
            with_features=True)
        for size in (7, 64)
    ]  # fmt: skip
    assert same(*runs)
    assert entries(tmp_path / "7") == entries(tmp_path / "64")
    assert len(entries(tmp_path / "7", f"attack-{attack}-*")) == 2  # 32 images and 8


class Interrupted(Exception):
    pass


def breaking(after: int) -> Any:
    """Progress that ends in the middle of a run, after so many blocks."""

    def track(blocks: Iterable[Any], _description: str, _total: int) -> Iterator[Any]:
        for number, block in enumerate(blocks):
            if number == after:
                raise Interrupted
            yield block

    return track


def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csg_analyze.inputs.network_attacks.block_size", lambda *_: 8)


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch)
    whole = run(on(folder=tmp_path / "whole"), with_features=True)
    with pytest.raises(Interrupted):
        run(on(folder=tmp_path / "broken", track=breaking(3)), with_features=True)
    left = {path: path.stat().st_mtime_ns for path in (tmp_path / "broken").glob("attack-pgd-*")}
    assert len(left) == 3
    resumed = run(on(folder=tmp_path / "broken"), with_features=True)
    assert same(whole, resumed)
    assert {path: path.stat().st_mtime_ns for path in left} == left
    assert entries(tmp_path / "broken") == entries(tmp_path / "whole")


KILLED = """
import os, signal, sys
from pathlib import Path
import csg_analyze.inputs.network_attacks as module
sys.path.insert(0, {root!r})
from tests.inputs.test_attacks import on, run
module.block_size = lambda *_: 8
calls = 0
attacked = module.attacked
def deadly(*arguments, **options):
    global calls
    calls += 1
    if calls == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return attacked(*arguments, **options)
module.attacked = deadly
run(on(folder=Path({folder!r})))
"""


def test_a_killed_process_loses_one_block_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(Path(__file__).resolve().parents[2])
    program = KILLED.format(root=root, folder=str(tmp_path / "killed"))
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    assert len(list((tmp_path / "killed").glob("attack-pgd-*"))) == 3
    small_blocks(monkeypatch)
    resumed, whole = run(on(folder=tmp_path / "killed")), run(on())
    assert same(resumed, whole)


def test_a_larger_run_begins_with_the_blocks_of_a_smaller_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch)
    few = run(on(folder=tmp_path), sources=np.arange(78), enough=10)
    made = {path.name for path in tmp_path.glob("attack-pgd-*")}
    many = run(on(folder=tmp_path), sources=np.arange(78), enough=50)
    assert made < {path.name for path in tmp_path.glob("attack-pgd-*")}
    assert np.array_equal(many.l2[: len(few.l2)], few.l2)


def test_entries_are_found_by_what_determines_them(tmp_path: Path) -> None:
    run(on(folder=tmp_path))
    first = len(entries(tmp_path))
    run(on(replace(CLASSIFIER, name="renamed", path=Path("y")), folder=tmp_path))
    assert len(entries(tmp_path)) == first
    run(on(folder=tmp_path), eps=4 / 255)
    run(on(folder=tmp_path), seed=1)
    run(on(folder=tmp_path), targeted=False)
    run(on(folder=tmp_path, pgd_steps=3))
    run(on(small_classifier(seed=5), folder=tmp_path))
    moved = replace(CLASSIFIER, network=small_classifier().network)
    moved.network.mean.add_(0.01)  # preprocessing is part of the network, but not of its state dict
    run(on(moved, folder=tmp_path))
    assert len(entries(tmp_path)) == 7 * first


# how many, and what is kept


def test_no_more_sources_are_attacked_than_are_needed() -> None:
    found = run(on(), "pgd", np.arange(78), enough=20)
    assert len(found.sources) == 32  # a whole unit
    assert found.succeeded.sum() >= 20
    everything = run(on(), "pgd", np.arange(78), enough=1000)
    assert len(everything.sources) == 78
    rare = run(on(), "fgsm", np.arange(78), eps=1 / 255, enough=30)
    assert len(rare.sources) == 78  # it goes on as long as there are sources
    assert rare.succeeded.sum() < 30


def test_every_run_is_judged_by_the_network_itself(tmp_path: Path) -> None:
    """Saved images, run once more: those and only those that fool the network count."""
    found = run(on(folder=tmp_path, cw_steps=4, cw_searches=3), "cw", np.arange(90))
    assert found.count("at target") == 12  # misclassified before
    assert found.count("all black") > 20  # so few steps
    assert found.count(SUCCESS) > 3
    for place, (clean, adversarial) in found.examples.items():
        source = found.sources[place]
        assert np.array_equal(clean, DATA.images[int(source)].float().numpy() / 255)
        assert adversarial.dtype == np.float32
        logits = CLASSIFIER.network(torch.from_numpy(adversarial)[None])
        assert logits.argmax().item() == found.targets[place] == found.predictions[place]
        assert found.l2[place] == pytest.approx(np.sqrt(((adversarial.astype(float) - clean) ** 2).sum()))
    assert len(found.examples) == 3


def test_a_network_that_gives_nan_succeeds_at_nothing() -> None:
    broken = replace(CLASSIFIER, network=small_classifier().network)
    given = on()
    with torch.no_grad():
        broken.network.network[6].bias[:] = float("nan")
    found = run(replace(given, classifier=broken), "fgsm")
    assert set(found.outcomes) == {"not finite"}


def test_features_are_captums_and_noise_is_as_large_as_the_perturbation() -> None:
    given = on()
    found = run(given, "pgd", with_features=True)
    assert given.layers == {"0": 6, "2": 8}
    clean = DATA.images[:60].float() / 255
    expected = [
        LayerActivation(CLASSIFIER.network, CLASSIFIER.layer(name)).attribute(clean).mean((2, 3)) for name in ("0", "2")
    ]
    np.testing.assert_allclose(given.features(EVERY), torch.cat(expected, 1).numpy(), rtol=1e-4, atol=1e-5)
    assert found.features.shape == found.noise_features.shape == (60, 14)
    assert not np.allclose(found.features, found.noise_features)


def test_noise_has_the_perturbations_norm_after_clipping() -> None:
    given = on()
    seen: list[torch.Tensor] = []
    original = NetworkAttacks._noisy

    def spy(self: NetworkAttacks, pixels: torch.Tensor, *rest: Any) -> torch.Tensor:
        seen.extend([pixels, original(self, pixels, *rest)])
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NetworkAttacks, "_noisy", spy)
        found = run(given, "pgd", eps=40 / 255, with_features=True)
    clean, noisy = torch.cat(seen[::2]), torch.cat(seen[1::2])
    np.testing.assert_allclose((noisy - clean).flatten(1).norm(dim=1).numpy(), found.l2, rtol=1e-3)
    assert noisy.min() >= 0
    assert noisy.max() <= 1


def test_an_attack_on_a_detector_as_well_lowers_its_logit() -> None:
    rng = np.random.default_rng(0)
    detector = Differentiable(np.zeros(14), np.ones(14), ((rng.normal(size=(14, 1)), np.zeros(1)),))
    plain = run(on(), "pgd", eps=16 / 255, with_features=True)
    adaptive = run(on(), "pgd", eps=16 / 255, with_features=True, against=detector, weight=5.0)
    both = plain.succeeded & adaptive.succeeded
    assert both.sum() > 30
    assert detector.logits(adaptive.features[both]).mean() < detector.logits(plain.features[both]).mean() - 0.1
    for targeted in (True, False):  # without weight it is the plain attack
        ignored = run(on(), "pgd", targeted=targeted, with_features=True, against=detector, weight=0.0)
        alone = run(on(), "pgd", targeted=targeted, with_features=True)
        assert ignored.outcomes.tolist() == alone.outcomes.tolist()
        np.testing.assert_allclose(np.median(ignored.l2), np.median(alone.l2), rtol=0.01)  # up to rounding


def test_the_attack_on_both_does_not_see_how_large_the_logits_are() -> None:
    rng = np.random.default_rng(0)
    detector = Differentiable(np.zeros(14), np.ones(14), ((rng.normal(size=(14, 1)), np.zeros(1)),))
    network = small_classifier().network
    head = network.network[6]
    head.weight.data, head.bias.data = 1024 * head.weight.data, 1024 * head.bias.data
    for targeted in (True, False):
        plain, louder = (
            run(on(classifier), "pgd", targeted=targeted, with_features=True, against=detector)
            for classifier in (CLASSIFIER, replace(CLASSIFIER, network=network))
        )
        assert same(plain, louder)


def test_untargeted_where_an_attack_cannot_aim() -> None:
    found = run(on(), "foolbox:L2DeepFoolAttack")
    assert (found.targets == -1).all()
    assert "untargeted" in found.settings
    assert found.count(SUCCESS) > 50


def test_settings_in_words_and_bad_ones() -> None:
    assert "eps 0.03137 (8/255), random targets" in run(on(), sources=np.arange(3)).settings
    for options in ({"pgd_steps": 0}, {"cw_stepsize": -1.0}, {"cw_steps": 0}):
        with pytest.raises(UsageError, match="must be above 0"):
            on(**options)
    assert on(cw_confidence=0.0).named("fgsm, pgd") == ("fgsm", "pgd")
    with pytest.raises(UsageError, match="names no attack"):
        on().named(" , ")
    with pytest.raises(UsageError, match="holds no number"):
        on().bounds(",")


def test_a_network_without_convolutions_is_refused_in_words() -> None:
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 12 * 12, 4))
    given = replace(on(), classifier=replace(CLASSIFIER, network=PixelNetwork(flat, HALF).eval()))
    with pytest.raises(UsageError, match="no convolution; only CNNs"):
        run(given, with_features=True)


def test_layers_that_do_not_run_are_left_out() -> None:
    """As auxiliary heads for training alone are."""

    class WithHead(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = small_classifier().network.network
            self.auxiliary = torch.nn.Conv2d(3, 5, 1)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.body(pixels)  # type: ignore[no-any-return]

    given = replace(on(), classifier=replace(CLASSIFIER, network=PixelNetwork(WithHead(), HALF).eval()))
    assert given.layers == {"body.0": 6, "body.2": 8}
