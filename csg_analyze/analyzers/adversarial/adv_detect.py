"""Can adversarial samples be told from clean images by the features of every layer? (Sec. 5.2, Table 3)"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, TypedDict

import numpy as np
import pandas as pd

from csg_analyze.about import Headline, about
from csg_analyze.analyzers.adversarial import text
from csg_analyze.analyzers.adversarial.comparisons import compare_detection, table_3
from csg_analyze.analyzers.adversarial.detection import Negatives, Protocol, fitting_sizes, sources_needed
from csg_analyze.analyzers.adversarial.detectors import Make, Small, detector_named
from csg_analyze.analyzers.adversarial.figures import (
    draw_curves,
    draw_depth,
    draw_examples,
    draw_transfer,
)
from csg_analyze.analyzers.adversarial.limits import Again, adaptive_rows, transfer_matrix
from csg_analyze.analyzers.adversarial.study import (
    Columns,
    Pool,
    Row,
    Study,
    detection_rows,
    held_out,
    importance_rows,
    roc_rows,
    study,
)
from csg_analyze.analyzers.adversarial.tables import attack_counts, attacked_samples, example_table, in_words
from csg_analyze.errors import TooFew, UsageError, unknown
from csg_analyze.metrics.adversarial import NOT_MOVED, AttackRun, Attacks, Differentiable
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.result import Drawing, Matrix, Number, Result, Table, or_none

PAPER_SIZES = "500,1000,2000"
SIZES = "100,200,400"
FEWEST = 50
"""Adversarial samples below which nothing is said about telling them."""


@about(
    "Detection of adversarial samples",
    measures=text.DETECTION_MEASURES,
    reading=text.DETECTION_READING,
    headlines=(Headline("*/error_percent@*"),),
)
def adv_detect(
    attacks: Attacks,
    labels: IntArray,
    class_names: Sequence[str],
    sample_ids: Sequence[str],
    *,
    attack: Annotated[str, "fgsm, pgd, cw, foolbox:NAME, or several with commas between"] = "pgd",
    eps: Annotated[str, "bound of bounded attacks for pixels in [0, 1], as 8/255"] = "8/255",
    targeted: Annotated[bool, "attack towards random classes"] = True,
    train_sizes: Annotated[
        str | None, f"training images, half adversarial; default: {SIZES}, with --protocol paper {PAPER_SIZES}"
    ] = None,
    test_size: Annotated[int, "test images, half adversarial"] = 200,
    repeats: Annotated[int, "splits and detectors averaged over"] = 5,
    protocol: Annotated[Protocol, "how images are split into training and test"] = "paired",
    negatives: Annotated[Negatives, "what detectors learn to let pass"] = "clean",
    detector: Annotated[str, "forest, or a scikit-learn classifier as module:Class"] = "forest",
    layers: Annotated[str | None, "convolutions whose features are used, with commas between; default: all"] = None,
    transfer: Annotated[bool, "train on each attack, test on every other"] = False,
    adaptive: Annotated[bool, "attack network and a small detector together"] = False,
    adaptive_detector: Annotated[Small, "the small detector, which has a gradient"] = "logistic",
    adaptive_weight: Annotated[float, "the detector's weight in the adaptive attack's loss"] = 1.0,
    seed: Annotated[int, "seed of sources, targets, starts, noise, splits and detectors"] = 0,
) -> Result:
    """Detection of adversarial samples by the averaged features of every convolution (Sec. 5.2, Table 3).

    Sources are random images that all compared models classify correctly; targets are random classes, never the label
    nor a present prediction. Only attacks that succeed give adversarial samples; the others are counted. A detector (a
    random forest of 100 trees) is trained on clean and adversarial images, half and half, and judged on others:
    error_percent at its threshold of 0.5, AUROC, and the share of adversarial samples found at 5 % false alarms (at
    the best threshold of the test images), means over the repeats with their standard deviations. Intervals (95 %)
    are bootstraps over the sources, the detectors kept; they say nothing about other seeds of training.

    Protocols: paired (default), a source's clean and adversarial image are both on one side of the split; disjoint,
    every source gives only one of them; random, images are dealt without a look at their sources, which leaks; paper,
    the same, with the paper's training sizes, since the paper does not say how it split.

    noise_alarm_percent is the share of images with noise of the same L2 size that are taken for adversarial; with
    --negatives clean+noise half of the clean training images are replaced by such ones. An adaptive attack is PGD on
    the sum of both losses, network's and small detector's: without it a detection rate is no evidence of robustness.

    Raises UsageError for options without meaning, TooFew where fewer than 50 attacks succeed.
    """
    names, limits = attacks.named(attack), attacks.bounds(eps)
    if len(limits) > 1:
        raise UsageError(f"--eps takes one number here, not {eps!r}; robustness takes several.")
    sizes = _sizes(train_sizes, test_size, protocol)
    if repeats < 1 or adaptive_weight < 0:
        raise UsageError("--repeats must be at least 1, --adaptive-weight at least 0.")
    if transfer and len(names) < 2:
        raise UsageError("--transfer needs at least two attacks, e.g. --attack fgsm,pgd.")
    make, columns, limit = _detector(detector), _columns(attacks, layers), next(iter(limits.values()))
    order = attacks.order(seed)
    candidates = order[attacks.correct_by_all[order]]
    if len(candidates) < FEWEST:
        raise TooFew(_too_few({}, len(candidates)))
    enough = max(FEWEST, sources_needed(protocol, max(sizes), test_size))
    settings: Attacking = {"eps": limit, "targeted": targeted, "seed": seed, "with_features": True}
    runs = {name: attacks.run(name, candidates, enough=enough, **settings) for name in names}
    studied = [name for name, run in runs.items() if run.succeeded.sum() >= FEWEST]
    if not studied:
        raise TooFew(_too_few(runs, len(candidates)))
    # every run begins with the same sources, so that the longest has the clean images of all
    clean = attacks.features(max((runs[name].sources for name in studied), key=len))
    keys = np.random.default_rng([seed, 1]).random((repeats, 2, len(labels)))
    studies: dict[str, Study] = {}
    for name in studied:
        pool = _pool(runs[name], clean, keys, columns, enough)
        fitting, testing = fitting_sizes(protocol, len(pool.sources), train_sizes=sizes, test_size=test_size)
        studies[name] = study(
            pool, make, protocol=protocol, negatives=negatives, sizes=fitting, test_size=testing, seed=seed
        )
    counts = attack_counts(
        runs, {name: len(each.pool.sources) for name, each in studies.items()}, len(candidates), enough
    )
    settings_in_words = (
        f"Protocol {protocol}, negatives {negatives}, detector {detector} on {int(columns.chosen.sum())} features of "
        f"{len(columns.layers)} convolutions, {repeats} repeats, seed {seed}. {in_words(runs)}"
    )
    examples, pictures = example_table({name: runs[name] for name in studied}, sample_ids, labels, class_names)
    tables = {
        "detection": Table(_rows(partial(detection_rows, asked=sizes), studies), settings_in_words),
        "attacks": counts,
        "roc": Table(_rows(roc_rows, studies)),
        "examples": Table(examples),
    }
    figures = {"roc": Drawing(draw_curves, text.ROC_FIGURE), "examples": Drawing(draw_examples, text.EXAMPLES_FIGURE)}
    matrices: dict[str, Matrix] = {}
    importance = _rows(importance_rows, studies)
    if len(importance):
        tables["importance"], figures["depth"] = Table(importance), Drawing(draw_depth, text.DEPTH_FIGURE)
    if transfer and len(studies) > 1:
        matrices["transfer"] = transfer_matrix(studies)
        figures["transfer"] = Drawing(draw_transfer, text.TRANSFER_FIGURE)
    if adaptive:

        def again(sources: IntArray, small: Differentiable) -> tuple[BoolArray, FloatArray]:
            run = attacks.run("pgd", sources, against=columns.spread(small), weight=adaptive_weight, **settings)
            return run.succeeded, columns.pick(run.features)

        tables["adaptive"] = _adaptive(studies, again, adaptive_detector, detector, adaptive_weight, seed)
    return Result(
        summary=_summary(tables),
        tables=tables,
        matrices=matrices,
        pictures={"examples": pictures},
        comparisons={"table_3": table_3},
        paired={"differences": compare_detection},
        figures=figures,
        samples=attacked_samples(
            runs, {name: held_out(each) for name, each in studies.items()}, sample_ids, labels, class_names
        ),
        notes=(*attacks.notes, *_notes(runs, counts.frame, studies, targeted, attacks, transfer, adaptive)),
    )


class Attacking(TypedDict):
    """What all attacks of one analysis have in common."""

    eps: float
    targeted: bool
    seed: int
    with_features: bool


def _sizes(typed: str | None, test_size: int, protocol: Protocol) -> tuple[int, ...]:
    typed = typed if typed is not None else PAPER_SIZES if protocol == "paper" else SIZES
    try:
        sizes = tuple(dict.fromkeys(int(part) for part in typed.split(",") if part.strip()))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 4 or test_size < 4:
        raise UsageError(
            f"--train-sizes needs whole numbers from 4 on with commas between, e.g. {PAPER_SIZES}, and --test-size "
            f"one; not {typed!r} and {test_size}."
        )
    return sizes


def _detector(name: str) -> Make:
    try:
        return detector_named(name)
    except ValueError as error:
        raise UsageError(f"--detector: {error}") from error


def _columns(attacks: Attacks, layers: str | None) -> Columns:
    """The features of the named layers. Raises UsageError, suggesting the nearest, for what is no convolution."""
    every = attacks.layers
    names = list(every) if layers is None else [name.strip() for name in layers.split(",") if name.strip()]
    for name in names:
        if name not in every:
            raise unknown("convolution", name, every)
    if not names:
        raise UsageError("--layers names no convolution.")
    chosen = [np.full(width, name in names) for name, width in every.items()]
    return Columns(np.concatenate(chosen), {name: width for name, width in every.items() if name in names})


def _too_few(runs: Mapping[str, AttackRun], n_candidates: int) -> str:
    found = ", ".join(
        f"{int(run.succeeded.sum())} of {len(run.sources)} by {name}"
        + (f", which moved {run.count(NOT_MOVED)} of them by no step" if run.count(NOT_MOVED) else "")
        for name, run in runs.items()
    )
    return (
        f"too few adversarial samples to train a detector ({found or 'none was tried'}): at least {FEWEST} are needed, "
        f"and {n_candidates} images are classified correctly by every compared model; raise --limit or --eps, or "
        "choose another attack."
    )


def _pool(run: AttackRun, clean: FloatArray, keys: FloatArray, columns: Columns, enough: int) -> Pool:
    places = np.flatnonzero(run.succeeded)[:enough]
    return Pool(
        sources=run.sources[places],
        clean=columns.pick(clean[places]),
        adversarial=columns.pick(run.features[places]),
        noise=columns.pick(run.noise_features[places]),
        keys=keys[:, :, run.sources[places]],
        layers=columns.layers,
    )


def _rows(rows: Callable[[str, Study], list[Row]], studies: Mapping[str, Study]) -> pd.DataFrame:
    return pd.DataFrame([row for name, each in studies.items() for row in rows(name, each)])


def _adaptive(
    studies: Mapping[str, Study], again: Again, kind: Small, detector: str, weight: float, seed: int
) -> Table:
    rows = (
        row
        for name, each in studies.items()
        for row in adaptive_rows(name, each, again, kind=kind, name=detector, seed=seed)
    )
    caption = (
        f"Shares in % with 95 % intervals. A {kind} detector is trained on each attack's samples; PGD then attacks the "
        f"network and this detector together (weight {weight:g}) on the test sources. detected_percent: of the "
        "attack's own samples; adaptive_detected_percent: of the adaptive attack's successes; evading_percent: of all "
        "attacked sources, those that fool the network and pass the detector."
    )
    return Table(pd.DataFrame(rows), caption)


def _summary(tables: Mapping[str, Table]) -> dict[str, Number]:
    summary: dict[str, Number] = {}
    for row in tables["detection"].frame.to_dict("records"):
        for name, key in (("error_percent", "error_percent"), ("auroc", "auroc"), ("tpr_at_5_fpr", "tpr_at_5_fpr"),
                          ("noise_alarm_percent", "noise_alarm_percent")):  # fmt: skip
            summary[f"{row['attack']}/{key}@{row['train_size']}"] = or_none(float(row[name]))
    for row in tables["attacks"].frame.to_dict("records"):
        summary[f"{row['attack']}/success_rate"] = or_none(float(row["success_rate"]))
        summary[f"{row['attack']}/mean_l2"] = or_none(float(row["mean_l2"]))
    for row in tables["adaptive"].frame.to_dict("records") if "adaptive" in tables else ():
        for name in ("detected_percent", "adaptive_detected_percent", "adaptive_auroc"):
            summary[f"{row['attack']}/{row['detector'].partition(' ')[0]}/{name}"] = or_none(float(row[name]))
    return summary


def _notes(
    runs: Mapping[str, AttackRun],
    counts: pd.DataFrame,
    studies: Mapping[str, Study],
    targeted: bool,
    attacks: Attacks,
    transfer: bool,
    adaptive: bool,
) -> tuple[str, ...]:
    notes = []
    for row in counts[counts["shortfall"] > 0].to_dict("records"):
        found = row["wanted"] - row["shortfall"]
        notes.append(
            f"{row['attack']}: {found} adversarial samples instead of the {row['wanted']} that the sizes ask for; "
            + (
                "training and test sets are smaller, see n_train and n_test."
                if row["attack"] in studies
                else f"with fewer than {FEWEST} no detector is trained."
            )
        )
    for name, run in runs.items():
        if run.count(NOT_MOVED):
            notes.append(
                f"{name}: no step moved {run.count(NOT_MOVED)} of {len(run.sources)} attacked sources (the gradient "
                "that the attack follows is exactly 0, or leads out of the range of pixels)."
            )
    aimless = [name for name in runs if targeted and not attacks.aims(name)]
    if aimless:
        notes.append(f"{', '.join(aimless)} cannot be aimed at a class and ran untargeted.")
    if transfer and len(studies) < 2:
        notes.append("no transfer matrix: only one attack has enough adversarial samples.")
    if not adaptive:
        notes.append(
            "the attacks do not know of the detector; --adaptive shows how far detection falls when one does, without "
            "which a detection rate is no evidence of robustness."
        )
    return tuple(notes)
