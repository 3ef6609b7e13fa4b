"""Logistic regression: with λ/(2m) Σw² a layer of Keras is scikit-learn's, C = 1/λ.

One unit is trained on the breast cancer patients with binary cross-entropy, at a range
of λ and without a penalty. Where two classes can be told apart by a plane, as they can
here, no best weights exist without one: the weights grow for as long as one trains.
"""

from typing import NamedTuple

import numpy as np

from keras_decay.experiments import _double
from keras_decay.experiments._findings import Recorder, Table

NAME = "logistic"
FIGURES = ("logistic",)
RATE = 0.25
# Batches of all rows in an epoch, so that there are few epochs to be kept account of.
PER_EPOCH = 50
# What is given to `L2` by whoever forgets the 1/(2m).
FORGOTTEN = 1.0


class Rows(NamedTuple):
    """Standardised inputs, labels 0 or 1, to train on and to test on."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def run(*, seed=0, quick=False, progress=None):
    """Trains at all λ, and solves the same by scikit-learn.

    Args:
        seed: Of the split and the initial weights.
        quick: Two λ, both strong, instead of 13, and 300 steps instead of 10,000.
        progress: Called with (what, done, total) before each step.

    Returns:
        The `Findings`. `numbers` holds by λ, of which the first is 0 and the last that
        of a forgotten 1/(2m), the weights, bias last, of ours and of scikit-learn's
        (none at λ = 0), and the log losses and accuracies.

    Raises:
        TypeError, ValueError: If an argument is none of the above.
    """
    import keras_decay as kd

    record = Recorder(NAME, seed, quick, progress)
    rows = load(seed)
    count = len(rows.y)
    forgotten = kd.convert(FORGOTTEN, "l2", "half_l2_per_sample", n_samples=count)
    grid = [30.0, 300.0] if quick else [10 ** (k / 3) for k in range(-3, 10)]
    strengths = np.array([0.0, *grid, forgotten])
    how = (
        {"steps": 300, "momentum": 0.8}
        if quick
        else {"steps": 10_000, "momentum": 0.98}
    )
    with _double.precision():
        record.at(f"training at {len(strengths)} strengths", 0, 2)
        trained = _trained(rows, strengths, seed, **how)
    record.at("scikit-learn's LogisticRegression", 1, 2)
    numbers = {
        **how,
        **trained,
        "per_epoch": PER_EPOCH,
        "samples": count,
        "strengths": strengths,
        "oracle": _oracle(rows, strengths[1:]),
        "separable": _separable(rows),
        "test": _scores(rows.x_test, rows.y_test, trained["weights"]),
        "train": _scores(rows.x, rows.y, trained["weights"]),
    }
    record.at("done", 2, 2)

    def draw():
        from keras_decay.experiments._logistic_figures import draw_all

        return draw_all(found)

    found = record.findings(
        tables=[_table(numbers)],
        sentences=_sentences(numbers),
        numbers=numbers,
        drawings={FIGURES[0]: draw},
    )
    return found


def load(seed):
    """scikit-learn's breast cancer data, 30 % for the test, as `Rows`."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    x, y = load_breast_cancer(return_X_y=True)
    x, x_test, y, y_test = train_test_split(
        x, y, test_size=0.3, random_state=seed, stratify=y
    )
    mean, scale = x.mean(axis=0), x.std(axis=0)
    return Rows((x - mean) / scale, y, (x_test - mean) / scale, y_test)


def _trained(rows, strengths, seed, *, steps, momentum):
    """The weights at the end, and the test's log loss on the way."""
    import keras

    import keras_decay as kd

    count, inputs = rows.x.shape

    def build(strength):
        # λ/(2m) Σw² in Keras' convention.
        l2 = kd.convert(strength, "half_l2_per_sample", "l2", n_samples=count)
        dense = keras.layers.Dense(1, kernel_regularizer=kd.L2(l2))
        model = keras.Sequential([keras.Input((inputs,)), dense])
        # Momentum hastens a penalty in the loss and leaves its minimum where it is.
        sgd = keras.optimizers.SGD(RATE, momentum=momentum, nesterov=True)
        model.compile(sgd, keras.losses.BinaryCrossentropy(from_logits=True))
        return model

    def column(labels):
        return labels.astype("float64")[:, None]

    result = kd.sweep(
        build,
        {"strength": strengths.tolist()},
        np.tile(rows.x, (PER_EPOCH, 1)),
        np.tile(column(rows.y), (PER_EPOCH, 1)),
        epochs=steps // PER_EPOCH,
        batch_size=count,
        shuffle=False,
        validation_data=(rows.x_test, column(rows.y_test)),
        seeds=[seed],
        keep_weights=True,
        verbose=False,
    )
    weights = [
        np.append(np.ravel(kernel), bias) for ((kernel, bias),) in result.weights
    ]
    return {
        "weights": np.array(weights),
        "test_curves": result.history["val_data_loss"][:, 0],
        "train_curves": result.history["data_loss"][:, 0],
    }


