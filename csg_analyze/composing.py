"""From the models' results to a report with data, options and provenance."""

from __future__ import annotations

from collections.abc import Sequence

from csg_analyze.checkpoints import Classifier
from csg_analyze.checkpoints.description import preprocessing_sentence
from csg_analyze.data import Dataset
from csg_analyze.paper import paper_numbers
from csg_analyze.plan import Plan
from csg_analyze.report.document import JSON, ModelReport, Refused, Report, Section
from csg_analyze.report.provenance import provenance
from csg_analyze.report.seeds import sample_size_note


def compose(
    models: Sequence[ModelReport],
    classifiers: Sequence[Classifier],
    datasets: Sequence[Dataset],
    plan: Plan,
    *,
    title: str | None = None,
    paper: str | None = None,
    remark: str | None = None,
    command: Sequence[str] = (),
    refused: Sequence[Refused] = (),
) -> Report:
    """The report of several models.

    paper: the paper's dataset whose numbers are shown for comparison. remark, refused: as in Report. Raises UsageError
    for an unknown dataset of the paper.
    """
    data = _describe(datasets[0])
    notes = [f"{each.name} was not analysed: {each.reason}" for each in refused]
    notes += [f"{classifier.name}: {note}" for classifier in classifiers for note in classifier.notes]
    notes += [f"{model.name}: {note}" for model in models for note in model.notes]
    if len({dataset.fingerprint for dataset in datasets}) > 1:
        specs = ", ".join(f"{c.name} on {d.spec} ({len(d)} images)" for c, d in zip(classifiers, datasets, strict=True))
        notes.append(f"the models were analysed on different data, which limits comparisons: {specs}.")
    if note := sample_size_note(models):
        notes.append(note)
    classes = {dataset.class_names: classifier.name for classifier, dataset in zip(classifiers, datasets, strict=True)}
    if len(classes) > 1:
        sets = "; ".join(f"{name}: {len(names)} classes" for names, name in classes.items())
        notes.append(f"the models have different classes ({sets}): each set has its own figures and comparisons.")
    settings = plan.settings
    sections = [Section(step.name, step.about) for step in plan.analyzers]
    origin = provenance(
        command,
        seeds={name: values["seed"] for name, values in settings.items() if "seed" in values},
        device=str(classifiers[0].device),
        checkpoints={classifier.source: classifier.sha256 for classifier in classifiers},
        data=data,
        feature_layers={classifier.name: _layers(classifier) for classifier in classifiers},
    )
    outputs = {c.source: c.network.outputs.tolist() for c in classifiers if c.network.outputs is not None}
    if outputs:
        origin["outputs"] = outputs
    prepared = {each.name: preprocessing_sentence(each.preprocessing) for each in classifiers}
    return Report(
        title=title or f"Class-specificity of {_named(models)}",
        models=tuple(models),
        sections=tuple(sections),
        provenance={
            **origin,
            "preprocessing": prepared,
            "options": {name: values for name, values in settings.items() if values},
            "seconds": {
                model.name: {step: round(seconds, 3) for step, seconds in model.seconds.items()} for model in models
            },
            "passes": {
                model.name: {text: round(seconds, 3) for text, seconds in model.passes.items()} for model in models
            },
        },
        notes=tuple(notes),
        data=data,
        paper=paper_numbers(paper),
        remark=(remark or "").strip(),
        refused=tuple(refused),
    )


def _layers(classifier: Classifier) -> str:
    read = classifier.head_input
    return classifier.features if read is None else f"{classifier.features}; {read.sentence}"


def _named(models: Sequence[ModelReport]) -> str:
    return " and ".join(model.name for model in models) if len(models) <= 4 else f"{len(models)} models"


def _describe(dataset: Dataset) -> dict[str, JSON]:
    height, width = dataset.image_size
    return {
        "spec": dataset.spec,
        "split": dataset.split,
        "n": len(dataset),
        "image_size": f"{height}x{width}",
        "classes": list(dataset.class_names),
        "fingerprint": dataset.fingerprint,
        "notes": list(dataset.notes),
        "left_out": list(dataset.left_out),
    }
