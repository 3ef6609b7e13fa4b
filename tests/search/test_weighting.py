"""The data loss as a score: Keras' own without weights, a weighted mean with them."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops
from searched_models import EAGERLY, X, Y, ridge, trained_by_hand
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import KFold, PredefinedSplit
from support import mostly_slow, slow

import keras_decay as kd
from keras_decay.search import _run
from keras_decay.search._weighting import data_loss, divides_by_weight
from keras_decay.search._work import Data, Job, Settings, Split, Task

ROWS = np.arange(30)
HOW = {"epochs": 1, "batch_size": 8, "engine": "sequential", "refit": True}
BINARY = (X[:, 0] > 0).astype("float32")
CLASSES = (X[:, 0] > 0).astype("int32") + (X[:, 1] > 0.5)
SHARES = np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)
WEIGHTS = np.linspace(0.0, 3.0, 30).astype("float32")


def per_row(y, predicted):
    return ops.mean(ops.square(y - predicted), axis=-1)


def per_entry(y, predicted):
    return ops.abs(y - predicted)


def scalar(y, predicted):
    return ops.max(ops.abs(y - predicted))


class Cubed(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.abs(y_true - y_pred) ** 3, axis=-1)


# The loss, the activation of the outputs, and the targets.
NUMBERS = {
    "mse": "mse",
    "mae": "mae",
    "huber": "huber",
    "log_cosh": "log_cosh",
    "mean_squared_logarithmic_error": "mean_squared_logarithmic_error",
    "Huber(δ)": keras.losses.Huber(delta=0.3),
    "a sum": keras.losses.MeanSquaredError(reduction="sum"),
    "a mean by weight": keras.losses.MeanSquaredError(
        reduction="mean_with_sample_weight"
    ),
    "Keras' function": keras.losses.mean_absolute_error,
    "per row": per_row,
    "per entry": per_entry,
    "scalar": scalar,
    "lambda": lambda y, predicted: ops.square(y - predicted),
    "own class": Cubed(),
    "own class summed": Cubed(reduction="sum"),
}
LOSSES = {name: (loss, None, Y) for name, loss in NUMBERS.items()} | {
    "poisson": ("poisson", "softplus", np.abs(Y)),
    "hinge": ("hinge", "tanh", BINARY),
    "squared hinge": ("squared_hinge", "tanh", 2 * BINARY - 1),
    "binary": ("binary_crossentropy", "sigmoid", BINARY),
    "binary logits": (
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
        None,
        BINARY,
    ),
    "binary shares": ("binary_crossentropy", "sigmoid", SHARES[:, 0]),
    "focal": ("binary_focal_crossentropy", "sigmoid", BINARY),
    "sparse": ("sparse_categorical_crossentropy", "softmax", CLASSES),
    "sparse logits": (
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        None,
        CLASSES,
    ),
    "categorical": ("categorical_crossentropy", "softmax", np.eye(3)[CLASSES]),
    "categorical hinge": ("categorical_hinge", "softmax", np.eye(3)[CLASSES]),
    "kl": ("kl_divergence", "softmax", SHARES),
    "cosine": ("cosine_similarity", None, SHARES),
}


CASES = [
    (name, shape)
    for name, (_, _, y) in LOSSES.items()
    for shape in (["(n, 3)"] if y.ndim == 2 else ["(n,)", "(n, 1)"])
]


def builder(loss, activation, units, **compiled):
    def build(l2=0.0):
        layer = keras.layers.Dense(units, activation, kernel_regularizer=kd.L2(l2))
        model = keras.Sequential([layer])
        sgd = keras.optimizers.SGD(0.05)
        model.compile(sgd, loss, run_eagerly=EAGERLY, **compiled)
        return model

    return build


def evaluated(model, x, y, batch_size=8):
    return model.evaluate(x, y, batch_size=batch_size, verbose=0, return_dict=True)[
        "loss"
    ]


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("name, shape", mostly_slow(CASES, CASES[::29]))
def test_without_weights_every_loss_is_that_of_evaluate(name, shape):
    """Oracle: `evaluate` of Keras, in batches of 8, 8, 8 and 6."""
    loss, activation, y = LOSSES[name]
    y = y[:, None] if shape == "(n, 1)" else y
    units = 3 if name.startswith("sparse") or (y.ndim == 2 and y.shape[1] == 3) else 1
    build = builder(loss, activation, units)
    held_out = [(ROWS[:20], ROWS[20:])]
    search = kd.DecaySearchCV(build, {"l2": [0.0]}, cv=held_out, **HOW).fit(X, y)
    model = search.best_estimator_
    assert search.score(X, y) == pytest.approx(-evaluated(model, X, y), rel=1e-5)
    if name == "per row" and shape == "(n,)":  # and not that of all pairs of rows
        by_hand = np.mean((model.predict(X, verbose=0)[:, 0] - y) ** 2)
        assert search.score(X, y) == pytest.approx(-by_hand, rel=1e-5)
    # The fold's: a plain `fit`, and `evaluate` of the rows held out.
    model, _ = trained_by_hand(build, {"l2": 0.0}, 0, X[:20], y[:20], 1, 8)
    expected = -evaluated(model, X[20:], y[20:])
    found = search.cv_results_["split0_test_score"][0]
    assert found == pytest.approx(expected, rel=1e-5)


def two_outputs(l2=0.0, loss=None):
    inputs = keras.Input((3,))
    penalty = kd.L2(l2)
    outputs = {
        "number": keras.layers.Dense(1, name="number", kernel_regularizer=penalty),
        "share": keras.layers.Dense(1, "sigmoid", name="share"),
    }
    model = keras.Model(inputs, {k: layer(inputs) for k, layer in outputs.items()})
    model.compile(
        keras.optimizers.SGD(0.05),
        {"number": loss or per_row, "share": "binary_crossentropy"},
        loss_weights={"number": 0.25, "share": 2.0},
        run_eagerly=EAGERLY,
    )
    return model


def test_several_outputs_and_loss_weights():
    """Oracle: `evaluate` of Keras; the terms by hand."""
    y = {"number": Y, "share": BINARY}
    held_out = [(ROWS[:20], ROWS[20:])]
    search = kd.DecaySearchCV(two_outputs, {"l2": [0.0]}, cv=held_out, **HOW)
    search.fit(X, y)
    model = search.best_estimator_
    assert search.score(X, y) == pytest.approx(-evaluated(model, X, y), rel=1e-5)
    predicted = {k: v[:, 0] for k, v in model.predict(X, verbose=0).items()}
    each = 0.25 * (predicted["number"] - Y) ** 2
    each -= 2 * np.log(np.where(BINARY, predicted["share"], 1 - predicted["share"]))
    assert search.score(X, y) == pytest.approx(-each.mean(), rel=1e-5)
    weighted = search.score(X, y, sample_weight=WEIGHTS)
    expected = -np.average(each, weights=WEIGHTS)
    assert weighted == pytest.approx(expected, rel=1e-5)
    build = builder(["mae"], None, 1, loss_weights=[3.0])
    search = kd.DecaySearchCV(build, {"l2": [0.0]}, cv=held_out, **HOW).fit(X, Y)
    expected = -evaluated(search.best_estimator_, X, Y)
    assert search.score(X, Y) == pytest.approx(expected, rel=1e-5)


def masked(l2=0.0, eagerly=EAGERLY):
    """A number for each word of a text; the padding's do not count."""
    layers = [
        keras.layers.Embedding(9, 4, mask_zero=True),
        keras.layers.Dense(1, kernel_regularizer=kd.L2(l2)),
    ]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.5), "mse", run_eagerly=eagerly)
    return model


