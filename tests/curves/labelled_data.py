"""The data sets of the labelled curves that are kept, and their parts."""

from typing import Any, NamedTuple

import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split

# part: (data sets, seeds), as LABELS.md has it.
RECORDED = {
    "held out third": (
        ("odd", "proline", "uncorrelated", "s_curve", "blobs"),
        (8,),
    ),
    "held out fourth": (
        ("blood", "petal", "ink", "linear", "parity", "waves"),
        (10,),
    ),
    "held out fifth": (
        ("bmi", "flavanoids", "high", "spirals", "rare", "product"),
        (12,),
    ),
    "held out": (
        ("pressure", "symmetry", "third", "steps", "checks", "heavy"),
        (14,),
    ),
}
MANY = 4000


class Data(NamedTuple):
    """Rows in three parts, each (x, y); `classes` is 0 for a regression."""

    train: Any
    validation: Any
    test: Any
    classes: int

    def loss(self, y, predicted):
        """Mean squared error, or cross-entropy of probabilities as Keras clips them."""
        if not self.classes:
            return float(np.mean((predicted[:, 0] - y) ** 2))
        chosen = predicted[np.arange(len(y)), y.astype(int)]
        # NaN stays NaN.
        return float(-np.mean(np.log(np.clip(chosen, 1e-7, 1.0))))

    def constant(self):
        """The losses of the best constant prediction of the training rows."""
        y = self.train[1]
        if self.classes:
            best = np.bincount(y.astype(int), minlength=self.classes) / len(y)
        else:
            best = np.array([np.mean(y)])
        return {
            f"constant_{name}": self.loss(part[1], np.tile(best, (len(part[1]), 1)))
            for name, part in (("train", self.train), ("test", self.test))
        }


def divided(x, y, train, validation, seed, classes=0):
    """Standardised by the training rows."""
    x, rest_x, y, rest_y = train_test_split(
        x, y, train_size=train, random_state=seed, stratify=y if classes else None
    )
    val_x, test_x, val_y, test_y = train_test_split(
        rest_x,
        rest_y,
        train_size=validation,
        random_state=seed,
        stratify=rest_y if classes else None,
    )
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale == 0] = 1.0
    mean, sd = (0.0, 1.0) if classes else (y.mean(), y.std())
    parts = [(x, y), (val_x, val_y), (test_x, test_y)]
    standardised = [
        (((a - centre) / scale).astype("float32"), ((b - mean) / sd).astype("float32"))
        for a, b in parts
    ]
    return Data(*standardised, classes)


def odd(seed):
    """Whether a handwritten digit is odd."""
    x, y = datasets.load_digits(return_X_y=True)
    return divided(x, y % 2, 120, 250, seed, 2)


def proline(seed):
    """The wines' content of proline from the other twelve measurements."""
    x, _ = datasets.load_wine(return_X_y=True)
    return divided(x[:, :12], x[:, 12], 50, 50, seed)


def uncorrelated(seed):
    x, y = datasets.make_sparse_uncorrelated(320 + MANY, 10, random_state=seed)
    return divided(x, y, 120, 200, seed)


def s_curve(seed):
    x, y = datasets.make_s_curve(280 + MANY, noise=0.3, random_state=seed)
    return divided(x, y, 80, 200, seed)


def blobs(seed):
    x, y = datasets.make_blobs(
        400 + MANY, 6, centers=5, cluster_std=5.0, random_state=seed
    )
    return divided(x, y, 150, 250, seed, 5)


def blood(seed):
    """The diabetes patients' s5, log triglycerides, from the other nine columns."""
    x, _ = datasets.load_diabetes(return_X_y=True)
    return divided(np.delete(x, 8, axis=1), x[:, 8], 120, 120, seed)


def petal(seed):
    """The width of an iris' petal from its other three measurements."""
    x, _ = datasets.load_iris(return_X_y=True)
    return divided(x[:, :3], x[:, 3], 40, 40, seed)


def ink(seed):
    """The ink in the lower half of a handwritten digit from the upper half's pixels."""
    x, _ = datasets.load_digits(return_X_y=True)
    return divided(x[:, :32], x[:, 32:].sum(axis=1), 150, 250, seed)


