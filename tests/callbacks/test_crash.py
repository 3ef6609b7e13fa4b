"""A training that is killed: its file is whole, every epoch in it once, and it goes on.

`killed.py` is what runs in the processes.
"""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from keras_decay.callbacks import LearningCurve
from keras_decay.callbacks.output import history_file
from keras_decay.curves.data import rows as _rows

BACKEND = keras.backend.backend()
HERE = Path(__file__).parent
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@pytest.mark.slow
@posix
def test_killed_at_random_moments(tmp_path, run_python):
    """Oracle: the same training, not interrupted.

    Fifty times where a process starts fast; KERAS_DECAY_KILLS sets another number.
    """
    kills = {"torch": 50, "tensorflow": 5, "jax": 5}[BACKEND]
    kills = int(os.environ.get("KERAS_DECAY_KILLS", kills))
    source = (HERE / "killed.py").read_text()
    printed = run_python(source, tmp_path, kills, 0).stdout
    found = json.loads(printed.splitlines()[-1])
    # What every five trainings are sure to have got forward before they were killed.
    assert found["epochs"] >= kills // 5 * 4
    assert found["restarts"] >= kills // 5 * 3 - 1
    # The same operations in the same order.
    assert found["worst"] <= 1e-6
    assert found["points"] == [found["epochs"]] * 2
    assert found["gaps"] == [1.0] and found["finite"]
    assert found["figure"] > 1000
    # No temporary file of the curve, and no lock.
    others = {"model.weights.h5", "new.weights.h5", "reference.jsonl"}
    assert set(found["left"]) - others == {"run.jsonl", "run.svg"}
    assert "`path` must be a file that no other training" in found["refused"]
    assert "Process PID on " in found["refused"]


FRESH = """
import os, signal, sys
import keras
import numpy as np
from sklearn.datasets import load_diabetes
from keras_decay import LearningCurve

folder, moment = sys.argv[1:]
x, y = load_diabetes(return_X_y=True)
x, y = x[:200].astype("float32"), (y[:200, None] / 100).astype("float32")
model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(
    1, kernel_regularizer="l2")])
model.compile(keras.optimizers.SGD(0.1, 0.9), "mse")


class Dies(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if (moment, epoch) == ("between curve and backup", 2):
            os.kill(os.getpid(), signal.SIGKILL)

    def on_train_batch_end(self, batch, logs=None):
        if moment == "within an epoch" and model.optimizer.iterations == 18:
            os.kill(os.getpid(), signal.SIGKILL)


curve = LearningCurve(folder + "/run.jsonl")
backup = keras.callbacks.BackupAndRestore(folder + "/backup")
input()
model.fit(x, y, batch_size=50, epochs=6, shuffle=False, verbose=0,
          callbacks=[curve, Dies(), backup])
"""


@pytest.mark.slow
@posix
@pytest.mark.skipif(BACKEND != "tensorflow", reason="new processes are slow to start")
def test_new_processes_with_backup_and_restore(tmp_path):
    """All three start at once, and go when it is their turn."""
    moments = ["between curve and backup", "within an epoch", "never"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FRESH, str(tmp_path), moment],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for moment in moments
    ]
    lengths = []
    try:
        for process in processes:
            _, errors = process.communicate("\n", timeout=200)
            assert process.returncode in (-signal.SIGKILL, 0), errors[-3000:]
            rows, torn = _rows.read(tmp_path / "run.jsonl")
            assert not torn
            lengths.append(len(rows))
    finally:
        for process in processes:
            process.kill()
            process.wait()
    # The last process has begun where the second one's backup was, after 4 epochs.
    assert lengths == [3, 4, 6]
    assert [row["epoch"] for row in rows] == list(range(6))
    assert [row["step"] for row in rows] == [4, 8, 12, 16, 20, 24]
    assert [row["epoch"] for row in rows if "restart" in row] == [2, 4]


def test_a_last_line_torn_at_any_byte(tmp_path):
    """Also the only line of all; the file is whole again when training begins."""
    path = tmp_path / "run.jsonl"
    rows = [
        {"epoch": e, "step": e + 1, "loss": 0.1, "norms": {"ä/kernel": 1e-3}}
        for e in range(3)
    ]
    for count in (1, 3):
        _rows.rewrite(path, rows[:count])
        content = path.read_bytes()
        last = len(json.dumps(rows[count - 1])) + 1
        for cut in range(1, last + 1):
            path.write_bytes(content[:-cut])
            whole = rows[: count if cut == 1 else count - 1]
            assert LearningCurve.load(path).rows == whole
            assert history_file.resume(path, [], step=count) == whole
            _rows.append(path, rows[-1])
            assert _rows.read(path) == ([*whole, rows[-1]], False)


@pytest.mark.parametrize(
    ("steps", "step", "kept"),
    [
        ([1, 2, 3], 2, 2),
        ([1, 2, 3], 5, 3),
        ([1, 2, 3], None, 3),
        ([None, 2, 3], 2, 2),
        # A new optimizer from the third row on.
        ([5, 10, 5, 10], 5, 3),
        ([5, 10, 5, 10], 7, 3),
        ([5, 10, 5, 10], 10, 4),
        ([5, 10, 5, 10], 3, 2),
        ([], 3, 0),
    ],
    ids=str,
)
def test_rows_beyond_the_model_are_superseded(steps, step, kept):
    rows = [{"epoch": e, "step": s} for e, s in enumerate(steps)]
    assert history_file.rows_that_hold(rows, step) == rows[:kept]


