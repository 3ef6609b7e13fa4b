"""Trains on the diabetes data in processes that are killed with SIGKILL, many times.

Keras is imported once. Every training runs in a fork made before the backend has done
anything, and builds, restores and compiles its model as a new process would. It saves
the model after each epoch under another name and renames it, so that a kill in the
middle of saving loses no checkpoint; what is tested is the curve.
"""

import contextlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py  # noqa: F401
import keras
import numpy as np
from sklearn.datasets import load_diabetes

from keras_decay.callbacks import LearningCurve
from keras_decay.curves.data import rows as _rows

with contextlib.suppress(ImportError):
    import tensorflow  # noqa: F401 (`fit` imports it on every backend)

FOLDER, KILLS, SEED = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
PATH, CHECKPOINT = FOLDER / "run.jsonl", FOLDER / "model.weights.h5"
STEPS = 3
# Killed some time after so many epochs of its own, in turn. An epoch is told of before
# the model is saved, so that all but one of them are sure to last.
AFTER = (0, 1, 2, 3, 2)
X, Y = load_diabetes(return_X_y=True, scaled=True)
X, Y = X.astype("float32"), ((Y - Y.mean()) / Y.std()).astype("float32")[:, None]


class Saves(keras.callbacks.Callback):
    """Saves the model, and tells the parent of every epoch that is finished."""

    def __init__(self, path, tell):
        super().__init__()
        self.path, self.tell = path, tell

    def on_epoch_end(self, epoch, logs=None):
        os.write(self.tell, b"e")
        if self.path is not None:
            temporary = self.path.with_name("new.weights.h5")
            self.model.save_weights(temporary)
            os.replace(temporary, self.path)


def train(path, checkpoint, epochs, tell, figure=None):
    """Train until `epochs` epochs are done in all; what a user's script would do."""
    keras.utils.set_random_seed(0)
    regularizer = keras.regularizers.L2(1e-2)
    layers = [
        keras.Input((10,)),
        keras.layers.Dense(16, "relu", kernel_regularizer=regularizer),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    # Eagerly: to compile takes longer than to train.
    eagerly = keras.backend.backend() == "tensorflow"
    model.compile(keras.optimizers.SGD(0.05, 0.9), "mse", run_eagerly=eagerly)
    if checkpoint is not None and checkpoint.exists():
        model.optimizer.build(model.trainable_variables)
        model.load_weights(checkpoint)
    done = int(keras.ops.convert_to_numpy(model.optimizer.iterations)) // STEPS
    curve = LearningCurve(path, figure=figure)
    model.fit(
        X[:300],
        Y[:300],
        batch_size=100,
        shuffle=False,
        initial_epoch=done,
        epochs=epochs,
        validation_data=(X[300:], Y[300:]),
        validation_batch_size=142,
        callbacks=[curve, Saves(checkpoint, tell)],
        verbose=0,
    )
    return curve


def fork(work):
    """Run `work(tell)` in a fork; returns its pid and a pipe of what it tells."""
    heard, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work(tell)
            code = 0
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    os.close(tell)
    return pid, heard


def wait(pid, heard):
    """The code with which a fork has ended, and how many epochs it has told of."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    told = b""
    while chunk := os.read(heard, 65536):
        told += chunk
    os.close(heard)
    return code, told.count(b"e")


def check(rows, at_least):
    """Every epoch exactly once, in order, and none of those lost that were told of."""
    assert [row["epoch"] for row in rows] == list(range(len(rows))), rows
    assert [row["step"] for row in rows] == [
        STEPS * (epoch + 1) for epoch in range(len(rows))
    ]
    assert len(rows) >= at_least, (len(rows), at_least)


def killed_again_and_again():
    """Kill a training at random moments, and look at the file after each."""
    chance = random.Random(SEED)
    known = 0
    for kill in range(KILLS):
        pid, heard = fork(lambda tell: train(PATH, CHECKPOINT, 10_000, tell))
        epochs = AFTER[kill % len(AFTER)]
        for _ in range(epochs):
            assert os.read(heard, 1) == b"e"
        # Or while it starts, restores and compiles.
        time.sleep(chance.uniform(0, 0.05 if epochs else 0.6))
        os.kill(pid, signal.SIGKILL)
        code, _ = wait(pid, heard)
        assert code == -signal.SIGKILL, code
        rows, _ = _rows.read(PATH) if PATH.exists() else ([], False)
        check(rows, at_least=known)
        # The row that was written before its model was saved is made again.
        known = max(len(rows) - 1, 0)


def refused():
    """What a second training of the same file says while a first one runs."""
    pid, heard = fork(lambda tell: train(PATH, CHECKPOINT, 10_000, tell))
    assert os.read(heard, 1) == b"e"

    def second(tell):
        try:
            train(PATH, None, 3, os.open(os.devnull, os.O_WRONLY))
        except ValueError as error:
            os.write(tell, str(error).encode())

    other, message = fork(second)
    said = os.read(message, 4096).decode()
    assert wait(other, message)[0] == 0
    os.kill(pid, signal.SIGKILL)
    wait(pid, heard)
    return said.replace(str(pid), "PID")


def main():
    killed_again_and_again()
    said = refused()
    reached = len(_rows.read(PATH)[0])
    last = reached + 2
    finished = fork(
        lambda tell: train(PATH, CHECKPOINT, last, tell, FOLDER / "run.svg")
    )
    assert wait(*finished)[0] == 0
    reference = FOLDER / "reference.jsonl"
    assert wait(*fork(lambda tell: train(reference, None, last, tell)))[0] == 0
    rows, torn = _rows.read(PATH)
    assert not torn
    check(rows, at_least=last)
    oracle, _ = _rows.read(reference)
    worst = max(
        abs(row[key] / other[key] - 1)
        for row, other in zip(rows, oracle, strict=True)
        for key in ("loss", "data_loss", "penalty", "val_loss", "val_data_loss")
    )
    lines = LearningCurve.load(PATH).plot().lines
    gaps = {float(g) for line in lines[:2] for g in np.diff(line.get_xdata())}
    finite = all(np.isfinite(line.get_ydata()).all() for line in lines[:2])
    found = {
        "refused": said,
        "epochs": len(rows),
        "restarts": sum("restart" in row for row in rows),
        "worst": worst,
        "points": [len(line.get_xdata()) for line in lines[:2]],
        "gaps": sorted(gaps),
        "finite": finite,
        "figure": (FOLDER / "run.svg").stat().st_size,
        "left": sorted(path.name for path in FOLDER.iterdir()),
    }
    print(json.dumps(found))


main()
