"""A session's cameras as tracks that are in sync, for scripts that build them in an editor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.noted import NotedRun
from mtbsync_daemon.tasks.deliver import best_copy, is_there
from mtbsync_engine.errors import ExportError
from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.media_urls import path_of
from mtbsync_integrations.session_formats import sync_losses
from mtbsync_integrations.synced import Angle, Cameras, synced_timeline, timeline_rate
from mtbsync_integrations.timeline import Clip, Timeline

_STARTS = "01:00:00:00"


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """What `cameras_of` takes. Gives the `timeline` as JSON, as the interface tells it. Resolve's scripts
    cannot change a clip's speed, so cameras that drift are cut into pieces.

    Raises:
        ExportError: no camera lies anywhere.
    """
    with work.stage("Laying out the cameras"):
        cameras, timeline = cameras_of(params), timeline_of(params)
        losses = (*notes(params), *sync_losses(cameras, timeline))
        told = {
            "name": timeline.name,
            "frames_a_second": str(timeline.rate.fps),
            "start_timecode": str(timeline.start),
            "width": timeline.width,
            "height": timeline.height,
            "tracks": [
                {"name": track.name, "clips": [_clip(first, clip) for first, clip in track.clips()]}
                for track in timeline.tracks
            ],
            "losses": losses,
        }
    return {"timeline": json.dumps(told)}


def timeline_of(params: Mapping[str, Any]) -> Timeline:
    """The cameras at their own speed, in pieces; takes what `cameras_of` does.

    Raises:
        ExportError: no camera lies anywhere.
    """
    return synced_timeline(cameras_of(params), in_pieces=True)


def cameras_of(params: Mapping[str, Any]) -> Cameras:
    """The cameras as `sessions.timeline_params` describes them: a `title`, and `cameras`, of each its
    `label`, its `run` with all `copies` that are known, `offset_s` and `drift_ppm` on the one that
    `is_master`.

    Raises:
        ExportError: there is none.
    """
    listed_cameras = params["cameras"]
    if not listed_cameras:
        raise ExportError("Nothing tells where any camera of this session lies; add their footage again.")
    runs = [NotedRun.of({**camera["run"], "files": best_copy(camera)}) for camera in listed_cameras]
    angles = tuple(
        Angle(camera["label"], run.footage(), camera["offset_s"], camera["drift_ppm"])
        for camera, run in zip(listed_cameras, runs, strict=True)
    )
    k = next((k for k, camera in enumerate(listed_cameras) if camera["is_master"]), 0)
    start = Timecode.parse(_STARTS, timeline_rate(runs[k].rate))
    return Cameras(params["title"], angles, start, runs[k].width, runs[k].height, master=k)


def notes(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Sentences on cameras that are `missing`, on those that nobody has approved yet, and on those whose
    footage is away."""
    waiting = [camera["label"] for camera in params["cameras"] if camera["is_open"]]
    away = [camera["label"] for camera in params["cameras"] if not is_there(best_copy(camera))]
    kinds = {
        "Left out, as nothing tells where they lie": params["missing"],
        "Nobody has approved yet where these lie": waiting,
        "The footage of these is not there now, so that an editor asks where it is": away,
    }
    said = [f"{kind}: {', '.join(labels)}." for kind, labels in kinds.items() if labels]
    said += [_note_on_rate(camera) for camera in params["cameras"] if camera["is_master"]]
    return tuple(filter(None, said))


def _note_on_rate(master: Mapping[str, Any]) -> str:
    """What there is to say of the master's rate."""
    rate = Rate.parse(master["run"]["rate"])
    chosen = timeline_rate(rate)
    if chosen == rate:
        return ""
    return (
        f"The frame rate of {master['label']} varies, so the timeline runs at {chosen}; a camera whose rate "
        "is steady makes a better master."
    )


def _clip(first: int, clip: Clip) -> dict[str, Any]:
    assert clip.medium is not None
    return {
        "path": path_of(clip.medium.url),
        "frame": first,
        "n_frames": clip.n_frames,
        "source_frame": nearest_frame(clip.source_in_s, clip.medium.start.rate),
        "speed": str(clip.speed),
    }
