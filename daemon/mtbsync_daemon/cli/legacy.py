"""Options and commands of earlier tools that people still have in their scripts.

What kept its meaning is an ordinary option of the command. What did not is answered here with a sentence
that says what to use now, so that no script goes on with something else than it asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

_REGRESSION = (
    "a run is judged by itself now, against fixed gates (--strict for the narrow ones); "
    "`mtbsync benchmark-quality` shows several runs beside each other."
)
_SEARCH = (
    "every picture is compared with every other at once and the best path through all of them is taken; "
    "there is nothing to choose."
)
_ONE_REFERENCE = "give the one reference as --reference; every other run in the folder is lined up with it."
COMMANDS = {
    "quality-check": "Use `mtbsync benchmark-quality --strict`; it exits with 1 when a run fails a gate.",
    "import-markers": "Give the editor's file to `mtbsync sync --markers`, or to `mtbsync convert`.",
}
OPTIONS = {
    "sync": {
        "--top-k": _SEARCH,
        "--refine-window": "use --warp-window-sec, in seconds of the reference.",
        "--regression-off": _REGRESSION,
        "--fail-on-regression": _REGRESSION,
        "--reg-window": _REGRESSION,
        "--reg-p90-pct": _REGRESSION,
        "--reg-p90-abs": _REGRESSION,
        "--reg-ppm-pct": _REGRESSION,
        "--reg-ppm-abs": _REGRESSION,
        "--reg-inlier-pct": _REGRESSION,
        "--reg-inlier-abs": _REGRESSION,
    },
    "transfer-markers": {
        "--label": "a marker's own name is kept in the column `name`.",
        "--vis-json": "use --json, or --plot-overlay for a picture.",
    },
    "export-markers": {
        "--format": "use --preset; `mtbsync export-markers --help` lists the formats.",
        "--label": "a marker's own name is exported.",
    },
    "prune-perf": {"--root": "records lie in the daemon's folder, which --data names."},
    "batch": {
        "--ref-suffix": _ONE_REFERENCE,
        "--new-suffix": _ONE_REFERENCE,
    },
}


def refusal(arguments: Sequence[str]) -> str | None:
    """The sentence that answers the first outdated command or option in `arguments`, if there is one."""
    if not arguments:
        return None
    command, *rest = arguments
    if command in COMMANDS:
        return f"`mtbsync {command}` is not part of mtbsync. {COMMANDS[command]}"
    for argument in rest:
        option = argument.split("=", 1)[0]
        if option in OPTIONS.get(command, {}):
            return f"{option} is not an option of `mtbsync {command}`: {OPTIONS[command][option]}"
    return None
