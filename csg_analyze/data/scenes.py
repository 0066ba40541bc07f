"""The embedded data: real handwritten digits pasted into 32x32 scenes, with exact masks and boxes."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from csg_analyze.data.dataset import Dataset, Split
from csg_analyze.data.fingerprint import fingerprint_of
from csg_analyze.data.geometry import tight_boxes
from csg_analyze.errors import UsageError

N_SCENES = {"train": 4000, "test": 1000}
"""Split -> its number of scenes."""
SCENE_SIDE = 32
"""Width and height of a scene in pixels."""
CELL = (12.0, 24.0)
"""Smallest and largest side, in pixels, of the square that a source digit's 8x8 cells are scaled to."""
MASK_ALPHA = 0.5
"""A pixel belongs to the mask where the ink covers at least this share of it."""

# What makes a digit hard to read, ranges to draw from: a ResNet-8 trained for 14 epochs ends at about 96 %.
CONTRAST = (80.0, 150.0)  # of ink against the mean background, in grey levels
TEXTURE = (4.0, 18.0)  # standard deviation of the smooth colour noise, in grey levels
NOISE = (1.0, 10.0)  # standard deviation of the fine noise, in grey levels
STROKES = (1, 3)  # distractors in a scene, both ends included
PLACES = 3  # candidates for a distractor's place; the one farthest from the digit is taken
LOOKALIKE = 0.2  # share of distractors in nearly the digit's own ink

CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

# The share of source digits kept for testing, and the seed of that choice. The seed of the scenes does not change it:
# else a network trained on scenes:0 would see its training digits in the test split of scenes:1.
_TEST_SHARE, _SOURCE_SEED = 0.3, 0
_SPLIT_KEYS = {"train": 0, "test": 1}

_BITS = 4  # coordinates of strokes in sixteenths of a pixel

Ink = NDArray[np.float32]


