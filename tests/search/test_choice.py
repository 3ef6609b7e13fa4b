"""What a search chooses: as a loop over `fit` does, and as scikit-learn does."""

import keras
import numpy as np
import pytest
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
)
from sklearn.decomposition import PCA
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import KFold
from support import mostly_slow

import keras_decay as kd

SETS = {
    "diabetes": load_diabetes,
    "digits": load_digits,
    "breast cancer": load_breast_cancer,
    "wine": load_wine,
}
# 120 rows to train on in each of five folds, 75 in each of two.
INPUTS, ROWS = 10, 150
CV = KFold(5, shuffle=True, random_state=0)
EPOCHS = 80


def data(name):
    """150 rows: inputs in a basis in which they are independent, targets.

    So that gradient descent reaches the minimum, which oracles have in closed form, in
    a few steps. Classes are columns of zeros and ones.
    """
    x, y = SETS[name](return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(x))[:ROWS]
    x = PCA(INPUTS, whiten=True).fit_transform(x[rows])
    if name == "diabetes":
        y = ((y - y[rows].mean()) / y[rows].std())[:, None]
    else:
        y = np.eye(y.max() + 1)[y]
    return x.astype("float32"), y[rows].astype("float32")


def linear(outputs, optimizer, penalty=None):
    layer = keras.layers.Dense(outputs, kernel_regularizer=penalty)
    model = keras.Sequential([keras.Input((INPUTS,)), layer])
    model.compile(optimizer, "mse")
    return model


def choices(results, strengths):
    """The best strength and that of the rule, by their equations, from `scores`."""
    mean, error = results.mean(axis=1), results.std(axis=1, ddof=1) / np.sqrt(5)
    within = mean >= mean.max() - error[mean.argmax()]
    return strengths[mean.argmax()], strengths[within].max()


def scores_of(oracle, x, y, strengths):
    """Minus the mean squared errors of scikit-learn's models, by strength and fold."""
    return np.array(
        [
            [
                -np.mean(
                    (oracle(s, train).predict(x[test]).reshape(y[test].shape) - y[test])
                    ** 2
                )
                for train, test in CV.split(x)
            ]
            for s in strengths
        ]
    )


def scores_in(search):
    return np.transpose(
        [search.cv_results_[f"split{fold}_test_score"] for fold in range(5)]
    )


@pytest.mark.parametrize("name", mostly_slow(SETS, list(SETS)[:1]))
def test_a_linear_model_gets_the_strength_of_ridge(name):
    x, y = data(name)
    k = y.shape[1]
    strengths = np.logspace(-3.5, -0.5, 9) / k

    def build(l2):
        return linear(k, keras.optimizers.SGD(0.35 * k), kd.L2(l2))

    search = kd.DecaySearchCV(
        *(build, {"l2": strengths}), cv=CV, epochs=EPOCHS, batch_size=120, refit=False
    )
    search.fit(x, y)

    def oracle(l2, rows):
        # α is a sum over the fold's training rows, and over the outputs.
        alpha = kd.convert(l2, "l2", "ridge_alpha", n_samples=len(rows), n_outputs=k)
        return Ridge(alpha).fit(x[rows], y[rows])

    expected = scores_of(oracle, x, y, strengths)
    # What gradient descent leaves of the way to the minimum.
    np.testing.assert_allclose(scores_in(search), expected, rtol=1e-4)
    chosen = search.lambda_min_, search.lambda_1se_
    assert chosen == choices(expected, strengths)
    assert search.engine_ == "vectorized"


