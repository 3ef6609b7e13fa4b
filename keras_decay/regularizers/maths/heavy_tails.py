"""The mathematics of the Student-t and the horseshoe prior, of one entry each.

Both slopes φ′ rise from 0 to a peak and fall again; up to a point x* they are concave,
beyond it convex. Hence F(x) = ½(x − a)² + cφ(x) has at most two minima, one on each
side of x*, and the lower of them is the proximal step.
"""

import math

from keras import ops

from keras_decay.regularizers.maths.scalar_search import newton
from keras_decay.regularizers.maths.separable import (
    larger,
    log_ratio,
    magnitude,
    smaller,
)

# Of the horseshoe with scale 1: ε², and x*, where φ‴ = 0.
HORSESHOE_EPSILON2 = 1e-6
HORSESHOE_KNEE = 1.86874e-3
# Within rounding of float64 for a/s from 1e-6 to 1e4 and c/s² from 1e-8 to 1e6.
NEWTON_ITERATIONS = 10


def student_entries(w, spread):
    """log(1 + w²/q) of each entry, for the spread √q = s√ν."""
    far, is_far, ratio = log_ratio(magnitude(w), spread)
    return ops.where(is_far, 2 * far, ops.log1p(ops.square(ratio)))


def student_prox(a, c, spread):
    """argmin_x ½(x − a)² + c·log(1 + x²/q): roots of a cubic.

    F′ = 0 is x³ − a x² + (q + 2c) x − a q = 0. In the unit of its largest number no
    power overflows; Newton's method mends the rounding of the closed form.
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
    # Three real roots: the trigonometric form.
    size = ops.sqrt(ops.where(three, shrink, ops.ones_like(r)))
    cosine = ops.where(three, r / (size * size * size), ops.zeros_like(r))
    angle = ops.arccos(ops.clip(cosine, -1, 1)) / 3
    smallest = -2 * size * ops.cos(angle)
    largest = -2 * size * ops.cos(angle + 2 * math.pi / 3)
    # One: Cardano's, of the two cube roots the one without cancellation first.
    root = ops.sqrt(ops.where(three, ops.zeros_like(r), r * r - cube))
    first = ops.power(ops.abs(r) + root, 1 / 3)
    second = shrink / ops.where(first > 0, first, ops.ones_like(r))
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
        y = ops.where(far, ops.ones_like(x), x)
        q = ops.square(y) + HORSESHOE_EPSILON2
        log, k = ops.log1p(2 / q), 4 / (q * (q + 2))
        first = y * k / log
        second = (k - ops.square(y * k) * (q + 1)) / log + ops.square(first)
        # φ(x) is 2 log x + constant there.
        first = ops.where(far, 2 / x, first)
        second = ops.where(far, -2 / x / x, second)
        return x - a + c * first, 1 + c * second

    zero = ops.zeros_like(a)
    knee = smaller(a, HORSESHOE_KNEE * ops.ones_like(a))
    left = newton(derivatives, zero, zero, knee, NEWTON_ITERATIONS)
    right = newton(derivatives, a, knee, a, NEWTON_ITERATIONS)
    # Below x* there is nothing to compare, and near 0 rounding would.
    right = ops.where(a > HORSESHOE_KNEE, right, left)
    one = ops.ones_like(c)
    return scale * _lower(a, c, lambda x: horseshoe_entries(x, one), left, right)


def _lower(a, c, entries, left, right):
    """Of two points in [0, a] the one where ½(x − a)² + c·entries(x) is lower."""
    # Divided by a: squares of large numbers would overflow.
    unit = ops.where(a > 0, a, ops.ones_like(a))
    fall = (right - left) * (1 - 0.5 * (left / unit + right / unit))
    rise = c * ((entries(right) - entries(left)) / unit)
    return ops.where(rise < fall, right, left)
