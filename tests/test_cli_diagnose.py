"""`keras-decay diagnose`: verdicts on logs, for people and for scripts."""

import json
from pathlib import Path

import pytest

from keras_decay import cli
from keras_decay.curves import diagnose

FILES = Path(__file__).parent / "curves" / "files"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Two logs, one of a network that overfits."""
    monkeypatch.chdir(tmp_path)
    for name, slope in (("over.csv", 0.1), ("good.csv", 0.0)):
        rows = [f"{e},{0.8**e},{1 + slope * abs(e - 4)}\n" for e in range(30)]
        (tmp_path / name).write_text("Epoch,Train Loss,Val Loss\n" + "".join(rows))
    return tmp_path


def run(*arguments):
    try:
        return cli.main(["diagnose", *map(str, arguments)])
    except SystemExit as error:
        return error.code


def test_the_exit_code_says_that_one_overfits(capsys):
    assert run("good.csv") == 0
    assert run("good.csv", "over.csv") == 3
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[2].lower() == f"over.csv: {diagnose('over.csv')}.".lower()


def test_json(folder, capsys):
    text = (folder / "over.csv").read_text()
    (folder / "two.csv").write_text(text + text + "30,0.1")
    assert run("two.csv", FILES / "lightning_epoch.csv", "--json") == 3
    captured = capsys.readouterr()
    one, other = json.loads(captured.out)
    assert (one["file"], one["run"], one["runs"]) == ("two.csv", 1, 2)
    assert one["verdict"] == "overfitting" and one["n_epochs"] == 30
    assert one["best_epoch"] == diagnose("over.csv").best_epoch
    assert "torn last line" in one["notes"][0] and "torn last line" in captured.err
    assert other["n_epochs"] == 6
    assert run("two.csv", "--json", "--run", 0) == 3
    assert json.loads(capsys.readouterr().out)[0]["run"] == 0


def test_columns_that_are_named(folder, capsys):
    text = (folder / "over.csv").read_text()
    (folder / "a.csv").write_text(text.replace("Train Loss,Val Loss", "a,b"))
    assert run("a.csv") == 1
    captured = capsys.readouterr()
    assert captured.out == "" and "'Epoch', 'a', 'b'" in captured.err
    assert run("a.csv", "--train", "a", "--validation", "b") == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["none.csv"], 2, "'none.csv' does not exist"),
        ([], 2, "FILE"),
        (["over.csv", "--run", "x"], 2, "whole number"),
        (["over.csv", "--run", "-2"], 2, "has 1 runs"),
        (["bad.png"], 1, "it is a picture"),
        (["good.csv", "bad.png"], 1, "it is a picture"),
        (["bad.png", "over.csv"], 1, "it is a picture"),
        (["empty.csv"], 1, "no epochs yet"),
    ],
)
def test_mistakes_are_one_sentence(arguments, code, words, folder, capsys):
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "empty.csv").write_text("")
    assert run(*arguments) == code
    captured = capsys.readouterr()
    assert words in captured.err.splitlines()[-1] and "Traceback" not in captured.err


def test_help_fits_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run("--help") == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "3 one does" in " ".join(text.split())


def test_it_starts_without_keras(folder, run_python):
    code = (
        "import sys; sys.argv[0] = 'keras-decay'; from keras_decay import cli; "
        "assert cli.main(['diagnose', 'over.csv']) == 3; "
        "assert not {'keras', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    run_python(code)