def source_digits(split: Split) -> tuple[Ink, NDArray[np.int64], NDArray[np.int64]]:
    """scikit-learn's digits that a split draws from: ink (n, 8, 8) in [0, 1], labels (n,), indices (n,) of the 1797."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    train, test = train_test_split(
        np.arange(len(digits.target)), test_size=_TEST_SHARE, stratify=digits.target, random_state=_SOURCE_SEED
    )
    chosen = np.sort(train if split == "train" else test).astype(np.int64)
    ink = (digits.images[chosen] / 16.0).astype(np.float32)
    return ink, digits.target[chosen].astype(np.int64), chosen


def make_scenes(split: Split, *, seed: int = 0, n: int | None = None) -> Dataset:
    """Scenes with one digit on textured ground among distractor strokes, with label, mask and box.

    The same (split, seed, n) gives the same bits, whatever was drawn before. Train and test share no source digit, also
    across seeds. The numbers of scenes per class differ by at most one; their order is shuffled.
    Sample ids name the source: "test-0001-digit-1234" is scikit-learn's digit 1234.
    Raises UsageError for a negative seed and for fewer than one scene.
    """
    n = N_SCENES[split] if n is None else n
    if seed < 0 or n < 1:
        raise UsageError(f"scenes need a seed of at least 0 and at least 1 image, not seed {seed} and {n} images.")
    rng = np.random.default_rng([seed, _SPLIT_KEYS[split]])
    ink, source_labels, source_ids = source_digits(split)
    labels = rng.permutation(np.arange(n) % len(CLASS_NAMES))
    chosen = _draw_sources(rng, labels, source_labels)
    images = np.empty((n, SCENE_SIDE, SCENE_SIDE, 3), np.uint8)
    masks = np.empty((n, SCENE_SIDE, SCENE_SIDE), np.bool_)
    for i, source in enumerate(chosen):
        alpha = _place_digit(rng, ink[source])
        images[i] = _draw_scene(rng, alpha)
        masks[i] = alpha >= MASK_ALPHA
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    targets, mask = torch.from_numpy(labels), torch.from_numpy(masks)
    boxes = torch.from_numpy(tight_boxes(masks))
    return Dataset(
        spec="scenes" if seed == 0 else f"scenes:{seed}",
        split=split,
        images=pixels,
        labels=targets,
        class_names=CLASS_NAMES,
        sample_ids=tuple(f"{split}-{i:04d}-digit-{source_ids[source]:04d}" for i, source in enumerate(chosen)),
        fingerprint=fingerprint_of("scenes", split, pixels, targets, *CLASS_NAMES, boxes, mask),
        boxes=boxes[:, None],
        masks=mask,
    )


def _draw_sources(
    rng: np.random.Generator, labels: NDArray[np.int64], source_labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """One source digit per label; all sources of a class are used before one is used again."""
    chosen = np.empty(len(labels), np.int64)
    for label in range(len(CLASS_NAMES)):
        members, sources = np.flatnonzero(labels == label), np.flatnonzero(source_labels == label)
        rounds = -(-len(members) // len(sources))
        drawn = np.concatenate([rng.permutation(sources) for _ in range(rounds)]) if rounds else sources[:0]
        chosen[members] = drawn[: len(members)]
    return chosen


def _place_digit(rng: np.random.Generator, ink: Ink) -> Ink:
    """How much of every pixel of the scene is covered by ink, (SCENE_SIDE, SCENE_SIDE) in [0, 1]; ink: (8, 8)."""
    # with an empty cell on all sides, strokes at the edge of the 8x8 taper off like the others
    padded = np.pad(ink, 1)
    side = rng.uniform(*CELL) * padded.shape[0] / ink.shape[0]
    width, height = np.clip(np.rint(side * rng.uniform(0.88, 1.12, 2)), 8, SCENE_SIDE).astype(int)
    scaled = cv2.resize(padded, (int(width), int(height)), interpolation=cv2.INTER_CUBIC)
    y, x = rng.integers(0, SCENE_SIDE - height + 1), rng.integers(0, SCENE_SIDE - width + 1)
    alpha = np.zeros((SCENE_SIDE, SCENE_SIDE), np.float32)
    # scaling up blurs 8x8 pixels; the steeper ramp gives strokes with edges again
    alpha[y : y + height, x : x + width] = np.clip((scaled - 0.3) / 0.4, 0, 1)
    return alpha


def _draw_scene(rng: np.random.Generator, alpha: Ink) -> NDArray[np.uint8]:
    """One RGB scene (SCENE_SIDE, SCENE_SIDE, 3): ground, distractors, the digit on top, fine noise over all."""
    base = rng.uniform(40, 215, 3)
    ink = _ink_against(rng, base)
    scene = base + rng.uniform(*TEXTURE) * _smooth_noise(rng)
    centre = np.argwhere(alpha >= MASK_ALPHA).mean(0)[::-1]
    canvas = np.ascontiguousarray(np.clip(scene, 0, 255), np.uint8)
    for _ in range(rng.integers(STROKES[0], STROKES[1] + 1)):
        alike = rng.random() < LOOKALIKE
        colour = ink + rng.normal(0, 12, 3) if alike else _ink_against(rng, base)
        _draw_stroke(rng, canvas, colour, centre)
    scene = canvas + alpha[..., None] * (ink - canvas)
    scene = scene + rng.normal(0, rng.uniform(*NOISE), scene.shape)
    return np.clip(np.rint(scene), 0, 255).astype(np.uint8)


def _ink_against(rng: np.random.Generator, base: NDArray[np.float64]) -> NDArray[np.float64]:
    """A colour of limited contrast against `base`, lighter or darker, with a hue of its own; RGB."""
    contrast = rng.uniform(*CONTRAST)
    level = float(base.mean())
    roomy = [sign for sign, room in ((1, 255 - level), (-1, level)) if room > contrast]
    sign = roomy[rng.integers(len(roomy))] if roomy else (1 if level < 127.5 else -1)
    hue = rng.normal(0, 20, 3)
    colour: NDArray[np.float64] = base + sign * contrast + hue - hue.mean()
    return colour.clip(0, 255)


def _smooth_noise(rng: np.random.Generator) -> NDArray[np.float64]:
    """Colour noise of about unit variance in two octaves, (SCENE_SIDE, SCENE_SIDE, 3)."""
    total = np.zeros((SCENE_SIDE, SCENE_SIDE, 3))
    for cells, weight in ((4, 0.9), (9, 0.6)):
        grey, colour = rng.normal(size=(cells, cells, 1)), rng.normal(size=(cells, cells, 3))
        total += weight * cv2.resize(0.7 * grey + 0.7 * colour, (SCENE_SIDE, SCENE_SIDE), interpolation=cv2.INTER_CUBIC)
    return total


def _draw_stroke(
    rng: np.random.Generator, canvas: NDArray[np.uint8], colour: NDArray[np.float64], centre: NDArray[np.float64]
) -> None:
    """A line or an arc of a digit's stroke width, anti-aliased, drawn into `canvas`; centre: x, y of the digit."""
    # the farthest of a few places: a stroke may touch the digit, but rarely crosses it
    places = rng.uniform(0, SCENE_SIDE, (PLACES, 2))
    x, y = places[np.argmax(((places - centre) ** 2).sum(1))]
    angle, half = rng.uniform(0, 2 * np.pi), rng.uniform(2.5, 7)
    dx, dy = np.cos(angle) * half, np.sin(angle) * half
    paint = tuple(float(value) for value in np.clip(colour, 0, 255))
    thickness = int(rng.integers(1, 3))
    if rng.random() < 0.5:
        cv2.line(canvas, _fixed(x - dx, y - dy), _fixed(x + dx, y + dy), paint, thickness, cv2.LINE_AA, _BITS)
    else:
        axes, sweep = _fixed(half, half * rng.uniform(0.4, 1)), rng.uniform(90, 250)
        cv2.ellipse(canvas, _fixed(x, y), axes, np.degrees(angle), 0, sweep, paint, thickness, cv2.LINE_AA, _BITS)


def _fixed(x: float, y: float) -> tuple[int, int]:
    """Ink as OpenCV's fixed-point coordinates."""
    return round(x * 2**_BITS), round(y * 2**_BITS)
