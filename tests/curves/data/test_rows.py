"""The file of rows: what is written is read, and a crash costs no more than a line."""

import math
import os
import stat

import pytest

from keras_decay.curves.data import rows as _rows

ROWS = [
    {"epoch": 0, "loss": math.inf, "norms": {"a/kernel": 1.5}},
    {"epoch": 1, "loss": -math.inf, "name": "ü"},
    {"epoch": 2, "loss": math.nan},
]


def test_what_is_appended_is_read(tmp_path):
    path = tmp_path / "run.jsonl"
    for row in ROWS:
        _rows.append(path, row)
    rows, torn = _rows.read(path)
    assert rows[:2] == ROWS[:2]
    assert math.isnan(rows[2]["loss"])
    assert not torn


def test_a_row_is_one_write(tmp_path, monkeypatch):
    """Also a row longer than any buffer."""
    sizes = []
    real = open

    def counting(*args, **settings):
        file = real(*args, **settings)

        class File:
            def __enter__(self):
                return self

            def __exit__(self, *error):
                file.close()

            def write(self, content):
                sizes.append(len(content))
                return file.write(content)

        assert settings["buffering"] == 0
        return File()

    path = tmp_path / "run.jsonl"
    monkeypatch.setattr("builtins.open", counting)
    _rows.append(path, {"epoch": 0, "norms": {str(i): 0.1 for i in range(5000)}})
    monkeypatch.undo()
    assert sizes == [path.stat().st_size]


@pytest.mark.parametrize("cut", range(1, 14))
def test_a_line_torn_anywhere_is_dropped(tmp_path, cut):
    path = tmp_path / "run.jsonl"
    whole = b'{"epoch": 0}\n'
    path.write_bytes(whole + whole[:-cut])
    rows, torn = _rows.read(path)
    # Without its line feed alone the row is whole, but nothing may be appended to it.
    assert rows == [{"epoch": 0}] * (2 if cut == 1 else 1)
    assert torn == (cut < len(whole))


def test_a_line_of_nulls_after_a_power_cut_is_dropped(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_bytes(b'{"epoch": 0}\n' + bytes(20) + b"\n")
    assert _rows.read(path) == ([{"epoch": 0}], True)


def test_a_bad_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_bytes(b'{"epoch": 0}\nnonsense\n{"epoch": 1}\n')
    with pytest.raises(ValueError, match=r"Line 2 of .*'nonsense'"):
        _rows.read(path)


def test_rewriting_is_all_or_nothing(tmp_path):
    path = tmp_path / "run.jsonl"
    _rows.rewrite(path, ROWS[:2])
    assert _rows.read(path)[0] == ROWS[:2]
    with pytest.raises(TypeError):
        _rows.rewrite(path, [{"epoch": object()}])
    assert _rows.read(path)[0] == ROWS[:2]
    assert list(tmp_path.iterdir()) == [path]


def test_rewriting_keeps_links_and_modes(tmp_path):
    path, link = tmp_path / "run.jsonl", tmp_path / "link.jsonl"
    path.write_text("")
    path.chmod(0o640)
    link.symlink_to(path)
    _rows.rewrite(link, ROWS[:1])
    assert link.is_symlink()
    assert _rows.read(path)[0] == ROWS[:1]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
