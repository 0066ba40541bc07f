"""The paper as data (Liang et al., ECCV 2020): the order of its analyses, its claims and its numbers.

Another paper would be another such file.
"""

from __future__ import annotations

from collections.abc import Mapping

from csg_analyze.errors import unknown

ORDER = (
    "accuracy", "gate", "mis", "confusion", "similarity", "correlation", "localize", "adv-detect", "robustness",
    "layers", "filters",
)  # fmt: skip
"""The order of the built-in analyzers in lists and reports, as in the paper; all others follow by name."""

TABLE_1 = ("accuracy", "mis", "gate")
"""The analyses whose headlines are Table 1, in the order of its columns."""

CLAIMS = (
    ("confusion", "mean_single_recall"),
    ("confusion", "mean_single_kept"),
    ("similarity", "tp_diagonal_share"),
    ("correlation", "c_ic"),
    ("correlation", "c_ic_off_diagonal"),
    ("correlation", "between_groups_absolute"),
)
"""Numbers behind claims that the paper makes in words: Fig. 5, 6 and 7, and C_IC with its alternatives."""

Numbers = Mapping[tuple[str, str], Mapping[str, float]]
"""(analyzer, name in its summary) -> training -> the paper's number."""


def _both(csg: float, std: float) -> Mapping[str, float]:
    return {"CSG": csg, "STD": std}


PAPER: Mapping[str, Numbers] = {
    "cifar10": {
        ("accuracy", "accuracy"): _both(0.9192, 0.9169),
        ("mis", "mis"): _both(0.1603, 0.1119),
        ("gate", "l1_density"): {"CSG": 0.1000},
        ("adv-detect", "fgsm/error_percent@500"): _both(4.50, 4.76),
        ("adv-detect", "fgsm/error_percent@1000"): _both(3.94, 4.60),
        ("adv-detect", "fgsm/error_percent@2000"): _both(3.84, 4.15),
        ("adv-detect", "pgd/error_percent@500"): _both(4.52, 5.03),
        ("adv-detect", "pgd/error_percent@1000"): _both(3.95, 6.20),
        ("adv-detect", "pgd/error_percent@2000"): _both(3.25, 4.08),
        ("adv-detect", "cw/error_percent@500"): _both(7.03, 7.33),
        ("adv-detect", "cw/error_percent@1000"): _both(6.18, 6.76),
        ("adv-detect", "cw/error_percent@2000"): _both(5.87, 6.46),
    },
    "imagenet": {
        ("accuracy", "accuracy"): _both(0.6784, 0.6976),
        ("mis", "mis"): _both(0.6259, 0.5514),
        ("gate", "l1_density"): {"CSG": 0.0016},
    },
    "voc": {
        ("accuracy", "accuracy"): _both(0.8506, 0.8429),
        ("mis", "mis"): _both(0.1998, 0.1427),
        ("gate", "l1_density"): {"CSG": 0.1996},
        ("localize", "gradmap/avg_iou"): _both(0.3035, 0.2606),
        ("localize", "gradmap/ap20"): _both(0.8165, 0.7029),
        ("localize", "activmap/avg_iou"): _both(0.4290, 0.3602),
        ("localize", "activmap/ap30"): _both(0.8254, 0.6759),
        ("localize", "cam/avg_iou"): _both(0.3694, 0.3483),
        ("localize", "cam/ap30"): _both(0.7294, 0.6853),
    },
}
"""cifar10: ResNet-20. imagenet: ResNet-18. voc: ResNet-152 on six animals of VOC 2010, against masks."""


def paper_numbers(name: str | None) -> Numbers:
    """The paper's numbers on one of its datasets; none for None. Raises UsageError for an unknown name."""
    if name is None:
        return {}
    if name not in PAPER:
        raise unknown("dataset of the paper", name, PAPER)
    return PAPER[name]
