"""How sparse a class-specific gate is, and which filters belong to which class (Sec. 3.2 and 4.1)."""

from __future__ import annotations

from csg_analyze.metrics.arrays import BoolArray, FloatArray


def l1_density(gate: FloatArray) -> float:
    """||G||_1 / (K C) of a gate (C, K): 1/C for one class a filter, 1 for a gate that is open everywhere."""
    return float(abs(gate).sum() / gate.size)


def density_interval(n_classes: int, n_filters: int, bound: float) -> tuple[float, float]:
    """[1/C, g/(C K)], between which the L1-density converges (Table 1); g bounds the L1 norm in Eq. 2."""
    return 1 / n_classes, bound / (n_classes * n_filters)


def assigned(gate: FloatArray, threshold: float = 0.5) -> BoolArray:
    """(C, K), True where filter k belongs to class c: G[c, k] > threshold, as the paper removes them in Fig. 5."""
    belongs: BoolArray = gate > threshold
    return belongs
