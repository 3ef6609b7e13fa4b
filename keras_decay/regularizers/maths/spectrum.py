"""Functions of the singular values of a weight.

A weight is taken as the matrix W = U Σ Vᵀ of shape (inputs, outputs): its last axis
stays, the others become one.
"""

from keras import ops

from keras_decay.ground import backend
from keras_decay.ground.arithmetic import (
    limits,
    one_unless,
    positive_or_one,
    smaller,
    unit_of,
    zero_unless,
)

NEWTON_STEPS = 12  # from within a factor of two of the root


def as_matrix(w):
    """`w` as a matrix: all axes but the last become one; a vector is one row."""
    if len(w.shape) < 2:
        return ops.reshape(w, (1, -1))
    return ops.reshape(w, (-1, w.shape[-1]))


def decomposed(matrix):
    """U, σ/c, Vᵀ and c of a matrix, c its largest entry; without gradient."""
    matrix = ops.stop_gradient(matrix)
    unit = unit_of(matrix)
    u, s, vh = backend.current().svd(matrix / unit)
    return u, s, vh, unit


def nuclear_value(w):
    """Σσ, with the gradient U Vᵀ over the positive singular values, 0 at 0."""
    matrix = as_matrix(w)
    u, s, vh, _ = decomposed(matrix)
    # A singular value of zero has no direction, but rounding gives it one.
    size = max(length or 0 for length in matrix.shape)
    is_positive = s > size * limits(s).eps * s[0]
    direction = (u * ops.cast(is_positive, s.dtype)) @ vh
    return ops.sum(matrix * ops.stop_gradient(direction))


def spectral_value(w):
    """σ₁²/2, with the gradient σ₁ u₁v₁ᵀ, 0 at 0."""
    matrix = as_matrix(w)
    u, _, vh, _ = decomposed(matrix)
    largest = ops.sum(matrix * ops.stop_gradient(u[:, :1] * vh[:1]))
    return 0.5 * ops.square(largest)


def orthogonal_value(w):
    """‖G − I‖²_F = Σ(σ² − 1)², G the smaller of WᵀW and WWᵀ."""
    matrix = as_matrix(w)
    rows, columns = matrix.shape
    if rows is not None and rows < columns:
        matrix, rows, columns = ops.transpose(matrix), columns, rows
    gram = ops.transpose(matrix) @ matrix
    value = ops.sum(ops.square(gram - ops.eye(columns, dtype=gram.dtype)))
    if rows is None:
        # A batch with fewer rows than columns: this G is the larger Gram matrix, and
        # has eigenvalues of zero beside those of the smaller, each of which adds 1.
        fewer = ops.cast(columns - ops.shape(matrix)[0], gram.dtype)
        value = value - ops.relu(fewer)
    return value


def with_singular_values(w, change):
    """`w` with singular values change(σ) in place of σ; exact zeros where all are 0."""
    matrix = as_matrix(w)
    u, s, vh, unit = decomposed(matrix)
    s = s * unit
    new = change(s)
    # Subtract a small change: unchanged weights keep their bits. Rebuild after a large
    # one: the difference would be rounding noise.
    is_small = 2 * ops.max(new) >= ops.max(s)
    factors = ops.where(is_small, s - new, -new)
    kept = zero_unless(is_small, matrix)
    return ops.reshape(kept - (u * factors) @ vh, w.shape)


def nuclear_prox(w, threshold):
    """argmin_v ½‖v − w‖² + threshold · Σσ(v): each σ falls by the threshold."""
    return with_singular_values(w, lambda s: ops.relu(s - threshold))


def spectral_prox(w, weight):
    """argmin_v ½‖v − w‖² + weight/2 · σ₁(v)²: every σ is cut at one level."""

    def clipped(s):
        return smaller(s, clipped_level(s, weight))

    return with_singular_values(w, clipped)


def orthogonal_prox(w, weight):
    """argmin_v ½‖v − w‖² + weight · Σ(σ(v)² − 1)²: each σ is drawn toward 1."""
    return with_singular_values(w, lambda s: toward_one(s, weight))


def clipped_level(s, weight):
    """t in argmin_v ½Σ(v − σ)² + weight/2 · max(v)² = min(σ, t), for falling σ.

    t solves Σ(σ − t)₊ = weight · t. It is the largest of Σ_{i≤k} σᵢ / (k + weight) over
    all k.
    """
    count = ops.arange(1, s.shape[0] + 1, dtype=s.dtype)
    return ops.max(backend.current().running_sums(s) / (count + weight))


def toward_one(s, weight):
    """argmin_{v≥0} ½(v − σ)² + weight · (v² − 1)²: the one positive root of

        p(v) = a v³ + (1 − a) v − σ,   a = 4 · weight,

    where p is convex: Newton's method falls onto it from above.
    """
    a = 4 * weight + ops.zeros_like(s)
    safe = ops.where(a > limits(s).tiny, a, ops.full_like(a, limits(s).tiny))
    linear = 1 - a
    # Three upper bounds of the root; the least one is within a factor of two of it.
    v = one_unless(s > 1, s)
    v = smaller(ops.sqrt(ops.relu(1 - 1 / safe)) + ops.power(s / safe, 1 / 3), v)
    bound = s / positive_or_one(linear)
    v = ops.where((linear > 0) & (bound < v), bound, v)
    for _ in range(NEWTON_STEPS):
        slope = 3 * (a * v) * v + linear
        height = (a * v) * v * v + linear * v - s
        v = v - height / positive_or_one(slope)
    return ops.relu(v)
