"""The Huber penalty: L2 near zero, L1 beyond."""

import keras

from keras_decay.ground import validation
from keras_decay.regularizers.maths.separable import huber_entries, huber_prox
from keras_decay.regularizers.penalty import SumOverEntries
from keras_decay.regularizers.strengths import divisor, plain, scalar


@keras.saving.register_keras_serializable(package="keras_decay")
class HuberL1(SumOverEntries):
    """The Huber penalty: L1 for large weights, but smooth at zero.

        Ω(w) = λ Σ (w²/(2δ) if |w| ≤ δ else |w| − δ/2)
        prox(w, s) = w · δ/(δ + sλ)    if |w| ≤ δ + sλ
                     w − sλ·sign(w)    otherwise

    λ is `strength` and δ is `delta`. Convention: the term stands in the loss as it is;
    for δ → 0 it is `L1(λ)`. Its gradient λ·clip(w/δ, −1, 1) is continuous, and 0 at 0,
    so that weights do not hover around zero as they do under L1. No weight becomes
    exactly zero, by the proximal step neither.

    Args:
        strength: Non-negative number, or a scalar `keras.Variable` or tensor. λ, in
            units of loss per unit of weight.
        delta: Positive number, in units of the weights. δ, where L2 passes into L1.

    Raises:
        TypeError, ValueError: If an argument is not as described.

    Example:

    ```python
    keras.layers.Dense(8, kernel_regularizer=kd.HuberL1(1e-3, delta=1e-2))
    ```

    References: Huber, Robust Estimation of a Location Parameter, 1964; as decoupled
    decay: arXiv 2511.14721.
    """

    def __init__(self, strength, delta):
        self.strength = validation.strength("strength", strength)
        self.delta = validation.number("delta", delta, above=0)

    def magnitude_prox(self, a, step):
        threshold = step * scalar(self.strength, a)
        return huber_prox(a, threshold, divisor(self.delta, a))

    def entrywise(self, w):
        return huber_entries(w, scalar(self.strength, w), divisor(self.delta, w))

    def get_config(self):
        return {"strength": plain(self.strength), "delta": self.delta}
