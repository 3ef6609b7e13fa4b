"""Ten times as many inputs as samples: what decay removes, and what it cannot give.

A linear model of 200 inputs is trained on 20 samples with plain SGD, from random and
from zero weights. A gradient step moves the weights within the space that the samples
span, never within the null space of X, where initial weights stay for good unless decay
takes them away. Where there were none, there is next to nothing to be gained.
"""

import numpy as np

from keras_decay.experiments import _double
from keras_decay.experiments import _gaussian_data as _data
from keras_decay.experiments._findings import Recorder, Table

NAME = "high-dimensional"
FIGURES = ("high-dimensional", "high-dimensional-strengths")
BATCH, DECAY = 5, 3.0
# What the initial weights, drawn from N(0, 1), are multiplied by.
STARTS = {"N(0, 1)": 1.0, "zero": 0.0}
RIDGES = np.geomspace(0.001, 300, 45)


def run(*, seed=0, quick=False, progress=None):
    """Trains from both starts with and without decay, and solves in closed form.

    Args:
        seed: Of the data and of the first initial weights and order of batches.
        quick: Two data sets instead of 32 and one start instead of four, a sixth of the
            epochs at six times the learning rate, and no further strengths.
        progress: Called with (what, done, total) before each step.

    Returns:
        The `Findings`. `numbers["curves"]` holds by start and λ the mean squared error
        on training and on test rows, (trainings, epochs); `numbers["first"]` what came
        of the first data set at all strengths; `numbers["closed"]` the errors of the
        closed forms on each data set.

    Raises:
        TypeError, ValueError: If an argument is none of the above.
    """
    record = Recorder(NAME, seed, quick, progress)
    how = {"rate": 0.018, "epochs": 17} if quick else {"rate": 0.003, "epochs": 100}
    count, repeats = (2, 1) if quick else (32, 4)
    data = [_data.sample(seed, number) for number in range(count)]
    strengths = [0.0, DECAY]
    if not quick:
        strengths += [DECAY * 10.0 ** (k / 4) for k in range(-8, 9) if k]
    seeds = [seed + k for k in range(repeats)]
    with _double.precision():
        record.at(f"training on {count} data sets", 0, 2)
        curves = _curves(data, seeds, **how)
        record.at(f"training at {len(strengths)} strengths", 1, 2)
        first = _first(data[0], strengths, seed, **how)
    record.at("done", 2, 2)
    numbers = {
        **how,
        "decay": DECAY,
        "curves": curves,
        "first": first,
        "closed": _closed_forms(data),
    }

    def draw():
        from keras_decay.experiments._high_dimensional_figures import draw_curves

        return draw_curves(found)

    def draw_strengths():
        from keras_decay.experiments._high_dimensional_figures import draw_strengths

        return draw_strengths(found)

    found = record.findings(
        tables=[_table(numbers)],
        sentences=_sentences(numbers),
        numbers=numbers,
        drawings=dict(zip(FIGURES, (draw, draw_strengths), strict=True)),
    )
    return found


def half_squared_error(y, prediction):
    """½ (y − ŷ)², the loss that goes with λ/2 Σw²."""
    from keras import ops

    return ops.mean(ops.square(y - prediction), axis=-1) / 2


def _builder(rate):
    """A function of λ and the scale of the initial weights, for the search."""
    import keras

    import keras_decay as kd

    def build(half_l2, start):
        dense = keras.layers.Dense(
            1,
            kernel_initializer=keras.initializers.RandomNormal(stddev=1.0),
            kernel_regularizer=kd.L2(kd.convert(half_l2, "half_l2", "l2")),
        )
        model = keras.Sequential([keras.Input((_data.INPUTS,)), dense])
        # Not by the initializer, so that one program trains all.
        dense.kernel.assign(start * dense.kernel)
        model.compile(keras.optimizers.SGD(rate), half_squared_error)
        return model

    return build


def _curves(data, seeds, *, rate, epochs):
    """start: {λ as text: {"train" or "test": (trainings, epochs)}}."""
    import keras_decay as kd

    # Every data set is a fold, so that all are trained in one program.
    x = np.concatenate([np.concatenate([each.x, each.x_test]) for each in data])
    y = np.concatenate([np.concatenate([each.y, each.y_test]) for each in data])
    rows = np.arange(len(x)).reshape(len(data), -1)
    search = kd.DecaySearchCV(
        _builder(rate),
        {"half_l2": [0.0, DECAY], "start": list(STARTS.values())},
        cv=[(of[: _data.SAMPLES], of[_data.SAMPLES :]) for of in rows],
        seeds=seeds,
        epochs=epochs,
        batch_size=BATCH,
        refit=False,
        verbose=False,
    ).fit(x, y)
    found: dict[str, dict] = {title: {} for title in STARTS}
    titles = {scale: title for title, scale in STARTS.items()}
    keys = {"train": "data_loss", "test": "val_data_loss"}
    for params, of_one in zip(
        search.cv_results_["params"], search.curves_, strict=True
    ):
        found[titles[params["start"]]][f"{params['half_l2']:g}"] = {
            name: 2 * np.array([[row[key] for row in curve] for curve in of_one])
            for name, key in keys.items()
        }
    return found


