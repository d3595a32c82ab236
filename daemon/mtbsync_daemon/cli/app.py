"""All commands, in the order in which they are used."""

from __future__ import annotations

import typer

from mtbsync_daemon.cli import (
    align,
    care,
    carry,
    deliver,
    look,
    measure,
    quality,
    resolve,
    serve,
    service,
    session,
    telemetry,
    trail,
)
from mtbsync_integrations.formats import describe, format_names

app = typer.Typer(
    name="mtbsync",
    help="Carries an editor's markers from one reference run of a trail to every later run.",
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

app.command("sync")(align.sync)
app.command("batch")(align.batch)
app.command("index")(align.index)
app.command("telemetry")(telemetry.telemetry)
app.command("warp")(align.warp)
app.command("transfer")(carry.transfer)
app.command("transfer-markers", help="The same as transfer.")(carry.transfer)
export = typer.Typer(help="Write the markers for an editor, one command a format.")
for name in format_names():
    export.command(name, help=f"Write {describe(name)}.")(deliver.exporter(name))
app.add_typer(export, name="export")
app.command("export-markers")(deliver.export_markers)
app.command("timeline")(deliver.timeline)
app.command("convert")(deliver.convert)
app.add_typer(resolve.app, name="resolve")
app.command("preview", help="Show a run and its reference side by side.")(look.two_runs(8763))
app.command("compare-ui", help="The same as preview.")(look.two_runs(8762))
app.command("dashboard", help="Show all results below a folder.")(look.many_runs(8760, ""))
app.command("telemetry-ui", help="Show them in numbers.")(look.many_runs(8761, "numbers"))
app.command("serve")(serve.serve)
app.command("status")(serve.status)
app.add_typer(trail.app, name="trail")
app.add_typer(session.app, name="session")
app.add_typer(service.app, name="service")
app.command("doctor")(care.doctor)
app.command("bundle")(care.bundle)
app.command("prune")(care.prune)
app.command("prune-perf")(care.prune_perf)
app.command("plot")(measure.plot)
app.command("viewer")(measure.viewer)
app.command("evaluate")(measure.evaluate)
app.command("benchmark-quality")(quality.benchmark_quality)
app.command("version")(measure.version)
