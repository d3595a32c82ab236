"""Markers as Resolve's scripting can hold them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.colours import RESOLVE, to_palette
from mtbsync_integrations.formats.losses import Placed, review_hint

_LINE_END = re.compile(r"\r\n?")
_NOT_TEXT = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]")


def text_for_resolve(text: str) -> str:
    """Text that Resolve gives back as it got it: no control characters but line ends, none at either end.

    The scripts tell by a checksum whether the user has changed a marker, so not a letter may differ.
    """
    return _NOT_TEXT.sub(" ", _LINE_END.sub("\n", text)).strip()


def _name(text: str) -> str:
    return text_for_resolve(text) or "Marker"


@dataclass(frozen=True)
class Words:
    """A marker's text and colour as Resolve gives them back."""

    name: str
    colour: str
    note: str


def in_words(name: str, colour: str, comment: str, placed: Placed | None = None) -> Words:
    """A marker as `formats.fitting` makes one fit for Resolve; `placed` of one that was carried over."""
    hint = "" if placed is None else review_hint(placed)
    colours, _ = to_palette([colour], RESOLVE, CARRIES.default_colour)
    return Words(CARRIES.name(name), colours[colour], text_for_resolve(hint + comment))


CARRIES = Carries(
    palette=RESOLVE, default_colour="Blue", name=_name, comment=text_for_resolve, lengths=True, ids=True
)
