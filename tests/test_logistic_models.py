"""Logistic regression trained by Keras is scikit-learn's.

scikit-learn minimises C Σ loss + ρ‖w‖₁ + (1 − ρ)/2 ‖w‖², so the mean loss here has
l1 = ρ/(nC) and l2 = (1 − ρ)/(2nC). The bias is not penalised on either side. The data
are six mean features of the breast cancer set, standardised; those left out are nearly
functions of these, and would make the descent slow.
"""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from support import fit_to_convergence, to_numpy

import keras_decay as kd

C = 0.03
FEATURES = [0, 1, 4, 5, 8, 9]


def data():
    x, y = load_breast_cancer(return_X_y=True)
    x = x[:, FEATURES]
    return (x - x.mean(0)) / x.std(0), y.astype(float)


def trained(optimizer, penalty=None):
    x, y = data()
    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(1, kernel_regularizer=penalty)
    model = keras.Sequential([keras.Input((6,)), layer])
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    fit_to_convergence(model, optimizer, loss, x, y[:, None])
    return to_numpy(layer.kernel)[:, 0], to_numpy(layer.bias)[0]


@pytest.mark.parametrize("rho", [0.0, 0.6, 1.0])
def test_logistic_regression_is_that_of_scikit_learn(rho):
    x, y = data()
    oracle = LogisticRegression(
        C=C, l1_ratio=rho, solver="saga", tol=1e-9, max_iter=10**5
    ).fit(x, y)
    l1, l2 = rho / (len(x) * C), (1 - rho) / (2 * len(x) * C)
    # Below 2/L, with L = 0.7 the largest eigenvalue of XᵀX/4n.
    sgd = keras.optimizers.SGD(2.0, momentum=0.0)
    if rho == 0:
        weights, bias = trained(sgd, kd.L2(l2))
    else:
        weights, bias = trained(
            kd.DecoupledWeightDecay(sgd, penalty=kd.ElasticNet(l1, l2))
        )
    np.testing.assert_allclose(weights, oracle.coef_[0], rtol=0, atol=1e-4)
    np.testing.assert_allclose(bias, oracle.intercept_[0], rtol=0, atol=1e-4)
    np.testing.assert_array_equal(weights == 0, oracle.coef_[0] == 0)
    assert rho == 0 or 0 < np.count_nonzero(weights) < 6