@pytest.mark.slow
def test_a_linear_model_gets_the_strength_of_the_lasso():
    x, y = data("diabetes")
    strengths = np.logspace(-2, 0, 9)

    def build(l1):
        sgd = keras.optimizers.SGD(0.35)
        return linear(1, kd.DecoupledWeightDecay(sgd, penalty=kd.L1(l1)))

    search = kd.DecaySearchCV(
        *(build, {"l1": strengths}), cv=CV, epochs=EPOCHS, batch_size=120, refit=False
    )
    search.fit(x, y)

    def oracle(l1, rows):
        return Lasso(kd.convert(l1, "l1", "lasso_alpha"), tol=1e-8).fit(
            x[rows], y[rows]
        )

    expected = scores_of(oracle, x, y, strengths)
    np.testing.assert_allclose(scores_in(search), expected, rtol=1e-4)
    chosen = search.lambda_min_, search.lambda_1se_
    assert chosen == choices(expected, strengths)
    # The strength of a penalty in the optimizer is a number like any other.
    assert len(search.report_.groups) == 1


# For time, where something is compiled for each model.
LOOPS = {"tensorflow": ["digits"], "jax": ["wine"]}


@pytest.mark.slow
@pytest.mark.each
@pytest.mark.parametrize("name", LOOPS.get(keras.backend.backend(), SETS))
def test_networks_get_the_strength_of_a_loop_over_fit(name):
    x, y = data(name)
    found = {}
    for engine in ("auto", "sequential"):
        # The loop without what would take seconds to compile for each of its models.
        eagerly = engine == "sequential" and keras.backend.backend() == "tensorflow"

        def build(l2, eagerly=eagerly):
            layers = [
                keras.Input((INPUTS,)),
                keras.layers.Dense(8, "relu", kernel_regularizer=kd.L2(l2)),
                keras.layers.Dense(y.shape[1], kernel_regularizer=kd.L2(l2)),
            ]
            model = keras.Sequential(layers)
            adam = keras.optimizers.Adam(0.03)
            model.compile(adam, "mse", run_eagerly=eagerly)
            return model

        search = kd.DecaySearchCV(
            *(build, {"l2": [1e-4, 1e-2, 0.1]}), cv=2, epochs=5, batch_size=25
        )
        found[engine] = search.set_params(engine=engine, refit=False).fit(x, y)
    ours, loop = found["auto"], found["sequential"]
    assert (ours.engine_, loop.engine_) == ("vectorized", "sequential")
    assert ours.lambda_min_ == loop.lambda_min_
    assert ours.lambda_1se_ == loop.lambda_1se_
    for name in ("mean_test_score", "se_test_score"):
        # Rounding in another order, over 15 steps of Adam.
        np.testing.assert_allclose(ours.cv_results_[name], loop.cv_results_[name], 1e-3)


@pytest.mark.slow
def test_penalised_validation_losses_choose_worse():
    """Three of 20 inputs matter much: the penalty of what is right outweighs its good.

    The loss that `fit` calls val_loss then speaks for next to no penalty, at which all
    20 inputs are fitted; the search takes the loss of the data alone.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2045, 20)).astype("float32")
    y = (x[:, :3] @ [4.0, -4.0, 4.0] + rng.normal(size=2045)).astype("float32")
    new_x, new_y, x, y = x[45:], y[45:], x[:45], y[:45]
    strengths = [1e-3, 1e-2, 0.1, 0.3]

    def build(l1):
        layer = keras.layers.Dense(1, kernel_regularizer=kd.L1(l1))
        model = keras.Sequential([keras.Input((20,)), layer])
        model.compile(keras.optimizers.SGD(0.05, momentum=0.8), "mse")
        return model

    how = {"epochs": 60, "batch_size": 45}
    search = kd.DecaySearchCV(build, {"l1": strengths}, cv=3, refit=False, **how)
    search.fit(x, y)
    penalised = [
        np.mean([curve[-1]["val_loss"] for curve in of_one])
        for of_one in search.curves_
    ]
    chosen = [search.lambda_min_, strengths[np.argmin(penalised)]]
    assert chosen[1] < chosen[0] == search.lambda_1se_
    # Both trained on all rows, and measured on new ones.
    test = kd.sweep(build, {"l1": chosen}, x, y, validation_data=(new_x, new_y), **how)
    ours, theirs = test.final["val_data_loss"][:, 0]
    assert ours < 0.75 * theirs