TEXTS = np.random.default_rng(1).integers(1, 9, size=(30, 5))
TEXTS[np.arange(5) > (ROWS % 5)[:, None]] = 0
WORDS = np.sqrt(TEXTS)[:, :, None].astype("float32")


def test_what_is_masked_does_not_count():
    """Oracle: `evaluate` of Keras, whose mean of a batch is over what is not masked."""
    held_out = [(ROWS[:20], ROWS[20:])]
    search = kd.DecaySearchCV(masked, {"l2": [0.0]}, cv=held_out, **HOW)
    search.fit(TEXTS, WORDS)
    model = search.best_estimator_
    score = search.score(TEXTS, WORDS)
    assert score == pytest.approx(-evaluated(model, TEXTS, WORDS), rel=1e-5)
    squares = (model.predict(TEXTS, verbose=0) - WORDS)[..., 0] ** 2
    batches = np.split(ROWS, [8, 16, 24])
    means = [squares[rows][TEXTS[rows] > 0].mean() for rows in batches]
    expected = np.average(means, weights=[8, 8, 8, 6])
    assert score == pytest.approx(-expected, rel=1e-5)


def test_penalties_are_no_part_of_it():
    """Oracle: the mean squared error of NumPy."""
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(2, activity_regularizer=keras.regularizers.L1(0.7))
    outputs = keras.layers.Dense(1, kernel_regularizer=kd.L2(9.0))(hidden(inputs))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    squares = (model.predict(X, verbose=0)[:, 0] - Y) ** 2
    assert data_loss(model, X, Y, None, 7) == pytest.approx(squares.mean(), rel=1e-5)


