from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbsync_integrations.media_urls import file_name, normal_url, path_of, url_of

PARTS = st.text(st.characters(exclude_characters="\0/\\", exclude_categories=("Cs",)), min_size=1).filter(
    lambda part: part not in (".", "..")
)


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("file://localhost/D%3a/Trail%20A/run.mp4", "file:///D:/Trail%20A/run.mp4"),
        ("file:///C%3A/run.mp4", "file:///C:/run.mp4"),
        ("file:/media/run.mp4", "file:///media/run.mp4"),
        ("file:///media/run #1?.mp4", "file:///media/run%20%231%3F.mp4"),
        ("D:\\Trail A\\run.mp4", "file:///D:/Trail%20A/run.mp4"),
        ("\\\\nas\\share\\run.mp4", "file://nas/share/run.mp4"),
        ("/media/run.mp4", "file:///media/run.mp4"),
        ("footage/run.mp4", "footage/run.mp4"),
        ("https://example.org/run.mp4", "https://example.org/run.mp4"),
        ("", ""),
    ],
)
def test_every_way_in_which_editors_write_a_place_becomes_one(written: str, url: str) -> None:
    assert normal_url(written) == url
    assert normal_url(url) == url


@given(st.lists(PARTS, min_size=1, max_size=4), st.sampled_from(["/", "C:/", "//nas/"]))
def test_any_path_comes_back_from_its_url(parts: list[str], root: str) -> None:
    path = root + "/".join(parts)
    assert path_of(url_of(path)) == path
    assert url_of(path).isascii()


def test_the_file_name_is_the_last_part_of_either() -> None:
    assert file_name("file:///D:/Trail%20A/run%201.mp4") == "run 1.mp4"
    assert file_name("D:\\Trail A\\run 1.mp4") == "run 1.mp4"
