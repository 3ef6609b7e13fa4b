"""Writes labelled_curves.json: `KERAS_BACKEND=jax python record_labelled_curves.py`.

With names of data sets as arguments it records these and leaves the others as they are.
The rule for the labels stands in LABELS.md beside this file.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from labelled_data import DATA_SETS, RECORDED
from labelling import TRUTH, label_of, truth_of

import keras_decay as kd

# Each way of training: settings, and the number of epochs that the curve shows.
ARMS = {
    "plain": {},
    "plain, slow": {"rate": 1e-3},
    "plain, wide": {"rate": 1e-3, "hidden": (256, 256)},
    "L2(0.003)": {"l2": 0.003},
    "L2(0.01)": {"l2": 0.01},
    "L2(0.03)": {"l2": 0.03},
    "L2(0.1)": {"l2": 0.1},
    "L1(0.002)": {"l1": 0.002},
    "L1(0.01)": {"l1": 0.01},
    "dropout 0.5, L2(0.003)": {"dropout": 0.5, "l2": 0.003},
    "weight_decay=10": {"weight_decay": 10.0},
    "L2(1)": {"l2": 1.0},
    "L1(0.3)": {"l1": 0.3},
    "rate 1e-4": {"rate": 1e-4},
    "SGD, L2(0.003)": {"optimizer": "SGD", "rate": 0.01, "l2": 0.003},
    "batches of 4, L2(0.01)": {"batch": 4, "rate": 1e-2, "l2": 0.01},
    "batches of 4, dropout 0.3": {"batch": 4, "dropout": 0.3},
    "SGD at rate 30": {"optimizer": "SGD", "rate": 30.0},
    "rate rises": {"growth": 1.3},
    "3 epochs": {"epochs": 3},
    "4 epochs, L2(0.01)": {"epochs": 4, "l2": 0.01},
    "8 epochs": {"epochs": 8},
    "15 epochs, L2(0.01)": {"epochs": 15, "l2": 0.01},
}
EPOCHS = 50
FILE = Path(__file__).with_name("labelled_curves.json")


class Truth(keras.callbacks.Callback):
    """The loss on all training rows and on all test rows after every epoch."""

    def __init__(self, data, loss):
        super().__init__()
        self.data, self.loss = data, loss
        self.train, self.test = [], []

    def on_epoch_end(self, epoch, logs=None):
        both = np.concatenate([self.data.train[0], self.data.test[0]])
        predicted = np.asarray(
            keras.ops.convert_to_numpy(self.model.predict_on_batch(both)), "float64"
        )
        count = len(self.data.train[0])
        self.train.append(self.loss(self.data.train[1], predicted[:count]))
        self.test.append(self.loss(self.data.test[1], predicted[count:]))


def model_of(data, hidden=(64, 64), l1=0.0, l2=0.0, dropout=0.0):
    penalty = keras.regularizers.L1L2(l1, l2) if l1 or l2 else None
    layers = [keras.Input(data.train[0].shape[1:])]
    for units in hidden:
        layers.append(keras.layers.Dense(units, "relu", kernel_regularizer=penalty))
        if dropout:
            layers.append(keras.layers.Dropout(dropout))
    last = "softmax" if data.classes else None
    units = data.classes or 1
    layers.append(keras.layers.Dense(units, last, kernel_regularizer=penalty))
    return keras.Sequential(layers)


def train(
    data,
    seed,
    optimizer="Adam",
    rate=3e-3,
    weight_decay=None,
    batch=32,
    epochs=EPOCHS,
    growth=None,
    **network,
):
    """The curve as Keras reports it, without its penalty, and the truth about it."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    model = model_of(data, **network)
    inner = getattr(keras.optimizers, optimizer)(rate)
    if weight_decay is not None:
        inner = kd.DecoupledWeightDecay(inner, weight_decay)
    loss = "sparse_categorical_crossentropy" if data.classes else "mse"
    model.compile(inner, loss, metrics=[loss])
    truth = Truth(data, data.loss)
    callbacks = [truth]
    if growth is not None:
        callbacks.append(
            keras.callbacks.LearningRateScheduler(lambda t, _: rate * growth**t)
        )
    history = model.fit(
        *data.train,
        batch_size=batch,
        epochs=epochs + max(epochs // 2, 1),
        validation_data=data.validation,
        validation_batch_size=1000,
        callbacks=callbacks,
        verbose=0,
    ).history
    shown = {
        column: [float(f"{value:.4g}") for value in history[name][:epochs]]
        for column, name in (("data_loss", loss), ("val_data_loss", f"val_{loss}"))
    }
    return shown, truth_of(truth.train, truth.test, epochs)


def record(name, seed):
    """The curves of all arms on one data set and seed that have a label."""
    data = DATA_SETS[name](seed)
    runs = {}
    for arm, settings in ARMS.items():
        runs[arm] = train(data, seed, **settings)
        print(name, seed, arm, runs[arm][1], file=sys.stderr, flush=True)
    reachable = float(np.nanmin([truth["best"] for _, truth in runs.values()]))
    found = []
    for arm, (curve, truth) in runs.items():
        truth = {**truth, "reachable": reachable, **data.constant()}
        known = {"data": name, "seed": seed, "arm": arm, "label": label_of(truth)}
        values = [float(f"{truth[key]:.4g}") for key in TRUTH]
        found.append({**known, "truth": values, "curve": curve})
    return found


def write(name, seed, found):
    """Put the curves of one data set and seed in the place of earlier ones.

    Those without a label are counted, and not kept.
    """
    content = json.loads(FILE.read_text()) if FILE.exists() else {"left_out": {}}
    curves = [
        one
        for one in content.get("curves", ())
        if (one["data"], one["seed"]) != (name, seed)
    ]
    kept = [one for one in found if one["label"] is not None]
    content["truth"] = list(TRUTH)
    content["left_out"][f"{name} {seed}"] = len(found) - len(kept)
    content["curves"] = curves + kept
    text = json.dumps(content, separators=(",", ":")).replace('{"data"', '\n{"data"')
    FILE.write_text(text + "\n")


def main(names):
    for sets, seeds in RECORDED.values():
        for name in sets:
            for seed in seeds:
                if not names or name in names:
                    write(name, seed, record(name, seed))


if __name__ == "__main__":
    main(sys.argv[1:])
