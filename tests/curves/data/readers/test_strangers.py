"""Files of strangers: damaged, hostile, or of a kind that nobody coded for.

Each is read or refused by one sentence that a person can act on.
"""

import json
import os
import pickle
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_decay.curves import diagnose, read_curves

FILES = Path(__file__).parents[2] / "files"
TABLE = "epoch,loss,val_loss\n" + "".join(f"{e},{1 / (e + 1)},1.5\n" for e in range(9))
REFUSED = (ValueError, ImportError)


def sentence(path, content):
    """The message with which a file is refused, or None if it is read."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            for run in read_curves(path):
                diagnose(run)
        except REFUSED as error:
            text = str(error)
            assert "\n" not in text and len(text) < 2500
            return text
    return None


def archive(names):
    def write(path):
        with zipfile.ZipFile(path, "w") as file:
            for name in names:
                file.writestr(name, "x")

    return write


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.xlsx", archive(["xl/workbook.xml"]), ["Excel", "pandas.read_excel"]),
        ("a.npz", archive(["loss.npy"]), ["NumPy archive", "dict of lists"]),
        ("a.pt", archive(["data.pkl"]), ["checkpoint of PyTorch", "dict of lists"]),
        ("a.zip", archive(["log.csv"]), ["an archive", "Unpack"]),
        ("a.parquet", b"PAR1\x15\x04", ["Parquet", "pandas.read_parquet"]),
        ("a.h5", b"\x89HDF\r\n\x1a\n", ["HDF5", "dict of lists"]),
        ("a.csv.gz", b"\x1f\x8b\x08\x00", ["gzip", "gunzip"]),
        ("run.wandb", b":W&B\x00\x01", ["W&B", "to_csv"]),
        ("a.npy", b"\x93NUMPY\x01\x00", ["NumPy array", "tolist"]),
        ("a.html", "<html><body>loss</body></html>", ["HTML", "CSV or JSON"]),
        ("a.bin", bytes(range(1, 32)) * 20, ["binary file", "CSV"]),
        ("a.yaml", "run:\n  loss: 0.5\n  lr: 1\n", ["Columns found", "dict of lists"]),
        ("a.log", "Epoch 1/5\n0.5 loss\n", ["read_curves(source, train="]),
        ("a.csv", "0,1.0,2.0\n1,0.5,1.5\n", ["no header", "epoch,loss,val_loss"]),
        ("a.csv", "epoch,cost\n0,1\n", ["'epoch', 'cost'", "train='…'"]),
        ("a.csv", "run_id,metrics.loss,params.lr\na,1,2\n", ["one row for each run"]),
        ("a.csv", "Name,State,Runtime,loss\na,b,1,2\n", ["one row for each run"]),
        ("a.json", "[1, 2, 3]", ["a list", "dict of lists"]),
        ("a.json", "3", ["no header"]),
        ("a.json", '{"config": {"lr": 0.1}}', ["Columns found"]),
        ("trainer_state.json", '{"log_history": []}', ["empty", "logging_steps"]),
        ("a.db", b"SQLite format 3\0" + bytes(84), ["database", "list of dicts"]),
    ],
)
def test_what_is_not_read_is_named(tmp_path, name, content, words):
    path = tmp_path / name
    if callable(content):
        content(path)
        content = path.read_bytes()
    text = sentence(path, content)
    assert text is not None and repr(str(path)) in text
    assert all(word in text for word in words), text


def test_folders_that_are_not_read_are_named(tmp_path):
    with pytest.raises(ValueError, match="holds nothing"):
        read_curves(tmp_path)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(TABLE)
    with pytest.raises(ValueError, match=r"several logs: 'a.csv', 'b.csv'. Give one"):
        read_curves(tmp_path)
    (tmp_path / "results.csv").write_text(TABLE)
    assert len(read_curves(tmp_path)[0]) == 9


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil",)


def test_a_pickle_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hostile = [pickle.dumps({"loss": Evil()}, protocol) for protocol in range(6)]
    hostile += [
        b"cos\nsystem\n(S'touch evil'\ntR.",
        b"\x80\x02cbuiltins\neval\nX\x04\x00\x00\x00open\x85R.",
        b"\x80\x04\x8c\x05numpy\x8c\x04load\x93\x8c\x04evil\x85R.",
        # The state of a class, which would change it for the whole process.
        b"\x80\x02cnumpy\ndtype\n}X\x01\x00\x00\x00aK\x01sb.",
    ]
    for content in hostile:
        text = sentence(tmp_path / "history.pkl", content)
        assert "names" in text and "could run code" in text and "json.dump" in text
    assert not (tmp_path / "evil").exists()


def test_a_pickle_reserves_no_memory(tmp_path):
    """A few bytes that name a place in the memo, a length, or a list many times."""
    huge = [
        b"\x80\x02]r\xff\xff\xff\x7f.",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b".",
        b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b".",
    ]
    shared: list = []
    for _ in range(20):
        shared = [shared] * 1000
    huge.append(pickle.dumps({"loss": shared}))
    for content in huge:
        assert "pickle" in sentence(tmp_path / "history.pkl", content)


@pytest.mark.parametrize(
    "content",
    [
        "[" * 200_000,
        '{"loss": ' * 50_000,
        '{"loss": [1, 2, ' + "9" * 5000 + "]}",
        '{"loss": [1' + "0" * 400 + ', 1e999, 1, 2], "val_loss": [1, 1, 1, 1]}',
        '{"epoch": 1' + "0" * 400 + ', "loss": 1}\n',
        "epoch,loss\n1e400,1\n2,1e400\n",
        'epoch,loss\n0,"1\n2\n' + "3\n" * 70_000,
        "epoch,loss\n" + "\0" * 5000,
        TABLE.replace("4", "\0\0"),
        "epoch" + ",loss" * 20_000 + "\n",
        "(" * 100_000 + ",loss\n1,2\n",
        TABLE.encode("utf-16-le"),
        TABLE.encode("utf-16"),
        TABLE.replace("loss", "verlüst").encode("latin-1"),
    ],
    ids=range(14),
)
def test_odd_contents(tmp_path, content):
    sentence(tmp_path / "log.csv", content)


def test_a_quote_that_is_not_closed(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(TABLE.replace("\n4,", '\n"4,') + "9,0.1," + "1" * 200_000 + "\n")
    with pytest.warns(UserWarning, match=r"unreadable lines are left out \(lines? 6"):
        (run,) = read_curves(path)
    assert [row["epoch"] for row in run][:8] == [0, 1, 2, 3, 5, 6, 7, 8]


def test_encodings(tmp_path):
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "latin-1"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(TABLE.replace("\n", ",ü\n").encode(encoding))
        (run,) = read_curves(path)
        assert len(run) == 9 and run[0]["ü"] == "ü"


def logs():
    """A log of every kind, by name."""
    found = {path.name: path for path in FILES.glob("*.*")}
    found["events.out.tfevents.1.a"] = next((FILES / "summary_writer").iterdir())
    return found


@pytest.mark.needs("tensorboard")
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_mutated_files(data, tmp_path_factory):
    """Truncated, with bytes changed, doubled or put in: read, or one sentence."""
    name, path = data.draw(st.sampled_from(sorted(logs().items())))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        kind = data.draw(st.sampled_from(["cut", "flip", "insert", "double"]))
        if kind == "cut":
            del content[at:]
        elif kind == "flip" and content:
            content[at] = data.draw(st.integers(0, 255))
        elif kind == "insert":
            content[at:at] = data.draw(st.binary(max_size=20))
        else:
            content[at:at] = content[at // 2 : at]
    sentence(tmp_path_factory.mktemp("mutated") / name, bytes(content))


@given(
    losses=st.lists(st.tuples(*[st.floats(0, 1e6)] * 2), min_size=1, max_size=30),
    separator=st.sampled_from(",;\t|"),
    comma=st.booleans(),
    names=st.sampled_from(
        [
            ("loss", "val_loss"),
            (" Train Loss", "Valid Loss "),
            ("train/loss", "dev/loss"),
        ]
    ),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    mark=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_table(losses, separator, comma, names, end, mark, tmp_path_factory):
    """Oracle: the numbers that were written."""
    comma = comma and separator != ","
    lines = [separator.join(["Epoch", *names])]
    for epoch, (a, b) in enumerate(losses):
        line = separator.join([str(epoch), f"{a:.6f}", f"{b:.6f}"])
        lines.append(line.replace(".", ",") if comma else line)
    text = ("\ufeff" if mark else "") + end.join(lines) + end
    path = tmp_path_factory.mktemp("table") / "log.csv"
    path.write_bytes(text.encode())
    (run,) = read_curves(path)
    assert [row["epoch"] for row in run] == list(range(len(losses)))
    for row, (a, b) in zip(run, losses, strict=True):
        assert row["loss"] == pytest.approx(a, abs=1e-6)
        assert row["val_loss"] == pytest.approx(b, abs=1e-6)


@given(
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=5), start=st.integers(0, 1)
)
@settings(max_examples=40, deadline=None)
def test_appended_runs(lengths, start, tmp_path_factory):
    """Runs that follow on one another in one file, the header once or every time."""
    path = tmp_path_factory.mktemp("runs") / "log.jsonl"
    rows = [
        {"epoch": epoch + start, "loss": number, "val_loss": epoch}
        for number, length in enumerate(lengths)
        for epoch in range(length)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    # A run of one epoch and the first epoch of the next cannot be told apart.
    expected = [length for length in lengths[:-1] if length > 1] + lengths[-1:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = read_curves(path)
    assert [len(run) for run in found] == expected


HEADER = "epoch,loss,val_loss\n"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (HEADER + "0,1,2\n1,0.5,1.2" + "0,4,5\n1,3,4\n", [[1, 0.5], [4, 3]]),
        (HEADER + "0,1,2\n1,0.5,1.2" + HEADER + "0,4,5\n1,3,4\n", [[1, 0.5], [4, 3]]),
        (HEADER + "0,1,2\n1,0.5,1.2" + "2,4,5\n3,3,4\n", [[1, 0.5, 4, 3]]),
    ],
)
def test_lost_line_breaks_in_tables(tmp_path, text, rows):
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.warns(UserWarning, match=r"a lost line break is put back \(line 3\)"):
        found = read_curves(path)
    assert [[row["loss"] for row in run] for run in found] == rows
    assert found[0][1]["val_loss"] == 1.2


def test_lost_line_breaks_in_json(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"epoch": 0, "loss": 1}{"epoch": 1, "loss": 2}\n')
    with pytest.warns(UserWarning, match="a lost line break is put back"):
        (run,) = read_curves(path)
    assert [row["loss"] for row in run] == [1, 2]


@pytest.mark.filterwarnings("ignore:.*torn last line")
def test_which_run_is_judged(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(TABLE + TABLE[: TABLE.index("\n5,") + 1] + TABLE[:-8])
    runs = read_curves(path)
    assert [len(run) for run in runs] == [9, 5, 8]
    assert [diagnose(path, run=n).n_epochs for n in (0, 1, 2, -1, -3)] == [
        9,
        5,
        8,
        8,
        9,
    ]
    assert "the first of three runs in the file" in str(diagnose(path, run=0))
    assert "the second of three runs" in str(diagnose(runs[1]))
    with pytest.raises(ValueError, match="`run` must be from 0 to 2, or from -1 to -3"):
        diagnose(path, run=3)
    with pytest.raises(TypeError, match="`run` must be a whole number"):
        diagnose(path, run=1.5)


def test_many_rows_take_no_quadratic_time(tmp_path):
    """Ten times as many rows are read in about ten times as many steps of Python."""
    import sys

    def steps(count):
        lines = "".join(f"{e},{e % 7},\n{e},,{e % 5}\n" for e in range(count))
        path = tmp_path / "log.csv"
        path.write_text(HEADER + lines)
        calls = 0

        def trace(frame, event, argument):
            nonlocal calls
            calls += 1

        sys.setprofile(trace)
        try:
            read_curves(path)
        finally:
            sys.setprofile(None)
        return calls

    assert steps(1000) < 11 * steps(100)
    assert np.isfinite(steps(10))
