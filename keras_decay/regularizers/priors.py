"""Priors on weights: −log p(w)/n, under which training is MAP estimation.

If the loss is the mean of −log p(yᵢ | xᵢ, w) over n samples, n · (loss + penalty) is
−log p(w | data), without its constants.
"""

import keras

from keras_decay.ground import validation
from keras_decay.regularizers.maths.heavy_tails import (
    horseshoe_entries,
    horseshoe_prox,
    student_entries,
    student_prox,
)
from keras_decay.regularizers.maths.l1_l2_group import PenaltyParts
from keras_decay.regularizers.penalty import OfParts, Penalty, SumOverEntries
from keras_decay.regularizers.strengths import divisor, plain, strength_for


class Prior(Penalty):
    """A penalty −log p(w)/n: the settings of all priors. A class adds the density."""

    def __init__(self, scale, n_samples):
        self.scale = validation.scale("scale", scale)
        self.n_samples = validation.integer("n_samples", n_samples, minimum=1)

    def get_config(self):
        return {"scale": plain(self.scale), "n_samples": self.n_samples}

    def _present_scale(self):
        """The scale as a number, or as a tensor if it is a tensor or a variable."""
        scale = self.scale
        return scale if isinstance(scale, float) else strength_for(scale, scale)


@keras.saving.register_keras_serializable(package="keras_decay")
class GaussianPrior(Prior, OfParts):
    """Weights are normal with mean 0 and standard deviation σ: L2 as a prior.

        Ω(w) = Σ w²/(2nσ²)
        prox(w, s) = w / (1 + s/(nσ²))

    σ is `scale` and n is `n_samples`. Convention: −log p(w)/n without constants, which
    is `L2(1/(2nσ²))`. It belongs beside a loss that is a mean negative log-likelihood;
    mean squared error is one for noise of variance ½, and for noise of variance v it
    goes with `2 * v * GaussianPrior(…)`. The gradient is w/(nσ²), 0 at 0.

    Args:
        scale: Positive number, or a scalar `keras.Variable` or tensor. σ, in units of
            the weights.
        n_samples: Whole number of at least 1, the number of training samples n.

    Raises:
        TypeError, ValueError: If an argument is not as described.

    Example:

    ```python
    prior = kd.GaussianPrior(scale=0.1, n_samples=1000)
    keras.layers.Dense(8, kernel_regularizer=prior)
    ```

    Reference: MacKay, A Practical Bayesian Framework for Backpropagation Networks,
    1992.
    """

    def parts(self):
        scale = self._present_scale()
        return PenaltyParts(l2=0.5 / self.n_samples / scale / scale)


@keras.saving.register_keras_serializable(package="keras_decay")
class LaplacePrior(Prior, OfParts):
    """Weights have a Laplace distribution around 0 with scale b: L1 as a prior.

        Ω(w) = Σ |w|/(bn)
        prox(w, s) = sign(w) · max(|w| − s/(bn), 0)

    b is `scale` and n is `n_samples`. Convention: −log p(w)/n without constants, which
    is `L1(1/(bn))`; for the loss that it belongs to, see `GaussianPrior`. The gradient
    is sign(w)/(bn), 0 at 0. The standard deviation of the weights is b√2.

    Args:
        scale: Positive number, or a scalar `keras.Variable` or tensor. b, in units of
            the weights.
        n_samples: Whole number of at least 1, the number of training samples n.

    Raises:
        TypeError, ValueError: If an argument is not as described.

    Example:

    ```python
    prior = kd.LaplacePrior(scale=0.1, n_samples=1000)
    keras.layers.Dense(8, kernel_regularizer=prior)
    ```

    Reference: Williams, Bayesian Regularization and Pruning Using a Laplace Prior,
    1995.
    """

    def parts(self):
        return PenaltyParts(l1=1 / self.n_samples / self._present_scale())


