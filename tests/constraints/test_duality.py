"""The hard and the soft form meet: every radius has its multiplier λ.

    min loss  subject to ‖w‖ ≤ r        min loss + λ ‖w‖   (‖w‖² ≤ r² and λ ‖w‖² for l2)

The left is trained by Keras under `NormBall`, the right under our penalties by their
proximal step (in the loss, L2 at the λ of a small ball would diverge). λ is found by
bisection on the norm of the penalised solution, which proximal gradient steps in NumPy,
float64, find for each λ.

Data: of the diabetes set, standardised, disease progression and the blood measurements
s1 and s5 are regressed on age, sex, body mass index, blood pressure, s3 and s6. (The
blood measurements all together are nearly collinear, and plain gradient steps would
take thousands for what they do in a hundred here.) With X = QR the six rows of R and
QᵀY, scaled, have the loss of all 442 patients, up to a constant, and hence every step
its gradient.
"""

import functools

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.datasets import load_diabetes
from support import to_numpy

import keras_decay as kd

STEPS = 100
SHARES = (0.1, 0.4, 0.8, 1.2)  # of the norm of the unconstrained solution


# By norm: ‖w‖, the penalty, and the proximal step of λ ‖w‖ (of λ ‖w‖² for l2).
def shrink_rows(w, threshold):
    norms = np.sqrt((w**2).sum(1, keepdims=True))
    return w * np.maximum(1 - threshold * np.sqrt(w.shape[1]) / norms, 0)


def shrink_values(w, threshold):
    u, s, v = np.linalg.svd(w, full_matrices=False)
    return (u * np.maximum(s - threshold, 0)) @ v


CASES = {
    "l2": (np.linalg.norm, kd.L2, lambda w, t: w / (1 + 2 * t)),
    "l1": (
        lambda w: np.abs(w).sum(),
        kd.L1,
        lambda w, t: np.sign(w) * np.maximum(np.abs(w) - t, 0),
    ),
    "group": (
        lambda w: np.sqrt(w.shape[1]) * np.sqrt((w**2).sum(1)).sum(),
        lambda strength: kd.GroupLasso(strength, axis=0),
        shrink_rows,
    ),
    "nuclear": (
        lambda w: np.linalg.svd(w, compute_uv=False).sum(),
        kd.Nuclear,
        shrink_values,
    ),
}
HEADS = [(norm, share) for norm in CASES for share in SHARES]


@functools.cache
def data():
    """Six rows with the loss of all, and the best step for plain gradient descent."""
    x, y = load_diabetes(return_X_y=True)
    table = np.column_stack([x, y])
    table = (table - table.mean(0)) / table.std(0)
    inputs, outputs = table[:, [0, 1, 2, 3, 6, 9]], table[:, [10, 4, 8]]
    q, r = np.linalg.qr(inputs)
    scale = np.sqrt(len(r) / len(inputs))
    curvatures = 2 / 3 * np.linalg.eigvalsh(inputs.T @ inputs / len(inputs))
    return scale * r, scale * q.T @ outputs, 2 / (curvatures[0] + curvatures[-1])


def penalised(norm, strength):
    """The solution of the soft form in NumPy."""
    x, y, rate = data()
    w = np.zeros((x.shape[1], y.shape[1]))
    for _ in range(STEPS):
        w = w - rate * 2 / y.size * x.T @ (x @ w - y)
        w = CASES[norm][2](w, rate * strength) if strength else w
    return w


@functools.cache
def radius_of(norm, share):
    return share * CASES[norm][0](penalised(norm, 0.0))


@functools.cache
def multiplier(norm, share):
    """λ whose penalised solution has that norm; 0 where the constraint is idle."""
    radius, low, high = radius_of(norm, share), 0.0, 10.0
    if share > 1:
        return 0.0
    for _ in range(35):
        middle = (low + high) / 2
        too_large = CASES[norm][0](penalised(norm, middle)) > radius
        low, high = (middle, high) if too_large else (low, middle)
    return (low + high) / 2


def name_of(norm, share):
    return f"{norm}_{round(100 * share)}"


def trained(optimizer, settings):
    """Kernels of one layer for each of `HEADS`, trained by Keras all at once."""
    x, y, _ = data()
    inputs = keras.Input((x.shape[1],))
    heads = {
        head: keras.layers.Dense(
            y.shape[1], use_bias=False, name=name_of(*head), **settings(*head)
        )
        for head in HEADS
    }
    outputs = ops.stack([layer(inputs) for layer in heads.values()], axis=1)
    model = keras.Model(inputs, outputs)

    def sum_of_losses(true, predicted):
        # The heads do not share weights, so each descends on its own loss.
        return ops.sum(ops.mean(ops.square(true - predicted), axis=2), axis=1)

    several = 1 if keras.backend.backend() == "torch" else 25
    # XLA would take seconds to compile singular values on TensorFlow.
    jit = "auto" if keras.backend.backend() == "jax" else False
    model.compile(
        optimizer, sum_of_losses, steps_per_execution=several, jit_compile=jit
    )
    rows = np.tile(x, (STEPS, 1)).astype("float32")
    targets = np.tile(y[:, None], (STEPS, len(HEADS), 1)).astype("float32")
    model.fit(rows, targets, batch_size=len(x), shuffle=False, verbose=0)
    return {head: to_numpy(layer.kernel) for head, layer in heads.items()}


@pytest.fixture(scope="module")
def hard():
    def ball(norm, share):
        radius, axis = radius_of(norm, share), 0 if norm == "group" else None
        return {"kernel_constraint": kd.NormBall(radius, norm, axis)}

    return trained(keras.optimizers.SGD(data()[2]), ball)


@pytest.fixture(scope="module")
def soft():
    rules = [
        (name_of(norm, share), CASES[norm][1](multiplier(norm, share)))
        for norm, share in HEADS
    ]
    sgd = keras.optimizers.SGD(data()[2])
    optimizer = kd.DecoupledWeightDecay(sgd, rules=rules, jit_compile=False)
    return trained(optimizer, lambda norm, share: {})


@pytest.mark.slow
@pytest.mark.parametrize("norm, share", HEADS)
def test_constrained_and_penalised_solutions_meet(hard, soft, norm, share):
    w, v = hard[norm, share], soft[norm, share]
    np.testing.assert_allclose(w, v, rtol=0, atol=1e-5)
    size, radius = CASES[norm][0], radius_of(norm, share)
    if share < 1:
        np.testing.assert_allclose(size(w), radius, rtol=1e-5)
        assert multiplier(norm, share) > 1e-3
    else:  # the ball holds the least squares solution, and its multiplier is 0
        np.testing.assert_allclose(w, penalised(norm, 0.0), rtol=0, atol=1e-5)
    if norm != "nuclear":
        np.testing.assert_array_equal(w == 0, v == 0)
    if share == SHARES[0]:  # what each norm is for
        rank = np.linalg.matrix_rank(w, tol=1e-4)
        zeros = {"l1": np.any(w == 0), "group": np.any(np.all(w == 0, axis=1))}
        assert zeros.get(norm, np.all(w != 0)) and (rank < 3) == (norm != "l2")


@pytest.mark.parametrize("norm", CASES)
def test_the_multiplier_falls_as_the_ball_grows(norm):
    found = [multiplier(norm, share) for share in SHARES]
    assert found == sorted(found, reverse=True) and found[-1] == 0