def test_a_fresh_model_supersedes_all_but_what_initial_epoch_spares():
    rows = [{"epoch": e, "step": e + 1} for e in range(4)]
    assert history_file.rows_that_hold(rows, 0) == []
    assert history_file.rows_that_hold(rows, 0, epoch=3) == rows[:3]


@pytest.mark.slow
def test_a_curve_goes_on_under_a_new_optimizer(build, data, tmp_path):
    """Fine-tuning: the model is compiled anew, and its steps begin again at 0."""
    path, model = tmp_path / "run.jsonl", build()
    model.fit(*data, epochs=3, verbose=0, callbacks=[LearningCurve(path)])
    model.compile("sgd", "mse", metrics=["mse"])
    with pytest.raises(ValueError, match="initial_epoch=3"):
        model.fit(*data, verbose=0, callbacks=[LearningCurve(path)])
    curve = LearningCurve(path)
    settings = {"initial_epoch": 3, "verbose": 0, "callbacks": [curve]}
    model.fit(*data, epochs=5, **settings)
    model.fit(*data, epochs=4, **settings)
    assert [row["epoch"] for row in curve.rows] == list(range(6))
    assert [row["step"] for row in curve.rows] == [2, 4, 6, 2, 4, 6]
    assert [row["epoch"] for row in curve.rows if "restart" in row] == [3, 5]
    assert LearningCurve.load(path).rows == curve.rows


def test_killed_before_the_model_was_first_saved(build, data, tmp_path):
    """The one row there is belongs to a training that nobody can go on with."""
    path = tmp_path / "run.jsonl"
    build().fit(*data, verbose=0, callbacks=[LearningCurve(path)])
    with pytest.raises(ValueError, match="overwrite"):
        build().fit(*data, verbose=0, callbacks=[LearningCurve(path)])
    (tmp_path / ".run.jsonl.writer").write_text("123 on a machine\n")
    (tmp_path / ".run-0a_b1c2d.svg").write_text("a figure half drawn")
    (tmp_path / ".run-2.svg").write_text("a user's own file")
    curve = LearningCurve(path, figure=tmp_path / "run.svg")
    build().fit(*data, epochs=2, verbose=0, callbacks=[curve])
    assert [row["epoch"] for row in curve.rows] == [0, 1]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".run-2.svg", "run.jsonl", "run.svg"]


@pytest.mark.slow
def test_two_curves_of_one_fit_cannot_share_a_file(build, data, tmp_path):
    path = tmp_path / "run.jsonl"
    (tmp_path / "link.jsonl").symlink_to(path)
    curves = [LearningCurve(path), LearningCurve(tmp_path / "link.jsonl")]
    model = build()
    with pytest.raises(ValueError, match=rf"no other training.*Process {os.getpid()} "):
        model.fit(*data, verbose=0, callbacks=curves)
    assert int(model.optimizer.iterations) == 0
    # Nothing of it is left to block the next.
    model.fit(*data, verbose=0, callbacks=curves[:1])


def test_a_fit_left_by_an_exception_blocks_nobody(build, data, bomb, tmp_path):
    """In a notebook the exception, and so what `fit` has left, lives on."""
    path = tmp_path / "run.jsonl"
    x, y = data

    def batches():
        for _ in range(7):
            yield x[:10], y[:10]
        raise RuntimeError("bomb")

    model = build()
    with pytest.raises(Exception, match="bomb") as error:
        model.fit(
            batches(),
            epochs=4,
            steps_per_epoch=5,
            verbose=0,
            callbacks=[LearningCurve(path)],
        )
    with pytest.raises(RuntimeError, match="bomb") as second:
        model.fit(*data, epochs=3, verbose=0, callbacks=[LearningCurve(path), bomb()])
    curve = LearningCurve(path)
    model.fit(*data, verbose=0, callbacks=[curve])
    assert [row["epoch"] for row in curve.rows] == [0, 1, 2, 3]
    assert error.value is not None and second.value is not None


def test_a_fit_that_still_runs_is_told_that_a_later_one_has_its_file(
    build, data, tmp_path
):
    """A callback trains another model with the same path."""
    path = tmp_path / "run.jsonl"

    class Trains(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            later = LearningCurve(path, overwrite=True)
            build().fit(*data, verbose=0, callbacks=[later])

    curve = LearningCurve(path)
    with pytest.raises(RuntimeError, match="A later training of this process writes"):
        build().fit(*data, epochs=3, verbose=0, callbacks=[curve, Trains()])
    assert len(LearningCurve.load(path).rows) == 1


def test_a_full_disk_costs_rows_on_the_disk_alone(build, data, tmp_path, monkeypatch):
    """They are written as soon as there is room."""
    path, append = tmp_path / "run.jsonl", _rows.append

    def full(path, row):
        if row["epoch"] in (1, 2):
            path.open("ab").write(b'{"epoch": 1, "lo')
            raise OSError(errno.ENOSPC, "No space left on device")
        append(path, row)

    def also_full(path, rows):
        if rows[-1]["epoch"] == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        rewrite(path, rows)

    rewrite = _rows.rewrite
    monkeypatch.setattr(_rows, "append", full)
    monkeypatch.setattr(_rows, "rewrite", also_full)
    curve = LearningCurve(path)
    with pytest.warns(UserWarning, match="from epoch 1 on.*No space") as warned:
        build().fit(*data, epochs=5, verbose=0, callbacks=[curve])
    assert sum("No space" in str(one.message) for one in warned) == 1
    assert [row["epoch"] for row in curve.rows] == [0, 1, 2, 3, 4]
    assert _rows.read(path) == (curve.rows, False)
