from __future__ import annotations

import pytest

from mtbsync_integrations.formats.colours import AVID, OTIO, RESOLVE, RGB, to_palette


@pytest.mark.parametrize("palette", [AVID, OTIO, RESOLVE], ids=["avid", "otio", "resolve"])
def test_a_colour_of_the_palette_stays_in_any_case(palette: dict[str, RGB]) -> None:
    spellings = [spelling for name in palette for spelling in (name, name.lower(), name.upper())]
    becomes, losses = to_palette(spellings, palette, default=next(iter(palette)))
    assert all(becomes[spelling].lower() == spelling.lower() for spelling in spellings)
    assert losses == ()


@pytest.mark.parametrize("palette", [AVID, OTIO, RESOLVE], ids=["avid", "otio", "resolve"])
def test_the_palettes_own_values_as_hex_become_their_names(palette: dict[str, RGB]) -> None:
    for name, rgb in palette.items():
        as_hex = "#" + bytes(rgb).hex()
        assert to_palette([as_hex], palette, default="")[0][as_hex] == name


@pytest.mark.parametrize(
    ("colour", "in_resolve", "in_avid"),
    [
        ("orange", "Yellow", "yellow"),
        ("magenta", "Pink", "magenta"),
        ("white", "Cream", "white"),
        ("black", "Cocoa", "black"),
        ("Sky", "Sky", "cyan"),
        ("Lemon", "Lemon", "yellow"),
        ("Rose", "Rose", "red"),
        ("Purple", "Purple", "magenta"),
        ("#3a7fd5", "Blue", "blue"),
        ("800000", "Red", "red"),
        ("#00ff0080", "Green", "green"),
    ],
)
def test_other_colours_become_the_nearest_by_eye(colour: str, in_resolve: str, in_avid: str) -> None:
    assert to_palette([colour], RESOLVE, default="Cocoa")[0][colour] == in_resolve
    assert to_palette([colour], AVID, default="black")[0][colour] == in_avid


def test_no_colour_becomes_the_default_and_nothing_is_said_of_it() -> None:
    assert to_palette(["", " "], RESOLVE, default="Blue") == ({"": "Blue", " ": "Blue"}, ())


def test_every_change_is_said_once() -> None:
    becomes, losses = to_palette(["orange", "ultraviolet", "red", "orange", "#12"], RESOLVE, default="Blue")
    assert becomes == {"orange": "Yellow", "ultraviolet": "Blue", "red": "Red", "#12": "Blue"}
    assert losses == (
        "Colour 'orange' becomes Yellow.",
        "Colour 'ultraviolet' becomes Blue.",
        "Colour '#12' becomes Blue.",
    )
