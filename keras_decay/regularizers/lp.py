"""L_p: sums of powers of the weights, from nearly the count of nonzeros to p > 2."""

import keras

from keras_decay.ground import validation
from keras_decay.regularizers.maths.l1_l2_group import PenaltyParts
from keras_decay.regularizers.maths.lp import lp_entries, lp_prox, lp_value
from keras_decay.regularizers.penalty import SumOverEntries
from keras_decay.regularizers.strengths import plain, scalar, weighted_value


@keras.saving.register_keras_serializable(package="keras_decay")
class Lp(SumOverEntries):
    """L_p, the sum of |w|^p: for p < 1 sparser than L1, for p → 0 it counts weights.

        Ω(w) = λ Σ ((w² + ε²)^{p/2} − ε^p),   ε = 1e-6
        prox(w, s) = sign(w) · argmin_{x ≥ 0} ½(x − |w|)² + sλ x^p

    λ is `strength`. Convention: the term stands in the loss as it is. ε keeps the
    gradient λ p w (w² + ε²)^{p/2 − 1} finite, and 0 at 0; the proximal step is that of
    ε = 0, so that for p ≤ 1 weights become exactly zero: for p < 1 those up to

        (sλ (2 − p))^{1/(2−p)} · (2(1 − p)/(2 − p))^{−(1−p)/(2−p)}

    It is the global minimiser for every p and every step: in closed form for p = 1
    (soft threshold), 2 (ridge), 1/2 (half thresholding), 2/3, 3/2 and 3; for other p by
    Newton's method, to 1e-10 of |w| in float64 and 1e-6 in float32. For p ≥ 1 the
    penalty is convex.

    Args:
        strength: Non-negative number, or a scalar `keras.Variable` or tensor. λ, in
            units of loss per unit of weight to the power p.
        p: Positive number, the exponent.

    Raises:
        TypeError, ValueError: If an argument is not as described.

    Example:

    ```python
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(0.1), penalty=kd.Lp(1e-4, p=0.5)
    )
    ```

    References: Xu, Chang, Xu and Zhang, L1/2 Regularization: A Thresholding
    Representation Theory and a Fast Solver, 2012; Cao, Sun and Xu, Fast Image
    Deconvolution Using Closed-Form Thresholding Formulas of L_q (q = 1/2, 2/3)
    Regularization, 2013; Chaux, Combettes, Pesquet and Wajs, A Variational Formulation
    for Frame-Based Inverse Problems, 2007.
    """

    def __init__(self, strength, p):
        self.strength = validation.strength("strength", strength)
        self.p = validation.number("p", p, above=0)

    def __call__(self, w):
        return weighted_value(self._value, w, self.strength)

    def _value(self, w):
        return lp_value(w, self.p)

    def magnitude_prox(self, a, step):
        return lp_prox(a, step * scalar(self.strength, a), self.p)

    @property
    def convex(self):
        return self.p >= 1

    def entrywise(self, w):
        # Without ε: this serves the proximal step of a sum, which has ε = 0.
        return lp_entries(w, scalar(self.strength, w), self.p)

    def parts(self):
        closed = {
            1.0: PenaltyParts(l1=self.strength),
            2.0: PenaltyParts(l2=self.strength),
        }
        return closed.get(self.p)

    def get_config(self):
        return {"strength": plain(self.strength), "p": self.p}
