"""A session on its way to editors: offers, the timeline for scripts, and files, as tasks and over HTTP."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from mtbsync_daemon.http import models
from mtbsync_daemon.tasks import session_export, session_offers, session_timeline
from mtbsync_engine.errors import ExportError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import get_format
from mtbsync_integrations.session_formats import session_format_names
from support.served import Served, Silent, served
from support.synced import LIES, RATES, TITLE, camera, lined_up_session

STEM = "Race_day_heat_2_3"


def params(*cameras: dict[str, Any], missing: tuple[str, ...] = ()) -> dict[str, Any]:
    listed = cameras or (camera("A"), camera("B"), camera("C"))
    return {"title": TITLE, "cameras": list(listed), "missing": list(missing)}


def told(given: dict[str, Any]) -> models.SyncedTimeline:
    return models.SyncedTimeline.model_validate_json(session_timeline.run(given, Silent())["timeline"])


# --- the timeline for scripts ---------------------------------------------------------------------


def test_the_timeline_runs_at_the_master_s_rate_and_has_a_track_a_camera() -> None:
    found = told(params())
    assert (found.name, found.frames_a_second, found.start_timecode) == (TITLE, "25", "01:00:00:00")
    assert (found.width, found.height) == (1920, 1080)
    assert [track.name for track in found.tracks] == ["A", "B", "C"]
    assert [track.clips[0].path for track in found.tracks] == [f"/footage/{label}.MP4" for label in "ABC"]
    # A begins first; 3.217 s are 80.425 frames, 4.23 s 105.75.
    assert [track.clips[0].frame for track in found.tracks] == [0, 81, 106]


def test_a_master_whose_rate_varies_gives_a_rate_that_editors_know() -> None:
    phone = camera("B")
    phone["run"]["rate"] = "26599/886"
    found = told(params(camera("A"), phone))
    assert found.frames_a_second == "30"
    assert any("The frame rate of B varies, so the timeline runs at 30;" in loss for loss in found.losses)
    assert not any("varies" in loss for loss in told(params()).losses)


def test_every_piece_shows_the_moment_that_the_master_does() -> None:
    found = told(params())
    assert [len(track.clips) for track in found.tracks] == [2, 1, 1]
    for track in found.tracks:
        offset_ms, drift_ppm = LIES[track.name]
        assert offset_ms is not None
        rate = Fraction(RATES[track.name])
        for clip in track.clips:
            assert clip.speed == "1"
            for k in (0, clip.n_frames):
                t_cam_s = clip.source_frame / float(rate) + k / 25
                t_master_s = offset_ms / 1000 + (1 + drift_ppm * 1e-6) * t_cam_s
                # Half a frame of the timeline, and half a one of the file.
                assert abs(t_master_s - (-3.217 + (clip.frame + k) / 25)) <= 0.0201 + 0.5 / float(rate)


def test_a_copy_that_is_there_is_what_is_shown(tmp_path: Path) -> None:
    copy = tmp_path / "A.MP4"
    copy.touch()
    moved = camera("A", copies=[["/gone/A.MP4"], [str(copy)]])
    assert told(params(moved, camera("B"))).tracks[0].clips[0].path == str(copy)


def test_cameras_that_are_missing_or_that_nobody_approved_are_named_everywhere() -> None:
    given = params(camera("A", is_open=True), camera("B"), missing=("C", "D"))
    said = (
        "Left out, as nothing tells where they lie: C, D.",
        "Nobody has approved yet where these lie: A.",
        "The footage of these is not there now, so that an editor asks where it is: A, B.",
    )
    assert told(given).losses[:3] == said
    offered = session_offers.run(given, Silent())
    assert tuple(offered["notes"]) == said
    assert not [loss for offer in offered["offers"] for loss in offer["losses"] if loss in said]


def test_footage_that_is_away_is_named_and_no_other(tmp_path: Path) -> None:
    there = {label: camera(label, folder=str(tmp_path)) for label in "ABC"}
    for label in "ABC":
        (tmp_path / f"{label}.MP4").touch()
    assert told(params(*there.values())).losses[0].startswith("Cut into pieces")
    (tmp_path / "B.MP4").unlink()
    # Of C another copy is there, and of A one of two chapters is away.
    there["C"]["copies"] = [["/gone/C.MP4"], [str(tmp_path / "C.MP4")]]
    chapters = [str(tmp_path / name) for name in ("A.MP4", "A2.MP4")]
    there["A"]["run"] |= {"files": chapters, "starts_s": [0.0, 300.0]}
    there["A"]["copies"] = [chapters]
    away = "The footage of these is not there now, so that an editor asks where it is: A, B."
    offered = session_offers.run(params(*there.values()), Silent())
    assert offered["notes"] == [away]
    assert not [offer for offer in offered["offers"] if offer["problem"]]


def test_without_any_camera_a_sentence_says_so(tmp_path: Path) -> None:
    nobody = {**params(), "cameras": [], "missing": ["A", "B"]}
    for task in (session_timeline, session_offers, session_export):
        with pytest.raises(ExportError, match="Nothing tells where any camera of this session lies"):
            task.run({**nobody, "format": "otio", "path": str(tmp_path / "x.zip")}, Silent())
    assert list(tmp_path.iterdir()) == []


# --- files ----------------------------------------------------------------------------------------


def test_what_is_offered_is_what_writing_then_makes(tmp_path: Path) -> None:
    given = params(missing=("D",))
    found = session_offers.run(given, Silent())
    offered, names_made = found["offers"], []
    assert [offer["format"] for offer in offered] == list(session_format_names())
    path = tmp_path / "made.zip"
    for offer in offered:
        models.SessionOffer.model_validate(offer | {k: tuple(offer[k]) for k in ("suffixes", "losses")})
        assert offer["problem"] == ""
        made = session_export.run({**given, "format": offer["format"], "path": str(path)}, Silent())
        names_made.append(made["name"])
        if made["media_type"] == "application/zip":
            with zipfile.ZipFile(path) as archive:
                *names, losses = archive.namelist()
                assert names == [f"{STEM}{suffix}" for suffix in offer["suffixes"]]
                said = [*found["notes"], *offer["losses"]]
                assert archive.read(losses).decode() == "".join(f"{s}\n" for s in said)
        else:
            assert [Path(made["name"]).suffix] == offer["suffixes"]
        assert list(tmp_path.iterdir()) == [path]
    assert names_made == [
        f"{STEM}{end}"
        for end in (
            "_resolve.otio",
            ".otio",
            "_multicam.fcpxml",
            ".fcpxml",
            "_premiere.xml",
            ".kdenlive",
            "_shotcut.mlt",
            ".mlt",
            "_edl.zip",
        )
    ]


def test_a_rate_that_a_format_cannot_write_is_its_problem_alone() -> None:
    odd = camera("B", run={**camera("B")["run"], "rate": "25/2"})
    offers = {o["format"]: o for o in session_offers.run(params(odd), Silent())["offers"]}
    assert {name for name, offer in offers.items() if offer["problem"]} == {"premiere"}
    assert (offers["premiere"]["suffixes"], offers["premiere"]["losses"]) == ([".xml"], [])


@pytest.mark.parametrize(
    ("title", "stem"),
    [("../../etc/passwd", "etc_passwd"), ("Größe 大", "Größe_大"), ("...", "session"), ("a" * 500, "a" * 80)],
)
def test_a_session_s_title_is_a_safe_name(title: str, stem: str) -> None:
    assert session_export.stem_of(title) == stem


def test_nothing_is_left_of_a_format_that_sessions_do_not_have(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="not as 'csv'"):
        session_export.run({**params(), "format": "csv", "path": str(tmp_path / "x")}, Silent())
    assert list(tmp_path.iterdir()) == []


# --- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        yield found


@pytest.fixture
def session_id(daemon: Served) -> str:
    return lined_up_session(daemon)


def test_the_timeline_over_http(daemon: Served, session_id: str) -> None:
    found = daemon.get(f"/sessions/{session_id}/timeline")
    assert [track["name"] for track in found["tracks"]] == ["A", "B", "C"]
    assert found["tracks"][1]["clips"][0]["path"] == str(daemon.footage / "B.MP4")
    assert found["losses"][:2] == [
        "Left out, as nothing tells where they lie: D.",
        "Nobody has approved yet where these lie: A.",
    ]


def test_offers_and_files_over_http(daemon: Served, session_id: str, tmp_path: Path) -> None:
    found = daemon.get(f"/sessions/{session_id}/offers")
    assert [offer["format"] for offer in found["offers"]] == list(session_format_names())
    assert found["notes"][0] == "Left out, as nothing tells where they lie: D."
    reply = daemon.ask("GET", f"/api/v1/sessions/{session_id}/exports/otio")
    assert reply.status == 200
    assert f"filename*=UTF-8''{STEM}.otio" in reply.headers["Content-Disposition"]
    path = tmp_path / "back.otio"
    path.write_bytes(reply.body)
    assert [track.name for track in get_format("otio").read(path).timeline.tracks] == ["A", "B", "C"]
    lists = daemon.ask("GET", f"/api/v1/sessions/{session_id}/exports/edl")
    assert lists.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(lists.body)) as archive:
        names = archive.namelist()
        assert names[:-1] == [f"{STEM}_{label}.edl" for label in "ABC"]
        (tmp_path / "B.edl").write_bytes(archive.read(names[1]))
    edl = get_format("edl").read(tmp_path / "B.edl", start=Timecode.parse("01:00:00:00", Rate(Fraction(25))))
    assert edl.timeline.tracks[0].clips()[0][0] == 81
    assert list((daemon.services.places.artifacts / "zips").iterdir()) == []


def test_a_format_that_there_is_not_is_refused_in_a_sentence(daemon: Served, session_id: str) -> None:
    reply = daemon.ask("GET", f"/api/v1/sessions/{session_id}/exports/youtube")
    assert reply.status == 409
    assert "not as 'youtube'" in reply.json["detail"]