def linear(seed):
    x, y = datasets.make_regression(
        300 + MANY, 20, n_informative=10, noise=60.0, random_state=seed
    )
    return divided(x, y, 100, 200, seed)


def parity(seed):
    """Whether two of six normal inputs have one sign; one label in twenty is turned."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(400 + MANY, 6))
    y = (x[:, 0] * x[:, 1] > 0) ^ (rng.random(len(x)) < 0.05)
    return divided(x, y, 150, 250, seed, 2)


def waves(seed):
    """A sum of sines of three of five uniform inputs, with normal noise."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, size=(320 + MANY, 5))
    y = np.sin(2 * x[:, :3]).sum(axis=1) + rng.normal(scale=0.4, size=len(x))
    return divided(x, y, 120, 200, seed)


def bmi(seed):
    """The diabetes patients' body mass index from the other nine columns."""
    x, _ = datasets.load_diabetes(return_X_y=True)
    return divided(np.delete(x, 2, axis=1), x[:, 2], 120, 120, seed)


def flavanoids(seed):
    """The wines' content of flavanoids from the other twelve measurements."""
    x, _ = datasets.load_wine(return_X_y=True)
    return divided(np.delete(x, 6, axis=1), x[:, 6], 50, 50, seed)


def high(seed):
    """Whether a handwritten digit is 5 or more."""
    x, y = datasets.load_digits(return_X_y=True)
    return divided(x, y >= 5, 150, 250, seed, 2)


def spirals(seed):
    """Two spirals of one and a half turns each, with normal noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=320 + MANY)
    radius = rng.uniform(0.3, 3.0, size=len(y))
    angle = np.pi * (radius + y)
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x += rng.normal(scale=0.2, size=x.shape)
    return divided(x, y, 120, 200, seed, 2)


def rare(seed):
    x, y = datasets.make_classification(
        400 + MANY,
        12,
        n_informative=6,
        n_classes=3,
        weights=[0.6, 0.3, 0.1],
        random_state=seed,
    )
    return divided(x, y, 150, 250, seed, 3)


def product(seed):
    """A product and an absolute value of three of six normal inputs, with noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(320 + MANY, 6))
    y = x[:, 0] * x[:, 1] + np.abs(x[:, 2]) + rng.normal(scale=0.3, size=len(x))
    return divided(x, y, 120, 200, seed)


def pressure(seed):
    """The diabetes patients' blood pressure from the other nine columns."""
    x, _ = datasets.load_diabetes(return_X_y=True)
    return divided(np.delete(x, 3, axis=1), x[:, 3], 120, 120, seed)


def symmetry(seed):
    """The worst symmetry of a tumour from the mean values of its cells."""
    x, _ = datasets.load_breast_cancer(return_X_y=True)
    return divided(x[:, :10], x[:, 28], 150, 150, seed)


def third(seed):
    """Whether a handwritten digit is divisible by 3."""
    x, y = datasets.load_digits(return_X_y=True)
    return divided(x, y % 3 == 0, 150, 250, seed, 2)


def steps(seed):
    """The number of positive ones among three of six uniform inputs, with noise."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, size=(320 + MANY, 6))
    y = (x[:, :3] > 0).sum(axis=1) + rng.normal(scale=0.3, size=len(x))
    return divided(x, y, 120, 200, seed)


def checks(seed):
    """The colour of a chessboard of 4 × 4 squares; one in twenty is turned."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 4, size=(450 + MANY, 2))
    y = (np.floor(x).sum(axis=1) % 2 > 0) ^ (rng.random(len(x)) < 0.05)
    return divided(x, y, 200, 250, seed, 2)


def heavy(seed):
    """Linear in five of fifteen normal inputs, with Student's noise of 3 degrees."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(320 + MANY, 15))
    y = x[:, :5].sum(axis=1) + rng.standard_t(3, size=len(x))
    return divided(x, y, 120, 200, seed)


DATA_SETS = {
    one.__name__: one
    for one in (
        odd,
        proline,
        uncorrelated,
        s_curve,
        blobs,
        blood,
        petal,
        ink,
        linear,
        parity,
        waves,
        bmi,
        flavanoids,
        high,
        spirals,
        rare,
        product,
        pressure,
        symmetry,
        third,
        steps,
        checks,
        heavy,
    )
}
