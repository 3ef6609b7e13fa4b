"""The rules of the house are kept, and each finds what is against it."""

import re

import house
import house_rules as rules
import pytest
from house_tree import Tree


@pytest.fixture(scope="module")
def package():
    return Tree(rules.HERE.parent / "keras_decay")


@pytest.mark.parametrize("rule", rules.RULES)
def test_nothing_is_against_the_rules_but_what_is_listed(rule, package):
    found, listed = rules.RULES[rule](package), house.read(house.TODAY).get(rule, {})
    new, gone = house.new(found, listed), house.gone(found, listed)
    assert not new, f"against the rule {rule!r}, and not in house.json: {new}"
    assert not gone, f"mended; run `python tests/house.py`: {gone}"


def test_the_architecture_has_a_line_for_each_room():
    text = (rules.HERE.parent / "docs" / "architecture.md").read_text()
    lines = re.findall(r"^\| `([\w/]+)/` \|", text, re.M)
    package = rules.HERE.parent / "keras_decay"
    rooms = {path.parent.relative_to(package) for path in package.rglob("__init__.py")}
    names = {room.as_posix() for room in rooms - {package.relative_to(package)}}
    # A room with an underscore is not rebuilt yet.
    assert sorted(lines) == sorted(name for name in names if "/_" not in name)


def test_the_list_is_written_as_the_rewriting_would(tmp_path):
    house.write(house.read(house.TODAY), tmp_path / "house.json")
    assert (tmp_path / "house.json").read_text() == house.TODAY.read_text()


@pytest.fixture
def tree(tmp_path):
    """A function that makes a package `keras_decay` of files, by their path."""

    def make(files):
        folder = tmp_path / "keras_decay"
        for name, text in {"__init__.py": "", **files}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Tree(folder)

    return make


FACE = '__all__ = ["a", "f"]\nfrom keras_decay.one import a\n'


def test_uses_are_found_in_every_form(tree):
    text = """
import keras_decay as kd
from typing import TYPE_CHECKING
from keras_decay.one import a, f
import keras_decay.one.b
if TYPE_CHECKING:
    from keras_decay.one.b import g
else:
    import numpy
def late():
    from keras_decay import one
    from keras_decay.one.b import _h as other
    return one.b.x, kd.one.b.y.z, one.i, numpy.one.b.w
"""
    files = {"one/__init__.py": FACE, "one/a.py": "", "one/b.py": ""}
    found = {
        (use.module.removeprefix("keras_decay"), use.name, use.typing)
        for use in tree({**files, "two.py": text}).uses
        if use.by == "keras_decay.two"
    }
    assert found == {
        ("", None, False),
        (".one", None, False),
        (".one.a", None, False),
        (".one", "f", False),
        (".one", "i", False),
        (".one.b", None, False),
        (".one.b", "g", True),
        (".one.b", "_h", False),
        (".one.b", "x", False),
        (".one.b", "y", False),
    }


def test_a_public_name_is_taken_from_the_room_that_has_it(tree):
    made = tree(
        {
            "__init__.py": "if TYPE_CHECKING:\n    from keras_decay.tools import prune",
            "tools/__init__.py": '__all__ = ["prune"]',
            "models/__init__.py": "import keras_decay as kd\nkd.prune(kd.__version__)",
        }
    )
    assert rules.upward(made) == {"models → tools": {"prune": 1}}


def test_a_circle_is_found_in_late_imports_and_not_in_those_for_types(tree):
    made = tree(
        {
            "a.py": "import keras_decay.b",
            "b.py": "def f():\n    from keras_decay import c",
            "c.py": "from keras_decay.a import x\nimport keras_decay.d",
            "d.py": "if typing.TYPE_CHECKING:\n    import keras_decay.a",
        }
    )
    assert rules.circles(made) == {
        "a": {"a → b": 1},
        "b": {"b → c": 1},
        "c": {"c → a": 1},
    }


def test_a_circle_of_rooms_need_not_be_one_of_files(tree):
    made = tree(
        {
            "r/__init__.py": "",
            "r/one/__init__.py": "",
            "r/one/a.py": "import keras_decay.r.b",
            "r/one/c.py": "",
            "r/b.py": "import keras_decay.r.one.c",
            "r/d.py": "import keras_decay.r.one.c",
        }
    )
    assert rules.circles(made) == {}
    assert rules.circles_of_rooms(made) == {"r": {"r.b → r.one": 1, "r.one → r.b": 1}}


def test_what_goes_past_a_face_is_found_and_what_enters_by_it_is_not(tree):
    made = tree(
        {
            "one/__init__.py": FACE + "f = private = 1",
            "one/a.py": "import keras_decay.one._b\nimport keras_decay.one.inner._c",
            "one/_b.py": "from keras_decay.one.inner import c",
            "one/inner/__init__.py": "from keras_decay.one.inner._c import c\nd = 1",
            "one/inner/_c.py": "from keras_decay.one.a import x",
            "two/__init__.py": "from keras_decay.one import a, f, private, inner",
            "three.py": "from keras_decay import one\none.a.x, one._b.y, one.f",
            "four.py": "from keras_decay.one.inner import d",
        }
    )
    assert rules.past_faces(made) == {
        "two → one": {"private": 1, "inner": 1},
        "three → one": {"y": 1},
        "four → one": {"d": 1},
        # A face that has no `__all__` offers what it defines.
        "one → one.inner": {"c": 1},
    }


