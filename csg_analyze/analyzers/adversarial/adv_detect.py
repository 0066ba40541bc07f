"""Can the features of all layers tell adversarial samples from clean images? (Sec. 5.2, Table 3)"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, TypedDict

import numpy as np
import pandas as pd

from csg_analyze.about import Claim, Headline, about
from csg_analyze.analyzers.adversarial import text
from csg_analyze.analyzers.adversarial.comparisons import compare_detection, table_3
from csg_analyze.analyzers.adversarial.detection import Negatives, SplitProtocol, fitting_sizes, sources_needed
from csg_analyze.analyzers.adversarial.detectors import SmallDetector
from csg_analyze.analyzers.adversarial.figures import (
    draw_curves,
    draw_depth,
    draw_examples,
    draw_transfer,
)
from csg_analyze.analyzers.adversarial.limits import AdaptiveAttack, adaptive_rows, transfer_matrix
from csg_analyze.analyzers.adversarial.notes import FEWEST, notes_on, why_too_few
from csg_analyze.analyzers.adversarial.options import (
    PAPER_SIZES,
    SIZES,
    columns_of,
    maker_of,
    passes_of_detection,
    training_sizes,
)
from csg_analyze.analyzers.adversarial.study import (
    FeatureColumns,
    Pool,
    Row,
    Study,
    detection_rows,
    held_out,
    importance_rows,
    roc_rows,
    train_and_test,
)
from csg_analyze.analyzers.adversarial.tables import attack_counts, attacked_samples, example_table, in_words
from csg_analyze.errors import TooFew, UsageError
from csg_analyze.metrics.adversarial import AttackRun, Attacks, Differentiable
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.keeping import NOTHING_KEPT, Keep
from csg_analyze.result import Drawing, Matrix, Number, Result, Table, or_none


@about(
    "Detection of adversarial samples",
    "Whether adversarial samples can be told from clean images by the features of every layer.",
    measures=text.DETECTION_MEASURES,
    reading=text.DETECTION_READING,
    headlines=(
        Headline(
            "*/error_percent@*",
            claim=Claim(
                "the error in detecting {} after {} training samples (%)", better="lower", label="error, {} @ {}"
            ),
        ),
    ),
    passes=passes_of_detection,
)
def adv_detect(
    attacks: Attacks,
    labels: IntArray,
    class_names: Sequence[str],
    sample_ids: Sequence[str],
    cache: Keep = NOTHING_KEPT,
    *,
    attack: Annotated[str, "fgsm, pgd, cw, foolbox:NAME, or several separated by commas"] = "pgd",
    eps: Annotated[str, "bound of bounded attacks for pixels in [0, 1], as 8/255"] = "8/255",
    targeted: Annotated[bool, "attack towards random classes"] = True,
    train_sizes: Annotated[
        str | None, f"training images, half adversarial; default: {SIZES}, with --protocol paper {PAPER_SIZES}"
    ] = None,
    test_size: Annotated[int, "test images, half adversarial"] = 200,
    repeats: Annotated[int, "splits, and detectors, that are averaged"] = 5,
    protocol: Annotated[SplitProtocol, "how images are split into training and test"] = "paired",
    negatives: Annotated[Negatives, "training images that are not adversarial"] = "clean",
    detector: Annotated[str, "forest, or a scikit-learn classifier as module:Class"] = "forest",
    layers: Annotated[str | None, "convolutions whose features are used, separated by commas; default: all"] = None,
    transfer: Annotated[bool, "train on each attack, and test on all others"] = False,
    adaptive: Annotated[bool, "attack the network and a small detector together"] = False,
    adaptive_detector: Annotated[SmallDetector, "the small detector that the adaptive attack follows"] = "logistic",
    adaptive_weight: Annotated[float, "the detector's weight in the adaptive attack's loss"] = 1.0,
    seed: Annotated[int, "seed of sources, targets, starts, noise, splits and detectors"] = 0,
) -> Result:
    """Detection of adversarial samples by the averaged features of every convolution (Sec. 5.2, Table 3).

    labels: (N,). Standard deviations are over the repeats; intervals (95 %) are bootstraps over the sources.

    Raises UsageError for unusable options, TooFew if fewer than 50 attacks succeed.
    """
    names, limits = attacks.named(attack), attacks.bounds(eps)
    if len(limits) > 1:
        raise UsageError(f"--eps takes one number here, not {eps!r}; robustness takes several.")
    sizes = training_sizes(train_sizes, test_size, protocol)
    if repeats < 1 or adaptive_weight < 0:
        raise UsageError("--repeats must be at least 1, --adaptive-weight at least 0.")
    if transfer and len(names) < 2:
        raise UsageError("--transfer needs at least two attacks, e.g. --attack fgsm,pgd.")
    make, columns, limit = maker_of(detector), columns_of(attacks, layers), next(iter(limits.values()))
    order = attacks.order(seed)
    candidates = order[attacks.correct_by_all[order]]
    if len(candidates) < FEWEST:
        raise TooFew(why_too_few({}, len(candidates)))
    enough = max(FEWEST, sources_needed(protocol, max(sizes), test_size))
    settings: AttackOptions = {"eps": limit, "targeted": targeted, "seed": seed, "with_features": True}
    runs = {name: attacks.run(name, candidates, enough=enough, **settings) for name in names}
    studied = [name for name, run in runs.items() if run.succeeded.sum() >= FEWEST]
    if not studied:
        raise TooFew(why_too_few(runs, len(candidates)))
    # all runs begin with the same sources: the longest run has the clean images of all
    clean = attacks.features(max((runs[name].sources for name in studied), key=len))
    keys = np.random.default_rng([seed, 1]).random((repeats, 2, len(labels)))
    studies: dict[str, Study] = {}
    for name in studied:
        pool = _pool(runs[name], clean, keys, columns, enough)
        fitting, testing = fitting_sizes(protocol, len(pool.sources), train_sizes=sizes, test_size=test_size)
        studies[name] = train_and_test(
            pool,
            make,
            protocol=protocol,
            negatives=negatives,
            sizes=fitting,
            test_size=testing,
            seed=seed,
            keep=cache,
        )
    counts = attack_counts(
        runs, {name: len(study.pool.sources) for name, study in studies.items()}, len(candidates), enough
    )
    settings_in_words = (
        f"Protocol {protocol}, negatives {negatives}, detector {detector} on {int(columns.chosen.sum())} features of "
        f"{len(columns.layers)} convolutions, {repeats} repeats, seed {seed}. {in_words(runs)}"
    )
    examples, pictures = example_table({name: runs[name] for name in studied}, sample_ids, labels, class_names)
    tables = {
        "detection": Table(_rows(partial(detection_rows, requested=sizes), studies), settings_in_words),
        "attacks": counts,
        "roc": Table(_rows(roc_rows, studies)),
        "examples": Table(examples),
    }
    figures = {
        "roc": Drawing(draw_curves, text.ROC_FIGURE),
        "examples": Drawing(draw_examples, text.EXAMPLES_FIGURE, photographs=True),
    }
    matrices: dict[str, Matrix] = {}
    importance = _rows(importance_rows, studies)
    if len(importance):
        tables["importance"], figures["depth"] = Table(importance), Drawing(draw_depth, text.DEPTH_FIGURE)
    if transfer and len(studies) > 1:
        matrices["transfer"] = transfer_matrix(studies)
        figures["transfer"] = Drawing(draw_transfer, text.TRANSFER_FIGURE)
    if adaptive:

        def attack_again(sources: IntArray, small: Differentiable) -> tuple[BoolArray, FloatArray]:
            run = attacks.run("pgd", sources, against=columns.spread(small), weight=adaptive_weight, **settings)
            return run.succeeded, columns.pick(run.features)

        tables["adaptive"] = _adaptive(studies, attack_again, adaptive_detector, detector, adaptive_weight, seed)
    return Result(
        summary=_summary(tables),
        tables=tables,
        matrices=matrices,
        pictures={"examples": pictures},
        comparisons={"table_3": table_3},
        paired={"differences": compare_detection},
        figures=figures,
        samples=attacked_samples(
            runs, {name: held_out(study) for name, study in studies.items()}, sample_ids, labels, class_names
        ),
        notes=(*attacks.notes, *notes_on(runs, counts.frame, studies, targeted, attacks, transfer, adaptive)),
    )


class AttackOptions(TypedDict):
    """Options of `Attacks.run` that all attacks of one analysis share."""

    eps: float
    targeted: bool
    seed: int
    with_features: bool


def _pool(run: AttackRun, clean: FloatArray, keys: FloatArray, columns: FeatureColumns, enough: int) -> Pool:
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
    return pd.DataFrame([row for name, study in studies.items() for row in rows(name, study)])


def _adaptive(
    studies: Mapping[str, Study],
    attack_again: AdaptiveAttack,
    kind: SmallDetector,
    detector: str,
    weight: float,
    seed: int,
) -> Table:
    rows = (
        row
        for name, study in studies.items()
        for row in adaptive_rows(name, study, attack_again, kind=kind, name=detector, seed=seed)
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
        for name in ("error_percent", "auroc", "tpr_at_5_fpr", "noise_alarm_percent"):
            summary[f"{row['attack']}/{name}@{row['train_size']}"] = or_none(float(row[name]))
    for row in tables["attacks"].frame.to_dict("records"):
        summary[f"{row['attack']}/success_rate"] = or_none(float(row["success_rate"]))
        summary[f"{row['attack']}/mean_l2"] = or_none(float(row["mean_l2"]))
    for row in tables["adaptive"].frame.to_dict("records") if "adaptive" in tables else ():
        for name in ("detected_percent", "adaptive_detected_percent", "adaptive_auroc"):
            summary[f"{row['attack']}/{row['detector'].partition(' ')[0]}/{name}"] = or_none(float(row[name]))
    return summary
