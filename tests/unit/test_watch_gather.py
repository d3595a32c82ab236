"""Which files of a folder are one recording, told from names alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_daemon.watch.gather import Group, gather, is_passed_over, is_video
from mtbsync_engine.media.chapters import chapter_names, proxy_name


def test_chapters_come_in_order_with_all_that_belongs_to_any_of_them() -> None:
    sidecars = ["GL010034.LRV", "GL020034.LRV", "GX010034.THM", "GX010034.gpx", "GX020034.fit"]
    names = ["GX020034.MP4", "GX010034.MP4", *sidecars, "GX010035.THM", "GL010035.LRV", "notes.txt"]
    assert gather(names) == [Group(("GX010034.MP4", "GX020034.MP4"), tuple(sorted(sidecars)))]


def test_each_camera_s_sidecars_go_with_its_videos_whatever_the_case() -> None:
    names = ["DJI_0012.MP4", "dji_0012.lrf", "GOPR0034.MP4", "GOPR0034.THM", "GP010034.MP4", "Ride.mov"]
    names += ["RIDE.GPX", "ride.Fit"]
    assert gather(names) == [
        Group(("DJI_0012.MP4",), ("dji_0012.lrf",)),
        Group(("GOPR0034.MP4", "GP010034.MP4"), ("GOPR0034.THM",)),
        Group(("Ride.mov",), ("RIDE.GPX", "ride.Fit")),
    ]


def test_a_missing_chapter_parts_a_recording_until_it_comes() -> None:
    parted = gather(["GX010034.MP4", "GX030034.MP4"])
    assert [group.chapters for group in parted] == [("GX010034.MP4",), ("GX030034.MP4",)]
    (whole,) = gather(["GX010034.MP4", "GX030034.MP4", "GX020034.MP4"])
    assert whole.chapters == ("GX010034.MP4", "GX020034.MP4", "GX030034.MP4")


def test_sidecars_without_a_video_are_no_recording() -> None:
    assert gather(["GL010034.LRV", "ride.gpx", "GX010034.THM", "other.fit"]) == []


@pytest.mark.parametrize("name", ["GX010034.MP4", "gh010034.mp4", "GOPR0034.MP4", "GP010034.MP4"])
def test_more_chapters_may_follow_where_a_camera_writes_them(name: str) -> None:
    (group,) = gather([name])
    assert group.may_grow


@pytest.mark.parametrize("name", ["DJI_0012.MP4", "ride.mp4", "GX010034-cut.MP4"])
def test_no_more_chapters_follow_any_other_name(name: str) -> None:
    (group,) = gather([name])
    assert not group.may_grow


@pytest.mark.parametrize(
    "name",
    [
        "GX010034.MP4.part",
        "GX010034.MP4.PARTIAL",
        "Unconfirmed 1234.crdownload",
        "GX010034.MP4.download",
        "GX010034.MP4.tmp",
        ".GX010034.MP4",
        "._GX010034.MP4",
        ".ride.k3x9.tmp.mp4",
        "~ride.mp4",
        "ride.mp4~",
        "$RECYCLE.BIN",
        "System Volume Information",
        "lost+found",
        "@eaDir",
    ],
)
def test_p4_unfinished_and_hidden_names_and_the_system_s_own_are_passed_over(name: str) -> None:
    assert is_passed_over(name)
    assert not is_video(name)
    assert gather([name]) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.MOV", "a.m4v", "a.mkv", "a.avi", "a.MTS", "a.webm"])
def test_videos_are_told_by_their_suffix(name: str) -> None:
    assert is_video(name)


@pytest.mark.parametrize("name", ["a.360", "a.insv", "a.lrv", "a.gpx", "mp4", "a.mp4.txt"])
def test_other_files_are_no_videos(name: str) -> None:
    assert not is_video(name)


def test_names_that_are_no_text_are_names_like_others() -> None:
    name = b"r\xffde.mp4".decode("utf-8", "surrogateescape")
    track = b"R\xffde.gpx".decode("utf-8", "surrogateescape")
    assert gather([name, track]) == [Group((name,), (track,))]


_stems = st.one_of(
    st.builds(
        "{}{:02}{:04}".format, st.sampled_from(["GX", "GH", "GL"]), st.integers(1, 3), st.integers(1, 3)
    ),
    st.builds("GOPR{:04}".format, st.integers(1, 3)),
    st.builds("GP{:02}{:04}".format, st.integers(1, 2), st.integers(1, 3)),
    st.sampled_from(["ride", "0001", "a0001", "DJI_0001"]),
)
_names = st.builds(
    "".join, st.tuples(_stems, st.sampled_from([".MP4", ".mov", ".LRV", ".LRF", ".THM", ".GPX"]))
)


@settings(deadline=None)
@given(st.sets(_names, max_size=30))
def test_groups_are_those_that_the_rules_make_of_the_whole_folder(names: set[str]) -> None:
    groups = gather(names)
    assert sorted(name for group in groups for name in group.chapters) == sorted(filter(is_video, names))
    for group in groups:
        assert list(group.chapters) == chapter_names(group.chapters[0], filter(is_video, names))
        for chapter in group.chapters:
            proxy = proxy_name(chapter, names)
            assert proxy is None or proxy in group.members
