"""Every figure that the library draws of curves and of searches, as a table.

`DRAWINGS` maps a name to a function that returns the matplotlib figure.
"""

import math
import xml.etree.ElementTree as ElementTree

import keras
import numpy as np
import numpy_engine
import pytest
from matplotlib.figure import Figure
from searched_models import X, Y, ridge
from sklearn.model_selection import KFold

import keras_decay as kd
from keras_decay.curves.draw import figure as _figure
from keras_decay.curves.draw import picture
from keras_decay.curves.draw import svg as _svg
from keras_decay.search import _cv, _sweep

# With noise, so that the best strength is not the least.
TARGETS = Y + np.random.default_rng(1).normal(scale=0.7, size=Y.shape)
LONG = "decoupled weight decay of a network with residual connections"


def rows(shape="u", epochs=40, height=1.0, **more):
    """A curve with every column that a callback records.

    Args:
        shape: "u" turns up, "settles" does not.
        epochs: How many.
        height: What every loss is multiplied by.
        more: Further columns, functions of the epoch.
    """
    rng = np.random.default_rng(0)
    made = []
    for e in range(epochs):
        t = e / 40
        val = 0.5 + 0.5 * math.exp(-15 * t) + 0.4 * max(t - 0.2, 0) * (shape == "u")
        made.append(
            {
                "epoch": e,
                "step": 10 * (e + 1),
                "data_loss": height * (0.1 + 0.9 * math.exp(-6 * t)),
                "val_data_loss": height * val * math.exp(0.02 * rng.normal()),
                "penalty": 0.3 * math.exp(-t),
                "accuracy": 1 - 0.5 * math.exp(-3 * t),
                "val_accuracy": 0.9 - 0.4 * math.exp(-3 * t),
                "learning_rate": 1e-3 * math.cos(min(t, 1.4)),
                "seconds": 0.5 + 0.01 * rng.uniform(),
                "decay": 1e-5 * math.cos(min(t, 1.4)),
            }
        )
        made[-1]["loss"] = made[-1]["data_loss"] + made[-1]["penalty"]
        made[-1]["val_loss"] = made[-1]["val_data_loss"] + made[-1]["penalty"]
        made[-1] |= {name: function(e) for name, function in more.items()}
    return made


def curve(made):
    """A `LearningCurve` that has recorded these rows."""
    found = kd.LearningCurve()
    found.rows = made
    return found


def plot(made=None, **how):
    """A function that draws a curve by `LearningCurve.plot`."""
    return lambda: curve(rows() if made is None else made()).plot(**how).figure


def restarted():
    made = rows()
    for epoch in (7, 20, 21):
        made[epoch]["restart"] = True
    return made


def reevaluated():
    made = rows()
    return [row | {"train_data_loss": 0.8 * row["data_loss"]} for row in made]


def exploding():
    return [{"epoch": e, "loss": 10.0**e, "val_loss": 1e300} for e in range(9)]


def not_finite():
    return [{"epoch": e, "loss": math.nan, "val_loss": math.inf} for e in range(3)]


def drawn_by_the_callback(tmp_path):
    """The figure that `LearningCurve(figure=…)` saves, as it is saved."""
    kept = []
    with pytest.MonkeyPatch.context() as patch:
        save = _figure.save
        patch.setattr(
            _figure,
            "save",
            lambda figure, path: kept.append(figure) or save(figure, path),
        )
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
        x = np.arange(32.0).reshape(8, 4) / 32
        path = tmp_path / "run.png"
        fit = {"validation_data": (x, x[:, :1]), "epochs": 5, "verbose": 0}
        recorded = kd.LearningCurve(figure=path, live=False)
        model.fit(x, x[:, :1], callbacks=[recorded], **fit)
        assert path.stat().st_size > 5_000
    return kept[-1]


# several curves -----------------------------------------------------------------------


def several(names, seeds=1, **how):
    """A function that draws curves at different heights by `plot_curves`."""

    def draw():
        curves = {
            name: [
                rows(height=(1 - 0.08 * index) * (1 + 0.1 * seed))
                for seed in range(seeds)
            ]
            for index, name in enumerate(names)
        }
        return kd.plot_curves(curves, **how).figure

    return draw


NAMES = ["no penalty", "L2(0.01)", "L1(0.001)", "AdamW", "dropout", "lasso", "net", "8"]
LONG_NAMES = [f"{name} of a network" for name in NAMES]


def panels():
    """Curves on axes of somebody else's."""
    figure = Figure(figsize=(7, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    kd.plot_curves({"a": rows(), "b": rows(height=2)}, ax=left)
    curve(rows()).plot(ax=right)
    return figure


# searches -----------------------------------------------------------------------------


def searched(grid, *, epochs=20, plot=None, **how):
    """A function that draws a search, trained by `numpy_engine`."""

    def draw():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_cv, "run", numpy_engine.run)
            how.setdefault("cv", KFold(3))
            search = kd.DecaySearchCV(
                ridge, grid, epochs=epochs, refit=False, verbose=False, **how
            )
            return search.fit(X, TARGETS).plot(**(plot or {})).figure

    return draw


def swept(grid, *, seeds=1, **plot):
    """A function that draws a sweep, trained by `numpy_engine`."""

    def draw():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_sweep, "run", numpy_engine.run)
            result = kd.sweep(
                *(ridge, grid, X[:22], TARGETS[:22]),
                validation_data=(X[22:], TARGETS[22:]),
                epochs=20,
                batch_size=8,
                seeds=seeds,
                verbose=False,
            )
        return result.plot(**plot).figure

    return draw


