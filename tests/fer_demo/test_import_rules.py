"""What the package may import: it stands alone, and each room keeps to what it is for."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import fer_demo

PACKAGE = Path(fer_demo.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(source: str) -> Iterator[str]:
    """The top-level packages that a module imports, inside functions and for type checkers too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "" if node.level else node.module.partition(".")[0]


def test_all_kinds_of_imports_are_seen():
    source = "import a.b, c\nfrom d.e import f\ndef g():\n    import h\nif x:\n    from i import j\nfrom . import k\n"
    assert sorted(imported(source)) == ["", "a", "c", "d", "h", "i"]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_what_it_may(module):
    found = set(imported(module.read_text(encoding="utf-8")))
    assert not found & {"training", "pages", "tests"}, "the package stands alone"
    assert "streamlit" not in found, "Streamlit belongs to pages/"
    assert "gradio" not in found or module.parent.name == "web", "Gradio belongs to fer_demo/web"
    assert "" not in found, "imports are absolute"


def test_only_the_package_imports_what_reports_home_when_it_is_imported():
    """`import fer_demo` switches that off, so nothing may come before it."""
    root = PACKAGE.parent
    others = [root / "app.py", *(f for folder in ("training", "pages") for f in (root / folder).rglob("*.py"))]
    assert [f for f in others if f.is_file() and "onnxruntime" in set(imported(f.read_text("utf-8")))] == []


def test_there_is_something_to_look_at():
    assert {"predictor.py", "export.py", "upload.py"} <= {path.name for path in MODULES}
    assert "gradio" in set(imported((PACKAGE / "web" / "upload.py").read_text(encoding="utf-8")))


def project_imports(file: Path, root: Path) -> Iterator[Path]:
    """The project's own files that a file imports, inside functions and for type checkers too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            path = root.joinpath(*name.split("."))
            yield from (found for found in (path.with_suffix(".py"), path / "__init__.py") if found.is_file())


def test_no_circle():
    """Imports point downwards only; `fer_demo` itself hands names on, and is above all that it names."""
    root = PACKAGE.parent
    files = [f for folder in ("fer_demo", "training", "pages") for f in (root / folder).rglob("*.py")]
    arrows = {file: set(project_imports(file, root)) - {file, PACKAGE / "__init__.py"} for file in files}
    assert sum(map(len, arrows.values())) > 200
    graphlib.TopologicalSorter(arrows).prepare()  # CycleError names the circle