def _oracle(rows, strengths):
    """The weights, bias last, of scikit-learn's LogisticRegression with C = 1/λ."""
    from sklearn.linear_model import LogisticRegression

    found = []
    for strength in strengths:
        model = LogisticRegression(
            C=1 / strength, solver="newton-cholesky", tol=1e-12, max_iter=1000
        ).fit(rows.x, rows.y)
        found.append(np.append(model.coef_[0], model.intercept_))
    return np.array(found)


def _separable(rows):
    """Whether there is a plane with all of one class on one side, by a linear program.

    It asks for weights with (2y − 1)(xw + b) ≥ 1 for every training row.
    """
    from scipy.optimize import linprog

    signs = 2.0 * rows.y - 1
    inputs = signs[:, None] * np.column_stack([rows.x, np.ones(len(rows.x))])
    columns = inputs.shape[1]
    answer = linprog(
        np.zeros(columns),
        A_ub=-inputs,
        b_ub=-np.ones(len(inputs)),
        bounds=[(None, None)] * columns,
    )
    return bool(answer.status == 0)


def _scores(x, y, weights):
    """The mean −log p of the labels, and the share told rightly, of each model."""
    logits = weights[:, :-1] @ x.T + weights[:, -1:]
    signed = (2 * y - 1) * logits
    return {
        "loss": np.mean(np.logaddexp(0, -signed), axis=1),
        "accuracy": np.mean(signed > 0, axis=1),
    }


def _distances(numbers):
    """The greatest distance of a weight from scikit-learn's, for every λ above 0."""
    return np.abs(numbers["weights"][1:] - numbers["oracle"]).max(axis=1)


def _table(numbers):
    rows = []
    norms = np.linalg.norm(numbers["weights"][:, :-1], axis=1)
    distances = [None, *map(float, _distances(numbers))]
    for index in np.argsort(numbers["strengths"], kind="stable"):
        strength = float(numbers["strengths"][index])
        rows.append(
            (
                strength,
                1 / strength if strength else None,
                strength / (2 * numbers["samples"]),
                float(norms[index]),
                distances[index],
                float(numbers["train"]["loss"][index]),
                float(numbers["test"]["loss"][index]),
            )
        )
    return Table(
        columns=("λ", "C", "Keras' λ", "‖w‖", "distance", "training", "test"),
        rows=tuple(rows),
        note="distance: the greatest of a weight from that of scikit-learn's\n"
        "LogisticRegression(C); training, test: the mean −log p of the labels,\n"
        "without the penalty",
    )


def _sentences(numbers):
    strengths, test = numbers["strengths"], numbers["test"]["loss"]
    best = 1 + int(np.argmin(test[1:]))
    norm = np.linalg.norm(numbers["weights"][0, :-1])
    count = numbers["samples"]
    sentences = [
        f"At every λ from {strengths[1]:g} to {max(strengths):g} the weights are those "
        f"of LogisticRegression(C=1/λ), up to {_distances(numbers).max():.1g}.",
        f"In Keras' convention λ/(2m) Σw² is L2(λ/{2 * count}): whoever writes "
        f"L2({FORGOTTEN:g}) for λ = {FORGOTTEN:g} has λ = {strengths[-1]:g}, and a log "
        f"loss of {test[-1]:.3f} on the test rows, where λ = {strengths[best]:.3g} has "
        f"{test[best]:.3f}.",
    ]
    if numbers["separable"]:
        sentences.append(
            "A plane parts the two classes in training, so that without a penalty no "
            f"best weights exist: ‖w‖ is {norm:.1f} after {numbers['steps']} steps and "
            f"grows, training loss is {numbers['train']['loss'][0]:.2g}, and the "
            f"test's is {test[0]:.3f}."
        )
    else:
        sentences.append(
            f"Without a penalty ‖w‖ is {norm:.1f} after {numbers['steps']} steps, and "
            f"the test's log loss {test[0]:.3f}."
        )
    return sentences
