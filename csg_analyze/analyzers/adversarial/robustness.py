"""How accurate is the network under attack, and how small a perturbation fools it? (Appendix J)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import pandas as pd

from csg_analyze.about import Claim, Headline, about
from csg_analyze.analyzers.adversarial import text
from csg_analyze.analyzers.adversarial.comparisons import MINIMAL, ROBUST, compare_robustness
from csg_analyze.analyzers.adversarial.figures import draw_minimal, draw_robustness
from csg_analyze.analyzers.adversarial.options import passes_of_robustness
from csg_analyze.errors import UsageError
from csg_analyze.metrics.adversarial import NOT_MOVED, OUTCOMES, UNTARGETED, AttackRun, Attacks
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.statistics import RESAMPLES, interval, resampled, share_with_interval
from csg_analyze.result import Drawing, Number, Result, Table, or_none


@about(
    "Accuracy under attack",
    "How accurate the network is under attack, and how small a perturbation fools it.",
    measures=text.ROBUSTNESS_MEASURES,
    reading=text.ROBUSTNESS_READING,
    headlines=(Headline("*/robust_accuracy", claim=Claim("accuracy under {}", better="higher", percent=True)),),
    passes=passes_of_robustness,
)
def robustness(
    attacks: Attacks,
    labels: IntArray,
    predictions: IntArray,
    class_names: Sequence[str],
    sample_ids: Sequence[str],
    *,
    attack: Annotated[str, "fgsm, pgd, cw, foolbox:NAME, or several separated by commas"] = "pgd",
    eps: Annotated[str, "bounds of bounded attacks for pixels in [0, 1], separated by commas"] = "2/255,4/255,8/255",
    n_images: Annotated[int, "images, drawn at random from the data"] = 200,
    targeted: Annotated[bool, "attack towards random classes instead of away from the label"] = False,
    seed: Annotated[int, "seed of images, targets and random starts"] = 0,
) -> Result:
    """Accuracy under attack, and the smallest perturbation that fools the network (Appendix J).

    labels, predictions: (N,). All compared models have the same n_images, the first of `attacks.order`.

    Raises UsageError for unusable options.
    """
    names, limits = attacks.named(attack), attacks.bounds(eps)
    if n_images < 1:
        raise UsageError(f"--n-images must be at least 1, not {n_images}.")
    chosen = attacks.order(seed)[:n_images]
    correct, common = attacks.correct[chosen], attacks.correct_by_all[chosen]
    samples = pd.DataFrame(
        {
            "sample_id": [sample_ids[i] for i in chosen],
            "label": [class_names[labels[i]] for i in chosen],
            "prediction": [class_names[predictions[i]] for i in chosen],
            "correct": correct,
            "common": common,
        }
    )
    clean = share_with_interval(int(correct.sum()), len(chosen))
    robust_rows, minimal_rows, counts, withstood, settings = [], [], [], [], []
    for name in names:
        if not attacks.bounded(name):
            run = attacks.run(name, chosen[correct], eps=0, targeted=targeted, seed=seed)
            norms = _on(chosen, run, np.where(run.succeeded, run.l2, np.nan))
            samples[f"{MINIMAL}{name}"] = norms
            minimal_rows.append(_minimal_row(name, norms, common))
            withstood += _withstood(name, run.l2[run.succeeded], len(run.sources))
            counts.append(_count_row(name, "", run))
            settings.append(run.settings)
            continue
        robust, counted = correct.copy(), np.ones(len(chosen), dtype=bool)
        for bound, limit in sorted(limits.items(), key=lambda pair: pair[1]):
            run = attacks.run(name, chosen[robust], eps=limit, targeted=targeted, seed=seed)
            # an image without a possible target was not attacked: it is neither robust nor fooled
            counted &= ~robust | np.isin(chosen, run.sources)
            robust &= ~_on(chosen, run, run.succeeded).astype(bool)
            unmoved = _on(chosen, run, np.asarray(run.outcomes == NOT_MOVED, dtype=np.bool_)).astype(bool)
            samples[f"{ROBUST}{name}@{bound}"] = robust
            robust_rows.append(_robust_row(name, bound, limit, clean, robust, common, counted, unmoved))
            counts.append(_count_row(name, bound, run))
            settings.append(run.settings)
    frames, figures = {"attacks": pd.DataFrame(counts)}, dict[str, Drawing]()
    caption = f"{len(chosen)} images, {int(correct.sum())} classified correctly, {int(common.sum())} by every model. "
    caption += f"{'; '.join(settings)}. Seed {seed}."
    if robust_rows:
        frames["robustness"] = pd.DataFrame(robust_rows)
        figures["robustness"] = Drawing(draw_robustness, text.ROBUSTNESS_FIGURE)
    if minimal_rows:
        frames["minimal_l2"] = pd.DataFrame(minimal_rows)
        frames["withstood"] = pd.DataFrame(withstood)
        figures["minimal_l2"] = Drawing(draw_minimal, text.MINIMAL_FIGURE)
    return Result(
        summary=_summary(clean, robust_rows, minimal_rows, len(chosen), int(common.sum())),
        tables={name: Table(frame, caption) for name, frame in reversed(frames.items())},
        paired={"differences": compare_robustness},
        figures=figures,
        samples=samples,
        notes=(
            *attacks.notes,
            *_notes(attacks, names, targeted, n_images, len(chosen)),
            *_not_attacked(robust_rows),
            *_not_moved(counts),
        ),
    )


def _on(chosen: IntArray, run: AttackRun, values: FloatArray | BoolArray) -> FloatArray:
    """A run's values on the chosen images, float (n,); for images not attacked NaN, or 0 if the values are bool."""
    filler = 0.0 if values.dtype == bool else np.nan
    places = {int(source): place for place, source in enumerate(run.sources)}
    return np.array([float(values[places[int(i)]]) if int(i) in places else filler for i in chosen])


