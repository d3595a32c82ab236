"""Who may import whom, what loads when, and what a package and its files may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = [
    ROOT / "engine" / "mtbsync_engine",
    ROOT / "integrations" / "mtbsync_integrations",
    ROOT / "daemon" / "mtbsync_daemon",
]
MODULES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))
HEAVY = {"numpy", "scipy", "cv2", "av", "matplotlib", "opentimelineio", "gpxpy", "fastdtw", "psutil", "rich"}


def _loaded_by(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_the_command_line_starts_without_heavy_libraries() -> None:
    assert not _loaded_by("import mtbsync_daemon.cli.app") & HEAVY


def test_asking_for_help_loads_no_heavy_library_either() -> None:
    assert not _loaded_by("from mtbsync_daemon.cli import main; main(['sync', '--help'])") & HEAVY


def test_import_contracts_hold() -> None:
    program = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run([program], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout


def test_a_wheel_owns_only_names_that_begin_with_mtbsync() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {ROOT / package for package in packages} == set(PACKAGES)
    assert all(package.name.startswith("mtbsync") for package in PACKAGES)
    assert set(project["project"]["scripts"]) == {"mtbsync"}


def test_a_wheel_builds_and_holds_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert all(name.startswith("mtbsync") for name in names)
    assert {path.name for path in PACKAGES} < {name.split("/")[0] for name in names}


def _kept_files() -> list[Path]:
    """Every file of the project, committed or about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def test_no_file_holds_a_machine_s_paths_or_things_left_to_do() -> None:
    # Written so that this file does not find itself.
    places = "|".join(
        ("/ho" + r"me/\w", "/Us" + r"ers/\w", "/ro" + r"ot\b", "/wo" + r"rk/", r"[A-Z]:\\+Us" + "ers")
    )
    left = "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"))
    unwanted = re.compile(rf"({places})|\b({left})\b")
    found = []
    for path in _kept_files():
        content = path.read_bytes()
        if b"\0" in content or "vendor" in path.parts:
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), start=1):
            if unwanted.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


def _public(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """The module itself and everything public in it, with its qualified name."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    yield "<module>", tree
    for node in tree.body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                for method in node.body:
                    if isinstance(method, kinds) and not method.name.startswith("_"):
                        yield f"{node.name}.{method.name}", method


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_everything_public_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = [
        name
        for name, node in _public(tree)
        if ast.get_docstring(node) is None  # type: ignore[arg-type]
    ]
    assert silent == []
    if tree.body[1:]:
        future = [
            node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        ]
        assert [alias.name for node in future for alias in node.names] == ["annotations"]
