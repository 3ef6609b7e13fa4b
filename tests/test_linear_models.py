"""A linear model trained by Keras is the linear model of statistics.

Oracles: scikit-learn's Ridge, Lasso and ElasticNet and skglm's group lasso, MCP and
SCAD, solved to 1e-12. The data are the diabetes set with standardised inputs and
target, so that no intercept is needed.
"""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet, Lasso, Ridge
from support import fit_to_convergence, slow, to_numpy

import keras_decay as kd

# Below 2/L, with L = 8.05 twice the largest eigenvalue of XᵀX/n.
LEARNING_RATE = 0.12


def data():
    """Inputs and targets, and ten rows that have the same squared error in w.

    ‖y − Xw‖² = ‖Qᵀy − Rw‖² + a constant, for X = QR; scaled, so that the mean over the
    ten is the mean over all.
    """
    x, y = load_diabetes(return_X_y=True)
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    q, r = np.linalg.qr(x)
    scale = np.sqrt(10 / len(x))
    return x, y, (scale * r, scale * (q.T @ y)[:, None])


def trained(optimizer, penalty=None, epochs=None):
    """The coefficients after full-batch training from random weights."""
    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(1, use_bias=False, kernel_regularizer=penalty)
    model = keras.Sequential([keras.Input((10,)), layer])
    fit_to_convergence(model, optimizer, "mse", *data()[2], epochs=epochs)
    return to_numpy(layer.kernel)[:, 0]


def by_prox(penalty):
    sgd = keras.optimizers.SGD(LEARNING_RATE, momentum=0.0)
    return trained(kd.DecoupledWeightDecay(sgd, penalty=penalty))


@pytest.mark.parametrize("strength", [0.02, 0.5])
def test_l2_in_the_loss_is_ridge(strength):
    x, y, _ = data()
    sgd = keras.optimizers.SGD(LEARNING_RATE, momentum=0.0)
    ours = trained(sgd, kd.L2(strength))
    ridge = Ridge(alpha=strength * len(x), fit_intercept=False, tol=1e-12).fit(x, y)
    np.testing.assert_allclose(ours, ridge.coef_, rtol=0, atol=1e-4)


@pytest.mark.parametrize("alpha", [0.02, 0.1])
def test_l1_by_its_proximal_step_is_lasso(alpha):
    x, y, _ = data()
    ours = by_prox(kd.L1(2 * alpha))
    lasso = Lasso(alpha=alpha, fit_intercept=False, tol=1e-12, max_iter=10**6)
    lasso.fit(x, y)
    np.testing.assert_allclose(ours, lasso.coef_, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(ours == 0, lasso.coef_ == 0)
    assert 0 < np.count_nonzero(ours) < 10


@pytest.mark.parametrize("alpha, rho", [(0.05, 0.7), slow((0.2, 0.5))])
def test_elastic_net_by_its_proximal_step_is_elastic_net(alpha, rho):
    x, y, _ = data()
    penalty = kd.ElasticNet(2 * alpha * rho, alpha * (1 - rho))
    net = ElasticNet(
        alpha=alpha, l1_ratio=rho, fit_intercept=False, tol=1e-12, max_iter=10**6
    ).fit(x, y)
    for ours in (
        by_prox(penalty),
        by_prox(kd.L1(2 * alpha * rho) + kd.L2(alpha * (1 - rho))),
    ):
        np.testing.assert_allclose(ours, net.coef_, rtol=0, atol=1e-4)
        np.testing.assert_array_equal(ours == 0, net.coef_ == 0)


@pytest.mark.slow
@pytest.mark.needs("skglm")
def test_group_lasso_is_that_of_skglm():
    # Five groups of two features each, as the first axis of the kernel.
    from skglm.datafits import QuadraticGroup
    from skglm.penalties import WeightedGroupL2
    from skglm.solvers import GroupBCD

    x, y, (rows, targets) = data()
    alpha, starts, members = (
        0.12,
        np.arange(0, 11, 2, "int32"),
        np.arange(10, dtype="int32"),
    )
    oracle = GroupBCD(tol=1e-12, max_iter=1000, fit_intercept=False).solve(
        np.asfortranarray(x),
        y,
        QuadraticGroup(starts, members),
        WeightedGroupL2(alpha, np.full(5, np.sqrt(2)), starts, members),
    )[0]

    layer = keras.layers.EinsumDense("bgi,gio->bo", output_shape=(1,))
    model = keras.Sequential([keras.Input((5, 2)), layer])
    penalty = kd.GroupLasso(2 * alpha, axis=0)
    sgd = keras.optimizers.SGD(LEARNING_RATE, momentum=0.0)
    optimizer = kd.DecoupledWeightDecay(sgd, penalty=penalty)
    fit_to_convergence(model, optimizer, "mse", rows.reshape(10, 5, 2), targets)
    ours = to_numpy(layer.kernel)
    assert ours.shape == (5, 2, 1)
    np.testing.assert_allclose(ours.ravel(), oracle, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(ours.ravel() == 0, oracle == 0)
    assert 0 < np.count_nonzero(ours.any((1, 2))) < 5


def test_l1_in_the_loss_gives_no_exact_zero():
    # The reason for the proximal step: the subgradient only hovers around zero.
    # It never comes to rest either, so it is not asked to converge.
    sgd = keras.optimizers.SGD(LEARNING_RATE, momentum=0.0)
    assert np.all(trained(sgd, kd.L1(0.2), epochs=5) != 0)


@pytest.mark.slow
@pytest.mark.needs("skglm")
@pytest.mark.parametrize("name", ["MCP", "SCAD"])
def test_concave_penalties_are_those_of_skglm(name):
    # Both from zero, since there may be several minima. skglm halves the squared error.
    from skglm import penalties
    from skglm.datafits import Quadratic
    from skglm.solvers import AndersonCD

    x, y, (rows, targets) = data()
    alpha, gamma = 0.05, {"MCP": 3.0, "SCAD": 3.7}[name]
    theirs = {"MCP": penalties.MCPenalty, "SCAD": penalties.SCAD}[name](alpha, gamma)
    solver = AndersonCD(tol=1e-12, max_iter=1000, fit_intercept=False)
    oracle = solver.solve(np.asfortranarray(x), y, Quadratic(), theirs)[0]

    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((10,)), layer])
    sgd = keras.optimizers.SGD(LEARNING_RATE, momentum=0.0)
    penalty = 2 * getattr(kd, name)(alpha, gamma)
    optimizer = kd.DecoupledWeightDecay(sgd, penalty=penalty)
    fit_to_convergence(model, optimizer, "mse", rows, targets)
    ours = to_numpy(layer.kernel)[:, 0]
    np.testing.assert_allclose(ours, oracle, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(ours == 0, oracle == 0)
    assert 0 < np.count_nonzero(ours) < 10
