"""`keras-decay plot`: what it draws from which files, and what it refuses."""

import json
import os

import keras
import numpy as np
import pytest

from keras_decay import cli
from keras_decay.curves.data import columns

OVERFIT = [
    {"epoch": e, "loss": 0.9**e, "val_loss": 1 + abs(e - 10) / 20, "acc": e / 40}
    for e in range(40)
]


def write(path, rows=OVERFIT):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return cli.main(["plot", *map(str, arguments)])


def refused(capsys, *arguments):
    """The exit code and the one sentence with which arguments are refused."""
    try:
        code = run(*arguments)
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    sentence = captured.err.splitlines()[-1]
    assert captured.out == "" and "Traceback" not in captured.err
    return code, sentence


def test_several_curves_in_several_formats(folder, capsys):
    write(folder / "a.jsonl"), write(folder / "b.jsonl", OVERFIT[:20])
    figures = ["new/all.svg", "all.png", "all.pdf"]
    outs = [word for figure in figures for word in ("-o", figure)]
    assert run("a.jsonl", "L2=b.jsonl", *outs, "--log", "--smooth", 3) == 0
    printed = capsys.readouterr().out
    assert "a.jsonl: Overfitting since epoch" in printed
    assert all(figure in printed for figure in figures)
    svg = (folder / "new/all.svg").read_text()
    assert ">a</text>" in svg and ">L2</text>" in svg
    assert (folder / "all.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "all.pdf").read_bytes().startswith(b"%PDF")
    assert run("a.jsonl", "-o", "acc.svg", "--metric", "acc") == 0
    assert ">acc</text>" in (folder / "acc.svg").read_text()


def test_the_figure_has_the_name_of_the_first_file(folder, capsys):
    write(folder / "sub/results.jsonl")
    assert run("sub/results.jsonl") == 0
    assert (folder / "results.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert refused(capsys, "sub/results.jsonl")[0] == 2


def test_names_tell_files_apart(folder, capsys):
    write(folder / "one/run.jsonl"), write(folder / "two/run.jsonl")
    write(folder / "cost $1 and $2.jsonl"), write(folder / "a=b.jsonl")
    curves = ["one/run.jsonl", "two/run.jsonl", "cost $1 and $2.jsonl", "a=b.jsonl"]
    assert run(*curves, "-o", "all.svg") == 0
    svg = (folder / "all.svg").read_text()
    for name in ("one/run", "two/run", "cost $1 and $2", "a=b"):
        assert f">{name}</text>" in svg
    assert run("seeds=one/run.jsonl", "seeds=two/run.jsonl", "-o", "band.svg") == 0
    assert "band: lowest to highest" in (folder / "band.svg").read_text()


def test_a_figure_is_replaced_only_by_force(folder, capsys):
    write(folder / "a.jsonl")
    (folder / "a.png").write_text("precious")
    assert refused(capsys, "a.jsonl", "-o", "a.png") == (
        2,
        "keras-decay plot: error: argument -o/--out: 'a.png' exists: give another name,"
        " or replace it with --force",
    )
    assert (folder / "a.png").read_text() == "precious"
    assert run("a.jsonl", "-o", "a.png", "--force") == 0
    assert (folder / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["none.jsonl", "-o", "x.svg"], 2, ["'none.jsonl' does not exist"]),
        (["folder", "-o", "x.svg"], 1, ["is a folder without a log"]),
        (["a.jsonl", "a.jsonl", "-o", "x.svg"], 2, ["given twice"]),
        (["=a.jsonl", "-o", "x.svg"], 2, ["NAME=FILE", "'=a.jsonl'"]),
        (["a.jsonl", "-o", "x.svg", "--run", "1"], 2, ["--run", "has 1 runs"]),
        (["a.jsonl", "-o", "x.svg", "--train", "f1"], 1, ["`train` must", "'acc'"]),
        (["a.jsonl", "-o", "x.gif"], 2, [".png, .svg, .pdf", "'x.gif'"]),
        (["a.jsonl", "-o", "x.svg", "-o", "x.svg"], 2, ["given twice"]),
        (["a.jsonl", "-o", "x.svg", "--metric", "f1"], 2, ["--metric", "acc", "'f1'"]),
        (["a.jsonl", "-o", "x.svg", "--smooth", "-1"], 2, ["--smooth", "at least 0"]),
        (["bad.jsonl", "-o", "x.svg"], 1, ["bad.jsonl", "Columns found: 'no curve'"]),
        (["header.csv", "-o", "x.svg"], 1, ["no epochs yet"]),
        (["empty.jsonl", "-o", "x.svg"], 1, ["no epochs yet"]),
        (["a.jsonl", "-o", "a.jsonl/x.svg"], 1, ["cannot write"]),
    ],
)
def test_mistakes_are_one_sentence(arguments, code, words, folder, capsys):
    write(folder / "a.jsonl")
    (folder / "folder").mkdir()
    (folder / "bad.jsonl").write_text("no curve\n")
    (folder / "empty.jsonl").write_text("")
    (folder / "header.csv").write_text("epoch,loss\n")
    before = sorted(os.listdir(folder))
    found, sentence = refused(capsys, *arguments)
    assert found == code
    assert all(word in sentence for word in words), sentence
    assert sorted(os.listdir(folder)) == before


def test_a_torn_file_is_drawn(folder):
    path = write(folder / "torn.jsonl")
    path.write_bytes(path.read_bytes()[:-30])
    assert run("torn.jsonl", "-o", "torn.svg") == 0


def test_the_files_of_csv_logger_are_read(folder):
    """Oracle: Keras' own History of the same training."""
    x = np.arange(20.0).reshape(20, 1) / 20
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    fit = {"validation_data": (x, x), "verbose": 0}
    logger = keras.callbacks.CSVLogger("run.csv", separator=";")
    history = model.fit(x, x, epochs=3, callbacks=[logger], **fit)
    rows = columns.as_rows(folder / "run.csv")
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    for key in ("loss", "val_loss"):
        assert [row[key] for row in rows] == pytest.approx(history.history[key])
    assert run("run.csv", "-o", "csv.svg") == 0


def test_what_is_left_out_and_how_many_runs_there_are_is_said(folder, capsys):
    rows = "".join(f"{e},{1 / (e + 1)},{1 / (e + 1)}\n" for e in range(6))
    (folder / "two.csv").write_text("Epoch,Train Loss,Val Loss\n" + rows * 2 + "6,0.1")
    assert run("two.csv", "-o", "two.svg") == 0
    captured = capsys.readouterr()
    assert "(the last of two runs in the file)." in captured.out
    (line,) = captured.err.splitlines()
    assert line.startswith("keras-decay plot: warning: 'two.csv'")
    assert "the torn last line is left out (line 14)" in line


def test_it_starts_without_keras_and_pyplot(folder, run_python):
    write(folder / "a.jsonl")
    run_python(
        """
import sys
sys.argv[0] = "keras-decay"
for name in ("keras", "matplotlib.pyplot", "pandas"):
    sys.modules[name] = None
from keras_decay import cli
assert cli.main(["plot", "a.jsonl", "-o", "a.png"]) == 0
"""
    )
    assert (folder / "a.png").exists()
