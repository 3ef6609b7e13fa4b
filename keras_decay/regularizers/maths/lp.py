"""Powers of the weights, |w|^p: values and the proximal step for every p > 0."""

from keras import ops

from keras_decay.ground.arithmetic import (
    is_double,
    larger,
    magnitude,
    one_unless,
    positive_or_one,
    smaller,
    zero_unless,
)
from keras_decay.regularizers.maths.l1_l2_group import ridge_shrink, soft_threshold
from keras_decay.regularizers.maths.scalar_search import newton

EPSILON = 1e-6
MAX_ITERATIONS = 64


def lp_value(w, p):
    """Σ((w² + ε²)^{p/2} − ε^p), a scalar."""
    m = magnitude(w)
    fixed = ops.stop_gradient(m)
    root = hypotenuse(fixed, EPSILON * ops.ones_like(m))
    # Its gradient m/root is written out: on the way back nothing overflows.
    root = root + (fixed / root) * (m - fixed)
    rise = ops.power(root, p) - EPSILON**p
    # Without the condition, rounding of the power would leave a value at zero.
    return ops.sum(zero_unless(m > 0, rise))


def lp_entries(w, strength, p):
    """strength · |w|^p of each entry, with the gradient 0 at 0."""
    m = magnitude(w)
    above = m > 0
    return strength * zero_unless(above, ops.power(one_unless(above, m), p))


def lp_prox(a, threshold, p):
    """argmin_x ½(x − a)² + t·x^p over x ≥ 0, for the threshold t = step · strength."""
    if p == 1:
        return soft_threshold(a, threshold)
    if p == 2:
        return ridge_shrink(a, threshold)
    if p == 1.5:
        return three_halves_prox(a, threshold)
    if p == 3:
        return cube_prox(a, threshold)
    return (concave_prox if p < 1 else convex_prox)(a, threshold, p)


def concave_prox(a, threshold, p):
    """p < 1: either 0, or the larger root of F′.

    With x = a·y that root solves y + κ y^(p−1) = 1, κ = t p a^(p−2). F is lower there
    than at 0 if y > 2(1 − p)/(2 − p), which translates into a lower bound on a.
    """
    knee = 2 * (1 - p) / (2 - p)
    least = ops.power(threshold * ((2 - p) * knee ** (p - 1)), 1 / (2 - p))
    kept = a > least
    ratio = zero_unless(kept, least / one_unless(kept, a))
    kappa = ops.power(ratio, 2 - p) * (knee ** (1 - p) * p / (2 - p))
    one = ops.ones_like(a)

    def derivatives(y):
        power = kappa * ops.power(y, p - 1)
        return y + power - 1, 1 - (1 - p) * power / y

    # Convex between the knee and 1, where it starts above zero.
    start, steps = one, 10 if is_double(a) else 6
    if p == 2 / 3:
        start, steps = two_thirds_root(kappa), 0
    elif p == 0.5:
        # The step mends the rounding: on JAX Keras computes the arccos of float64 in
        # float32.
        start, steps = half_root(kappa), 1 if is_double(a) else 0
    y = newton(derivatives, start, knee * one, one, steps)
    return zero_unless(kept, a * y)


def half_root(kappa):
    """The larger root of y + κ/√y = 1: a cubic in √y (Xu et al., 2012)."""
    angle = ops.arccos(-(1.5 * 3**0.5) * kappa) / 3
    return ops.cast((4 / 3) * ops.square(ops.cos(angle)), kappa.dtype)


def two_thirds_root(kappa):
    """The larger root of y + κ y^(−1/3) = 1: a quartic in ∛y (Cao et al., 2013).

    z⁴ − z + κ has the factor z² − Az + C, where u = A² solves u³ − 4κu − 1 = 0.
    """
    half = ops.power(0.5 + ops.sqrt(0.25 - (64 / 27) * kappa * kappa * kappa), 1 / 3)
    u = half + (4 / 3) * kappa / half
    root = ops.sqrt(u)
    z = 0.5 * (root + ops.sqrt(2 / root - u))
    return z * z * z


def three_halves_prox(a, threshold):
    """x + (3/2) t √x = a, quadratic in √x (Chaux et al., 2007)."""
    half = 0.75 * threshold
    root = half + ops.sqrt(half * half + a)
    return ops.square(a / one_unless(a > 0, root))


def cube_prox(a, threshold):
    """x + 3t x² = a (Chaux et al., 2007)."""
    product = ops.sqrt(12 * threshold) * ops.sqrt(a)  # squared it could overflow
    return 2 * a / (1 + hypotenuse(product, ops.ones_like(a)))


def convex_prox(a, threshold, p):
    """p > 1: the root of y + κ y^(p−1) = 1 as in `concave_prox`, by Newton's method.

    The logarithm of the sum, as a function of u = log y, is convex. Its slope lies
    between 1 and p − 1, so that from the right every iterate comes nearer; nothing
    overflows.
    """
    positive = a > 0
    log_kappa = ops.log(threshold * p) + (p - 2) * ops.log(positive_or_one(a))
    start = smaller(-log_kappa / (p - 1), ops.zeros_like(a))
    tolerance = 1e-15 if is_double(a) else 1e-7

    def unfinished(iteration, u, moving):
        del u
        return ops.logical_and(iteration < MAX_ITERATIONS, ops.any(moving))

    def improve(iteration, u, moving):
        del moving
        power = log_kappa + (p - 1) * u
        height = larger(u, power) + ops.log1p(ops.exp(-ops.abs(u - power)))
        share = ops.sigmoid(power - u)
        step = height / (1 + (p - 2) * share)
        moving = ops.abs(step) > tolerance * (1 + ops.abs(u))
        return iteration + 1, u - step, moving

    state = (ops.convert_to_tensor(0, dtype="int32"), start, positive)
    u = ops.while_loop(unfinished, improve, state)[1]
    return zero_unless(positive, a * ops.exp(u))


def hypotenuse(x, y):
    """√(x² + y²) for non-negative x and positive y, in the unit of the larger."""
    unit = larger(x, y)
    return unit * ops.sqrt(ops.square(x / unit) + ops.square(y / unit))
