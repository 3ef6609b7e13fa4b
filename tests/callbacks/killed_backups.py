"""Trains with `BackupAndRestore` in processes that are killed with SIGKILL.

As in `killed.py` every training runs in a fork of a process that has only imported.
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

from keras_decay.callbacks import BackupAndRestore, LearningCurve

with contextlib.suppress(ImportError):
    import tensorflow  # noqa: F401 (`fit` imports it on every backend)

FOLDER, KILLS, SEED = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
BATCHES = 2
RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 32)).astype("float32")
Y = X[:, :1] + RNG.normal(size=(64, 1)).astype("float32")


class Tells(keras.callbacks.Callback):
    """Tells the parent that an epoch is over, and its backup comes."""

    def __init__(self, tell):
        super().__init__()
        self.tell = tell

    def on_epoch_end(self, epoch, logs=None):
        os.write(self.tell, b"e")


def train(name, epochs, tell):
    """What a user's program does, whenever it is started."""
    keras.utils.set_random_seed(0)
    # The backups take most of the time.
    dense = [keras.layers.Dense(256, "relu", kernel_regularizer="l2") for _ in "123"]
    model = keras.Sequential([keras.Input((32,)), *dense, keras.layers.Dense(1)])
    eagerly = keras.backend.backend() == "tensorflow"
    model.compile(keras.optimizers.Adam(1e-3), "mse", run_eagerly=eagerly)
    curve = LearningCurve(FOLDER / f"{name}.jsonl")
    backup = BackupAndRestore(FOLDER / f"{name}-backup")
    callbacks = [curve, Tells(tell), backup]
    model.fit(
        X, Y, batch_size=32, epochs=epochs, shuffle=False, verbose=0,
        callbacks=callbacks,
    )  # fmt: skip
    np.savez(FOLDER / f"{name}.npz", *model.get_weights())


def fork(work):
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


def end(pid, heard):
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    while os.read(heard, 65536):
        pass
    os.close(heard)
    return code


def main():
    chance = random.Random(SEED)
    for kill in range(KILLS):
        pid, heard = fork(lambda tell: train("run", 10_000, tell))
        # After so many epochs of its own, most of them within the next backup.
        for _ in range(kill % 3):
            assert os.read(heard, 1) == b"e", "it ended before it was killed"
        time.sleep(chance.uniform(0, 0.1 if kill % 3 else 1.0))
        os.kill(pid, signal.SIGKILL)
        code = end(pid, heard)
        assert code == -signal.SIGKILL, code
    before = LearningCurve.load(FOLDER / "run.jsonl").rows
    epochs = len(before) + 2
    for name in ("run", "reference"):
        assert end(*fork(lambda tell, name=name: train(name, epochs, tell))) == 0
    rows, oracle = (
        LearningCurve.load(FOLDER / f"{name}.jsonl").rows
        for name in ("run", "reference")
    )
    ours, theirs = (np.load(FOLDER / f"{name}.npz") for name in ("run", "reference"))
    worst = max(
        abs(row[key] / other[key] - 1)
        for row, other in zip(rows, oracle, strict=True)
        for key in ("loss", "data_loss", "penalty")
    )
    weights = max(float(np.abs(ours[key] - theirs[key]).max()) for key in theirs.files)
    for name in ("run", "reference"):
        (FOLDER / f"{name}.npz").unlink()
    found = {
        "kills": KILLS,
        "epochs": epochs,
        "batches": BATCHES,
        "numbers": [row["epoch"] for row in rows],
        "steps": [row["step"] for row in rows],
        "restarts": sum("restart" in row for row in rows),
        "weights": weights,
        "worst": worst,
        "left": sorted(path.name for path in FOLDER.iterdir()),
    }
    print(json.dumps(found))


main()
