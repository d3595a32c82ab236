"""Reading what cameras write: files, pictures, times."""

from __future__ import annotations

from mtbsync_engine.media.chapters import chapter_names, proxy_name
from mtbsync_engine.media.frames import (
    Picture,
    SamplingPlan,
    pictures_between,
    plan_sampling,
    read_picture,
    sample_frames,
)
from mtbsync_engine.media.probe import probe

__all__ = [
    "Picture",
    "SamplingPlan",
    "chapter_names",
    "pictures_between",
    "plan_sampling",
    "probe",
    "proxy_name",
    "read_picture",
    "sample_frames",
]
