"""Any text as LaTeX that pdflatex and lualatex typeset alike, and how wide it becomes.

Both engines set ASCII, accented Latin letters and the symbols of `SYMBOLS` with the fonts of every installation. What
else a name may hold (Chinese, Arabic, emoji) needs a font that only the author can choose: it becomes
`\\csgunicode{text}{U+732B}`, which shows the code points until the paper defines \\csgunicode otherwise.
"""

from __future__ import annotations

import re
import unicodedata

SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "{": r"\{", "}": r"\}",
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "`": r"\textasciigrave{}", '"': r"\symbol{34}",
}  # fmt: skip
"""ASCII characters that mean something else; `"` is a command of its own in babel's German and Dutch."""

GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi"
MATHEMATICS = {
    "−": "-", "×": r"\times", "÷": r"\div", "·": r"\cdot", "≤": r"\leq", "≥": r"\geq", "≠": r"\neq",
    "≈": r"\approx", "∞": r"\infty", "→": r"\rightarrow", "←": r"\leftarrow", "√": r"\surd", "∑": r"\sum",
    "∈": r"\in", "°": r"^{\circ}", "²": "^{2}", "³": "^{3}", "¹": "^{1}", "µ": r"\mu", "∂": r"\partial", "¬": r"\neg",
    "ω": r"\omega", "Δ": r"\Delta", "Σ": r"\Sigma", "Ω": r"\Omega", "Λ": r"\Lambda", "Φ": r"\Phi", "Θ": r"\Theta",
    **{letter: "\\" + name for letter, name in zip("αβγδεζηθικλμνξπρστυφχψ", GREEK.split(), strict=True)},
}  # fmt: skip

SYMBOLS = {
    "–": "--", "—": "---", "‐": "-", "‑": "-", "…": r"\ldots{}", "‘": "'", "’": "'", "“": "``", "”": "''",
    "±": "±",  # every font of both engines has it
    "•": r"\textbullet{}", "§": r"\S{}", "¶": r"\P{}", "©": r"\copyright{}", "£": r"\pounds{}", "€": "EUR",
    "ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}",
    "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "\u00a0": "~", "\u202f": "~",
    **{symbol: rf"\ensuremath{{{mathematics}}}" for symbol, mathematics in MATHEMATICS.items()},
}  # fmt: skip

ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip
"""Combining marks -> the command that sets them over, or under, a letter."""

PREAMBLE = r"\providecommand{\csgunicode}[2]{#2}"
"""What a file with \\csgunicode needs."""

LONG_WORD = 12
"""In a column of limited width, a longer word may break between any two characters, because it has no hyphens."""


def latex_text(text: str, *, breakable: bool = False) -> str:
    """A text, escaped. breakable: long words may break, for a cell that is a paragraph."""
    pieces = []
    for word in re.split(r"( +)", text):
        units = _units(word)
        pieces.append((r"\allowbreak " if breakable and len(units) > LONG_WORD else "").join(units))
    return "".join(pieces)


def _units(word: str) -> list[str]:
    """The characters of a word as LaTeX, a run without a font as one."""
    units: list[str] = []
    before = ""
    # a minus sign is one in front of a number, and between two names
    for run in re.findall(r"(?:^|(?<=[\[(,=]))-(?=\.?\d|$)|[^\x00-\x7f]+|[\x00-\x7f]", word):
        if not run.isascii():
            units += _beyond_ascii(run)
        elif run == "-" and before in ("", *"[(,="):
            units.append(r"\ensuremath{-}")
        else:
            joined = run == before and run in "-',"  # LaTeX joins --, '' and ,, to other signs
            units.append("{}" * joined + SPECIAL.get(run, run))
        before = run
    return units


def _beyond_ascii(run: str) -> list[str]:
    units: list[str] = []
    unknown = ""
    for character in unicodedata.normalize("NFC", run):
        known = _set_with_any_font(character)
        if known is None:
            unknown += character
            continue
        units += _without_font(unknown)
        unknown = ""
        units.append(known)
    return units + _without_font(unknown)


def _set_with_any_font(character: str) -> str | None:
    """A character as LaTeX, or None if it needs a font of its own."""
    if character in SYMBOLS:
        return SYMBOLS[character]
    letter, *marks = list(unicodedata.normalize("NFD", character))
    if len(marks) == 1 and marks[0] in ACCENTS and letter.isascii() and letter.isalpha():
        return rf"\{ACCENTS[marks[0]]}{{{letter}}}"
    return None


def _without_font(characters: str) -> list[str]:
    if not characters:
        return []
    points = " ".join(f"U+{ord(character):04X}" for character in characters)
    return [rf"\csgunicode{{{characters}}}{{{points}}}"]


NARROW, WIDE = frozenset("ijlIft.,:;'!|()[] /-"), frozenset("mwMWOQGDNHUV@%&+=<>~\\_")


def width_of(text: str, *, bold: bool = False) -> float:
    """Width in points of a text in 8 pt Computer Modern (\\footnotesize), rather too large than too small."""
    width = 0.0
    for character in text:
        if not character.isascii() and _set_with_any_font(character) is None:
            width += 5.1 * len(f"U+{ord(character):04X} ")
        else:
            width += 3.4 if character in NARROW else 7.6 if character in WIDE or character in MATHEMATICS else 5.0
    return width * (1.17 if bold else 1.0)
