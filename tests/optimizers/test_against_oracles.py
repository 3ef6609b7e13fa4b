"""DecoupledWeightDecay over 200 recorded gradients against independent oracles.

Oracles: `keras.optimizers.AdamW`, `optax.adamw`, `torch.optim.AdamW`, and Keras'
formula in NumPy.
"""

import functools

import keras
import numpy as np
import pytest
from support import recorded_gradients, slow
from support import replay as replay_steps

import keras_decay as kd

EVERYTHING = ".*"


# Keras on TensorFlow rounds Adam's betas to float32 in the bias correction, also when
# the weights are float64. These betas are exact in float32, so that in float64 the
# whole step can be compared.
BETAS = (0.875, 1 - 2.0**-10)


def replay(optimizer, start, sequence):
    """As in `fit`; test_every_optimizer.py has XLA on TensorFlow and eager steps."""
    return replay_steps(optimizer, start, sequence, compiled="graph")


def everything(optimizer, weight_decay, **kwargs):
    """The wrapper with all variables decayed, biases too."""
    rules = [(EVERYTHING, weight_decay)]
    return kd.DecoupledWeightDecay(optimizer, rules=rules, **kwargs)


def numpy_adamw(start, sequence, lr, decay, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Keras' formula: its epsilon stands outside the bias correction."""
    result = {}
    for name, value in start.items():
        w = value.astype("float64")
        m, v = np.zeros_like(w), np.zeros_like(w)
        for t, gradients in enumerate(sequence, start=1):
            g = gradients[name].astype("float64")
            m = beta_1 * m + (1 - beta_1) * g
            v = beta_2 * v + (1 - beta_2) * g * g
            alpha = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
            w = w - alpha * m / (np.sqrt(v) + epsilon) - lr * decay * w
        result[name] = w
    return result


def assert_close(actual, expected, **tolerance):
    for name in expected:
        np.testing.assert_allclose(
            actual[name], expected[name], err_msg=name, **tolerance
        )


@pytest.mark.parametrize(
    "lr, decay",
    [
        slow((0.001, 0.004)),
        slow((0.001, 0.1)),
        slow((0.01, 0.1)),
        (0.003, 2.0),
        slow((0.01, 0.5)),
    ],
)
def test_adam_is_keras_adamw_in_float32_and_as_exact(lr, decay):
    start, sequence = recorded_gradients(200)
    ours = replay(everything(keras.optimizers.Adam(lr), decay), start, sequence)
    theirs = replay(keras.optimizers.AdamW(lr, weight_decay=decay), start, sequence)
    assert_close(ours, theirs, rtol=0, atol=1e-6)
    exact = numpy_adamw(start, sequence, lr, decay)

    def error(weights):
        return max(np.abs(weights[name] - exact[name]).max() for name in exact)

    assert error(ours) <= error(theirs) + 1e-6


def test_adam_equals_keras_formula_in_float64(float64):
    start, sequence = recorded_gradients(200, dtype="float64")
    adam = keras.optimizers.Adam(0.01, *BETAS)
    ours = replay(everything(adam, 0.5), start, sequence)
    expected = numpy_adamw(start, sequence, 0.01, 0.5, *BETAS)
    assert_close(ours, expected, rtol=0, atol=1e-10)


@functools.cache
def with_a_small_epsilon():
    """Ours in float64, with an epsilon that is as good as 0."""
    start, sequence = recorded_gradients(200, dtype="float64")
    adam = keras.optimizers.Adam(0.01, *BETAS, epsilon=1e-14)
    return start, sequence, replay(everything(adam, 0.5), start, sequence)


@pytest.mark.needs("jax", "optax")
def test_adam_equals_optax_adamw_in_float64(float64):
    import jax
    import optax

    start, sequence, ours = with_a_small_epsilon()
    was = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        theirs = optax.adamw(0.01, *BETAS, eps=1e-14, weight_decay=0.5)
        weights = {name: jax.numpy.asarray(w) for name, w in start.items()}
        state = theirs.init(weights)
        for gradients in sequence:
            updates, state = theirs.update(gradients, state, weights)
            weights = optax.apply_updates(weights, updates)
        weights = {name: np.asarray(w) for name, w in weights.items()}
    finally:
        jax.config.update("jax_enable_x64", was)
    assert weights["dense/kernel"].dtype == np.float64
    assert_close(ours, weights, rtol=0, atol=1e-9)


@pytest.mark.needs("torch")
def test_adam_equals_torch_adamw_in_float64(float64):
    import torch

    start, sequence, ours = with_a_small_epsilon()
    weights = {n: torch.tensor(w, requires_grad=True) for n, w in start.items()}
    theirs = torch.optim.AdamW(
        weights.values(), 0.01, BETAS, eps=1e-14, weight_decay=0.5
    )
    for gradients in sequence:
        for name, gradient in gradients.items():
            weights[name].grad = torch.tensor(gradient)
        theirs.step()
    weights = {name: w.detach().numpy() for name, w in weights.items()}
    assert_close(ours, weights, rtol=0, atol=1e-9)
