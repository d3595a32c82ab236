"""docs/benchmarks.md from what was measured: each figure with its goal, and nothing typed by hand."""

from __future__ import annotations

from scripts.bench import ablation, accuracy, codecs, daemon, growth, identify, peer, sound, speed
from scripts.bench.results import Result
from scripts.bench.tables import table

# Each has a HEADING, measures by `run`, and tells of its result by `findings` and `show`.
PARTS = {
    "accuracy": accuracy,
    "ablation": ablation,
    "identify": identify,
    "speed": speed,
    "codecs": codecs,
    "growth": growth,
    "daemon": daemon,
    "peer": peer,
    "sound": sound,
}


def render(results: dict[str, Result]) -> str:
    """The page for the parts that were measured, by their names."""
    measured = {name: part for name, part in PARTS.items() if name in results}
    missing = [name for name in PARTS if name not in results]
    findings = [f for name, part in measured.items() for f in part.findings(results[name])]
    machines = sorted({result["machine"] for result in results.values()})
    blocks = [
        "# Benchmarks",
        "Written by `make bench`; no figure here was typed by hand. `python -m scripts.bench speed growth` "
        "measures only the parts it names.",
        f"Measured on: {'; '.join(machines) or 'nothing yet'}.",
        *([f"Not measured yet: {', '.join(missing)}."] if missing else []),
        "## Summary",
        table(
            ("goal", "wanted", "measured", "reached"),
            [(f.what, f.wanted, f.measured, "yes" if f.reached else "no") for f in findings],
        ),
    ]
    for name, part in measured.items():
        minutes = results[name]["took_s"] / 60
        blocks += [f"## {part.HEADING}", *part.show(results[name]), f"This took {minutes:.1f} minutes."]
    return "\n\n".join(blocks) + "\n"
