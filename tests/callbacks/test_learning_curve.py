"""The rows, the file, and how both go on through restarts."""

import json
import math

import keras
import numpy as np
import pytest
from support import slow

from keras_decay.callbacks import LearningCurve

BACKEND = keras.backend.backend()


def epochs(curve):
    return [row["epoch"] for row in curve.rows]


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_row(build, data):
    curve = LearningCurve(track_norms=True)
    model = build()
    model.fit(
        *data, epochs=2, batch_size=16, validation_data=data, verbose=0, callbacks=curve
    )
    assert epochs(curve) == [0, 1]
    assert [row["step"] for row in curve.rows] == [4, 8]
    row = curve.rows[-1]
    assert {"loss", "mse", "val_loss", "val_mse", "data_loss", "val_data_loss"} <= {
        *row
    }
    assert {"penalty", "val_penalty", "seconds"} <= {*row}
    assert "data_loss_note" not in row
    assert row["learning_rate"] == pytest.approx(0.01)
    others = ("epoch", "step", "norms", "zeros")
    assert all(type(row[key]) is float for key in row if key not in others)
    for weight in model.trainable_weights:
        value = keras.ops.convert_to_numpy(weight)
        assert row["norms"][weight.path] == pytest.approx(
            np.linalg.norm(value), rel=1e-5
        )


@pytest.mark.slow
def test_epochs_without_validation_lack_its_keys(build, data):
    curve = LearningCurve(track_penalty=False)
    build().fit(
        *data,
        epochs=3,
        validation_data=data,
        validation_freq=2,
        verbose=0,
        callbacks=[curve],
    )
    assert ["val_data_loss" in row for row in curve.rows] == [False, True, False]
    assert not any("penalty" in key for row in curve.rows for key in row)


def test_the_file_holds_the_rows(build, data, tmp_path):
    path = tmp_path / "new" / "folder" / "run.jsonl"
    curve = LearningCurve(path)
    build().fit(*data, epochs=2, verbose=0, callbacks=[curve])
    assert read(path) == curve.rows
    assert LearningCurve.load(path).rows == curve.rows


@pytest.mark.slow
def test_not_a_number_survives_the_file(build, data, tmp_path):
    x, y = data
    path = tmp_path / "run.jsonl"
    build().fit(x, y * math.nan, epochs=1, verbose=0, callbacks=[LearningCurve(path)])
    loaded = LearningCurve.load(path)
    assert math.isnan(loaded.rows[0]["data_loss"])
    assert loaded.diagnose().verdict == "diverged"


def test_each_row_is_on_disk_after_its_epoch(build, data, tmp_path):
    path = tmp_path / "run.jsonl"
    seen = []

    class Looks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(len(read(path)))

    callbacks = [LearningCurve(path), Looks()]
    build().fit(*data, epochs=3, verbose=0, callbacks=callbacks)
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("with_file", [True, slow(False)])
def test_a_second_fit_goes_on(build, data, tmp_path, with_file):
    path = tmp_path / "run.jsonl" if with_file else None
    model, curve = build(), LearningCurve(path)
    model.fit(*data, epochs=2, verbose=0, callbacks=[curve])
    model.fit(*data, epochs=1, verbose=0, callbacks=[curve])
    assert epochs(curve) == [0, 1, 2]
    if with_file:
        other = LearningCurve(path)
        model.fit(*data, epochs=1, verbose=0, callbacks=[other])
        assert epochs(other) == [0, 1, 2, 3]
        assert read(path) == other.rows


def test_rows_of_a_lost_future_are_superseded(build, data, tmp_path):
    path = tmp_path / "run.jsonl"
    model = build()
    model.fit(*data, epochs=2, verbose=0, callbacks=[LearningCurve(path)])
    model.save(tmp_path / "model.keras")
    model.fit(*data, epochs=3, verbose=0, callbacks=[LearningCurve(path)])
    assert len(read(path)) == 5
    restored = keras.models.load_model(tmp_path / "model.keras")
    curve = LearningCurve(path)
    restored.fit(*data, epochs=1, verbose=0, callbacks=[curve])
    assert epochs(curve) == [0, 1, 2]
    assert read(path) == curve.rows
    assert [row["step"] for row in curve.rows] == [2, 4, 6]


