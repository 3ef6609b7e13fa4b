"""MCP, SCAD and LogSum: like L1 at zero, but large weights are hardly shrunk."""

import keras

from keras_decay.ground import validation
from keras_decay.regularizers.maths.separable import (
    log_sum_entries,
    log_sum_prox,
    mcp_entries,
    mcp_prox,
    scad_entries,
    scad_prox,
)
from keras_decay.regularizers.penalty import SumOverEntries
from keras_decay.regularizers.strengths import divisor, plain, scalar


@keras.saving.register_keras_serializable(package="keras_decay")
class MCP(SumOverEntries):
    """The minimax concave penalty: L1 at zero, no pull at all beyond γλ.

        Ω(w) = Σ (λ|w| − w²/(2γ) if |w| ≤ γλ else γλ²/2)
        prox(w, s) = w                                      if |w| > γλ
                     sign(w)·max(|w| − sλ, 0)/(1 − s/γ)     otherwise    (s < γ)
        prox(w, s) = w if |w| > λ√(sγ) else 0                            (s ≥ γ)

    λ is `strength` and γ is `gamma`. Convention: the term stands in the loss as it is;
    the slope at zero is λ, as for `L1(λ)`, which it is for γ → ∞. Mind that the knee
    γλ, in units of the weights, grows with the strength: `0.5 * MCP(λ)` is another
    penalty than `MCP(0.5 λ)`. The proximal step is the global minimiser for every step
    s. In the loss the gradient is sign(w)·max(λ − |w|/γ, 0), which is 0 at 0.

    Args:
        strength: Non-negative number, or a scalar `keras.Variable` or tensor. λ, in
            units of loss per unit of weight.
        gamma: Number greater than 1. γ, in squared units of weight per unit of loss;
            the smaller, the more concave.

    Raises:
        TypeError, ValueError: If an argument is not as described.

    Example:

    ```python
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(0.1), penalty=kd.MCP(1e-3)
    )
    ```

    Reference: Zhang, Nearly Unbiased Variable Selection under Minimax Concave Penalty,
    2010.
    """

    convex = False

    def __init__(self, strength, gamma=3.0):
        self.strength = validation.strength("strength", strength)
        self.gamma = validation.number("gamma", gamma, above=1)

    def magnitude_prox(self, a, step):
        return mcp_prox(a, step, scalar(self.strength, a), self.gamma)

    def entrywise(self, w):
        return mcp_entries(w, scalar(self.strength, w), self.gamma)

    def get_config(self):
        return {"strength": plain(self.strength), "gamma": self.gamma}


@keras.saving.register_keras_serializable(package="keras_decay")
class SCAD(SumOverEntries):
    """The smoothly clipped absolute deviation: L1 up to λ, no pull beyond aλ.

        Ω(w) = Σ  λ|w|                                  if |w| ≤ λ
                  (2aλ|w| − w² − λ²) / (2(a − 1))       if λ < |w| ≤ aλ
                  λ²(a + 1)/2                           otherwise
        prox(w, s), s < a − 1:
               sign(w)·max(|w| − sλ, 0)                         if |w| ≤ (1 + s)λ
               ((a − 1)w − sign(w)·saλ) / (a − 1 − s)           if |w| ≤ aλ
               w                                                otherwise
        prox(w, s), s ≥ a − 1: w beyond λ(a + 1 + s)/2, or beyond λ√(s(a + 1)) if
               s > a + 1; else sign(w)·max(|w| − sλ, 0)

    λ is `strength` and a is `a`. Convention: the term stands in the loss as it is; the
    slope at zero is λ, as for `L1(λ)`, which it is for a → ∞. λ is a magnitude of
    weights too: `0.5 * SCAD(λ)` is another penalty than `SCAD(0.5 λ)`. The proximal
    step is the global minimiser for every step s. In the loss the gradient is 0 at 0.

    Args:
        strength: Non-negative number, or a scalar `keras.Variable` or tensor. λ, in
            units of the weights, and of loss per unit of weight.
        a: Number greater than 2, without unit; 3.7 is the paper's.

    Raises:
        TypeError, ValueError: If an argument is not as described.

    Example:

    ```python
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(0.1), penalty=kd.SCAD(1e-3)
    )
    ```

    Reference: Fan and Li, Variable Selection via Nonconcave Penalized Likelihood and
    its Oracle Properties, 2001.
    """

    convex = False

    def __init__(self, strength, a=3.7):
        self.strength = validation.strength("strength", strength)
        self.a = validation.number("a", a, above=2)

    def magnitude_prox(self, a, step):
        return scad_prox(a, step, scalar(self.strength, a), self.a)

    def entrywise(self, w):
        return scad_entries(w, scalar(self.strength, w), self.a)

    def get_config(self):
        return {"strength": plain(self.strength), "a": self.a}


@keras.saving.register_keras_serializable(package="keras_decay")
class LogSum(SumOverEntries):
    """The log-sum penalty, whose minimisation is reweighted L1.

        Ω(w) = λ Σ log(1 + |w|/ε)
        prox(w, s) = sign(w)·x,  x = (|w| − ε + √((|w| + ε)² − 4sλ)) / 2,
                     or 0 where x is not real, negative, or no lower than 0

    λ is `strength` and ε is `epsilon`. Convention: the term stands in the loss as it
    is; the slope at zero is λ/ε. The proximal step is the global minimiser: of its
    stationary point x and 0 the one with the lower objective. In the loss the gradient
    is λ·sign(w)/(ε + |w|), which is 0 at 0.

    Args:
        strength: Non-negative number, or a scalar `keras.Variable` or tensor. λ, in
            units of loss.
        epsilon: Positive number, in units of the weights. Weights well above ε count
            alike, nearly; for ε → ∞ with λ/ε fixed it is L1.

    Raises:
        TypeError, ValueError: If an argument is not as described.

    Example:

    ```python
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(0.1), penalty=kd.LogSum(1e-4, epsilon=0.1)
    )
    ```

    Reference: Candès, Wakin and Boyd, Enhancing Sparsity by Reweighted ℓ1 Minimization,
    2008.
    """

    convex = False

    def __init__(self, strength, epsilon):
        self.strength = validation.strength("strength", strength)
        self.epsilon = validation.number("epsilon", epsilon, above=0)

    def magnitude_prox(self, a, step):
        threshold = step * scalar(self.strength, a)
        return log_sum_prox(a, threshold, divisor(self.epsilon, a))

    def entrywise(self, w):
        return log_sum_entries(w, scalar(self.strength, w), divisor(self.epsilon, w))

    def get_config(self):
        return {"strength": plain(self.strength), "epsilon": self.epsilon}
