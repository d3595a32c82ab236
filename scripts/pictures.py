"""Draw the pictures of the README from what `make demo` left in demo_out."""

from __future__ import annotations

import shutil
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtbsync_engine.media import probe, read_picture
from mtbsync_integrations.formats.marker_csv import read_transferred

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
SHOWN = ("branch", "slalom", "leaning", "pale")


def draw_same_places() -> None:
    """The reference above, the new run below, at the same markers."""
    sample = ROOT / "data" / "sample"
    runs = (probe(sample / "ref.mp4"), probe(sample / "new.mp4"))
    markers = [
        m
        for m in read_transferred(ROOT / "demo_out" / "markers" / "new_csv.csv")
        if m.marker.marker_id in SHOWN
    ]
    figure = Figure(figsize=(12.8, 3.95), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(markers))
    for column, marker in zip(axes.T, markers, strict=True):
        if marker.t_new is None:
            raise SystemExit(f"{marker.marker.name} was not placed; run `make demo` again.")
        for ax, run, t_s in zip(column, runs, (marker.marker.t_s, marker.t_new), strict=True):
            ax.imshow(read_picture(run, t_s, max_side=640))
            ax.set_axis_off()
            ax.text(0.98, 0.04, f"{t_s:.2f} s", transform=ax.transAxes, ha="right", color="white", fontsize=9)
        column[0].set_title(marker.marker.name, fontsize=10, loc="left")
    for ax, run in zip(axes[:, 0], ("Reference, marked up", "New run, found by itself"), strict=True):
        ax.text(-0.03, 0.5, run, transform=ax.transAxes, rotation=90, va="center", ha="right", fontsize=10)
    figure.subplots_adjust(left=0.03, right=0.995, top=0.92, bottom=0.01, wspace=0.03, hspace=0.04)
    figure.savefig(IMAGES / "same_places.png")


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    draw_same_places()
    shutil.copyfile(ROOT / "demo_out" / "sync.png", IMAGES / "sync.png")
