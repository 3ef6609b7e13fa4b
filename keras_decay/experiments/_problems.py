"""Digits and diabetes: little data, a small network for each, and three parts of rows.

What the experiments that compare optimizers train on.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Rows(NamedTuple):
    """Inputs and targets."""

    x: np.ndarray
    y: np.ndarray


class Problem(NamedTuple):
    """A data set, split, and the network that is trained on it.

    Attributes:
        name: What it is called.
        train, validation, test: The `Rows`.
        layers: Function of a regularizer, or None, that returns new layers with it on
            every kernel.
        loss: Function that returns a new loss.
    """

    name: str
    train: Rows
    validation: Rows
    test: Rows
    layers: Callable
    loss: Callable

    def model(self, optimizer, penalty=None):
        """A new network, compiled."""
        import keras

        inputs = keras.Input(self.train.x.shape[1:])
        model = keras.Sequential([inputs, *self.layers(penalty)])
        model.compile(optimizer, self.loss())
        return model


def digits(seed, *, train=200, validation=400):
    """scikit-learn's digits, 8 × 8 pixels each, and a convolutional network."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    known, valid, test = _split(_patches(x / 16), y, seed, train, validation)
    return Problem(
        name="digits",
        train=known,
        validation=valid,
        test=test,
        layers=_convolutions,
        loss=_cross_entropy,
    )


def diabetes(seed, *, train=200, validation=121):
    """scikit-learn's diabetes patients, and a dense network.

    Inputs and target are standardised by the training rows, so that predicting the mean
    has an error of about 1.
    """
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    parts = _split(x, y, seed, train, validation)
    mean, scale = parts[0].x.mean(axis=0), parts[0].x.std(axis=0)
    middle, spread = parts[0].y.mean(), parts[0].y.std()
    known, valid, test = (
        Rows((part.x - mean) / scale, (part.y - middle) / spread) for part in parts
    )
    return Problem(
        name="diabetes",
        train=known,
        validation=valid,
        test=test,
        layers=_dense,
        loss=_squared_error,
    )


PROBLEMS = {"digits": digits, "diabetes": diabetes}


def _split(x, y, seed, train, validation):
    order = np.random.default_rng(seed).permutation(len(x))
    cuts = np.split(order, [train, train + validation])
    return [Rows(x[rows].astype("float32"), y[rows]) for rows in cuts]


def _patches(images):
    """Images of 64 pixels as 4 quadrants of 4 patches of 2 × 2 pixels."""
    # Row and column of a pixel have three binary digits each.
    bits = images.reshape(len(images), 2, 2, 2, 2, 2, 2)
    return bits.transpose(0, 1, 4, 2, 5, 3, 6).reshape(len(images), 4, 4, 4)


def _convolutions(penalty):
    """Two convolutions of kernel 2 × 2 and stride 2, and a dense layer.

    Kernels that do not overlap, on pixels in this order, are dense layers on the last
    axis: products of matrices, which are compiled for many trainings at once much
    better than convolutions are.
    """
    from keras import layers

    return [
        layers.Dense(16, use_bias=False, kernel_regularizer=penalty),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.Reshape((4, 64)),
        layers.Dense(32, use_bias=False, kernel_regularizer=penalty),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dense(10, kernel_regularizer=penalty),
    ]


def _dense(penalty):
    from keras import layers

    return [
        layers.Dense(64, "relu", kernel_regularizer=penalty),
        layers.Dense(64, "relu", kernel_regularizer=penalty),
        layers.Dense(1, kernel_regularizer=penalty),
    ]


def _cross_entropy():
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _squared_error():
    import keras

    return keras.losses.MeanSquaredError()


def held_out_losses(
    problem, build, strengths, *, splits, seed, test, epochs, batch_size
):
    """The losses of a model with each strength, trained on several random splits.

    All rows of the problem are split anew; each split has as many for training and for
    validation as the problem has. The units of inputs and targets stay the same.

    Args:
        problem: The `Problem`.
        build: Function of a strength that returns a compiled model.
        strengths: A list of numbers.
        splits: How many.
        seed: Of splits, initial weights and batches.
        test: The number of rows for the test.
        epochs, batch_size: As `fit` takes them.

    Returns:
        Dict of "validation" and "test", arrays of shape (strengths, splits) of the loss
        without the penalty after the last epoch.
    """
    from keras_decay.search import DecaySearchCV

    x, y = (np.concatenate(parts) for parts in zip(*problem[1:4], strict=True))
    search = DecaySearchCV(
        build,
        {"strength": [float(strength) for strength in strengths]},
        cv=_pairs_of_rows(problem, len(x), splits, seed, test),
        seeds=[seed],
        epochs=epochs,
        batch_size=batch_size,
        scoring=_scorers(len(problem.validation.x)),
        refit=False,
        verbose=False,
    )
    search.fit(x, y)
    if search.report_.interrupted:
        raise KeyboardInterrupt
    results = search.cv_results_
    order = [results["params"].index({"strength": float(s)}) for s in strengths]
    return {
        name: -np.stack(
            [results[f"split{i}_test_{name}"][order] for i in range(splits)], axis=1
        )
        for name in ("validation", "test")
    }


def _pairs_of_rows(problem, count, splits, seed, test):
    """For each split the rows to train on, and those of validation and test."""
    train, validation = len(problem.train.x), len(problem.validation.x)
    pairs = []
    for number in range(splits):
        order = np.random.default_rng((seed, number)).permutation(count)
        pairs.append((order[:train], order[train : train + validation + test]))
    return pairs


def _scorers(validation):
    """Minus the loss on the first rows of what is held out, and on the others."""

    def of_first(estimator, x, y):
        return -_row_losses(estimator, x, y)[:validation].mean()

    def of_others(estimator, x, y):
        return -_row_losses(estimator, x, y)[validation:].mean()

    return {"validation": of_first, "test": of_others}


def _row_losses(estimator, x, y):
    """Each row's cross-entropy, or squared error, in float64."""
    if not hasattr(estimator, "classes_"):
        return (np.ravel(estimator.predict(x)).astype("float64") - y) ** 2
    chances = np.asarray(estimator.predict_proba(x), "float64")
    of_truth = chances[np.arange(len(y)), np.searchsorted(estimator.classes_, y)]
    return -np.log(np.maximum(of_truth, np.finfo("float32").tiny))
