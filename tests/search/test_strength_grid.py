"""`strength_grid` against closed forms, and what it refuses."""

import keras
import numpy as np
import pytest
from searched_models import EAGERLY
from sklearn.linear_model import Lasso

import keras_decay as kd

RNG = np.random.default_rng(0)
# Columns of different sizes, so that one decides.
X = (RNG.normal(size=(60, 4)) * [1.0, 2.0, 0.5, 1.0]).astype("float32")
Y = (X @ [1.0, -0.5, 0.0, 2.0] + 3 + 0.1 * RNG.normal(size=60)).astype("float32")
MANY = (X[:, :3] + 1).astype("float32")  # three targets
WEIGHT = np.linspace(0.1, 2, 60)


def linear(penalty, outputs=1, loss="mse", activation=None, optimizer="sgd"):
    """A linear model, whose weights at the start must not matter."""
    layer = keras.layers.Dense(outputs, activation, kernel_regularizer=penalty)
    model = keras.Sequential([layer])
    model.compile(optimizer, loss, run_eagerly=EAGERLY)
    return model


def slope(x, residual, weight=1.0):
    """−½ times the gradient of the weighted squared errors' mean over the rows."""
    return x.T @ (np.reshape(weight, (-1, 1)) * residual) / len(x)


def test_it_starts_where_the_lasso_is_empty_and_ends_where_it_is_free():
    grid = kd.strength_grid(lambda l1: linear(kd.L1(l1)), X, Y, n=7, name="l1")
    assert grid.shape == (7,)
    residual = (Y - Y.mean())[:, None]
    # λ_max of the loss without ½: twice that of scikit-learn's `Lasso`.
    assert grid[0] == pytest.approx(2 * np.abs(slope(X, residual)).max(), rel=1e-5)
    alpha = kd.convert(1.0, "l1", "lasso_alpha")
    np.testing.assert_allclose(grid[1:] / grid[:-1], 1e-4 ** (1 / 6), rtol=1e-9)

    def lasso(l1):
        return Lasso(l1 * alpha, tol=1e-12).fit(X.astype("float64"), Y).coef_

    assert not lasso(1.0001 * grid[0]).any() and lasso(0.9999 * grid[0]).any()
    free = np.linalg.lstsq(np.c_[X, np.ones(60)], Y, rcond=None)[0][:-1]
    np.testing.assert_allclose(lasso(grid[-1]), free, atol=1e-3 * np.abs(free).max())