def _first(data, strengths, seed, *, rate, epochs):
    """The first data set at all strengths: kernels, biases and test errors by start."""
    import keras

    import keras_decay as kd

    build = _builder(rate)
    result = kd.sweep(
        build,
        {"start": list(STARTS.values()), "half_l2": strengths},
        data.x,
        data.y[:, None],
        epochs=epochs,
        batch_size=BATCH,
        seeds=[seed],
        keep_weights=True,
        verbose=False,
    )
    weights = {
        (params["start"], params["half_l2"]): of_one[0]
        for params, of_one in zip(result.params, result.weights, strict=True)
    }
    found: dict = {"strengths": np.array(strengths), "half_l2_of_ridge": RIDGES}
    found["ridge"] = np.array(
        [data.test_error(*_data.ridge(data, strength)) for strength in RIDGES]
    )
    found["mean"] = data.test_error(np.zeros(_data.INPUTS), data.y.mean())
    for title, scale in STARTS.items():
        keras.utils.set_random_seed(seed)
        start = np.ravel(build(0.0, scale).get_weights()[0])
        kernels = np.array([np.ravel(weights[scale, each][0]) for each in strengths])
        biases = np.array([float(weights[scale, each][1][0]) for each in strengths])
        pairs = zip(kernels, biases, strict=True)
        found[title] = {
            "start": start,
            "kernels": kernels,
            "biases": biases,
            "test": np.array([data.test_error(*pair) for pair in pairs]),
            "limit": data.test_error(*_data.limit(data, start)),
            "null_space_before": float(_squares(_data.in_null_space(data, start))),
            "null_space_after": _squares(_data.in_null_space(data, kernels)),
        }
    return found


def _squares(kernels):
    return np.sum(kernels**2, axis=-1)


def _closed_forms(data):
    """Test errors, one for each data set, of what needs no training."""
    ridges = np.array(
        [[d.test_error(*_data.ridge(d, strength)) for strength in RIDGES] for d in data]
    )
    zeros = np.zeros(_data.INPUTS)
    return {
        "mean": np.array([d.test_error(zeros, d.y.mean()) for d in data]),
        "least norm": np.array([d.test_error(*_data.limit(d, zeros)) for d in data]),
        "ridge": np.array([d.test_error(*_data.ridge(d, DECAY)) for d in data]),
        "ridge, best λ": ridges[:, np.argmin(ridges.mean(axis=0))],
    }


def _ends(numbers):
    """(start, λ): the mean error on training and on test rows after the last epoch."""
    return {
        (start, strength): {name: curve[:, -1].mean() for name, curve in of.items()}
        for start, by_strength in numbers["curves"].items()
        for strength, of in by_strength.items()
    }


def _table(numbers):
    rows = [
        (f"SGD from {start} weights, λ = {strength}", f"{of['test']:{digits(start)}}")
        for (start, strength), of in _ends(numbers).items()
    ]
    titles = {
        "least norm": "solution of least norm",
        "ridge": f"ridge, λ = {DECAY:g}",
        "ridge, best λ": "ridge, the best λ in hindsight",
        "mean": "mean of the training targets",
    }
    closed = numbers["closed"]
    rows += [(title, f"{closed[name].mean():.4f}") for name, title in titles.items()]
    return Table(
        columns=("model", "test error"),
        rows=tuple(rows),
        note="the mean squared error on 100 test rows, averaged over "
        f"{len(closed['mean'])} data sets",
    )


def digits(start):
    """How errors are told that belong to this start."""
    return ".4f" if start == "zero" else ".3g"


def _sentences(numbers):
    ends, first = _ends(numbers), numbers["first"]
    decay = f"{DECAY:g}"
    random, zero = STARTS
    tests = {key: of["test"] for key, of in ends.items()}
    before = first[random]["null_space_before"]
    kept, left = first[random]["null_space_after"][:2]
    gain = 1 - tests[zero, decay] / tests[zero, "0"]
    closed = {name: values.mean() for name, values in numbers["closed"].items()}
    more = closed["mean"] / closed["ridge, best λ"] - 1
    steps = numbers["epochs"] * _data.SAMPLES // BATCH
    return [
        f"From {random} weights test error is {tests[random, '0']:.3g} without decay "
        f"and {tests[random, decay]:.2g} with λ = {decay}.",
        "That is the initial weights, not the data: of their squared norm "
        f"{before:.3g} lies in the null space of X, where no gradient reaches. Without "
        f"decay {kept:.3g} of it is left after {steps} steps, with decay {left:.2g}.",
        f"From zero weights it is {tests[zero, '0']:.4f} without decay and "
        f"{tests[zero, decay]:.4f} with it: "
        + (f"decay takes {gain:.1%} off." if gain > 0 else "decay gains nothing."),
        f"Ridge solves for the bias as well: SGD has brought it to "
        f"{first[zero]['biases'][1]:.3f} of {_data.BIAS:g} by then.",
        "Twenty samples tell little of 200 weights: even ridge at the best λ has "
        f"{closed['ridge, best λ']:.4f}, where the mean of the targets has "
        f"{closed['mean']:.4f}, {abs(more):.0%} {'more' if more > 0 else 'less'}.",
    ]