REDUCTIONS = ("sum_over_batch_size", "mean_with_sample_weight")


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weights_make_a_weighted_mean(reduction):
    """Oracle: `sample_weight` of scikit-learn's metrics."""
    losses = {
        "number": keras.losses.MeanSquaredError(reduction=reduction),
        "class": keras.losses.BinaryCrossentropy(reduction=reduction),
    }
    for name, activation, y in (("number", None, Y), ("class", "sigmoid", BINARY)):
        model = builder(losses[name], activation, 1)()
        predicted = model.predict(X, verbose=0)[:, 0].astype("float64")
        for rows, weight in ((30, WEIGHTS), (30, 1e-3 * WEIGHTS), (8, WEIGHTS[8:16])):
            metric = mean_squared_error if name == "number" else log_loss
            expected = metric(y[:rows], predicted[:rows], sample_weight=weight)
            found = data_loss(model, X[:rows], y[:rows], weight, 8)
            assert found == pytest.approx(expected, rel=1e-5)
        # Of rows with one weight the mean, whatever it is.
        plain = data_loss(model, X, y, None, 8)
        assert data_loss(model, X, y, np.full(30, 7.0), 8) == pytest.approx(plain)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sequential", slow("vectorized")])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_scores_of_folds_are_weighted_means(engine, reduction):
    """Oracle: a plain `fit` with weights, and the weighted mean of NumPy."""
    loss = keras.losses.MeanSquaredError(reduction=reduction)

    def build(l2):
        layer = keras.layers.Dense(1, kernel_regularizer=kd.L2(l2))
        model = keras.Sequential([keras.Input((3,)), layer])
        sgd = keras.optimizers.SGD(0.05)
        model.compile(sgd, loss, run_eagerly=EAGERLY and engine == "sequential")
        return model

    cv = KFold(2)
    search = kd.DecaySearchCV(build, {"l2": [0.01, 0.1]}, cv=cv, **HOW)
    search.set_params(engine=engine, epochs=3, refit=False)
    search.fit(X, Y, sample_weight=WEIGHTS)
    for fold, (train, held_out) in enumerate(cv.split(X)):
        for i, l2 in enumerate((0.01, 0.1)):
            model, _ = trained_by_hand(
                build, {"l2": l2}, 0, X[train], Y[train], 3, 8, WEIGHTS[train]
            )
            squares = (model.predict(X[held_out], verbose=0)[:, 0] - Y[held_out]) ** 2
            expected = -np.average(squares, weights=WEIGHTS[held_out])
            found = search.cv_results_[f"split{fold}_test_score"][i]
            assert found == pytest.approx(expected, rel=1e-5)
    # The curves are Keras' own.
    assert {"val_data_loss", "val_loss"} < set(search.curves_[0][0][0])
    assert all("weight" not in name for name in search.curves_[0][0][0])
    assert search.engine_ == engine