def search_in_a_panel():
    figure = Figure(figsize=(7, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_cv, "run", numpy_engine.run)
        search = kd.DecaySearchCV(
            ridge, BOTH, epochs=20, stronger="l2", refit=False, verbose=False
        ).fit(X, TARGETS)
    search.plot(ax=left)
    search.plot(ax=right, param="l2")
    return figure


L2 = {"l2": np.logspace(-4, 1, 6)}
BOTH = {"l2": np.logspace(-4, 1, 6), "rate": [0.1, 0.2]}


# live pictures ------------------------------------------------------------------------


def svg(made):
    """A function that sets the words of a live picture, an SVG, by matplotlib."""

    def draw():
        root = ElementTree.fromstring(_svg.svg(picture.picture(made())))
        width, height = (float(root.get(side)) for side in ("width", "height"))
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        anchors = {None: "left", "middle": "center", "end": "right"}
        for text in root.iter("{http://www.w3.org/2000/svg}text"):
            figure.text(
                float(text.get("x")) / width,
                1 - float(text.get("y")) / height,
                text.text,
                size=float(text.get("font-size", root.get("font-size"))),
                weight=text.get("font-weight", "normal"),
                ha=anchors[text.get("text-anchor")],
                va="baseline",
            )
        return figure

    return draw


DRAWINGS = {
    "curve": plot(),
    "curve, smooth": plot(smooth=5),
    "curve, log": plot(log=True),
    "curve, log and smooth": plot(smooth=5, log=True),
    "curve that settles": plot(lambda: rows("settles")),
    "curve, restarted": plot(restarted),
    "curve, evaluated again": plot(reevaluated),
    **{
        f"curve, {metric}": plot(metric=metric)
        for metric in (
            "accuracy",
            "data_loss",
            "penalty",
            "learning_rate",
            "seconds",
            "decay",
        )
    },
    "curve, constant learning rate": plot(
        lambda: rows(learning_rate=lambda e: 1e-3), metric="learning_rate"
    ),
    "curve, penalty on a log axis": plot(metric="penalty", log=True),
    "curve of 1 epoch": plot(lambda: rows(epochs=1)),
    "curve of 2 epochs": plot(lambda: rows(epochs=2)),
    "curve of 3000 epochs": plot(lambda: rows(epochs=3000)),
    "curve of tiny losses": plot(lambda: rows(height=1e-7)),
    "curve of huge losses": plot(lambda: rows(height=1e7)),
    "curve that explodes": plot(exploding),
    "curve that explodes, log": plot(exploding, log=True),
    "curve without a number": plot(not_finite),
    "curve without validation": plot(
        lambda: [{"epoch": e, "loss": 0.9**e} for e in range(40)]
    ),
    "curves, two": several(NAMES[:2]),
    "curves, eight": several(NAMES),
    "curves, eight long names": several(LONG_NAMES),
    "curves, log": several(NAMES[:4], log=True),
    "curves, smooth": several(NAMES[:4], smooth=5),
    "curves, accuracy": several(NAMES[:4], metric="accuracy"),
    "curves, learning rate": several(NAMES[:2], metric="learning_rate"),
    "curves, three seeds": several(NAMES[:3], seeds=3),
    "curves, three seeds of one": several(NAMES[:1], seeds=3),
    "curves, a very long name": several([LONG, "short"]),
    "curves in panels": panels,
    "validation curve": searched(L2),
    "validation curve with zero": searched({"l2": [0.0, *L2["l2"]]}),
    "validation curve, r2": searched(L2, scoring="r2"),
    "validation curve, linear": searched({"rate": [0.1, 0.2, 0.3]}),
    "validation curve, two values": searched({"l2": [1e-3, 0.1]}),
    "validation curve, 40 values": searched({"l2": np.logspace(-6, 2, 40)}, cv=2),
    "validation curve of two": searched(BOTH, stronger="l2", plot={"param": "l2"}),
    "heat map of a search": searched(BOTH, stronger="l2"),
    "heat map, 20 by 3": searched(
        {"l2": np.logspace(-4, 1, 20), "rate": [0.1, 0.2, 0.3]}, stronger="l2", cv=2
    ),
    "search in panels": search_in_a_panel,
    "sweep": swept(L2),
    "sweep, three seeds": swept(L2, seeds=3),
    "sweep, loss": swept(L2, metric="loss"),
    "heat map of a sweep": swept(BOTH),
    "live": svg(rows),
    "live, long": svg(lambda: rows(epochs=3000)),
    "live, short": svg(lambda: rows(epochs=1)),
    "live, tiny": svg(lambda: rows(height=1e-7)),
    "live, exploding": svg(exploding),
}
