"""XML as the editors exchange it: read without trust, written the same way every time."""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree

from mtbsync_engine.errors import MarkerError

# A feature film's timeline takes some tens of megabytes.
_MAX_BYTES = 512 * 1024 * 1024
# What XML 1.0 has no way to write.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse(path: Path, root: str) -> etree._Element:
    """The file's root element, which must be called `root`. Comments and processing instructions are left
    out; entities of its own and anything outside the file are never resolved.

    Raises:
        MarkerError: it cannot be read, is no XML, declares entities, or is something else than `root`.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise MarkerError(f"{path} is larger than any timeline; check what it is.")
        data = path.read_bytes()
    except FileNotFoundError:
        raise MarkerError(f"There is no file {path}; check the path.") from None
    except OSError as error:
        raise MarkerError(f"{path} cannot be read ({error.strerror}); check what it is.") from error
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        element = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MarkerError(f"{path} is not readable as XML ({_why(error)}); export it again.") from error
    dtd = element.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise MarkerError(f"{path} declares entities, which no editor does; it is not read.")
    if element.tag != root:
        raise MarkerError(f"{path} is not what it should be: it begins with <{element.tag}>, not <{root}>.")
    return element


def _why(error: Exception) -> str:
    """lxml's reason without its name for where the text came from."""
    return re.sub(r" ?\(<string>, line \d+\)", "", str(error))


def written(element: etree._Element, doctype: str | None = None) -> str:
    """The document as text, indented, with a declaration and an optional `<!DOCTYPE …>`."""
    etree.indent(element)
    body = etree.tostring(element, encoding="unicode", doctype=doctype)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def plain(text: str) -> str:
    """`text` without the characters that XML cannot hold; each becomes a space."""
    return _FORBIDDEN.sub(" ", text)


def one_line(text: str) -> str:
    """`text` as an attribute keeps it: without line ends and tabs, which readers turn into spaces."""
    return re.sub(r"[\t\n\r]", " ", plain(text))