@pytest.mark.slow
def test_a_fresh_model_does_not_touch_an_old_file(build, data, tmp_path):
    path = tmp_path / "run.jsonl"
    build().fit(*data, epochs=2, verbose=0, callbacks=[LearningCurve(path)])
    before, model = path.read_bytes(), build()
    with pytest.raises(ValueError, match=r"`path`.*overwrite=True"):
        model.fit(*data, verbose=0, callbacks=[LearningCurve(path)])
    assert int(model.optimizer.iterations) == 0
    assert path.read_bytes() == before
    # No lock that would keep another process away.
    assert [one.name for one in tmp_path.iterdir()] == ["run.jsonl"]
    curve = LearningCurve(path, overwrite=True)
    model.fit(*data, epochs=1, verbose=0, callbacks=[curve])
    assert epochs(curve) == [0]
    assert read(path) == curve.rows


@pytest.mark.slow
def test_a_fresh_model_starts_new_rows_in_memory(build, data):
    curve = LearningCurve()
    for _ in range(2):
        build().fit(*data, epochs=2, verbose=0, callbacks=[curve])
        assert epochs(curve) == [0, 1]
        assert all(row["data_loss"] is not None for row in curve.rows)


@pytest.mark.slow
def test_a_torn_last_line_is_mended(build, data, tmp_path):
    path = tmp_path / "run.jsonl"
    model = build()
    model.fit(*data, epochs=2, verbose=0, callbacks=[LearningCurve(path)])
    with path.open("ab") as file:
        file.write(b'{"epoch": 2, "lo')
    with pytest.warns(UserWarning, match=r"torn last line is left out \(line 3\)"):
        assert epochs(LearningCurve.load(path)) == [0, 1]
    model.fit(*data, epochs=1, verbose=0, callbacks=[LearningCurve(path)])
    assert [row["epoch"] for row in read(path)] == [0, 1, 2]


@pytest.mark.parametrize("content", ["epoch,loss\n0,1\n", '{"loss": 1}\n', "[1]\n"])
def test_another_file_is_refused_and_left_alone(build, data, tmp_path, content):
    """`load` reads what `diagnose` reads; training goes on with our own files alone."""
    path = tmp_path / "run.csv"
    path.write_text(content)
    if "loss" in content:
        assert LearningCurve.load(path).rows == [{"epoch": 0, "loss": 1}]
    else:
        with pytest.raises(ValueError, match="is a list, and not of rows with names"):
            LearningCurve.load(path)
    curve = LearningCurve(path, overwrite=True)
    with pytest.raises(ValueError, match="Line 1 of"):
        build().fit(*data, verbose=0, callbacks=[curve])
    assert path.read_text() == content


def test_load_says_that_there_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        LearningCurve.load(tmp_path / "none.jsonl")


class Crash(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3:
            raise RuntimeError("power cut")


def test_backup_and_restore(build, data, tmp_path):
    path = tmp_path / "run.jsonl"

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    with pytest.raises(RuntimeError):
        build().fit(
            *data,
            epochs=5,
            verbose=0,
            callbacks=[LearningCurve(path), backup(), Crash()],
        )
    assert len(read(path)) == 3
    # A new process: a fresh model, which BackupAndRestore fills after us.
    curve = LearningCurve(path)
    build().fit(*data, epochs=5, verbose=0, callbacks=[curve, backup()])
    assert epochs(curve) == [0, 1, 2, 3, 4]
    assert [row["step"] for row in curve.rows] == [2, 4, 6, 8, 10]
    model = build()
    with pytest.raises(ValueError, match="BackupAndRestore must come after"):
        callbacks = [backup(), LearningCurve()]
        model.fit(*data, verbose=0, callbacks=callbacks, validation_data=data)
    assert not (tmp_path / "backup").exists()


def test_the_same_curve_twice_is_refused(build, data):
    curve = LearningCurve()
    with pytest.raises(ValueError, match="twice"):
        build().fit(*data, verbose=0, callbacks=[curve, curve])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"path": 3}, TypeError),
        ({"figure": 3}, TypeError),
        ({"figure": "run.gif"}, ValueError),
        ({"figure": ["run.png", "run"]}, ValueError),
        ({"figure": "run.png", "every": 0}, ValueError),
        ({"figure": "run.png", "every": 1.5}, TypeError),
        ({"every": 2}, ValueError),
        ({"track_penalty": 1}, TypeError),
        ({"track_norms": "yes"}, TypeError),
        ({"overwrite": None}, TypeError),
    ],
    ids=str,
)
def test_bad_arguments_are_named(arguments, error):
    name = "every" if "every" in arguments else next(iter(arguments))
    with pytest.raises(error, match=f"`{name}`"):
        LearningCurve(**arguments)