def test_an_import_upward_is_found_also_one_for_types(tree):
    made = tree(
        {
            "__init__.py": "import keras_decay.cli",
            "__main__.py": "import keras_decay.cli",
            "ground/__init__.py": "import keras_decay",
            "models/__init__.py": "if TYPE_CHECKING:\n"
            "    from keras_decay.tools import a",
            "regularizers/__init__.py": "import keras_decay.models",
            "tools/__init__.py": "from keras_decay.search import b",
            "search/__init__.py": "from keras_decay.tools import c",
            "cli/__init__.py": "",
        }
    )
    assert rules.upward(made) == {
        "models → tools": {"a": 1},
        "tools → search": {"b": 1},
    }
    with pytest.raises(AssertionError, match="attic has no place"):
        rules.upward(tree({"attic/__init__.py": "import keras_decay.tools"}))


def test_classes_of_one_name_are_found_wherever_they_stand(tree):
    inner = "def f():\n    class Rows: pass\n    class Plan: pass"
    made = tree({"a/__init__.py": "", "a/_b.py": inner, "c.py": "class Rows: pass"})
    assert rules.classes_twice(made) == {"Rows": {"a": 1, "c": 1}}


def test_a_file_named_like_an_export_is_found_unless_it_is_what_is_exported(tree):
    made = tree(
        {
            "tools/__init__.py": '__all__ = ["audit", "run", "files", "late"]\n'
            "from keras_decay.tools.audit import audit\n"
            "from keras_decay.tools import files\n"
            "def run(): pass",
            "tools/audit.py": "",
            "tools/files.py": "",
            "tools/late.py": "",
            "tools/other.py": "",
            "tools/run/__init__.py": "",
        }
    )
    assert rules.named_like_an_export(made) == {"tools": {"audit": 1, "run": 1}}


def test_long_short_and_underscored_files_are_found(tree):
    made = tree(
        {
            "a/__init__.py": "import keras_decay.a._short\nimport keras_decay.a.shared",
            "a/_long.py": "\n" * (rules.LONGEST + 1) + "import keras_decay.a.shared",
            "a/_short.py": "\n" * (rules.SHORTEST - 1),
            "a/shared.py": "",
            "a/alone.py": "",
            "b.py": "\n" * rules.LONGEST + "import keras_decay.c, keras_decay.a",
            "c.py": "\n" * rules.SHORTEST,
            "_d/__init__.py": "",
        }
    )
    assert rules.long_files(made) == {"a": {"a.long": rules.LONGEST + 1}}
    assert rules.short_files(made) == {"a": {"a.short": 1}}
    assert rules.underscores(made) == {
        "a": {"_long": 1, "_short": 1},
        "keras_decay": {"_d": 1},
    }


def test_what_tests_reach_is_found_also_in_texts_and_is_free_in_their_own_room(
    tree, tmp_path
):
    made = tree(
        {
            "curves/__init__.py": '__all__ = ["f"]',
            "curves/_rows.py": "",
            "search/__init__.py": "",
            "search/_cv.py": "",
        }
    )
    reaching = (
        "from keras_decay.curves import _rows, f\n"
        "import keras_decay as kd\n"
        "kd.search._cv.run\n"
        'PROGRAM = """\nfrom keras_decay.search._cv import g, h as i\n"""\n'
        'place = "keras_decay.curves._rows.replace"\n'
        'about = "keras_decay 1.0, keras_decay.curves.f, keras_decay.__version__"\n'
    )
    names = ["curves/test_a.py", "curves/b.py", "test_curves_of.py", "test_all.py"]
    for name in names:
        path = tmp_path / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(reaching)
    curves = {"curves: rows": 1, "curves: replace": 1}
    search = {"search: run": 1, "search: g": 1, "search: h": 1}
    assert rules.reached_from_outside(made, [tmp_path / "tests"]) == {
        "tests/curves/test_a": search,
        "tests/curves/b": search,
        "tests/test_curves_of": search,
        "tests/test_all": {**curves, **search},
    }


LISTED = {"a": {"x": 1, "y": 1}, "b": {"z": 380}}


@pytest.mark.parametrize(
    "found, new, gone, shrunk",
    [
        (LISTED, [], [], LISTED),
        ({}, [], ["a: x", "a: y", "b: z"], {}),
        ({"a": {"x": 1}, "b": {"z": 400}}, ["b: z (400)"], ["a: y"], None),
        ({"a": {"x": 1, "w": 1}}, ["a: w"], ["a: y", "b: z"], {"a": {"x": 1}}),
        ({"b": {"z": 360}}, [], ["a: x", "a: y"], {"b": {"z": 360}}),
    ],
)
def test_lists_only_shrink(found, new, gone, shrunk):
    assert house.new(found, LISTED) == new
    assert house.gone(found, LISTED) == gone
    kept = {"a": {"x": 1}, "b": {"z": 380}} if shrunk is None else shrunk
    assert house.shrunk(found, LISTED) == kept


def test_rewriting_takes_up_a_new_name_only_for_an_old_one():
    found, more = {"a": {"x": 1, "w": 1}}, {"a": {"x": 1, "u": 1, "v": 1, "w": 1}}
    assert house.rewritten(found, LISTED) == ({"a": {"x": 1}}, ["a: w"])
    assert house.rewritten(found, LISTED, moved=True) == (found, [])
    refused = ["a: u", "a: v", "a: w"]
    assert house.rewritten(more, LISTED, moved=True) == ({"a": {"x": 1}}, refused)
