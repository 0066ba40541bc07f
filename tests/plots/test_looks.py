from __future__ import annotations

from colorsys import rgb_to_hls

from csg_analyze.plots.looks import colours_of, grouped, markers_of

GROUPS = [["std-0", "std-1", "std-2"], ["csg-0", "csg-1", "csg-2"]]


def hue(colour: tuple[float, float, float]) -> float:
    return round(rgb_to_hls(*colour)[0], 6)


def test_a_training_has_one_hue_and_every_seed_a_tone_and_a_marker() -> None:
    names = [name for group in GROUPS for name in group]
    with grouped(GROUPS):
        colours, markers = colours_of(names), markers_of(names)
        alone = colours_of(GROUPS[1])
    assert {hue(colours[name]) for name in GROUPS[0]} == {hue(colours["std-0"])}
    assert hue(colours["std-0"]) != hue(colours["csg-0"])
    assert len(set(colours.values())) == 6
    assert [markers[name] for name in names] == ["o", "s", "D"] * 2
    assert alone == {name: colours[name] for name in GROUPS[1]}, "not STD's colour where STD is not in the figure"


def test_single_trainings_differ_in_both_as_do_models_that_no_group_has() -> None:
    with grouped([["std"], ["csg"]]):
        assert len(set(markers_of(["std", "csg"]).values())) == 2
        assert colours_of(["csg"]) != colours_of(["std"])
        strangers = colours_of(["a", "b"])
    assert strangers == colours_of(["a", "b"]), "the groups end with the block"
    assert len(set(markers_of(["a", "b"]).values())) == 2
