"""The proximal step of total variation, exactly, for many sequences at once.

    argmin_x ½Σ(x_i − y_i)² + λ Σ|x_{i+1} − x_i|

The running sums of x are a taut string: the shortest line, from 0 to the sum of y, that
stays in a tube, within λ of the running sums of y. x is the slopes of the string.

Draw a straight line between two points on the string. If the line leaves the tube, and
is furthest out at i, the string touches the border of the tube at i. Proof: suppose
that it does not. On the stretch around i in which the string is away from that border
it bends one way only. At both ends of the stretch it is not beyond the line moved
parallel onto the border at i. So it is beyond that line nowhere, and at i it is not
inside the border: a contradiction.

So the line is broken at i, and both halves are looked at in turn, for all sequences at
once, until no line leaves the tube. This takes log n rounds for most sequences and n at
most, each of some dozen operations on all entries.

References: Davies and Kovac, Local Extremes, Runs, Strings and Multiresolution, 2001;
Condat, A Direct Algorithm for 1-D Total Variation Denoising, 2013.
"""

from keras import ops

from keras_decay.ground import backend
from keras_decay.ground.arithmetic import limits, unit_of, zero_unless


def total_variation_prox(y, level):
    """The minimiser for each row of `y`.

    Args:
        y: A float32 or float64 tensor of shape (lanes, n).
        level: λ, a non-negative scalar tensor.
    """
    # In units of the largest nothing overflows; about the mean, sums stay small.
    unit = unit_of(y, axis=1)
    mean = ops.sum(y / unit, axis=1, keepdims=True) / y.shape[1]
    # A level above every possible running sum has the same result, but may overflow.
    most = 2.0 * y.shape[1]
    is_small = level / unit < most
    relative = ops.where(is_small, level / ops.where(is_small, unit, most), most)
    x = taut_string(y / unit - mean, ops.cast(relative, y.dtype))
    return ops.where(level > 0, (x + mean) * unit, y)


def taut_string(y, level):
    """The minimiser for rows of mean 0 and entries up to 2, and one level for each row.

    A point is a running sum; all points of all rows are numbered on. `sides` is +1 at a
    point where the string touches the upper border of the tube, −1 at one where it
    touches the lower border, else 0.
    """
    lanes, length = y.shape
    points = length + 1
    sums = double_sums(y)
    running_sums = backend.current().running_sums
    rounding = 8 * limits(y).eps
    index = ops.reshape(ops.arange(lanes * points, dtype="int32"), (lanes, points))
    place = index - index[:, :1]
    is_end = (place == 0) | (place == length)

    def between(first, last):
        """The sum of y from one point to another; the large parts cancel first."""
        high, low = (at(part, last) - at(part, first) for part in sums)
        return high + low

    def lines(sides):
        """For every point: whether it is fixed, its line's number, start and slope."""
        is_fixed = is_end | (sides != 0)
        number = index[:, :1] + running_sums(ops.cast(is_fixed, "int32")) - 1
        fixed = zero_unless(is_fixed, index)
        starts = largest_by(number, fixed, lanes * points)
        start = ops.take(starts, number)
        # The last point of a row starts no line; what is found there is not used.
        following = ops.where(number + 1 < lanes * points, number + 1, number)
        end = ops.take(starts, following)
        end = ops.where(end > start, end, start)
        rise = between(start, end) + (at(sides, end) - at(sides, start)) * level
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
        above = at(sides, start) * level + along - risen
        beyond = ops.abs(above) - level
        tolerance = rounding * (level + ops.abs(along) + ops.abs(risen))
        leaves = ~is_fixed & (beyond > tolerance)
        beyond = zero_unless(leaves, beyond)
        furthest = ops.take(largest_by(number, beyond, lanes * points), number)
        touches = leaves & (beyond >= furthest)
        return ops.any(touches), ops.where(touches, ops.sign(above), sides)

    start = ops.convert_to_tensor(True, dtype="bool"), ops.zeros_like(sums[0])
    sides = ops.while_loop(unfinished, break_lines, start)[1]
    slope = lines(sides)[-1]
    # Join pieces where the string bends by no more than rounding.
    before = ops.concatenate([slope[:, :1], slope[:, :-1]], axis=1)
    bends = sides * (slope - before) > rounding * (1 + level)
    _, _, start, slope = lines(zero_unless(bends, sides))
    # Each entry of a piece is a copy of one number, so that all are exactly equal.
    return at(slope, start)[:, :-1]


def double_sums(y):
    """Running sums from 0 entries to all, as pairs of about twice the precision."""
    running_sums = backend.current().running_sums
    high = running_sums(y)
    before = ops.concatenate([ops.zeros_like(high[:, :1]), high[:, :-1]], axis=1)
    low = running_sums(y - (high - before))
    start = ops.zeros_like(y[:, :1])
    return [ops.concatenate([start, part], axis=1) for part in (high, low)]


def at(values, index):
    return ops.take(ops.reshape(values, (-1,)), index)


def largest_by(number, values, count):
    """The largest of the values that have each number."""
    number, values = ops.reshape(number, (-1,)), ops.reshape(values, (-1,))
    return backend.current().largest_by(number, values, count)
