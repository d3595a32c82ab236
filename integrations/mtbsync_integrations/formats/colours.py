"""Marker colours: every editor has its own short list, so a colour becomes the nearest one there.

Nearest in the HSV cylinder, with the square root of the saturation as radius: people tell markers apart by
hue, and the root keeps a pale colour beside its hue rather than beside white.
"""

from __future__ import annotations

import colorsys
import math
import re
from collections.abc import Iterable, Mapping

RGB = tuple[int, int, int]

# Resolve's sixteen, as its interface shows them.
RESOLVE: dict[str, RGB] = {
    "Blue": (0, 127, 227),
    "Cyan": (0, 206, 208),
    "Green": (0, 173, 0),
    "Yellow": (240, 157, 0),
    "Red": (225, 36, 1),
    "Pink": (255, 68, 200),
    "Purple": (144, 19, 254),
    "Fuchsia": (192, 46, 111),
    "Rose": (255, 161, 185),
    "Lavender": (161, 147, 200),
    "Sky": (146, 226, 253),
    "Mint": (114, 219, 0),
    "Lemon": (220, 233, 90),
    "Sand": (196, 145, 90),
    "Cocoa": (110, 81, 67),
    "Cream": (245, 235, 225),
}
# The categories of a new document in Kdenlive, by names for their colours.
KDENLIVE: dict[str, RGB] = {
    "Purple": (155, 89, 182),
    "Blue": (61, 174, 233),
    "Turquoise": (26, 188, 156),
    "Green": (28, 220, 154),
    "Yellow": (201, 206, 59),
    "Sand": (253, 188, 75),
    "Orange": (243, 156, 31),
    "Rose": (244, 119, 80),
    "Red": (218, 68, 83),
}
AVID: dict[str, RGB] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "yellow": (255, 255, 0),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}
# OpenTimelineIO's own.
OTIO: dict[str, RGB] = {
    **{name.upper(): rgb for name, rgb in AVID.items()},
    "PINK": (255, 192, 203),
    "ORANGE": (255, 165, 0),
    "PURPLE": (128, 0, 128),
}
_OTHER_NAMES: dict[str, RGB] = {
    "brown": (139, 69, 19),
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
    "lime": (0, 255, 0),
    "navy": (0, 0, 128),
    "teal": (0, 128, 128),
    "turquoise": (64, 224, 208),
    "violet": (238, 130, 238),
}
_NAMED = {
    name.casefold(): rgb
    for palette in (_OTHER_NAMES, OTIO, AVID, RESOLVE)  # where two differ, the later holds
    for name, rgb in palette.items()
}
_HEX = re.compile(r"#?([0-9a-fA-F]{6})(?:[0-9a-fA-F]{2})?")


def is_colour_name(word: str) -> bool:
    """Whether `word` names a colour that any of the editors knows."""
    return word.casefold() in _NAMED


def to_palette(
    colours: Iterable[str], palette: Mapping[str, RGB], default: str
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Which of the palette's names each colour becomes, and a sentence for every colour that changes.

    A colour is a name in any case, or hex (`#rrggbb`, also with alpha). No colour at all, or one that
    nobody knows, becomes `default`.
    """
    wanted = list(dict.fromkeys(colours))
    becomes = {colour: _nearest(colour.strip(), palette) or default for colour in wanted}
    changed = [c for c in wanted if c.strip() and c.strip().casefold() != becomes[c].casefold()]
    return becomes, tuple(f"Colour '{c.strip()}' becomes {becomes[c]}." for c in changed)


def _nearest(colour: str, palette: Mapping[str, RGB]) -> str | None:
    for name in palette:
        if name.casefold() == colour.casefold():
            return name
    rgb = _rgb(colour)
    if rgb is None:
        return None
    wanted = _position(rgb)
    return min(palette, key=lambda name: math.dist(_position(palette[name]), wanted))


def _rgb(colour: str) -> RGB | None:
    if colour.casefold() in _NAMED:
        return _NAMED[colour.casefold()]
    match = _HEX.fullmatch(colour)
    if match is None:
        return None
    red, green, blue = bytes.fromhex(match[1])
    return red, green, blue


def _position(rgb: RGB) -> tuple[float, float, float]:
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in rgb))
    radius, angle = math.sqrt(saturation), 2 * math.pi * hue
    return radius * math.cos(angle), radius * math.sin(angle), value
