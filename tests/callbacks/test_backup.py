"""Backups of a training: whole at any moment, and gone on from.

`killed_backups.py` is what runs in the processes of the slow test.
"""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest
from support import slow

import keras_decay as kd
from keras_decay.callbacks import BackupAndRestore, LearningCurve
from keras_decay.callbacks import backup as backups

BACKEND = keras.backend.backend()
HERE = Path(__file__).parent
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fit(model, data, *callbacks, epochs=5, **settings):
    settings = {"shuffle": False, "verbose": 0, **settings}
    model.fit(*data, epochs=epochs, callbacks=list(callbacks), **settings)
    return model.get_weights()


@pytest.mark.slow
@posix
def test_killed_at_random_moments(tmp_path, run_python):
    """Oracle: the same training, not interrupted. KERAS_DECAY_KILLS sets the number."""
    kills = int(os.environ.get("KERAS_DECAY_KILLS", 10))
    source = (HERE / "killed_backups.py").read_text()
    printed = run_python(source, tmp_path, kills, 0).stdout
    found = json.loads(printed.splitlines()[-1])
    print(found)
    assert found["kills"] == kills
    assert found["numbers"] == list(range(found["epochs"]))
    assert found["steps"] == [found["batches"] * (n + 1) for n in found["numbers"]]
    # How many kills leave a row of theirs depends on the speed of the machine.
    assert found["restarts"] >= 1
    assert found["weights"] == 0.0 and found["worst"] <= 1e-6
    assert found["left"] == ["reference.jsonl", "run.jsonl"]


@pytest.mark.parametrize(
    "moment", ["weights", *map(slow, ["metadata", "rename", "removal"])]
)
def test_an_interruption_in_a_backup(build, data, bomb, tmp_path, monkeypatch, moment):
    """Oracle: the same training, not interrupted; with Adam, which has a state."""
    oracle = fit(build(optimizer="adam"), data)
    folder, path, made = tmp_path / "backup", tmp_path / "run.jsonl", []

    def interrupted(original):
        def function(*args, **kwargs):
            made.append(1)
            if len(made) == 3:
                raise KeyboardInterrupt
            return original(*args, **kwargs)

        return function

    model = build(optimizer="adam")
    if moment == "weights":
        model.save_weights = interrupted(model.save_weights)
    else:
        place = {
            "metadata": (Path, "write_text"),
            "rename": (Path, "rename"),
            "removal": (backups, "_remove"),
        }[moment]
        monkeypatch.setattr(*place, interrupted(getattr(*place)))
    with pytest.raises(KeyboardInterrupt):
        fit(model, data, LearningCurve(path), BackupAndRestore(folder))
    monkeypatch.undo()
    curve = LearningCurve(path)
    ours = fit(build(optimizer="adam"), data, curve, BackupAndRestore(folder))
    for one, other in zip(ours, oracle, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [row["epoch"] for row in curve.rows] == [0, 1, 2, 3, 4]
    assert [row["step"] for row in curve.rows] == [2, 4, 6, 8, 10]
    assert names(tmp_path) == ["run.jsonl"]
    # Nothing of it is left for the next `fit`.
    fit(build(), data, BackupAndRestore(folder), epochs=1)


def test_within_an_epoch(build, data, bomb, tmp_path):
    """The epoch of the backup is begun again."""
    folder = tmp_path / "backup"
    model = build()
    with pytest.raises(RuntimeError, match="bomb"):
        backup = BackupAndRestore(folder, save_freq=3)
        fit(model, data, LearningCurve(), backup, bomb(epoch=2), batch_size=25)
    assert names(folder) == ["backup-1"]
    assert json.loads((folder / "backup-1" / backups.METADATA).read_text()) == {
        "epoch": 2
    }
    seen = []

    class Sees(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            step = keras.ops.convert_to_numpy(self.model.optimizer.iterations)
            seen.append((epoch, int(step)))

    fit(build(), data, BackupAndRestore(folder), Sees(), epochs=4, batch_size=25)
    assert seen == [(2, 6), (3, 8)]


def test_two_backups_of_which_the_last_cannot_be_read(build, data, bomb, tmp_path):
    folder = tmp_path / "backup"
    settings = {"double_checkpoint": True, "delete_checkpoint": False}
    with pytest.raises(RuntimeError, match="bomb"):
        fit(build(), data, BackupAndRestore(folder, **settings), bomb(epoch=3))
    assert names(folder) == ["backup-2", "backup-3"]
    file = folder / "backup-3" / backups.WEIGHTS
    file.write_bytes(file.read_bytes()[:100])
    with pytest.warns(UserWarning, match="backup-3.*cannot be read"):
        ours = fit(build(), data, BackupAndRestore(folder, **settings))
    for one, other in zip(ours, fit(build(), data), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(names(folder)) == 2


def test_a_full_disk_does_not_cost_the_training(build, data, tmp_path):
    """The backup before stays, and a later one takes its place."""
    folder, model = tmp_path / "backup", build()
    seen, save = [], model.save_weights

    def full(path):
        seen.append(names(folder))
        if len(seen) == 2:
            raise OSError(28, "No space left on device")
        save(path)

    model.save_weights = full
    backup = BackupAndRestore(folder, delete_checkpoint=False)
    with pytest.warns(UserWarning, match="No backup could be written.*No space"):
        fit(model, data, backup, epochs=4)
    hidden = [".backup-0.new", ".backup-1.new", ".backup-1.new", ".backup-2.new"]
    kept = [[], ["backup-0"], ["backup-0"], ["backup-1"]]
    assert seen == [[one, *other] for one, other in zip(hidden, kept, strict=True)]
    assert names(folder) == ["backup-2"]


def test_it_comes_after_the_curve(build, data, tmp_path):
    model = build()
    with pytest.raises(ValueError, match="BackupAndRestore must come after"):
        fit(model, data, BackupAndRestore(tmp_path / "backup"), LearningCurve())
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 0
    # Another training's backup has no say in it.
    fit(model, data, LearningCurve(), epochs=1)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"directory": 3}, TypeError),
        ({"save_freq": "batch"}, TypeError),
        ({"save_freq": False}, TypeError),
        ({"save_freq": 0}, ValueError),
        ({"double_checkpoint": 1}, TypeError),
        ({"delete_checkpoint": "no"}, TypeError),
    ],
    ids=str,
)
def test_bad_arguments_are_named(arguments, error):
    with pytest.raises(error, match=f"`{next(iter(arguments))}`"):
        kd.BackupAndRestore(**{"directory": "backup", **arguments})


def test_what_cannot_be_used_is_said_before_training(data, tmp_path):
    (tmp_path / "file").write_text("a file")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(OSError, match="`directory` cannot be written"):
        fit(model, data, BackupAndRestore(tmp_path / "file" / "backup"))
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 0
