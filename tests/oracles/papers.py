"""The papers' formulas in NumPy, float64: the oracle of every form of decay.

An inner optimizer is a function of (gradient, weight, state, t, η_t) that gives the
displacement u and changes its state; t counts from 1. A decay is a function of a
`Weights` before the step, which gives what to take away from each of them.
"""

import numpy as np

# Exact in float32, to which Keras on TensorFlow rounds betas (and momentum).
BETA_1, BETA_2 = 0.875, 1 - 2.0**-10


def sgd(momentum=0.0):
    """Keras' momentum: v ← βv − ηg, u = −v."""

    def displacement(g, w, state, t, rate):
        state["v"] = momentum * state.get("v", 0.0) - rate * g
        return -state["v"]

    return displacement


def _moments(g, state):
    state["m"] = BETA_1 * state.get("m", 0.0) + (1 - BETA_1) * g
    state["v"] = BETA_2 * state.get("v", 0.0) + (1 - BETA_2) * g**2
    return state["m"], state["v"]


def adam(epsilon=1e-7):
    """Kingma and Ba, with Keras' epsilon outside the bias correction."""

    def displacement(g, w, state, t, rate):
        m, v = _moments(g, state)
        alpha = rate * np.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
        return alpha * m / (np.sqrt(v) + epsilon)

    return displacement


def lamb(epsilon=1e-7):
    """You et al.: Adam's direction, scaled to the norm of the weight."""

    def displacement(g, w, state, t, rate):
        m, v = _moments(g, state)
        r = m / (1 - BETA_1**t) / (np.sqrt(v / (1 - BETA_2**t)) + epsilon)
        return rate * np.linalg.norm(w) / np.linalg.norm(r) * r

    return displacement


def clipped(displacement, value):
    """Each entry of the gradient is first clipped to ±`value`."""

    def clip(g, w, state, t, rate):
        return displacement(np.clip(g, -value, value), w, state, t, rate)

    return clip


def unit_norm(w, epsilon=1e-7):
    """Keras' `UnitNorm(axis=0)`."""
    return w / (epsilon + np.sqrt((w**2).sum(axis=0, keepdims=True)))


def soft_threshold(w, threshold):
    """The proximal step of threshold · Σ|w|."""
    return np.sign(w) * np.maximum(np.abs(w) - threshold, 0)


def trajectory(start, gradients, displacement, rate, decay, prox=None, project=None):
    """The weights after all steps, by name.

    Args:
        start: Weights by name.
        gradients: For each step the gradients by name.
        displacement: The inner optimizer.
        rate: Function of the step, from 0, that gives η_t.
        decay: Function of (step, name, w, u, states) that gives what is taken away.
        prox: Function of (step, w) that is applied after decay, or None.
        project: By name, the projection that holds after the step.
    """
    weights = {name: w.astype("float64") for name, w in start.items()}
    states = {name: {} for name in weights}
    project = project or {}
    for step, gradient in enumerate(gradients):
        moved = {
            name: displacement(gradient[name], w, states[name], step + 1, rate(step))
            for name, w in weights.items()
        }
        for name, w in weights.items():
            constrain = project.get(name, lambda w: w)
            new = constrain(w - moved[name])  # the inner optimizer does so itself
            new = new - decay(step, name, w, w - new, states)
            if prox is not None:
                new = prox(step, new)
            weights[name] = constrain(new)
    return weights
