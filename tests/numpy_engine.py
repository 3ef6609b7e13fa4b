"""What stands in for the engines where only what surrounds them is tested."""

import keras
import numpy as np

from keras_decay.search._targets import BINARY, coding_of
from keras_decay.search._work import Outcome, Report


def run(job, tasks, **how):
    """In place of `run`: the models are linear, and trained on all rows at once.

    The steps are those of Newton's method with a bound on the curvature. It makes the
    models' outputs, histories and weights, as the engines do, in no time.
    """
    outcomes = []
    for task in tasks:
        params = job.candidates[task.candidate]
        coding = coding_of(job.build(**params))
        outcomes.append(_outcome(job, task, params.get("l2", 0.0), coding))
    return outcomes, Report([{"engine": "NumPy", **how}])


def _outcome(job, task, l2, coding):
    x = np.reshape(job.data.x, (len(job.data.x), -1)).astype("float64")
    x = np.c_[x, np.ones(len(x))]  # the last row of the weights is the bias
    link, loss, y = _likelihood(coding, np.asarray(job.data.y))
    given = {"": job.data.weight, "val_": job.data.valid_weight}
    weights = {k: np.ones(len(x)) if w is None else w for k, w in given.items()}
    weight = weights[""]
    split = job.splits[task.split]
    rows, w = split.train, np.zeros((x.shape[1], y.shape[1]))
    strength = l2 * np.ones_like(w)
    strength[-1] = 1e-9
    hessian = (x[rows].T * weight[rows]) @ x[rows] / len(rows) + np.diag(strength[:, 0])
    history: dict[str, list[float]] = {}
    for _ in range(job.settings.epochs):
        error = weight[rows, None] * (link(x[rows] @ w) - y[rows]) / len(rows)
        w = w - np.linalg.solve(hessian, x[rows].T @ error + strength * w)
        for name, part in (("", rows), ("val_", split.valid)):
            if not len(part):
                continue
            each = weights[name][part] * loss(link(x[part] @ w), y[part])
            penalty = np.sum(strength * w**2)
            history.setdefault(f"{name}data_loss", []).append(each.mean())
            history.setdefault(f"{name}loss", []).append(each.mean() + penalty)
    return Outcome(
        {name: np.array(values) for name, values in history.items()},
        predictions=link(x[split.valid] @ w).astype(keras.config.floatx()),
        weights=[w[:-1], w[-1]],
        engine="NumPy",
        seconds=0.5,
    )


def _likelihood(coding, y):
    """The output's link, the loss of each row, and the targets as columns."""
    if coding is None:
        square = lambda p, y: np.mean((p - y) ** 2, axis=1)  # noqa: E731
        return (lambda z: z), square, y.reshape(len(y), -1).astype("float64")
    if coding.kind == BINARY:
        y = np.reshape(y, (-1, 1))
        cross = lambda p, y: -np.log(np.where(y, p, 1 - p))[:, 0]  # noqa: E731
        return (lambda z: 0.5 * (1 + np.tanh(0.5 * z))), cross, y
    if y.ndim < 2:
        y = np.eye(y.max() + 1)[y]
    return _softmax, (lambda p, y: -np.log(np.sum(p * y, axis=1))), y


def _softmax(z):
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)
