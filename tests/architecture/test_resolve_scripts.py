"""What Resolve's menu runs stands alone: the standard library, in the words of old Pythons."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "resolve_scripts").rglob("*.py"))
LIBRARY = sorted((ROOT / "resolve_scripts" / "mtbsync_resolve").glob("*.py"))
OLDEST = (3, 6)


def _imported(path: Path) -> set[str]:
    """Names of the top-level modules that a file imports, its own package left out."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found - {"mtbsync_resolve"}


def test_there_is_a_script_for_each_action() -> None:
    assert len([path for path in SCRIPTS if path.parent.name == "menu"]) == 8


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_import_the_standard_library_only(path: Path) -> None:
    assert _imported(path) <= sys.stdlib_module_names


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_in_the_words_of_old_pythons(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=OLDEST)
    # These came later, and the parser lets them pass.
    assert not _imported(path) & {"__future__", "dataclasses"}


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.name)
def test_everything_public_in_them_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    public = [
        node
        for owner in (tree, *(n for n in tree.body if isinstance(n, ast.ClassDef)))
        for node in owner.body
        if isinstance(node, kinds) and not node.name.startswith("_")
        if not (isinstance(owner, ast.ClassDef) and owner.name.startswith("_"))
    ]
    assert ast.get_docstring(tree)
    assert [node.name for node in public if ast.get_docstring(node) is None] == []


@pytest.mark.parametrize("name", ["plan", "place", "stack"])
def test_what_decides_knows_neither_resolve_nor_the_network(name: str) -> None:
    path = ROOT / "resolve_scripts" / "mtbsync_resolve" / f"{name}.py"
    siblings = [
        node.module
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert siblings == []
    assert _imported(path) <= {"fractions", "math", "os", "typing", "unicodedata"}


def test_our_packages_do_not_import_them_either() -> None:
    packages = [ROOT / "engine", ROOT / "integrations", ROOT / "daemon"]
    for path in (path for package in packages for path in package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert "import mtbsync_resolve" not in text
        assert "from mtbsync_resolve" not in text


def test_an_installed_package_brings_them_along(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "from pathlib import Path\n"
        "from mtbsync_integrations.resolve import install\n"
        f"assert install.__file__.startswith({str(site)!r})\n"
        "print(*install.install(Path(sys.argv[1])).current, sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "Scripts")],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    expected = {path.name for path in SCRIPTS if path.parent.name == "menu"} | {"mtbsync_resolve.zip"}
    assert set(done.stdout.splitlines()) == expected
