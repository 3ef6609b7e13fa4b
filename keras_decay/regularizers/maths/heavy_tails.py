"""The Student-t and the horseshoe prior of each entry, and their proximal steps.

Both slopes φ′ rise from 0 to a peak and fall again. Up to a point x* they are concave,
beyond it they are convex. Hence F(x) = ½(x − a)² + cφ(x) has at most two minima, one on
each side of x*. The lower of them is the proximal step.
"""

import math

from keras import ops

from keras_decay.ground.arithmetic import (
    larger,
    magnitude,
    one_unless,
    positive_or_one,
    smaller,
    zero_unless,
)
from keras_decay.regularizers.maths.scalar_search import newton
from keras_decay.regularizers.maths.separable import log_ratio

# The horseshoe with scale 1 has this ε², and its φ‴ is 0 at this x*.
HORSESHOE_EPSILON2 = 1e-6
HORSESHOE_KNEE = 1.86874e-3
# Enough for the rounding of float64, if 1e-6 ≤ a/s ≤ 1e4 and 1e-8 ≤ c/s² ≤ 1e6.
NEWTON_ITERATIONS = 10


def student_entries(w, spread):
    """log(1 + w²/q) of each entry, for the spread √q = s√ν."""
    far, is_far, ratio = log_ratio(magnitude(w), spread)
    return ops.where(is_far, 2 * far, ops.log1p(ops.square(ratio)))


def student_prox(a, c, spread):
    """argmin_x ½(x − a)² + c·log(1 + x²/q): roots of a cubic.

    F′ = 0 is x³ − a x² + (q + 2c) x − a q = 0. It is solved in the unit of the largest
    of a, √q and √(2c), in which no power overflows. Newton's method mends the rounding
    of the closed form.
    """
    pull = ops.sqrt(2 * c)
    unit = larger(a, larger(spread, pull))
    alpha, q = a / unit, ops.square(spread / unit)
    beta = q + ops.square(pull / unit)

    def cubic(y):
        value = ((y - alpha) * y + beta) * y - alpha * q
        return value, (3 * y - 2 * alpha) * y + beta

    zero = ops.zeros_like(a)
    roots = [
        unit * newton(cubic, ops.clip(y, zero, alpha), zero, alpha, 3)
        for y in _outer_roots(alpha, beta, alpha * q)
    ]
    return _lower(a, c, lambda x: student_entries(x, spread), *roots)


def _outer_roots(alpha, beta, kappa):
    """The smallest and the largest real root of y³ − αy² + βy − κ."""
    shrink = (alpha * alpha - 3 * beta) / 9
    r = (9 * alpha * beta - 2 * alpha * alpha * alpha - 27 * kappa) / 54
    cube = shrink * shrink * shrink
    three = r * r < cube
    # With three real roots: the trigonometric form.
    size = ops.sqrt(one_unless(three, shrink))
    cosine = zero_unless(three, r / (size * size * size))
    angle = ops.arccos(ops.clip(cosine, -1, 1)) / 3
    smallest = -2 * size * ops.cos(angle)
    largest = -2 * size * ops.cos(angle + 2 * math.pi / 3)
    # With one: Cardano's form. The first cube root is the one without cancellation.
    root = ops.sqrt(zero_unless(~three, r * r - cube))
    first = ops.power(ops.abs(r) + root, 1 / 3)
    second = shrink / positive_or_one(first)
    only = ops.where(r > 0, -(first + second), first + second)
    return [ops.where(three, found, only) + alpha / 3 for found in (smallest, largest)]


def horseshoe_entries(w, scale):
    """−log log(1 + 2/(x² + ε²)) of each entry x = w/scale, ε = 1e-3."""
    far, is_far, x = log_ratio(magnitude(w), scale)
    near = -ops.log(ops.log1p(2 / (ops.square(x) + HORSESHOE_EPSILON2)))
    return ops.where(is_far, 2 * far - math.log(2), near)


def horseshoe_prox(a, c, scale):
    """argmin_x ½(x − a)² + c·φ(x/scale), by Newton's method from both ends."""
    a, c = a / scale, c / scale / scale

    def derivatives(x):
        """F′ and F″. With L = log(1 + 2/q), q = x² + ε²: φ = −log L, L′ = −kx."""
        far = x > 1e8
        y = one_unless(~far, x)
        q = ops.square(y) + HORSESHOE_EPSILON2
        log, k = ops.log1p(2 / q), 4 / (q * (q + 2))
        first = y * k / log
        second = (k - ops.square(y * k) * (q + 1)) / log + ops.square(first)
        # Far away φ(x) is 2 log x + constant.
        first = ops.where(far, 2 / x, first)
        second = ops.where(far, -2 / x / x, second)
        return x - a + c * first, 1 + c * second

    zero = ops.zeros_like(a)
    knee = smaller(a, HORSESHOE_KNEE * ops.ones_like(a))
    left = newton(derivatives, zero, zero, knee, NEWTON_ITERATIONS)
    right = newton(derivatives, a, knee, a, NEWTON_ITERATIONS)
    # For a ≤ x* the left minimum is the only one. Near 0 rounding could hide that.
    right = ops.where(a > HORSESHOE_KNEE, right, left)
    one = ops.ones_like(c)
    return scale * _lower(a, c, lambda x: horseshoe_entries(x, one), left, right)


def _lower(a, c, entries, left, right):
    """The point, of two in [0, a], where ½(x − a)² + c·entries(x) is lower."""
    unit = positive_or_one(a)  # squares of large numbers would overflow
    fall = (right - left) * (1 - 0.5 * (left / unit + right / unit))
    rise = c * ((entries(right) - entries(left)) / unit)
    return ops.where(rise < fall, right, left)
