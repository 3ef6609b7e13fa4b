"""The Hoyer-square penalty: (Σ|w|)²/Σw²."""

import keras

from keras_decay.ground import validation
from keras_decay.regularizers.maths.hoyer import hoyer_prox, hoyer_square
from keras_decay.regularizers.penalty import Penalty
from keras_decay.regularizers.strengths import plain, weighted_prox, weighted_value


@keras.saving.register_keras_serializable(package="keras_decay")
class HoyerSquare(Penalty):
    """The Hoyer-square penalty λ (Σ|w|)²/Σw²: sparsity, whatever the scale of weights.

        Ω(w) = λ (Σ|w|)² / Σw²,   0 at w = 0
        prox(w, s) = w, for its k largest entries shrunk as sign(w) a max(|w| − b, 0)

    λ is `strength`. Between λ, for one entry that is not zero, and λ times the number
    of entries, for entries of one size, it measures how many entries count. Convention:
    the term stands in the loss as it is, and does not change with the scale of w.

    Not convex. The gradient is 0 at w = 0, and grows as 1/‖w‖ toward it; weights that
    are all below 1e-31 (float64: 2e-301) count as 0. The proximal step is the global
    minimum, by sorting; k, a and b are such that none is lower. It makes entries
    exactly zero, all where sλ ≥ ½ max w².

    Args:
        strength: Non-negative number, or a scalar `keras.Variable` or tensor. λ, in
            units of loss.

    Raises:
        TypeError, ValueError: If `strength` is no number, negative or not finite.

    Example:

    ```python
    keras.layers.Dense(8, kernel_regularizer=kd.HoyerSquare(1e-4))
    ```

    Reference: Yang, Wen and Li, DeepHoyer: Learning Sparser Neural Network with
    Differentiable Scale-Invariant Sparsity Measures, arXiv 1908.09979.
    """

    convex = False

    def __init__(self, strength):
        self.strength = validation.strength("strength", strength)

    def __call__(self, w):
        return weighted_value(hoyer_square, w, self.strength)

    def prox(self, w, step):
        return weighted_prox(hoyer_prox, w, step, self.strength)

    def get_config(self):
        return {"strength": plain(self.strength)}