def test_weighted_rows_and_further_penalties():
    weight = WEIGHT[:, None]
    mean = np.average(Y, weights=WEIGHT)
    grid = kd.strength_grid(
        lambda l1, l2: linear(kd.ElasticNet(l1, l2)),
        *(X, Y),
        name="l1",
        params={"l2": 0.3},  # it has no gradient at zero
        sample_weight=WEIGHT,
    )
    expected = 2 * np.abs(slope(X, (Y - mean)[:, None], weight)).max()
    assert len(grid) == 25 and grid[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("axis", [0, 1])
def test_groups(axis):
    def build(strength):
        return linear(kd.GroupLasso(strength, axis=axis), 3)

    # Keras' error is the mean over the three targets.
    gradient = 2 / 3 * slope(X, MANY - MANY.mean(axis=0))
    norms = np.linalg.norm(gradient, axis=1 - axis) / np.sqrt(gradient.shape[1 - axis])
    grid = kd.strength_grid(build, X, MANY, n=2)
    assert grid[0] == pytest.approx(norms.max(), rel=1e-5)


def test_classes():
    """Where all weights are zero, a logistic model puts out the share of the class."""
    y = (Y > 3).astype("float32")

    def build(l1):
        return linear(keras.regularizers.L1(l1), 1, "binary_crossentropy", "sigmoid")

    expected = np.abs(slope(X, (y - y.mean())[:, None])).max()
    grid = kd.strength_grid(build, X, y, name="l1")
    assert grid[0] == pytest.approx(expected, rel=1e-4)  # the bias is fitted, to 1e-6


def test_penalties_in_the_optimizer():
    def build(l1):
        sgd = kd.DecoupledWeightDecay(keras.optimizers.SGD(0.1), penalty=kd.L1(l1))
        return linear(None, optimizer=sgd)

    in_loss = kd.strength_grid(lambda l1: linear(kd.L1(l1)), X, Y, name="l1")
    grid = kd.strength_grid(build, X, Y, name="l1")
    np.testing.assert_allclose(grid, in_loss, rtol=1e-6)


@pytest.mark.parametrize(
    "coupling, share", [("learning_rate", 0.01), ("independent", 1.0), ("schedule", 1)]
)
def test_decay_that_takes_all_of_the_weight_in_a_step(coupling, share):
    def build(decay):
        sgd = keras.optimizers.SGD(0.01)
        decayed = kd.DecoupledWeightDecay(sgd, 2 * decay, coupling=coupling)
        return linear(None, optimizer=decayed)

    grid = kd.strength_grid(build, X, Y, name="decay", n=3)
    np.testing.assert_allclose(grid, np.array([1, 0.01, 1e-4]) / (2 * share), rtol=1e-5)


def test_decay_of_keras_own():
    def build(decay):
        return linear(None, optimizer=keras.optimizers.AdamW(0.02, weight_decay=decay))

    assert kd.strength_grid(build, X, Y, name="decay")[0] == pytest.approx(50, rel=1e-5)


def test_smooth_penalties_start_where_they_outweigh_the_data():
    def build(l2, scale=1.0):
        keras.utils.set_random_seed(1)
        return linear(kd.L2(l2))

    grid = kd.strength_grid(build, X, Y, name="l2")
    model = build(0.0)
    model(X[:1])
    w, b = (np.array(keras.ops.convert_to_numpy(v)) for v in model.weights)
    gradient = -2 * slope(X, Y[:, None] - X @ w - b)
    pull = 2 * np.linalg.norm(w)
    assert grid[0] * pull == pytest.approx(10 * np.linalg.norm(gradient), rel=1e-3)
    # A prior's penalty goes with 1/scale², and the narrowest is the strongest.
    scales = kd.strength_grid(
        lambda scale: linear_like(model, kd.GaussianPrior(scale, 60)),
        X,
        Y,
        name="scale",
    )
    assert np.all(np.diff(scales) > 0)
    strengths = [
        kd.convert(s, "gaussian_prior_scale", "l2", n_samples=60) for s in scales
    ]
    np.testing.assert_allclose(strengths, grid, rtol=1e-3)


def linear_like(model, penalty):
    keras.utils.set_random_seed(1)
    return linear(penalty)


def test_deep_networks_have_a_grid_too():
    def build(l1):
        layers = [
            keras.layers.Dense(8, "relu", kernel_regularizer=kd.L1(l1)),
            keras.layers.Dense(1, kernel_regularizer=kd.L1(l1)),
        ]
        model = keras.Sequential(layers)
        model.compile("adam", "mse", run_eagerly=EAGERLY)
        return model

    grid = kd.strength_grid(build, X, Y, name="l1")
    assert np.all(np.isfinite(grid)) and np.all(np.diff(grid) < 0)
    # At the start no weight's gradient is larger than the penalty's.
    model = build(0.0)
    model(X[:1])
    from keras_decay.search._null_model import Slope
    from keras_decay.search._work import Data

    gradient = Slope(model, Data(X, Y), 4096)
    assert 0.01 < grid[0] / np.abs(gradient(gradient.start())).max() < 100


def shifted(l1):
    return linear(kd.L1(l1 + 1.0))


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"n": 1}, "`n` must be"),
        ({"ratio": 1.0}, "`ratio` must be"),
        ({"ratio": 0}, "`ratio` must be"),
        ({"name": 3}, "`name` must be"),
        ({"name": "l2"}, "`name` must name parameters"),
        ({"y": Y[1:]}, "`y` must have as many rows"),
        ({"params": {"units": 1}}, "it takes l1"),
        ({"sample_weight": -WEIGHT}, "`sample_weight` must be"),
        ({"build": lambda l1: linear(None)}, "'l1' changes none"),
        ({"build": shifted}, "enter the penalty as a factor or a power"),
        ({"y": np.full_like(Y, np.nan)}, "a finite gradient"),
    ],
)
def test_what_it_refuses(arguments, words):
    good = {"build": lambda l1: linear(kd.L1(l1)), "x": X, "y": Y, "name": "l1"}
    with pytest.raises((TypeError, ValueError), match=words):
        kd.strength_grid(**{**good, **arguments})
