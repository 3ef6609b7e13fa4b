"""Keras' optimizers in NumPy, from the formulas of their papers and documentation.

Each takes the start weight of one variable and the gradients of all steps in float64,
and returns the weight after the last step. η is the learning rate. Where Keras departs
from the paper, the formula is Keras' and a comment says so.
"""

import numpy as np


def sgd(w, gradients, *, η, momentum=0.0, nesterov=False):
    velocity = np.zeros_like(w)
    for g in gradients:
        velocity = momentum * velocity - η * g
        w = w + (momentum * velocity - η * g if nesterov else velocity)
    return w


def rmsprop(w, gradients, *, η, rho, momentum=0.0, centered=False, epsilon=1e-7):
    """Hinton's lecture 6e; centred as Graves has it, arXiv 1308.0850."""
    square, mean, velocity = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for g in gradients:
        square = rho * square + (1 - rho) * g**2
        mean = rho * mean + (1 - rho) * g
        variance = square - mean**2 if centered else square
        velocity = momentum * velocity + η * g / np.sqrt(variance + epsilon)
        w = w - velocity
    return w


def adam(w, gradients, *, η, beta_1, beta_2, epsilon=1e-7, amsgrad=False):
    """arXiv 1412.6980, the form at the end of section 2; AMSGrad, arXiv 1904.09237.

    In this form ε stands outside the bias correction, and AMSGrad's maximum too.
    """
    m, v, largest = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        largest = np.maximum(largest, v)
        α = η * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        w = w - α * m / (np.sqrt(largest if amsgrad else v) + epsilon)
    return w


def adamax(w, gradients, *, η, beta_1, beta_2, epsilon=1e-7):
    """arXiv 1412.6980, section 7.1."""
    m, u = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        u = np.maximum(beta_2 * u, np.abs(g))
        w = w - η / (1 - beta_1**t) * m / (u + epsilon)
    return w


def nadam(w, gradients, *, η, beta_1, beta_2, epsilon=1e-7):
    """Dozat, Incorporating Nesterov Momentum into Adam, with his schedule of μ."""

    def μ(t):
        return beta_1 * (1 - 0.5 * 0.96**t)

    m, v, product = np.zeros_like(w), np.zeros_like(w), 1.0
    for t, g in enumerate(gradients, start=1):
        product *= μ(t)
        # Keras' average of gradients goes by β₁ itself and not by μ.
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        ahead = μ(t + 1) * m / (1 - product * μ(t + 1))
        ahead = ahead + (1 - μ(t)) * g / (1 - product)
        w = w - η * ahead / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    return w


def adagrad(w, gradients, *, η, initial, epsilon=1e-7):
    """Duchi et al., JMLR 12 (2011)."""
    total = np.full_like(w, initial)
    for g in gradients:
        total = total + g**2
        w = w - η * g / np.sqrt(total + epsilon)
    return w


def adadelta(w, gradients, *, η, rho, epsilon=1e-7):
    """arXiv 1212.5701, algorithm 1, with a learning rate before the step."""
    square, moved = np.zeros_like(w), np.zeros_like(w)
    for g in gradients:
        square = rho * square + (1 - rho) * g**2
        step = -np.sqrt(moved + epsilon) / np.sqrt(square + epsilon) * g
        moved = rho * moved + (1 - rho) * step**2
        w = w + η * step
    return w


def adafactor(
    w, gradients, *, η, epsilon_1=1e-30, epsilon_2=1e-3, threshold=1.0, decay=-0.8
):
    """arXiv 1804.04235, algorithms 4 and 5, with the relative step min(η, 1/√t)."""

    def rms(x):
        return np.sqrt(np.mean(x**2))

    rows = columns = v = 0.0
    for t, g in enumerate(gradients, start=1):
        α = max(epsilon_2, rms(w)) * min(η, 1 / np.sqrt(t))
        β = 1 - t**decay
        square = g**2 + epsilon_1
        if w.ndim >= 2:
            # Of a kernel the last two axes are factored.
            rows = β * rows + (1 - β) * square.mean(-1, keepdims=True)
            columns = β * columns + (1 - β) * square.mean(-2, keepdims=True)
            v = rows * columns / rows.mean(-2, keepdims=True)
        else:
            v = β * v + (1 - β) * square
        u = g / np.sqrt(v)
        w = w - α * u / max(1.0, rms(u) / threshold)
    return w


def lion(w, gradients, *, η, beta_1, beta_2):
    """arXiv 2302.06675, algorithm 2."""
    m = np.zeros_like(w)
    for g in gradients:
        w = w - η * np.sign(beta_1 * m + (1 - beta_1) * g)
        m = beta_2 * m + (1 - beta_2) * g
    return w


def lamb(w, gradients, *, η, beta_1, beta_2, epsilon=1e-7):
    """arXiv 1904.00962, algorithm 2, with φ(x) = x."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        u = m / (1 - beta_1**t) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        size, length = np.linalg.norm(w), np.linalg.norm(u)
        w = w - η * (size / length if size > 0 and length > 0 else 1.0) * u
    return w


def muon(w, gradients, *, η, momentum, ns_steps, scale, **adam_settings):
    """Jordan et al., Muon; `scale` is the factor for a matrix of that shape.

    What is not a matrix goes by Adam.
    """
    if w.ndim != 2:
        return adam(w, gradients, η=η, **adam_settings)
    velocity = np.zeros_like(w)
    for g in gradients:
        velocity = momentum * velocity + g
        ahead = g + momentum * velocity
        w = w - η * scale(w.shape) * newton_schulz(ahead, ns_steps)
    return w


def newton_schulz(g, steps):
    """Nearly the orthogonal factor of `g`, by the quintic iteration of Muon."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g / (np.linalg.norm(g) + 1e-7)
    for _ in range(steps):
        # The polynomial acts on the singular values, on whichever side.
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x
