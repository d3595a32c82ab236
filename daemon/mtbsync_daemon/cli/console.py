"""What a command says: to a person on the terminal, or to a program as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer


class Console:
    """Results go to standard output, progress and warnings to standard error.

    With `as_json` the only thing on standard output is one JSON object; with `quiet` nothing is said
    but warnings and errors.
    """

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self._as_json = as_json
        self._quiet = quiet

    def say(self, text: str) -> None:
        """A sentence for a person."""
        if not (self._as_json or self._quiet):
            typer.echo(text)

    def warn(self, text: str) -> None:
        """A sentence that must not be missed, on one line whatever names and cells it quotes."""
        typer.echo(" ".join(text.splitlines()), err=True)

    def fail(self, text: str) -> None:
        """The sentence that a command ends with when it cannot go on."""
        self.warn(text)
        self.result({"ok": False, "error": text})

    def result(self, document: dict[str, Any]) -> None:
        """What the command found, for a program."""
        if self._as_json:
            typer.echo(json.dumps(document))

    def table(self, title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """Rows for a person; the first column is text, the others line up on the right."""
        if self._as_json or self._quiet:
            return
        from rich.box import SIMPLE_HEAD
        from rich.console import Console as Rich
        from rich.table import Table
        from rich.text import Text

        # As Text, a bracket in a marker's name is a bracket.
        table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD)
        for k, name in enumerate(header):
            table.add_column(name, justify="left" if k == 0 else "right")
        for row in rows:
            table.add_row(*map(Text, row))
        Rich().print(table)

    @contextmanager
    def progress(self, label: str, total: float | None) -> Iterator[Callable[[float], None]]:
        """A bar that the yielded function moves to how much of `total` is done, if that is known."""
        if self._as_json or self._quiet or not sys.stderr.isatty():
            yield lambda done: None
            return
        from rich.console import Console as Rich
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Rich(stderr=True), transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield lambda done: bar.update(task, completed=done)
