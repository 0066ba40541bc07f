"""The attacks by name, with their settings and their abilities."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from csg_analyze.attacks.rescaling import SPAN
from csg_analyze.errors import UsageError, unknown

FOOLBOX = "foolbox:"
SHORT_NAMES = ("fgsm", "pgd", "cw")
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class Settings:
    """The strength of the attacks.

    pgd_steps: number of PGD's steps, of size eps/4, from a random start. cw_searches: number of values of C&W's
    constant c, by binary search. cw_steps: steps of Adam per value of c, of size cw_stepsize. cw_confidence: kappa, the
    margin beyond the boundary, in logits that span SPAN.
    """

    pgd_steps: int = 40
    cw_searches: int = 5
    cw_steps: int = 100
    cw_stepsize: float = 0.01
    cw_confidence: float = 0.0


@dataclass(frozen=True)
class Attack:
    """One attack.

    arguments: of the foolbox class. bounded: it keeps within eps; other attacks look for the smallest perturbation.
    aims: it can aim at a target class. together: an image's result does not depend on the other images of a call, so
    that a block is attacked in one call; else images are attacked one by one. words: its settings, for a caption.
    """

    name: str
    kind: type
    arguments: dict[str, Any] = field(default_factory=dict)
    bounded: bool = True
    aims: bool = True
    together: bool = True
    words: str = ""

    def make(self) -> Any:
        """A new foolbox attack."""
        return self.kind(**self.arguments)

    @property
    def sees(self) -> str:
        """What the attack sees of the network, in words."""
        from foolbox.attacks.gradient_descent_base import BaseGradientDescent

        loss = "log odds of " if issubclass(self.kind, BaseGradientDescent) else ""
        return f"{loss}logits scaled to a span of {SPAN:g}"


def attack_named(name: str, settings: Settings) -> Attack:
    """The attack of that name: fgsm, pgd, cw, or `foolbox:` and the name of a class of foolbox.

    Raises UsageError, suggesting the nearest, for an unknown name and for a class that needs more than its defaults.
    """
    from foolbox.attacks import L2CarliniWagnerAttack, LinfPGD

    if name == "fgsm":  # foolbox's FGSM takes no target; PGD with one step of eps is the same attack
        arguments = {"steps": 1, "rel_stepsize": 1.0, "random_start": False}
        return Attack(name, LinfPGD, arguments, words="one step of eps, Linf")
    if name == "pgd":
        arguments = {"steps": settings.pgd_steps, "rel_stepsize": 0.25, "random_start": True}
        return Attack(name, LinfPGD, arguments, words=f"{settings.pgd_steps} steps of eps/4, random start, Linf")
    if name == "cw":
        arguments = {
            "binary_search_steps": settings.cw_searches,
            "steps": settings.cw_steps,
            "stepsize": settings.cw_stepsize,
            "confidence": settings.cw_confidence,
            "abort_early": False,  # decided by the loss of the whole batch: images would depend on others
        }
        words = (
            f"{settings.cw_searches} searches of {settings.cw_steps} steps, learning rate {settings.cw_stepsize:g}, "
            f"kappa {settings.cw_confidence:g}, L2"
        )
        return Attack(name, L2CarliniWagnerAttack, arguments, bounded=False, words=words)
    if name.startswith(FOOLBOX):
        return _of_foolbox(name)
    raise unknown("attack", name, (*SHORT_NAMES, *_foolbox_names()))


def _of_foolbox(name: str) -> Attack:
    from foolbox import attacks
    from foolbox.attacks.base import FixedEpsilonAttack, MinimizationAttack
    from foolbox.attacks.fast_minimum_norm import FMNAttackLp
    from foolbox.attacks.gradient_descent_base import BaseGradientDescent

    if name not in _foolbox_names():
        raise unknown("attack", name, (*SHORT_NAMES, *_foolbox_names()))
    kind = getattr(attacks, name.removeprefix(FOOLBOX))
    runs = issubclass(kind, FixedEpsilonAttack | MinimizationAttack) and not hasattr(kind, "feed")
    parameters = inspect.signature(kind).parameters
    if not runs or any(p.default is p.empty and p.kind not in VARIADIC for p in parameters.values()):
        raise UsageError(f"{name!r} cannot be run with its defaults alone; choose another attack.")
    arguments = {"abort_early": False} if "abort_early" in parameters else {}
    gradient = issubclass(kind, BaseGradientDescent)
    single_step = (attacks.L1FastGradientAttack, attacks.L2FastGradientAttack, attacks.LinfFastGradientAttack)
    carlini = issubclass(kind, attacks.L2CarliniWagnerAttack)
    # all other classes ignore or refuse a target
    aims = (gradient and not issubclass(kind, single_step)) or carlini
    aims = aims or issubclass(kind, attacks.DDNAttack | attacks.EADAttack | FMNAttackLp)
    return Attack(
        name,
        kind,
        arguments,
        bounded=issubclass(kind, FixedEpsilonAttack),
        aims=aims,
        together=gradient or carlini or issubclass(kind, attacks.L2DeepFoolAttack | attacks.LinfDeepFoolAttack),
        words="foolbox's defaults",
    )


def _foolbox_names() -> list[str]:
    from foolbox import attacks

    classes = {n: v for n, v in vars(attacks).items() if inspect.isclass(v) and issubclass(v, attacks.Attack)}
    return sorted(FOOLBOX + name for name, kind in classes.items() if kind is not attacks.Attack)


def bound(text: str) -> float:
    """The number in a text such as `8/255` or `0.03`. Raises UsageError if it is no number in [0, 1]."""
    try:
        value = float(Fraction(text.strip()))
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"eps is a number such as 8/255 or 0.03, for pixels in [0, 1]; not {text!r}.") from None
    if not 0 <= value <= 1:
        raise UsageError(f"eps must be between 0 and 1, for pixels in [0, 1], not {text!r}; write 8 of 255 as 8/255.")
    return value
