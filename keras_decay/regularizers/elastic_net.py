"""L1, L2 and their combination, the elastic net.

Convention of every strength here: the term as written stands in the loss, with no
factor ½ and no division by the number of samples ("l2", Keras' own convention).
"""

import keras
from keras import ops

from keras_decay.ground import validation
from keras_decay.ground.arithmetic import magnitude
from keras_decay.regularizers.maths.l1_l2_group import (
    PenaltyParts,
    ridge_shrink,
    soft_threshold,
    sum_of_magnitudes,
    sum_of_squares,
)
from keras_decay.regularizers.penalty import OfParts, Penalty
from keras_decay.regularizers.strengths import (
    plain,
    strength_for,
    weighted_prox,
    weighted_value,
)


@keras.saving.register_keras_serializable(package="keras_decay")
class L1(Penalty):
    """The L1 penalty λ Σ|w|, which selects features.

        Ω(w) = λ Σ|w|
        prox(w, s) = sign(w) · max(|w| − sλ, 0)         (soft threshold)

    λ is `l1`. Convention "l1": the term stands in the loss as it is. In the loss its
    gradient is λ·sign(w), 0 at w = 0, and weights hover around zero without reaching
    it; in the optimizer (`DecoupledWeightDecay(penalty=L1(…))`) its proximal step sets
    them to exactly zero. Under the loss mean((y − Xw)²) it equals scikit-learn's
    `Lasso(alpha)` with l1 = 2·alpha.

    Args:
        l1: Non-negative number, or a scalar `keras.Variable` or tensor. The strength λ,
            in units of loss per unit of weight.

    Raises:
        TypeError, ValueError: If `l1` is no number, negative or not finite.

    Example:

    ```python
    keras.layers.Dense(8, kernel_regularizer=kd.L1(1e-3))
    ```

    Reference: Tibshirani, Regression Shrinkage and Selection via the Lasso, 1996.
    """

    def __init__(self, l1=0.01):
        self.l1 = validation.strength("l1", l1)

    def __call__(self, w):
        return weighted_value(sum_of_magnitudes, w, self.l1)

    def prox(self, w, step):
        return weighted_prox(soft_threshold, w, step, self.l1)

    def entrywise(self, w):
        return strength_for(self.l1, w) * magnitude(w)

    def parts(self):
        return PenaltyParts(l1=self.l1)

    def get_config(self):
        return {"l1": plain(self.l1)}


@keras.saving.register_keras_serializable(package="keras_decay")
class L2(Penalty):
    """The L2 penalty λ Σw², known as weight decay, ridge and Tikhonov.

        Ω(w) = λ Σw²
        prox(w, s) = w / (1 + 2sλ)

    λ is `l2`. Convention "l2" (Keras' own): no factor ½, no division by the number of
    samples. In the loss it is weight decay under plain SGD only, with decay 2λ
    (w ← w − η·2λ·w); under Adam use `DecoupledWeightDecay`. Under the loss
    mean((y − Xw)²) over n samples it equals scikit-learn's `Ridge(alpha)` with
    l2 = alpha/n.

    Args:
        l2: Non-negative number, or a scalar `keras.Variable` or tensor. The strength λ,
            in units of loss per squared unit of weight.

    Raises:
        TypeError, ValueError: If `l2` is no number, negative or not finite.

    Example:

    ```python
    keras.layers.Dense(8, kernel_regularizer=kd.L2(1e-2))
    ```

    Reference: Krogh and Hertz, A Simple Weight Decay Can Improve Generalization, 1991.
    """

    def __init__(self, l2=0.01):
        self.l2 = validation.strength("l2", l2)

    def __call__(self, w):
        return weighted_value(sum_of_squares, w, self.l2)

    def prox(self, w, step):
        return weighted_prox(ridge_shrink, w, step, self.l2)

    def entrywise(self, w):
        return strength_for(self.l2, w) * ops.square(w)

    def parts(self):
        return PenaltyParts(l2=self.l2)

    def get_config(self):
        return {"l2": plain(self.l2)}


@keras.saving.register_keras_serializable(package="keras_decay")
class ElasticNet(OfParts):
    """The elastic net λ₁ Σ|w| + λ₂ Σw²: sparse, and stable under correlation.

        Ω(w) = λ₁ Σ|w| + λ₂ Σw²
        prox(w, s) = sign(w) · max(|w| − sλ₁, 0) / (1 + 2sλ₂)

    λ₁ is `l1` and λ₂ is `l2`, in the conventions of `L1` and `L2`: both terms stand in
    the loss as they are. Under the loss mean((y − Xw)²) it equals scikit-learn's
    `ElasticNet(alpha, l1_ratio=ρ)` with l1 = 2·alpha·ρ and l2 = alpha·(1 − ρ).

    Args:
        l1: Non-negative number, or a scalar `keras.Variable` or tensor. λ₁, in units of
            loss per unit of weight.
        l2: The same for λ₂, in units of loss per squared unit of weight.

    Raises:
        TypeError, ValueError: If a strength is no number, negative or not finite.

    Example:

    ```python
    keras.layers.Dense(8, kernel_regularizer=kd.ElasticNet(l1=1e-3, l2=1e-3))
    ```

    Reference: Zou and Hastie, Regularization and Variable Selection via the Elastic
    Net, 2005.
    """

    def __init__(self, l1=0.01, l2=0.01):
        self.l1 = validation.strength("l1", l1)
        self.l2 = validation.strength("l2", l2)

    def parts(self):
        return PenaltyParts(self.l1, self.l2)

    def get_config(self):
        return {"l1": plain(self.l1), "l2": plain(self.l2)}
