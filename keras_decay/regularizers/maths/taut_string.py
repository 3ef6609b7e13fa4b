"""The proximal step of total variation, exactly, for many sequences at once.

    argmin_x ½Σ(x_i − y_i)² + λ Σ|x_{i+1} − x_i|

The running sums of x are a taut string: the shortest line, from 0 to the sum of y, that
stays within λ of the running sums of y. Between two points through which the string is
known to go, let a straight line leave this tube, and furthest so at i: then the string
touches the tube's border at i. For around i, while the string is away from that border,
it bends one way only, and at both ends of this stretch it does not lie beyond the line
moved parallel onto the border at i; so it lies beyond it nowhere, and i not inside the
border. So the line is broken at i, and both halves are looked at in turn, those of all
sequences at once, until no line leaves the tube; x is the slopes.

It ends after log n rounds for most sequences, and n at most, each of some dozen
operations on all entries.

References: Davies and Kovac, Local Extremes, Runs, Strings and Multiresolution, 2001;
Condat, A Direct Algorithm for 1-D Total Variation Denoising, 2013.
"""

import keras
import numpy as np
from keras import ops

from keras_decay.ground import backend


def fused(y, level):
    """The minimiser for each row of `y`.

    Args:
        y: A float32 or float64 tensor of shape (lanes, n).
        level: λ, a non-negative scalar tensor.
    """
    largest = ops.max(ops.abs(y), axis=1, keepdims=True)
    unit = ops.where(largest > 0, largest, ops.ones_like(largest))
    # About the mean, in units of the largest: nothing overflows and sums stay small.
    mean = ops.sum(y / unit, axis=1, keepdims=True) / y.shape[1]
    # Beyond the largest running sum there can be, more changes nothing but overflows.
    most = 2.0 * y.shape[1]
    small = level / unit < most
    relative = ops.where(small, level / ops.where(small, unit, most), most)
    x = _taut_string(y / unit - mean, ops.cast(relative, y.dtype))
    return ops.where(level > 0, (x + mean) * unit, y)


def _taut_string(y, level):
    """The same for rows of mean 0 and entries of about 1, and levels by row."""
    lanes, length = y.shape
    points = length + 1
    sums = _sums(y)
    running_sums = backend.current().running_sums
    rounding = 8 * float(np.finfo(keras.backend.standardize_dtype(y.dtype)).eps)
    index = ops.reshape(ops.arange(lanes * points, dtype="int32"), (lanes, points))
    place = index - index[:, :1]
    is_end = (place == 0) | (place == length)

    def between(first, last):
        """The sum of y from one point to another; the large parts cancel first."""
        high, low = (_at(part, last) - _at(part, first) for part in sums)
        return high + low

    def lines(sides):
        """For every point its line: where it starts, its slope, its number."""
        is_fixed = is_end | (sides != 0)
        number = index[:, :1] + running_sums(ops.cast(is_fixed, "int32")) - 1
        fixed = ops.where(is_fixed, index, ops.zeros_like(index))
        starts = _largest_by(number, fixed, lanes * points)
        start = ops.take(starts, number)
        # The last point of a row starts no line; whatever is found there is not used.
        following = ops.where(number + 1 < lanes * points, number + 1, number)
        end = ops.take(starts, following)
        end = ops.where(end > start, end, start)
        rise = between(start, end) + (_at(sides, end) - _at(sides, start)) * level
        slope = rise / ops.cast(ops.where(end > start, end - start, 1), y.dtype)
        return is_fixed, number, start, slope

    def unfinished(goes_on, sides):
        del sides
        return goes_on

    def break_lines(goes_on, sides):
        del goes_on
        is_fixed, number, start, slope = lines(sides)
        risen = between(start, index)
        along = ops.cast(index - start, y.dtype) * slope
        # How far the line runs above the middle of the tube, and beyond its border.
        above = _at(sides, start) * level + along - risen
        beyond = ops.abs(above) - level
        tolerance = rounding * (level + ops.abs(along) + ops.abs(risen))
        leaves = ~is_fixed & (beyond > tolerance)
        beyond = ops.where(leaves, beyond, ops.zeros_like(beyond))
        furthest = ops.take(_largest_by(number, beyond, lanes * points), number)
        touches = leaves & (beyond >= furthest)
        return ops.any(touches), ops.where(touches, ops.sign(above), sides)

    start = ops.convert_to_tensor(True, dtype="bool"), ops.zeros_like(sums[0])
    sides = ops.while_loop(unfinished, break_lines, start)[1]
    slope = lines(sides)[-1]
    # Where the string is straight but for rounding it is one piece.
    before = ops.concatenate([slope[:, :1], slope[:, :-1]], axis=1)
    bends = sides * (slope - before) > rounding * (1 + level)
    sides = ops.where(bends, sides, ops.zeros_like(sides))
    _, _, start, slope = lines(sides)
    # Copies of one number, so that what is equal is exactly so.
    return _at(slope, start)[:, :-1]


def _sums(y):
    """Running sums, from none to all, of about twice the precision as pairs."""
    running_sums = backend.current().running_sums
    high = running_sums(y)
    before = ops.concatenate([ops.zeros_like(high[:, :1]), high[:, :-1]], axis=1)
    low = running_sums(y - (high - before))
    none = ops.zeros_like(y[:, :1])
    return [ops.concatenate([none, part], axis=1) for part in (high, low)]


def _at(values, index):
    return ops.take(ops.reshape(values, (-1,)), index)


def _largest_by(number, values, count):
    """The largest of the values with each number."""
    number, values = ops.reshape(number, (-1,)), ops.reshape(values, (-1,))
    return backend.current().largest_by(number, values, count)
