"""The exact matrix against one scikit-learn call a class, timed in turns in one run: medians and their ratio."""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
from sklearn.feature_selection import mutual_info_classif

from csg_analyze.analyzers.mis.permutations import permutation_test
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.mutual_information import chance_permutations, information_and_chance, mutual_information

COLUMNS = ("what", "ours, s", "the usual way, s", "ratio", "target", "largest difference", "memory / activations")
N_PERMUTATIONS = 20
Answer = TypeVar("Answer")


def rows() -> list[dict[str, str]]:
    """What is printed; ours is warm (compiled), which the compiled functions' cache on disk makes the usual state."""
    return [
        against_scikit_learn(10_000, 64, 10, timed_classes=10, repeats=3, target=100),
        against_scikit_learn(50_000, 8, 1000, timed_classes=2, repeats=3, target=5000),
        permutations(10_000, 64, 10),
        chance(10_000, 64, 10),
        chance(50_000, 64, 1000),
    ]


def example(n: int, n_filters: int, n_classes: int) -> tuple[FloatArray, IntArray]:
    """ReLU activations as float32, half of them above zero, and labels that have to do with them."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, n_classes, n)
    liking = generator.normal(0, 0.5, (n_classes, n_filters))
    return np.maximum(generator.normal(size=(n, n_filters)) + liking[labels], 0).astype(np.float32), labels


def against_scikit_learn(
    n: int, n_filters: int, n_classes: int, *, timed_classes: int, repeats: int, target: int
) -> dict[str, str]:
    activations, labels = example(n, n_filters, n_classes)
    columns = range(timed_classes)

    def one_call_a_class() -> FloatArray:
        each = [mutual_info_classif(activations, labels == c, random_state=0) for c in columns]
        return np.stack(each, axis=1)

    matrix, expected = mutual_information(activations, labels), None
    ours, theirs = [], []
    for _ in range(repeats):  # in turns, so that a noisy minute hits both
        expected, seconds = timed(one_call_a_class)
        theirs.append(seconds)
        for _ in range(3):
            matrix, seconds = timed(lambda: mutual_information(activations, labels))
            ours.append(seconds)
    assert expected is not None
    usual = statistics.median(theirs) * n_classes / timed_classes
    scaled = "" if timed_classes == n_classes else f" (scaled from {timed_classes} classes)"
    return {
        "what": f"matrix, N={n} K={n_filters} C={n_classes}",
        "ours, s": f"{statistics.median(ours):.3f}",
        "the usual way, s": f"{usual:.1f}{scaled}",
        "ratio": f"{usual / statistics.median(ours):.0f}",
        "target": f">= {target}, memory < 2",
        "largest difference": f"{np.abs(matrix[:, columns] - expected).max():.0e}",
        "memory / activations": peak_memory(mutual_information, n, n_filters, n_classes),
    }


def permutations(n: int, n_filters: int, n_classes: int) -> dict[str, str]:
    activations, labels = example(n, n_filters, n_classes)

    def test() -> object:
        return permutation_test(activations, labels, n_permutations=N_PERMUTATIONS)

    def matrix_each_time() -> object:
        generator = np.random.default_rng(0)
        return [mutual_information(activations, generator.permutation(labels)) for _ in range(N_PERMUTATIONS)]

    test()
    pairs = [(timed(test)[1], timed(matrix_each_time)[1]) for _ in range(3)]
    ours, usual = (statistics.median(seconds) / N_PERMUTATIONS for seconds in zip(*pairs, strict=True))
    return {
        "what": f"a permutation, N={n} K={n_filters} C={n_classes}",
        "ours, s": f"{ours:.3f}",
        "the usual way, s": f"{usual:.3f} (the matrix anew)",
        "ratio": f"{usual / ours:.1f}",
        "target": "< 0.15 s, memory < 2",
        "largest difference": "-",
        "memory / activations": peak_memory(few_permutations, n, n_filters, n_classes),
    }


def chance(n: int, n_filters: int, n_classes: int) -> dict[str, str]:
    """The matrix with its chance level against the matrix alone, on one thread."""
    activations, labels = example(n, n_filters, n_classes)
    n_permutations = chance_permutations(n_filters)

    def both() -> object:
        return information_and_chance(activations, labels, n_permutations=n_permutations, n_jobs=1)

    pairs = [(timed(both)[1], timed(lambda: mutual_information(activations, labels, n_jobs=1))[1]) for _ in range(3)]
    ours, alone = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
    return {
        "what": f"matrix and chance level, N={n} K={n_filters} C={n_classes}",
        "ours, s": f"{ours:.3f}",
        "the usual way, s": f"{alone:.3f} (the matrix alone)",
        "ratio": f"{alone / ours:.2f}",
        "target": "-",
        "largest difference": "-",
        "memory / activations": peak_memory(chance_alone, n, n_filters, n_classes),
    }


def chance_alone(activations: FloatArray, labels: IntArray) -> object:
    return information_and_chance(activations, labels, n_permutations=2)


def few_permutations(activations: FloatArray, labels: IntArray) -> object:
    return permutation_test(activations, labels, n_permutations=4)


def timed(function: Callable[[], Answer]) -> tuple[Answer, float]:
    start = time.perf_counter()
    answer = function()
    return answer, time.perf_counter() - start


def peak_memory(function: Callable[[FloatArray, IntArray], object], n: int, n_filters: int, n_classes: int) -> str:
    """Peak resident memory beyond what was there before, median of fresh processes; compiled code's is included."""
    shares = []
    for _ in range(3):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            shares.append(process.submit(extra_memory, function, n, n_filters, n_classes).result())
    known = [share for share in shares if share is not None]
    return f"{statistics.median(known):.2f}" if known else "-"


def extra_memory(
    function: Callable[[FloatArray, IntArray], object], n: int, n_filters: int, n_classes: int
) -> float | None:
    activations, labels = example(n, n_filters, n_classes)
    function(activations, labels)  # libraries are loaded page by page: theirs must not count
    try:
        ctypes.CDLL(None).malloc_trim(0)  # or memory freed a moment ago would serve, uncounted
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from what is resident now
        before = resident("VmRSS")
        function(activations, labels)
        return (resident("VmHWM") - before) / activations.nbytes
    except (OSError, AttributeError):  # not Linux with glibc, or not allowed
        return None


def resident(field: str) -> int:
    """A field of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def aligned(table: Iterable[dict[str, str]]) -> str:
    lines = [COLUMNS, *(tuple(row[name] for name in COLUMNS) for row in table)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


if __name__ == "__main__":
    print("medians of one run; ours after compiling")
    print(aligned(rows()))
