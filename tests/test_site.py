"""The site of the documentation: its code runs, its names are all, it builds."""

import ast
import re
from pathlib import Path

import keras
import pytest

import examples
import keras_decay as kd
from keras_decay.conventions import CONVENTIONS
from keras_decay.experiments import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))
WITH_CODE = [p for p in PAGES if examples.has_code(p.read_text())]
PAGES_TO_RUN = [
    p
    if p.stem in {"conventions", "own-penalty"}
    else pytest.param(p, marks=[pytest.mark.slow, pytest.mark.written])
    for p in WITH_CODE
]
WORDS_WITH_HYPHENS = {"utf-8", "half-life"}  # and no codes of warnings

one_backend = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="a page is written for one backend",
)


def page(name):
    return (ROOT / "docs" / name).read_text()


@one_backend
@pytest.mark.parametrize("path", PAGES_TO_RUN, ids=lambda path: path.stem)
def test_the_code_of_a_page_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples.run_page(path.read_text(), str(path))


def test_every_public_name_has_its_place():
    named = [
        name
        for path in (ROOT / "docs" / "api").glob("*.md")
        for name in re.findall(r"^::: keras_decay\.(\w+)$", path.read_text(), re.M)
    ]
    assert sorted(named) == sorted(kd.__all__)


def test_every_warning_is_explained():
    codes = {
        node.value
        for path in Path(kd.__file__).parent.joinpath("tools").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", node.value)
    }
    sections = re.findall(
        r"^### `([^`]*)`\n\n(.+?)(?=\n#|\Z)", page("warnings.md"), re.M | re.S
    )
    assert sorted(code for code, _ in sections) == sorted(codes - WORDS_WITH_HYPHENS)
    assert all(len(text.split()) > 20 for _, text in sections)


def test_every_convention_is_explained():
    rows = re.findall(r"^\|.*\| `(\w+)` \|.*\|$", page("conventions.md"), re.M)
    assert sorted(rows) == sorted(CONVENTIONS)


def test_every_experiment_is_listed():
    row = r"^\| `keras-decay (\S+)` .*\((.*)\) \|$"
    listed = re.findall(row, page("experiments.md"), re.M)
    assert [name for name, _ in listed] == ["diabetes", *COMMANDS]
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert [n for _, n in listed] == [f"../notebooks/{p.name}" for p in notebooks]


def test_every_page_is_in_the_navigation():
    """Notebooks are added to it by the build."""
    listed = re.findall(r"- (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in PAGES]
    assert sorted(listed) == sorted(pages)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    """In the repository. In the site it is the strict build that looks at them."""
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        assert target.startswith("http") or (path.parent / target).exists(), target


@pytest.mark.slow
@pytest.mark.written
@one_backend
@pytest.mark.needs("mkdocs", "material", "mkdocstrings", "nbconvert")
def test_the_site_builds_without_a_warning(tmp_path, monkeypatch):
    """Strict: links, anchors, pages outside the navigation, and names are looked at."""
    from mkdocs import config
    from mkdocs.commands import build

    monkeypatch.chdir(ROOT)
    build.build(config.load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path)))
    text = (tmp_path / "api" / "penalties.html").read_text()
    assert 'id="keras_decay.L2"' in text and "ridge" in text
    assert list(tmp_path.glob("notebooks/01_*/*.png"))
