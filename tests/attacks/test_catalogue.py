from __future__ import annotations

import inspect
from contextlib import suppress

import foolbox
import pytest

from csg_analyze.attacks.catalogue import Settings, attack_named, bound
from csg_analyze.errors import UsageError


def test_the_papers_attacks_are_foolboxs_with_these_settings() -> None:
    fgsm, pgd, cw = (attack_named(name, Settings()).make() for name in ("fgsm", "pgd", "cw"))
    assert isinstance(fgsm, foolbox.attacks.LinfPGD)
    assert (fgsm.steps, fgsm.rel_stepsize, fgsm.random_start) == (1, 1.0, False)
    assert isinstance(pgd, foolbox.attacks.LinfPGD)
    assert (pgd.steps, pgd.rel_stepsize, pgd.abs_stepsize, pgd.random_start) == (40, 0.25, None, True)
    assert isinstance(cw, foolbox.attacks.L2CarliniWagnerAttack)
    assert (cw.binary_search_steps, cw.steps, cw.stepsize, cw.confidence) == (5, 100, 0.01, 0)
    assert cw.abort_early is False  # it would let one image of a batch decide for another


def test_every_attack_says_its_settings() -> None:
    settings = Settings(pgd_steps=7, cw_searches=2, cw_steps=9)
    assert "7 steps of eps/4, random start" in attack_named("pgd", settings).words
    assert "2 searches of 9 steps, learning rate 0.01, kappa 0" in attack_named("cw", settings).words


def test_foolboxs_own_names() -> None:
    deepfool = attack_named("foolbox:L2DeepFoolAttack", Settings())
    assert not deepfool.bounded
    assert not deepfool.aims  # it takes a target without a word and walks to the nearest class
    assert deepfool.together
    l2 = attack_named("foolbox:L2PGD", Settings())
    assert l2.bounded
    assert l2.aims
    assert not attack_named("foolbox:LinfFastGradientAttack", Settings()).aims  # raises on targets
    boundary = attack_named("foolbox:BoundaryAttack", Settings())
    assert not boundary.together  # random, from the global generator: one image at a time
    assert attack_named("foolbox:L2CarliniWagnerAttack", Settings()).arguments == {"abort_early": False}


def test_every_class_of_foolbox_either_runs_or_is_refused_in_words() -> None:
    for name, kind in vars(foolbox.attacks).items():
        if inspect.isclass(kind) and issubclass(kind, foolbox.attacks.Attack) and kind is not foolbox.attacks.Attack:
            with suppress(UsageError):
                assert isinstance(attack_named(f"foolbox:{name}", Settings()).make(), kind)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pdg", "did you mean 'pgd'"),
        ("foolbox:L2DeepFool", "did you mean 'foolbox:L2DeepFoolAttack'"),
        ("foolbox:Attack", "unknown attack"),
        ("foolbox:DatasetAttack", "cannot be run"),
    ],
)
def test_unknown_attacks_get_a_suggestion(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        attack_named(name, Settings())


def test_bounds_as_fractions_and_decimals() -> None:
    assert bound("8/255") == 8 / 255
    assert bound(" 0.03 ") == 0.03
    assert bound("0") == 0
    assert bound("1") == 1


@pytest.mark.parametrize("text", ["8", "-1/255", "1.01", "8/0", "eight", "8/255/2", "", "nan", "inf"])
def test_bounds_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="eps"):
        bound(text)
