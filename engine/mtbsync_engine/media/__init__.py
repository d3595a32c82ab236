"""Reading what cameras write: files, pictures, times.

What needs PyAV loads when it is asked for, so that the rules about names in `chapters` serve without it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mtbsync_engine.media.chapters import chapter_names, proxy_name

if TYPE_CHECKING:
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

_MODULE_OF = {
    "Picture": "frames",
    "SamplingPlan": "frames",
    "pictures_between": "frames",
    "plan_sampling": "frames",
    "probe": "probe",
    "read_picture": "frames",
    "sample_frames": "frames",
}


class _Media(ModuleType):
    """This package. In it, `probe` is the function, although the import of the module that holds it would put
    that module there."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name == "probe" and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Media


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
