"""Markers as Resolve's scripting can hold them."""

from __future__ import annotations

import re

from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.colours import RESOLVE

_LINE_END = re.compile(r"\r\n?")
_NOT_TEXT = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]")


def text_for_resolve(text: str) -> str:
    """Text that Resolve gives back as it got it: no control characters but line ends, none at either end.

    The scripts tell by a checksum whether the user has changed a marker, so not a letter may differ.
    """
    return _NOT_TEXT.sub(" ", _LINE_END.sub("\n", text)).strip()


def _name(text: str) -> str:
    return text_for_resolve(text) or "Marker"


CARRIES = Carries(
    palette=RESOLVE, default_colour="Blue", name=_name, comment=text_for_resolve, lengths=True, ids=True
)
