"""Which images are attacked, at which targets, and how the attacks are judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.inputs.attacks import attacks
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.forward import forward_pass
from csg_analyze.metrics.adversarial import SUCCESS
from csg_analyze.progress import untracked
from tests.examples import classified_dataset, small_classifier
from tests.inputs.attacking import CLASSIFIER, DATA, SOURCES, attacks_on, run, same


def test_the_same_images_targets_and_starts_for_every_compared_model() -> None:
    """Sources are what both get right; there the label is all that is forbidden, so that targets agree."""
    other = small_classifier(seed=2, name="other")
    mine, theirs = attacks_on(CLASSIFIER, DATA, other), attacks_on(other, DATA, CLASSIFIER)
    assert np.array_equal(mine.order(3), theirs.order(3))
    assert np.array_equal(mine.correct_by_all, theirs.correct_by_all)
    pixels = DATA.images[:].float() / 255
    right = [c.network(pixels).argmax(1) == DATA.labels for c in (CLASSIFIER, other)]
    assert np.array_equal(mine.correct_by_all, (right[0] & right[1]).numpy())
    assert np.array_equal(mine.correct, right[0].numpy())
    first, second = run(mine, "fgsm"), run(theirs, "fgsm")
    agreed = mine.correct_by_all[SOURCES]
    assert agreed.sum() > 10
    assert np.array_equal(first.targets[agreed], second.targets[agreed])
    for attack_run, classifier in ((first, CLASSIFIER), (second, other)):
        predictions = classifier.network(pixels).argmax(1)
        for source, target in zip(attack_run.sources, attack_run.targets, strict=True):
            assert target not in {int(DATA.labels[source]), int(predictions[source])}


def test_what_other_models_predict_leaves_no_image_without_a_target() -> None:
    others = [small_classifier(seed=seed, name=f"other-{seed}") for seed in range(2, 12)]
    beside, alone = (run(attacks_on(CLASSIFIER, DATA, *more), "fgsm", np.arange(90)) for more in (others, ()))
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
    attack_run = run(attacks_on(one, data), "fgsm", np.arange(40))
    assert len(attack_run.sources) == 0
    assert attack_run.settings.startswith("fgsm")
    two, data = with_classes(2)
    attack_run = run(attacks_on(two, data), "fgsm", np.arange(40))
    assert np.array_equal(attack_run.targets, 1 - data.labels.numpy())


@pytest.mark.parametrize("attack", ["fgsm", "pgd", "cw"])
def test_a_larger_head_makes_no_network_robust(attack: str) -> None:
    quick = {"pgd_steps": 10, "cw_steps": 30, "cw_searches": 4, "cw_stepsize": 0.05}
    plain = run(attacks_on(**quick), attack, eps=2 / 255, targeted=False)
    assert plain.succeeded.sum() > 5
    for factor in (10, 30, 100, 1e6):
        network = small_classifier().network
        head = network.network[6]
        head.weight.data, head.bias.data = factor * head.weight.data, factor * head.bias.data
        louder = run(attacks_on(replace(CLASSIFIER, network=network), **quick), attack, eps=2 / 255, targeted=False)
        assert louder.outcomes.tolist() == plain.outcomes.tolist()


def test_a_network_without_a_gradient_moves_no_image() -> None:
    network = small_classifier().network
    network.network[6].weight.data.zero_()
    network.network[6].bias.data = torch.tensor([0.0, 1.0, 0.0, 0.0])
    constant = replace(CLASSIFIER, network=network)
    data = classified_dataset(constant, 40)
    for attack in ("fgsm", "pgd", "cw"):
        for targeted in (True, False):
            attack_run = run(attacks_on(constant, data, cw_steps=5), attack, np.arange(40), targeted=targeted)
            assert attack_run.count("not moved") == 40


def test_models_on_other_data_are_not_waited_for() -> None:
    elsewhere = classified_dataset(CLASSIFIER, 40)
    once = forward_pass(CLASSIFIER, DATA, frozenset(), Cache(None), untracked)
    other = replace(CLASSIFIER, name="elsewhere")
    network_attacks = attacks(
        CLASSIFIER, DATA, ((CLASSIFIER, DATA), (other, elsewhere)), once, DATA.labels.numpy(), frozenset(),
        Cache(None), untracked,
    )  # fmt: skip
    assert len(network_attacks.predictions) == 1
    assert "elsewhere: analysed on other data" in network_attacks.notes[0]


def test_no_more_sources_are_attacked_than_are_needed() -> None:
    attack_run = run(attacks_on(), "pgd", np.arange(78), enough=20)
    assert len(attack_run.sources) == 32  # a whole unit
    assert attack_run.succeeded.sum() >= 20
    everything = run(attacks_on(), "pgd", np.arange(78), enough=1000)
    assert len(everything.sources) == 78
    rare = run(attacks_on(), "fgsm", np.arange(78), eps=1 / 255, enough=30)
    assert len(rare.sources) == 78  # it goes on as long as there are sources
    assert rare.succeeded.sum() < 30


def test_every_run_is_judged_by_the_network_itself(tmp_path: Path) -> None:
    """Saved images, run once more: those and only those that fool the network count."""
    attack_run = run(attacks_on(folder=tmp_path, cw_steps=4, cw_searches=3), "cw", np.arange(90))
    assert attack_run.count("at target") == 12  # misclassified before
    assert attack_run.count("all black") > 20  # so few steps
    assert attack_run.count(SUCCESS) > 3
    for place, (clean, adversarial) in attack_run.examples.items():
        source = attack_run.sources[place]
        assert np.array_equal(clean, DATA.images[int(source)].float().numpy() / 255)
        assert adversarial.dtype == np.float32
        logits = CLASSIFIER.network(torch.from_numpy(adversarial)[None])
        assert logits.argmax().item() == attack_run.targets[place] == attack_run.predictions[place]
        assert attack_run.l2[place] == pytest.approx(np.sqrt(((adversarial.astype(float) - clean) ** 2).sum()))
    assert len(attack_run.examples) == 3


def test_a_network_that_gives_nan_succeeds_at_nothing() -> None:
    broken = replace(CLASSIFIER, network=small_classifier().network)
    network_attacks = attacks_on()
    with torch.no_grad():
        broken.network.network[6].bias[:] = float("nan")
    attack_run = run(replace(network_attacks, classifier=broken), "fgsm")
    assert set(attack_run.outcomes) == {"not finite"}


def test_untargeted_where_an_attack_cannot_aim() -> None:
    attack_run = run(attacks_on(), "foolbox:L2DeepFoolAttack")
    assert (attack_run.targets == -1).all()
    assert "untargeted" in attack_run.settings
    assert attack_run.count(SUCCESS) > 50


def test_settings_in_words_and_bad_ones() -> None:
    assert "eps 0.03137 (8/255), random targets" in run(attacks_on(), sources=np.arange(3)).settings
    for options in ({"pgd_steps": 0}, {"cw_stepsize": -1.0}, {"cw_steps": 0}):
        with pytest.raises(UsageError, match="must be above 0"):
            attacks_on(**options)
    assert attacks_on(cw_confidence=0.0).named("fgsm, pgd") == ("fgsm", "pgd")
    with pytest.raises(UsageError, match="names no attack"):
        attacks_on().named(" , ")
    with pytest.raises(UsageError, match="holds no number"):
        attacks_on().bounds(",")