@pytest.mark.parametrize("argument", ["path", "figure"])
@pytest.mark.parametrize("where", ["below a file", "/proc", "a folder"])
def test_what_cannot_be_written_is_said_before_training(
    build, data, tmp_path, argument, where
):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    path = {
        "below a file": tmp_path / "file" / "run.png",
        "/proc": "/proc/none/run.png",
        "a folder": tmp_path / "folder.png",
    }[where]
    model = build()
    with pytest.raises(OSError, match=f"`{argument}` cannot be written"):
        model.fit(*data, verbose=0, callbacks=[LearningCurve(**{argument: path})])
    assert int(model.optimizer.iterations) == 0


def test_the_rate_of_the_epoch_is_recorded(build, data):
    """Oracle: the schedule by hand. Keras' callback changes the rate for the next."""
    halve = keras.callbacks.ReduceLROnPlateau(
        "loss", factor=0.5, patience=0, min_delta=1e9, min_lr=0
    )
    curve = LearningCurve()
    model = build(optimizer=keras.optimizers.SGD(0.25))
    model.fit(*data, epochs=3, verbose=0, callbacks=[halve, curve])
    rates = [row["learning_rate"] for row in curve.rows]
    assert rates[0] == 0.25
    assert rates == sorted(rates, reverse=True)


@pytest.mark.needs("pandas")
def test_to_dataframe(build, data):
    curve = LearningCurve(track_norms=True)
    build().fit(*data, epochs=2, verbose=0, callbacks=[curve])
    frame = curve.to_dataframe()
    assert list(frame["epoch"]) == [0, 1]
    assert sum(name.startswith("norms/") for name in frame) == 4


def test_without_pandas_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        LearningCurve().to_dataframe()


def test_an_empty_curve_cannot_be_drawn():
    with pytest.raises(ValueError, match="no rows"):
        LearningCurve().plot()
    assert LearningCurve().diagnose().verdict == "inconclusive"


@pytest.mark.parametrize("with_file", [True, False])
def test_thawed_and_compiled_anew_between_two_fits(build, data, tmp_path, with_file):
    """Oracle: the metric of the same batches, and Keras' loss."""
    model = build()
    model.layers[0].trainable = False
    model.compile(keras.optimizers.SGD(0.01), "mse", metrics=["mse"])
    curve = LearningCurve(tmp_path / "run.jsonl" if with_file else None)
    settings = {"validation_data": data, "callbacks": [curve], "verbose": 0}
    model.fit(*data, epochs=2, **settings)
    model.layers[0].trainable = True
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mse"])
    model.fit(*data, initial_epoch=2, epochs=4, **settings)
    assert epochs(curve) == [0, 1, 2, 3]
    for row in curve.rows:
        assert row["data_loss"] == pytest.approx(row["mse"], rel=1e-5)
        assert row["val_data_loss"] == pytest.approx(row["val_mse"], rel=1e-5)
        total = row["data_loss"] + row["penalty"]
        assert total == pytest.approx(row["loss"], rel=1e-5)
    if with_file:
        assert read(tmp_path / "run.jsonl") == curve.rows