@keras.saving.register_keras_serializable(package="keras_decay")
class StudentTPrior(Prior, SumOverEntries):
    """Weights have a Student-t distribution: a prior that leaves large weights alone.

        Ω(w) = (ν + 1)/(2n) Σ log(1 + w²/(νs²))
        prox(w, step) = the root x of lowest objective, with c = step·(ν + 1)/(2n), of
                        x³ − w x² + (νs² + 2c) x − νs² w = 0

    ν is `df`, s is `scale` and n is `n_samples`. Convention: −log p(w)/n without
    constants; for the loss that it belongs to, see `GaussianPrior`, which it is for
    ν → ∞. ν = 1 is the Cauchy distribution. It is not convex; the proximal step is the
    global minimiser, and sets no weight to exactly zero. The gradient
    (ν + 1)/n · w/(νs² + w²) is 0 at 0.

    Args:
        df: Positive number ν, the degrees of freedom.
        scale: Positive number, or a scalar `keras.Variable` or tensor. s, in units of
            the weights.
        n_samples: Whole number of at least 1, the number of training samples n.

    Raises:
        TypeError, ValueError: If an argument is not as described.

    Example:

    ```python
    prior = kd.StudentTPrior(df=3, scale=0.1, n_samples=1000)
    keras.layers.Dense(8, kernel_regularizer=prior)
    ```

    Reference: Lange, Little and Taylor, Robust Statistical Modeling Using the t
    Distribution, 1989.
    """

    convex = False

    def __init__(self, df, scale, n_samples):
        self.df = validation.number("df", df, above=0)
        super().__init__(scale, n_samples)
        self._strength = (self.df + 1) / (2 * self.n_samples)

    def magnitude_prox(self, a, step):
        return student_prox(a, step * self._strength, self._spread(a))

    def entrywise(self, w):
        return self._strength * student_entries(w, self._spread(w))

    def _spread(self, w):
        return divisor(self.scale, w) * self.df**0.5

    def get_config(self):
        return {"df": self.df, **super().get_config()}


@keras.saving.register_keras_serializable(package="keras_decay")
class HorseshoePrior(Prior, SumOverEntries):
    """The horseshoe prior: pulls small weights hard to zero, large ones hardly at all.

        Ω(w) = −(1/n) Σ log log(1 + 2s²/(w² + ε²)),   ε = 1e-3 s
        prox(w, step) = sign(w) · argmin_{0 ≤ x ≤ |w|} ½(x − |w|)² + step · Ω(x)

    s is `scale` and n is `n_samples`. The horseshoe is a normal distribution whose
    standard deviation is s times a half-Cauchy variable. Its density has no closed
    form, is infinite at 0 and, for ε = 0, at most log(1 + 2s²/w²)/(s√(2π³)): this bound
    stands for it. Convention: −log p(w)/n without constants; for the loss that it
    belongs to, see `GaussianPrior`. Ω(0) is a negative number.

    It is not convex; the proximal step is the global minimiser, found by Newton's
    method to 1e-8 of |w| in float64 and 1e-5 in float32. It pulls small weights to a
    small fraction of ε, and sets none to exactly zero. The gradient is 0 at 0.

    Args:
        scale: Positive number, or a scalar `keras.Variable` or tensor. s, in units of
            the weights; the global scale τ of the paper.
        n_samples: Whole number of at least 1, the number of training samples n.

    Raises:
        TypeError, ValueError: If an argument is not as described.

    Example:

    ```python
    prior = kd.HorseshoePrior(scale=0.1, n_samples=1000)
    keras.layers.Dense(8, kernel_regularizer=prior)
    ```

    Reference: Carvalho, Polson and Scott, The Horseshoe Estimator for Sparse Signals,
    2010, theorem 1.
    """

    convex = False

    def magnitude_prox(self, a, step):
        return horseshoe_prox(a, step / self.n_samples, divisor(self.scale, a))

    def entrywise(self, w):
        return horseshoe_entries(w, divisor(self.scale, w)) / self.n_samples
