"""L_p: sums of powers of the weights, from nearly the count of nonzeros to p > 2."""

import keras
from keras import ops

from keras_decay.ground import validation
from keras_decay.regularizers.maths.l1_l2_group import (
    Parts,
    ridge_shrink,
    soft_threshold,
)
from keras_decay.regularizers.maths.scalar_search import newton
from keras_decay.regularizers.maths.separable import (
    SumOverEntries,
    is_double,
    larger,
    magnitude,
    scalar,
    smaller,
)
from keras_decay.regularizers.penalty.algebra import computable, plain, strength_for

EPSILON = 1e-6
MAX_ITERATIONS = 64


def lp_value(w, strength, p):
    """strength · Σ((w² + ε²)^{p/2} − ε^p), a scalar."""
    m = magnitude(w)
    fixed = ops.stop_gradient(m)
    unit = larger(fixed, EPSILON * ops.ones_like(m))
    root = unit * ops.sqrt(ops.square(fixed / unit) + ops.square(EPSILON / unit))
    # The root with its gradient m/root, by which nothing overflows on the way back.
    root = root + (fixed / root) * (m - fixed)
    rise = ops.power(root, p) - EPSILON**p
    # Zero is zero, whatever the rounding of the power.
    return strength * ops.sum(ops.where(m > 0, rise, ops.zeros_like(m)))


def lp_entries(w, strength, p):
    """strength · |w|^p of each entry, with the gradient 0 at 0."""
    m = magnitude(w)
    above = m > 0
    power = ops.power(ops.where(above, m, ops.ones_like(m)), p)
    return strength * ops.where(above, power, ops.zeros_like(m))


def lp_prox(a, threshold, p):
    """argmin_x ½(x − a)² + t·x^p over x ≥ 0, for the threshold t = step · strength."""
    if p == 1:
        return soft_threshold(a, threshold)
    if p == 2:
        return ridge_shrink(a, threshold, 1)
    if p in (1.5, 3):
        return (_three_halves if p == 1.5 else _cube)(a, threshold)
    return (_concave_prox if p < 1 else _convex_prox)(a, threshold, p)


def _concave_prox(a, threshold, p):
    """p < 1: either 0, or the larger root of F′.

    With x = a·y that root solves y + κ y^(p−1) = 1, κ = t p a^(p−2). It is lower than 0
    if y > 2(1 − p)/(2 − p), which translates into a bound on a.
    """
    knee = 2 * (1 - p) / (2 - p)
    least = ops.power(threshold * ((2 - p) * knee ** (p - 1)), 1 / (2 - p))
    kept = a > least
    ratio = ops.where(
        kept, least / ops.where(kept, a, ops.ones_like(a)), ops.zeros_like(a)
    )
    kappa = ops.power(ratio, 2 - p) * (knee ** (1 - p) * p / (2 - p))
    one = ops.ones_like(a)

    def derivatives(y):
        power = kappa * ops.power(y, p - 1)
        return y + power - 1, 1 - (1 - p) * power / y

    # Convex between the knee and 1, where it starts above zero.
    start, steps = one, 10 if is_double(a) else 6
    if p == 2 / 3:
        start, steps = _two_thirds(kappa), 0
    elif p == 0.5:
        # The step mends the rounding: Keras' arccos of float64 is in float32 on JAX.
        start, steps = _half(kappa), 1 if is_double(a) else 0
    y = newton(derivatives, start, knee * one, one, steps)
    return ops.where(kept, a * y, ops.zeros_like(a))


def _half(kappa):
    """The larger root of y + κ/√y = 1: a cubic in √y (Xu et al., 2012)."""
    angle = ops.arccos(-(1.5 * 3**0.5) * kappa) / 3
    return ops.cast((4 / 3) * ops.square(ops.cos(angle)), kappa.dtype)


def _two_thirds(kappa):
    """The larger root of y + κ y^(−1/3) = 1: a quartic in ∛y (Cao et al., 2013).

    z⁴ − z + κ has the factor z² − Az + C, where u = A² solves u³ − 4κu − 1 = 0.
    """
    half = ops.power(0.5 + ops.sqrt(0.25 - (64 / 27) * kappa * kappa * kappa), 1 / 3)
    u = half + (4 / 3) * kappa / half
    root = ops.sqrt(u)
    z = 0.5 * (root + ops.sqrt(2 / root - u))
    return z * z * z


def _three_halves(a, threshold):
    """x + (3/2) t √x = a, quadratic in √x (Chaux et al., 2007)."""
    half = 0.75 * threshold
    root = half + ops.sqrt(half * half + a)
    return ops.square(a / ops.where(a > 0, root, ops.ones_like(a)))


def _cube(a, threshold):
    """x + 3t x² = a (Chaux et al., 2007)."""
    product = ops.sqrt(12 * threshold) * ops.sqrt(a)  # squared it could overflow
    unit = larger(product, ops.ones_like(a))
    root = unit * ops.sqrt(ops.square(product / unit) + ops.square(1 / unit))
    return 2 * a / (1 + root)


def _convex_prox(a, threshold, p):
    """p > 1: the root of y + κ y^(p−1) = 1 as above, by Newton's method.

    In the logarithms u of y and of the sum it is convex, and rises by a slope between 1
    and p − 1, so that from the right every iterate comes nearer; nothing overflows.
    """
    positive = a > 0
    unit = ops.where(positive, a, ops.ones_like(a))
    kappa = ops.log(threshold * p) + (p - 2) * ops.log(unit)  # its logarithm
    start = smaller(-kappa / (p - 1), ops.zeros_like(a))
    tolerance = 1e-15 if is_double(a) else 1e-7

    def unfinished(iteration, u, moving):
        del u
        return ops.logical_and(iteration < MAX_ITERATIONS, ops.any(moving))

    def improve(iteration, u, moving):
        del moving
        power = kappa + (p - 1) * u
        height = larger(u, power) + ops.log1p(ops.exp(-ops.abs(u - power)))
        share = ops.sigmoid(power - u)
        step = height / (1 + (p - 2) * share)
        moving = ops.abs(step) > tolerance * (1 + ops.abs(u))
        return iteration + 1, u - step, moving

    state = (ops.convert_to_tensor(0, dtype="int32"), start, positive)
    u = ops.while_loop(unfinished, improve, state)[1]
    return ops.where(positive, a * ops.exp(u), ops.zeros_like(a))


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
        w = computable(w)
        return lp_value(w, strength_for(self.strength, w), self.p)

    def magnitude_prox(self, a, step):
        return lp_prox(a, step * scalar(self.strength, a), self.p)

    @property
    def convex(self):
        return self.p >= 1

    def entrywise(self, w):
        # Without ε, as in the proximal step, which is what this serves.
        return lp_entries(w, scalar(self.strength, w), self.p)

    def parts(self):
        closed = {1.0: Parts(l1=self.strength), 2.0: Parts(l2=self.strength)}
        return closed.get(self.p)

    def get_config(self):
        return {"strength": plain(self.strength), "p": self.p}
