"""The array types used throughout, with the project's fixed orientations.

activations (N, K), gate (C, K), mutual information (K, C), confusion (true class, predicted class).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.floating]
IntArray: TypeAlias = NDArray[np.integer]
BoolArray: TypeAlias = NDArray[np.bool_]
