"""For formats whose markers have one text: name and comment share it, as `name | comment`.

So both are read wherever the text is shown, and both come back. A name cannot hold the sign itself.
"""

from __future__ import annotations

from mtbsync_integrations.formats.edl import one_line

_SIGN = "|"


def fit_name(text: str) -> str:
    """A name that can stand before a comment, on one line."""
    return one_line(text, without=_SIGN)


def joined(name: str, comment: str) -> str:
    """The one text for a name by `fit_name` and a comment of one line."""
    return f"{name} {_SIGN} {comment}".strip() if comment else name


def parted(text: str) -> tuple[str, str]:
    """Name and comment of a text, which may come from elsewhere."""
    name, _, comment = text.partition(_SIGN)
    return name.strip(), comment.strip()
