"""Which files make one recording, and which is its proxy, by name."""

from __future__ import annotations

import pytest

from mtbsync_engine.media.chapters import chapter_names, proxy_name


@pytest.mark.parametrize("given", ["GX010034.MP4", "GX020034.MP4", "GX030034.MP4"])
def test_any_chapter_of_a_gopro_finds_them_all_in_order(given: str) -> None:
    folder = ["GX030034.MP4", "GX010035.MP4", "GX010034.MP4", "GL010034.LRV", "GX020034.MP4", "GX010034.THM"]
    assert chapter_names(given, folder) == ["GX010034.MP4", "GX020034.MP4", "GX030034.MP4"]


def test_h264_chapters_join_each_other_and_not_those_of_hevc() -> None:
    folder = ["GH010034.MP4", "GH020034.MP4", "GX020034.MP4"]
    assert chapter_names("GH010034.MP4", folder) == ["GH010034.MP4", "GH020034.MP4"]
    assert chapter_names("GX020034.MP4", folder) == ["GX020034.MP4"]


def test_an_early_gopro_begins_with_gopr_and_goes_on_with_gp() -> None:
    folder = ["GP010034.MP4", "GP020034.MP4", "GOPR0034.MP4", "GOPR0035.MP4"]
    expected = ["GOPR0034.MP4", "GP010034.MP4", "GP020034.MP4"]
    for given in expected:
        assert chapter_names(given, folder) == expected


def test_case_does_not_matter_and_names_stay_as_they_are_on_disk() -> None:
    assert chapter_names("gx010034.mp4", ["gx010034.mp4", "GX020034.MP4"]) == ["gx010034.mp4", "GX020034.MP4"]


def test_a_recording_without_its_first_chapter_begins_where_the_files_begin() -> None:
    folder = ["GX020034.MP4", "GX030034.MP4"]
    assert chapter_names("GX030034.MP4", folder) == folder


def test_a_gap_in_the_numbers_ends_the_recording() -> None:
    folder = ["GX010034.MP4", "GX020034.MP4", "GX040034.MP4"]
    assert chapter_names("GX010034.MP4", folder) == ["GX010034.MP4", "GX020034.MP4"]
    assert chapter_names("GX040034.MP4", folder) == ["GX040034.MP4"]


@pytest.mark.parametrize(
    "name", ["ride.mp4", "GX01003.MP4", "GX010034-cut.MP4", "DJI_0012.MP4", "GHAA0034.MP4"]
)
def test_any_other_name_stands_for_itself(name: str) -> None:
    assert chapter_names(name, [name, "ride2.mp4", "DJI_0013.MP4", "GX010034.MP4"]) == [name]


@pytest.mark.parametrize(
    ("name", "proxy"),
    [
        ("GX010034.MP4", "GL010034.LRV"),
        ("GH020034.MP4", "GL020034.LRV"),
        ("gx010034.mp4", "gl010034.lrv"),
        ("GOPR0034.MP4", "GOPR0034.LRV"),
        ("GP010034.MP4", "GP010034.LRV"),
        ("DJI_0012.MP4", "DJI_0012.LRF"),
        ("ride.mp4", "ride.lrv"),
    ],
)
def test_each_camera_s_proxy_is_found(name: str, proxy: str) -> None:
    strangers = ["GL030034.LRV", "GL010035.LRV", "GOPR0099.LRV", "DJI_0013.LRF", "other.lrv"]
    assert proxy_name(name, [*strangers, name, proxy]) == proxy
    assert proxy_name(name, [*strangers, name]) is None


def test_a_proxy_has_no_proxy() -> None:
    assert proxy_name("GL010034.LRV", ["GL010034.LRV", "GX010034.MP4"]) is None
