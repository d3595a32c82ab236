"""Which files of one folder are a recording, and which lie there for other reasons: told from names alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mtbsync_engine.media.chapters import chapter_names, has_chapters, proxy_name

_VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".avi", ".mts", ".webm")
_SIDECAR_SUFFIXES = (".lrv", ".lrf", ".thm", ".gpx", ".fit")
_UNFINISHED_SUFFIXES = (".part", ".partial", ".crdownload", ".download", ".tmp")
# What Windows, Linux and Synology keep of their own in a drive's or a share's folders.
_SYSTEM_NAMES = {"$recycle.bin", "system volume information", "lost+found", "@eadir", "#recycle"}


@dataclass(frozen=True)
class Group:
    """The files of one recording, in one folder: its chapters in order, and its sidecars in order of name.

    A sidecar is a camera's proxy or thumbnail, or a track of the same stem.
    """

    chapters: tuple[str, ...]
    sidecars: tuple[str, ...]

    @property
    def members(self) -> tuple[str, ...]:
        """All of its files."""
        return self.chapters + self.sidecars

    @property
    def may_grow(self) -> bool:
        """Whether further chapters may follow."""
        return has_chapters(self.chapters[0])


def is_passed_over(name: str) -> bool:
    """Whether a file or folder is hidden, unfinished, or the system's own.

    mtbsync's unfinished files are hidden ones. A folder may be unfinished too: Safari downloads into one.
    """
    lower = name.lower()
    return (
        lower.startswith((".", "~"))
        or lower.endswith("~")
        or lower.endswith(_UNFINISHED_SUFFIXES)
        or lower in _SYSTEM_NAMES
    )


def is_video(name: str) -> bool:
    """Whether a file of that name can be a recording's chapter."""
    return name.lower().endswith(_VIDEO_SUFFIXES) and not is_passed_over(name)


def is_wanted(name: str) -> bool:
    """Whether a file of that name can be part of a recording."""
    return name.lower().endswith(_VIDEO_SUFFIXES + _SIDECAR_SUFFIXES) and not is_passed_over(name)


def gather(names: Iterable[str]) -> list[Group]:
    """The recordings among a folder's files, in order of name; sidecars without a video are none."""
    kin: dict[str, list[str]] = {}
    for name in sorted(filter(is_wanted, names)):
        kin.setdefault(_kinship(name), []).append(name)
    groups = [group for relatives in kin.values() for group in _groups(relatives)]
    return sorted(groups, key=lambda group: group.chapters)


def _kinship(name: str) -> str:
    """What the names of a recording's files share, so that not each name has to be held against every other:
    the stem, or the recording's number, with which a camera that writes chapters ends all its names."""
    stem = _stem(name)
    return stem[-4:] if has_chapters(name) else stem


def _groups(relatives: list[str]) -> list[Group]:
    videos = [name for name in relatives if is_video(name)]
    groups = []
    for name in videos:
        chapters = chapter_names(name, videos)
        if chapters[0] == name:
            groups.append(Group(tuple(chapters), tuple(_sidecars(chapters, relatives))))
    return groups


def _sidecars(chapters: list[str], relatives: list[str]) -> list[str]:
    proxies = filter(None, (proxy_name(chapter, relatives) for chapter in chapters))
    stems = {_stem(name) for name in (*chapters, *proxies)}
    return [name for name in relatives if not is_video(name) and _stem(name) in stems]


def _stem(name: str) -> str:
    return name.rpartition(".")[0].lower()
