"""Pairs of rides with known truth: the repository's own, those beside a checkout, and made ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.progress import track
from scripts.bench import BUILD, ROOT

from support.made import KINDS, make_pair

# A clone has the first; the second is measured where there is one.
_FOLDERS = (ROOT / "data", ROOT.parent / "shared" / "data" / "pairs")
# Nothing was tuned on these.
MADE_SEEDS = (0, 1)


@dataclass(frozen=True)
class Pair:
    """A reference run and a new run, and where their true times are. Runs of one `trail` show one place."""

    name: str
    trail: str
    ref: Path
    new: Path
    truth: Path


def stored_pairs() -> list[Pair]:
    """Pairs that lie on disk, the repository's own first."""
    folders = [path for folder in _FOLDERS if folder.is_dir() for path in sorted(folder.iterdir())]
    return [
        Pair(path.name, path.name, path / "ref.mp4", path / "new.mp4", path / "truth_map.csv")
        for path in folders
        if (path / "truth_map.csv").exists()
    ]


def made_pairs(seeds: tuple[int, ...] = MADE_SEEDS, kinds: tuple[str, ...] = KINDS) -> list[Pair]:
    """Made pairs of the kinds, rendered now if they are not there yet."""
    wanted = [(kind, seed) for seed in seeds for kind in kinds]
    made = [make_pair(kind, seed, BUILD / "made") for kind, seed in track(wanted, "Rendering made rides")]
    return [
        Pair(f"{pair.kind} {pair.seed}", f"made {pair.seed}", pair.ref, pair.new, pair.truth) for pair in made
    ]
