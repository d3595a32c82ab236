"""What the documents say is what the program does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from mtbsync_daemon.cli import command, legacy
from mtbsync_daemon.cli.app import app

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
COMMANDS = ROOT / "docs" / "commands.md"
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md"))]
# Every command has these, so they are described once.
COMMON = {"--json", "--quiet", "-q", "--help", "-h"}


def _commands() -> dict[str, Any]:
    """Typer's own objects for each command, by the words that call it."""
    group: Any = typer.main.get_command(app)
    found = {}
    for name, one in group.commands.items():
        deeper = getattr(one, "commands", None)
        found |= {f"{name} {sub}": c for sub, c in deeper.items()} if deeper else {name: one}
    return found


ALL = _commands()


def _options(name: str) -> set[str]:
    """Every spelling of every option of a command."""
    return {o for p in ALL[name].params for o in (*p.opts, *p.secondary_opts) if o.startswith("-")}


def _command_lines(document: Path) -> list[str]:
    """Calls of the program in a document's blocks of shell, continued lines joined, and in its text."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:sh|bash|console|shell)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    quoted = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]
    calls = (re.sub(r"^(\$ )?(\S*[/\\])?(?=mtbsync )", "", line.strip()) for line in [*lines, *quoted])
    return [call for call in calls if call.startswith("mtbsync ")]


CALLS = [(document.name, line) for document in DOCUMENTS for line in _command_lines(document)]


def test_documents_show_how_the_program_is_called() -> None:
    assert len(CALLS) > 10


@pytest.mark.parametrize(("document", "line"), CALLS)
def test_every_call_in_a_document_uses_a_command_and_options_that_exist(document: str, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in ALL), None)
    if name is None:
        # The name of a group stands for all in it.
        assert words == ["COMMAND"] or any(n.startswith(f"{words[0]} ") for n in ALL), f"{document}: {line}"
        return
    used = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert used - _options(name) - COMMON == set(), f"{document}: {line}"


@pytest.mark.parametrize(
    ("document", "line"), [call for call in CALLS if not {"…", "...", "COMMAND"} & set(call[1].split())]
)
def test_calls_with_options_have_all_that_are_required(document: str, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in ALL), None)
    if name is None or words == name.split():
        return
    for parameter in ALL[name].params:
        if parameter.required and parameter.param_type_name == "option":
            assert set(parameter.opts) & set(words), f"{document}: {line} lacks {parameter.opts[0]}"


def _chapters() -> dict[str, str]:
    """docs/commands.md by its headings: `## mtbsync sync` is `sync`."""
    parts = re.split(r"^## mtbsync (.+)$", COMMANDS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_has_a_chapter_and_no_chapter_is_left_over() -> None:
    assert set(_chapters()) == {name.split()[0] for name in ALL}


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_option_is_in_its_command_s_chapter(name: str) -> None:
    chapters, (word, *_) = _chapters(), name.split()
    chapter = chapters[word]
    if "same command under its other name" in chapter:
        chapter = chapters["transfer"]
    mentioned = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", chapter))
    for parameter in ALL[name].params:
        if parameter.param_type_name == "option" and not set(parameter.opts) <= COMMON:
            missing = [o for o in (*parameter.opts, *parameter.secondary_opts) if o.startswith("--")]
            assert set(missing) & mentioned, f"{name}: none of {missing} is described"


@pytest.mark.parametrize("name", sorted(_chapters()))
def test_no_chapter_describes_an_option_that_does_not_exist(name: str) -> None:
    known = COMMON.union(*(_options(n) for n in ALL if n.split()[0] == name))
    # A chapter may name another command's options in a call of that command.
    others = " ".join(line for line in _command_lines(COMMANDS) if not line.startswith(f"mtbsync {name}"))
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", _chapters()[name]))
    assert mentioned - known - set(re.findall(r"--[a-z][a-z-]*", others)) == set()


def test_exit_statuses_are_those_of_the_program() -> None:
    text = COMMANDS.read_text(encoding="utf-8")
    table = text[text.index("exit status") : text.index("## mtbsync")]
    described = {int(status) for status in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    own = {value for name, value in vars(command).items() if name.startswith("EXIT_")}
    assert described == {0} | own


def test_answers_to_old_scripts_name_commands_and_options_that_exist() -> None:
    sentences = [
        *legacy.COMMANDS.values(),
        *(s for options in legacy.OPTIONS.values() for s in options.values()),
    ]
    options = set().union(*(_options(name) for name in ALL)) | COMMON
    for sentence in sentences:
        assert {o.rstrip(".") for o in re.findall(r"--[a-z][a-z-]*", sentence)} <= options, sentence
        for name in re.findall(r"`mtbsync ([a-z-]+)", sentence):
            assert name in ALL, sentence


def test_what_is_answered_is_not_a_command_or_option_any_more() -> None:
    assert not set(legacy.COMMANDS) & set(ALL)
    for name, options in legacy.OPTIONS.items():
        assert not set(options) & _options(name), name


def test_the_readme_names_what_make_does() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    assert targets >= {"setup", "demo", "test", "lint", "bench"}
    named = set(re.findall(r"\bmake ([a-z]+)", README.read_text(encoding="utf-8")))
    assert named - targets == set()
    assert {"setup", "demo", "test", "lint", "bench"} - named == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_that_exist(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target