@pytest.mark.slow
def test_the_rule_of_one_standard_error_goes_by_weighted_means():
    """Oracle: ridge regression in closed form with weights, scored by scikit-learn."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 6)).astype("float32")
    y = (x @ [1, 0.5, 0.3, 0, 0, 0] + rng.normal(size=200)).astype("float32")
    weight = np.where(np.arange(200) < 40, 5.0, 1.0)
    weight = (weight / weight.mean()).astype("float32")
    strengths = np.array([0.003, 0.01, 0.03, 0.1, 0.3, 1.0])

    def build(l2):
        layer = keras.layers.Dense(
            1, use_bias=False, kernel_regularizer=kd.L2(l2), kernel_initializer="zeros"
        )
        model = keras.Sequential([keras.Input((6,)), layer])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        return model

    search = kd.DecaySearchCV(
        *(build, {"l2": strengths}), cv=KFold(5), epochs=150, batch_size=160
    )
    search.set_params(refit=False, shuffle=False).fit(x, y, sample_weight=weight)
    table = np.empty((6, 5))
    for fold, (train, held_out) in enumerate(KFold(5).split(x)):
        for i, l2 in enumerate(strengths):
            a = x[train].T.astype("float64") * weight[train]
            ridge_matrix = a @ x[train] + l2 * len(train) * np.eye(6)
            w = np.linalg.solve(ridge_matrix, a @ y[train])
            error = mean_squared_error(
                y[held_out], x[held_out] @ w, sample_weight=weight[held_out]
            )
            table[i, fold] = -error
    # What gradient descent leaves of the way to the minimum.
    found = [search.cv_results_[f"split{fold}_test_score"] for fold in range(5)]
    np.testing.assert_allclose(np.transpose(found), table, rtol=1e-4)
    mean, error = table.mean(axis=1), table.std(axis=1, ddof=1) / np.sqrt(5)
    within = mean >= mean.max() - error[mean.argmax()]
    assert search.lambda_min_ == strengths[mean.argmax()]
    assert search.lambda_1se_ == strengths[within].max()


def test_rows_without_any_weight_are_refused_before_training(monkeypatch):
    monkeypatch.setattr("keras_decay.search._cv.run", None)
    monkeypatch.setattr("keras_decay.search._sweep.run", None)
    cv = PredefinedSplit(ROWS // 10)  # of ten rows each
    nobody = np.where(ROWS // 10 == 1, 0.0, 1.0)
    search = kd.DecaySearchCV(ridge, {"l2": [0.1, 1.0]}, cv=cv)
    words = r"`sample_weight` must not be zero .* all 10 rows that fold 1 holds out"
    with pytest.raises(ValueError, match=words):
        search.fit(X, Y, sample_weight=nobody)
    # Scorers see the rows unweighted.
    search.set_params(scoring="r2")
    with pytest.raises(ValueError, match="all 20 rows that fold 1 trains on"):
        search.fit(X, Y, sample_weight=1 - nobody)
    with pytest.raises(TypeError, match="NoneType"):  # it was about to be trained
        search.fit(X, Y, sample_weight=nobody)
    words = r"`sample_weight` must not be zero for every row to validate on"
    with pytest.raises(ValueError, match=words):
        kd.sweep(
            *(ridge, {"l2": [0.1]}, X, Y),
            epochs=1,
            validation_split=0.5,
            sample_weight=np.where(ROWS < 15, 1.0, 0.0),
        )
    with pytest.raises(ValueError, match="`class_weight` must not be zero"):
        kd.sweep(ridge, {"l2": [0.1]}, X, BINARY, epochs=1, class_weight={0: 0, 1: 0})


def test_losses_of_two_kinds_have_no_weighted_mean():
    loss = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")
    model = two_outputs(loss=loss)
    y = {"number": Y, "share": BINARY}
    with pytest.raises(ValueError, match="reduction='mean_with_sample_weight'"):
        data_loss(model, X, y, WEIGHTS, 8)
    with pytest.raises(ValueError, match="reduction='mean_with_sample_weight'"):
        divides_by_weight(model)
    expected = evaluated(model, X, y)
    assert data_loss(model, X, y, None, 8) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["per row", "hinge"])
def test_the_program_scores_as_fit_and_evaluate_do(loss):
    """Oracle: a plain `fit`, and `evaluate` of the rows held out; targets (n,)."""
    function, activation, y = LOSSES[loss]

    def build(l2):
        layers = [keras.Input((3,)), keras.layers.Dense(1, activation)]
        model = keras.Sequential(layers)
        model.layers[0].kernel.regularizer = kd.L2(l2)
        model.compile(keras.optimizers.SGD(0.05), function)
        return model

    splits = [Split(ROWS[:19], ROWS[19:])]
    job = Job(build, [{"l2": 0.0}, {"l2": 0.1}], splits, Data(X, y), Settings(2, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on PyTorch only `fit` trains a hinge
        (outcome, _), _ = _run.run(job, [Task(0, 0, 1), Task(1, 0, 1)])
    model, _ = trained_by_hand(build, {"l2": 0.0}, 1, X[:19], y[:19], 2, 8)
    expected = evaluated(model, X[19:], y[19:])
    assert outcome.history["val_data_loss"][-1] == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_the_program_scores_what_is_masked_as_fit_does():
    """Oracle: the engine that is a loop over `fit`."""
    splits = [Split(ROWS[:19], ROWS[19:])]
    found = {}
    for engine in ("auto", "sequential"):

        def build(l2, engine=engine):
            return masked(l2, eagerly=EAGERLY and engine == "sequential")

        job = Job(build, [{"l2": 0.01}], splits, Data(TEXTS, WORDS), Settings(2, 8))
        (found[engine],), _ = _run.run(job, [Task(0, 0, 1)], engine=engine)
    for name in ("val_data_loss", "data_loss"):
        ours, theirs = (found[engine].history[name] for engine in found)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
