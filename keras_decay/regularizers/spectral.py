"""Penalties on the singular values of a weight.

They take a kernel as a matrix of shape (inputs, outputs): the last axis stays, the
others become one; a vector is one row. A `Conv` layer's matrix maps one patch.

They decompose the weight at every evaluation, at a cost in proportion to m n min(m, n):
for 512 × 256 entries 10 to 100 milliseconds, and 0.7 seconds in a program of XLA on
TensorFlow, on one core. `Orthogonal` does so in its proximal step only.
"""

import keras

from keras_decay.ground import validation
from keras_decay.regularizers.maths import spectrum
from keras_decay.regularizers.penalty import Penalty
from keras_decay.regularizers.strengths import plain, weighted_prox, weighted_value


@keras.saving.register_keras_serializable(package="keras_decay")
class Nuclear(Penalty):
    """The nuclear norm λ Σσ, also trace norm: kernels become of low rank.

        Ω(w) = λ Σᵢ σᵢ
        prox(w, s) = U max(Σ − sλ, 0) Vᵀ            (singular value threshold)

    λ is `strength`; W = U Σ Vᵀ is the weight as a matrix of shape (inputs, outputs),
    its last axis kept and the others made one. A vector is one row, and Ω its norm.
    Convention: the term stands in the loss as it is.

    In the loss the gradient is λ U Vᵀ over the positive singular values, 0 at w = 0;
    only the proximal step, in the optimizer, makes singular values zero, and the whole
    weight exactly so where all are at most sλ.

    Args:
        strength: Non-negative number, or a scalar `keras.Variable` or tensor. λ, in
            units of loss per unit of weight.

    Raises:
        TypeError, ValueError: If `strength` is no number, negative or not finite.

    Example:

    ```python
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(0.1), penalty=kd.Nuclear(1e-3)
    )
    ```

    Reference: Cai, Candès and Shen, A Singular Value Thresholding Algorithm for Matrix
    Completion, 2010.
    """

    def __init__(self, strength):
        self.strength = validation.strength("strength", strength)

    def __call__(self, w):
        return weighted_value(spectrum.nuclear_value, w, self.strength)

    def prox(self, w, step):
        return weighted_prox(spectrum.nuclear_prox, w, step, self.strength)

    def get_config(self):
        return {"strength": plain(self.strength)}


@keras.saving.register_keras_serializable(package="keras_decay")
class SpectralNorm(Penalty):
    """The spectral norm squared λ σ₁²/2: bounds how far a layer can stretch its input.

        Ω(w) = λ σ₁² / 2
        prox(w, s) = U min(Σ, t) Vᵀ,   Σᵢ max(σᵢ − t, 0) = sλ t

    λ is `strength`, σ₁ the largest singular value of the weight as a matrix of shape
    (inputs, outputs), its last axis kept and the others made one; of a vector it is its
    norm. Convention: the term stands in the loss as it is, with the factor ½ ("half_l2"
    on the largest singular value).

    In the loss the gradient is λ σ₁ u₁v₁ᵀ, 0 at w = 0. Where several singular values
    are largest it is that of one of them, a subgradient. It is computed from the whole
    decomposition, and not as in the paper by a power iteration with a memory.

    Args:
        strength: Non-negative number, or a scalar `keras.Variable` or tensor. λ, in
            units of loss per squared unit of weight.

    Raises:
        TypeError, ValueError: If `strength` is no number, negative or not finite.

    Example:

    ```python
    keras.layers.Dense(8, kernel_regularizer=kd.SpectralNorm(1e-2))
    ```

    Reference: Yoshida and Miyato, Spectral Norm Regularization for Improving the
    Generalizability of Deep Learning, arXiv 1705.10941.
    """

    def __init__(self, strength):
        self.strength = validation.strength("strength", strength)

    def __call__(self, w):
        return weighted_value(spectrum.spectral_value, w, self.strength)

    def prox(self, w, step):
        return weighted_prox(spectrum.spectral_prox, w, step, self.strength)

    def get_config(self):
        return {"strength": plain(self.strength)}


@keras.saving.register_keras_serializable(package="keras_decay")
class Orthogonal(Penalty):
    """Soft orthogonality λ ‖G − I‖²: the shorter side of a kernel becomes orthonormal.

        Ω(w) = λ ‖G − I‖²_F = λ Σᵢ (σᵢ² − 1)²
        prox(w, s) = U Σ' Vᵀ,   4sλ (σ'³ − σ') + σ' = σ

    λ is `strength`; W is the weight as a matrix of shape (inputs, outputs), its last
    axis kept and the others made one, and G the smaller of WᵀW and WWᵀ. A vector is one
    row, drawn to norm 1. Convention: the term stands in the loss as it is.

    Not convex: w = 0 is a stationary point, with gradient 0, and no minimum. The
    proximal step is a global minimum; from a singular value of zero, where 4sλ > 1, it
    goes in a direction that the decomposition chooses. The value is of fourth order,
    and overflows float32 from weights of about 1e9 on, its gradient from 1e12.

    Args:
        strength: Non-negative number, or a scalar `keras.Variable` or tensor. λ, in
            units of loss.

    Raises:
        TypeError, ValueError: If `strength` is no number, negative or not finite.

    Example:

    ```python
    keras.layers.Dense(8, kernel_regularizer=kd.Orthogonal(1e-2))
    ```

    Reference: Bansal, Chen and Wang, Can We Gain More from Orthogonality
    Regularizations in Training Deep CNNs?, arXiv 1810.09102.
    """

    convex = False

    def __init__(self, strength):
        self.strength = validation.strength("strength", strength)

    def __call__(self, w):
        return weighted_value(spectrum.orthogonal_value, w, self.strength)

    def prox(self, w, step):
        return weighted_prox(spectrum.orthogonal_prox, w, step, self.strength)

    def get_config(self):
        return {"strength": plain(self.strength)}
