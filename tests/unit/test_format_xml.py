from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from lxml import etree

from mtbsync_engine.errors import MarkerError
from mtbsync_integrations.formats import xml
from support.timelines import TEXTS

# Each doubles as a root: these are what the formats ask for.
ROOTS = ("fcpxml", "xmeml", "mlt")


def parsed(data: bytes | str, folder: Path, root: str = "fcpxml") -> etree._Element:
    path = folder / "run.xml"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return xml.parse(path, root)


# --- what is read -------------------------------------------------------------------------------


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_a_file_is_read_in_whatever_encoding_it_declares(root: str, encoding: str, tmp_path: Path) -> None:
    declared = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{declared}"?><!DOCTYPE {root}><{root} name="Größe"/>'
    assert parsed(text.encode(encoding), tmp_path, root).get("name") == "Größe"


def test_a_byte_order_mark_alone_tells_utf_16(tmp_path: Path) -> None:
    assert parsed('<fcpxml name="大"/>'.encode("utf-16"), tmp_path).get("name") == "大"


def test_comments_and_instructions_are_no_elements(tmp_path: Path) -> None:
    root = parsed("<fcpxml><!-- marker --><?go now?><spine/></fcpxml>", tmp_path)
    assert [child.tag for child in root] == ["spine"]


def test_the_entities_of_xml_itself_are_read(tmp_path: Path) -> None:
    assert parsed('<fcpxml name="&lt;&amp;&#228;"/>', tmp_path).get("name") == "<&ä"


# --- what is refused ----------------------------------------------------------------------------

LAUGHS = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
BOMBS = {
    "in text": f"<!DOCTYPE fcpxml [{LAUGHS}]><fcpxml>&a9;</fcpxml>",
    "in an attribute": f'<!DOCTYPE fcpxml [{LAUGHS}]><fcpxml name="&a9;"/>',
    "as a default": f'<!DOCTYPE fcpxml [{LAUGHS}<!ATTLIST fcpxml name CDATA "&a9;">]><fcpxml/>',
    "one long": f'<!DOCTYPE fcpxml [<!ENTITY a "{"ha" * 9999}">]><fcpxml>{"&a;" * 9999}</fcpxml>',
    "harmless": '<!DOCTYPE fcpxml [<!ENTITY a "ha">]><fcpxml/>',
    "a parameter": '<!DOCTYPE fcpxml [<!ENTITY % a "ha">]><fcpxml/>',
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_file_that_declares_entities_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(MarkerError, match=r"run\.xml"):
        parsed(BOMBS[kind], tmp_path)


@pytest.mark.parametrize(
    "declaration",
    [
        '<!ENTITY x SYSTEM "{0}">]><fcpxml name="a">&x;</fcpxml>',
        '<!ENTITY % x SYSTEM "{0}"> %x;]><fcpxml/>',
        '<!ENTITY x PUBLIC "p" "{0}">]><fcpxml>&x;</fcpxml>',
    ],
)
def test_nothing_outside_the_file_is_read(declaration: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET", encoding="utf-8")
    with pytest.raises(MarkerError) as error:
        parsed("<!DOCTYPE fcpxml [" + declaration.format(secret.as_uri()), tmp_path)
    assert "SECRET" not in str(error.value)


def test_an_external_definition_is_not_fetched(tmp_path: Path) -> None:
    definition = tmp_path / "own.dtd"
    definition.write_text('<!ATTLIST fcpxml name CDATA "from outside">', encoding="utf-8")
    root = parsed(f'<!DOCTYPE fcpxml SYSTEM "{definition.as_uri()}"><fcpxml/>', tmp_path)
    assert root.get("name") is None


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not readable as XML"),
        (b"   \n", "not readable as XML"),
        (b"not xml", "not readable as XML"),
        (b"\x00\xff\x00", "not readable as XML"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "not readable as XML"),
        (b"<a><b></a>", "not readable as XML"),
        (b"<a>&unknown;</a>", "not readable as XML"),
        (b"<html/>", "begins with <html>, not <"),
        (b'<x:fcpxml xmlns:x="urn:x"/>', "it begins with <"),
    ],
)
def test_what_is_something_else_is_refused(root: str, data: bytes, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(MarkerError, match=r"run\.xml") as error:
        parsed(data, tmp_path, root)
    assert sentence in str(error.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MarkerError, match="There is no file"):
        xml.parse(tmp_path / "none.xml", "fcpxml")
    with pytest.raises(MarkerError, match="cannot be read"):
        xml.parse(tmp_path, "fcpxml")


# --- what is written ----------------------------------------------------------------------------


@given(TEXTS)
def test_a_text_made_plain_comes_back_from_an_element(text: str) -> None:
    element = etree.Element("a")
    element.text = xml.plain(text)
    written = xml.written(element)
    assert (etree.fromstring(written.encode()).text or "") == xml.plain(text)


@given(TEXTS)
def test_a_text_on_one_line_comes_back_from_an_attribute(text: str) -> None:
    written = xml.written(etree.Element("a", name=xml.one_line(text)), doctype="<!DOCTYPE a>")
    assert written.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE a>\n<a ')
    assert etree.fromstring(written.encode()).get("name") == xml.one_line(text)


def test_only_what_xml_cannot_hold_is_replaced() -> None:
    assert xml.plain("a\x01b\x7f\n\t\r大\ufffe🚵") == "a b\x7f\n\t\r大 🚵"
    assert xml.one_line("a\nb\tc\r\x0bd") == "a b c  d"