def _robust_row(
    name: str,
    bound: str,
    limit: float,
    clean: tuple[float, float, float],
    robust: BoolArray,
    common: BoolArray,
    counted: BoolArray,
    unmoved: BoolArray,
) -> dict[str, object]:
    n, common = int(counted.sum()), common & counted
    share, low, high = share_with_interval(int(robust[counted].sum()), n)
    of_common = share_with_interval(int(robust[common].sum()), int(common.sum()))
    return {
        "attack": name, "eps": bound, "eps_value": limit, "n": n, "clean_accuracy": clean[0],
        "robust_accuracy": share, "low": low, "high": high, "not_moved": int(unmoved.sum()),
        "without_target": len(counted) - n, "n_common": int(common.sum()),
        "common_robust_accuracy": of_common[0], "common_low": of_common[1], "common_high": of_common[2],
    }  # fmt: skip


def _minimal_row(name: str, norms: FloatArray, common: BoolArray) -> dict[str, object]:
    row: dict[str, object] = {"attack": name}
    for prefix, values in (("", norms), ("common_", norms[common])):
        values = values[np.isfinite(values)]
        weights = resampled(len(values), resamples=RESAMPLES, seed=0)
        drawn = [np.repeat(values, weight.astype(int)) for weight in weights] if len(values) else []
        row[f"{prefix}n"] = len(values)
        for statistic, average in (("mean", np.mean), ("median", np.median)):
            low, high = interval(np.array([average(resample) for resample in drawn]))
            row[f"{prefix}{statistic}_l2"] = float(average(values)) if len(values) else float("nan")
            row |= {f"{prefix}{statistic}_low": low, f"{prefix}{statistic}_high": high}
    return row


def _withstood(name: str, norms: FloatArray, n: int) -> list[dict[str, object]]:
    """Share of n attacked images whose smallest perturbation is larger than 0, and than each of the norms."""
    steps = np.concatenate([[0.0], np.sort(norms)])
    return [{"attack": name, "l2": l2, "share": 1 - rank / n} for rank, l2 in enumerate(steps)] if n else []


def _count_row(name: str, eps: str, run: AttackRun) -> dict[str, object]:
    outcomes = {outcome.replace(" ", "_"): run.count(outcome) for outcome in OUTCOMES}
    targeted = bool((run.targets != UNTARGETED).any())
    return {"attack": name, "eps": eps or None, "targeted": targeted, "attacked": len(run.sources), **outcomes}


def _summary(
    clean: tuple[float, float, float],
    robust: Sequence[Mapping[str, object]],
    minimal: Sequence[Mapping[str, object]],
    n: int,
    n_common: int,
) -> dict[str, Number]:
    summary: dict[str, Number] = {"clean_accuracy": or_none(clean[0])}
    for row in robust:
        for quantity in ("robust_accuracy", "common_robust_accuracy", "not_moved"):
            summary[f"{row['attack']}@{row['eps']}/{quantity}"] = or_none(float(str(row[quantity])))
    for row in minimal:
        for quantity in ("mean_l2", "median_l2"):
            summary[f"{row['attack']}/{quantity}"] = or_none(float(str(row[quantity])))
    return summary | {"n": n, "n_common": n_common}


def _notes(attacks: Attacks, names: Sequence[str], targeted: bool, requested: int, n: int) -> tuple[str, ...]:
    notes = []
    if n < requested:
        notes.append(f"{n} images instead of the {requested} requested: the data has no more.")
    aimless = [name for name in names if targeted and not attacks.aims(name)]
    if aimless:
        notes.append(f"{', '.join(aimless)} cannot be aimed at a class and ran untargeted.")
    return tuple(notes)


def _not_moved(counts: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """Attacks with images that no step moved, which says nothing about the network."""
    return tuple(
        f"{row['attack']}{_at(row)}: no step moved {row['not_moved']} of {row['attacked']} attacked images (the "
        "gradient that the attack follows is exactly 0, or leads out of the range of pixels). They count as not "
        "fooled, but show nothing: an attack without gradients may fool them."
        for row in counts
        if row["not_moved"]
    )


def _not_attacked(rows: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    return tuple(
        f"{row['attack']} at {row['eps']}: {row['without_target']} images have no class left as a target; they were "
        "not attacked and do not count in n."
        for row in rows
        if row["without_target"]
    )


def _at(row: Mapping[str, object]) -> str:
    return f" at {row['eps']}" if row["eps"] else ""
