"""The strongest value of a parameter that is worth trying, of a penalty or a decay.

See `strength_grid` for the mathematics.
"""

import math

import keras
import numpy as np
from keras import ops

from keras_decay.ground import backend
from keras_decay.optimizers import coupling_factor
from keras_decay.regularizers import Penalty
from keras_decay.search._driven import PROBES
from keras_decay.search._null_model import fitted

# A penalty outweighs the data where its gradient is so many times as large.
OUTWEIGHS = 10.0
# Where all weights are zero at first L2 has no gradient. glmnet begins the path of a
# ridge at a thousand times the strength at which a lasso is empty.
RIDGE = 1000.0
SMALL_STEP = 1e-3
WIDEST = 1e12
# Below this share of the strength that the initial weights ask for, what the null
# model asks for is rounding, not data: it is a stationary point of the network.
STATIONARY = 1e-4


def strongest_decay(optimizer, setting):
    """The value of the parameter at which a step takes all of the weight, and p."""
    rate = float(ops.convert_to_numpy(ops.convert_to_tensor(optimizer.learning_rate)))
    base = getattr(optimizer, "base_learning_rate", None) or rate
    share = coupling_factor(setting.coupling, rate, base)
    power = setting.powers[0]
    return (1 / (share * power.factor)) ** (1 / power.exponent), power.exponent


def strongest_penalty(name, slope, settings):
    """The value of the parameter at λ_max, and the penalty's power of it."""
    start = slope.start()
    at_start = slope(start)
    if not np.all(np.isfinite(at_start)):
        raise ValueError(
            "`x` and `y` must give the model a finite gradient at its initial weights. "
            "Received: data for which it is NaN or infinite"
        )
    exponent = _exponent(slope, settings)
    if not _vanish(settings, slope, at_start, WIDEST ** math.copysign(1, exponent)):
        return _outweighing(slope, settings, start, at_start, exponent), exponent
    gradient = _null_gradient(slope, settings, start)
    found = _smallest_vanishing(settings, slope, at_start, exponent)
    if gradient is not None and math.isfinite(found) and found:
        exact = _smallest_vanishing(settings, slope, gradient, exponent)
        if (exact / found) ** exponent > STATIONARY:
            found = exact
    if not math.isfinite(found) or not found:
        raise ValueError(
            f"`name` must be the strength of a penalty that lets weights go from zero "
            f"when it is weak; with {name!r} they are kept there by any strength. "
            f"Received: name={name!r}"
        )
    return found, exponent


def _null_gradient(slope, settings, start):
    """The gradient in the null model, None where other kernels are free to move."""
    driven = {setting.variable for setting in settings}
    free = np.zeros(len(start), bool)
    null = start.copy()
    for index, shape in enumerate(slope.shapes):
        inside = slice(slope.cuts[index], slope.cuts[index + 1])
        if index in driven:
            null[inside] = 0
        elif len(shape) > 1:
            return None
        else:
            free[inside] = True
    return slope(fitted(slope, null, free))


def _smallest_vanishing(settings, slope, gradient, exponent):
    """The weakest value of the parameter at which the weights stay at zero.

    By bisection of its logarithm, to the precision of float32.
    """
    sign = math.copysign(1, exponent)
    weak, strong = -math.log(WIDEST), math.log(WIDEST)
    if _vanish(settings, slope, gradient, math.exp(sign * weak)):
        return 0.0 if sign > 0 else math.inf
    while strong - weak > 1e-7:
        middle = 0.5 * (weak + strong)
        if _vanish(settings, slope, gradient, math.exp(sign * middle)):
            strong = middle
        else:
            weak = middle
    return math.exp(sign * strong)


def _vanish(settings, slope, gradient, value):
    """Whether all weights stay at zero for this value of the parameter."""
    for setting in settings:
        penalty = Penalty.of(setting.at(value))
        if penalty is None:
            return False
        point = SMALL_STEP * slope.part(gradient, setting.variable)
        point = ops.convert_to_tensor(point.astype(keras.config.floatx()))
        if np.any(ops.convert_to_numpy(penalty.prox(point, SMALL_STEP))):
            return False
    return True


def _outweighing(slope, settings, start, gradient, exponent):
    """The value at which a smooth penalty's gradient outweighs the data's."""
    pull = np.concatenate([g.ravel() for g in _driven_part(slope, settings, start)])
    data = np.concatenate([slope.part(gradient, s.variable).ravel() for s in settings])
    size, wanted = np.linalg.norm(pull), OUTWEIGHS * np.linalg.norm(data)
    if not size:
        ones = np.ones_like(start)
        pull = np.concatenate([g.ravel() for g in _driven_part(slope, settings, ones)])
        size, wanted = np.abs(pull).max(), RIDGE * np.abs(data).max()
    if not size or not wanted:
        raise ValueError(
            "`x` and `y` must give the penalised weights a gradient, for a strength to "
            "compare with it. Received: data for which it is zero"
        )
    size /= abs(2**exponent - 1)
    return float(PROBES[0] * (wanted / size) ** (1 / exponent))


def _exponent(slope, settings):
    """The power p of the parameter v in the penalty's gradient a + b·vᵖ.

    At weights that are small against any scale a penalty may have.
    """
    weights = 1e-4 * np.random.default_rng(0).normal(size=slope.cuts[-1])
    changes = [_driven_part(slope, settings, weights, probe) for probe in PROBES[:2]]
    first, second = (math.hypot(*map(np.linalg.norm, change)) for change in changes)
    return math.log2(second / first)


def _driven_part(slope, settings, weights, probe=PROBES[0]):
    """How each penalty's gradient changes if the parameter is doubled."""
    once = _penalty_gradients(slope, settings, weights, probe)
    twice = _penalty_gradients(slope, settings, weights, 2 * probe)
    return [b - a for a, b in zip(once, twice, strict=True)]


def _penalty_gradients(slope, settings, weights, value):
    """The gradient of each driven penalty at some weights."""
    gradients = []
    for setting in settings:
        point = slope.part(weights, setting.variable).astype(keras.config.floatx())
        gradient = backend.current().gradient(
            setting.at(value), ops.convert_to_tensor(point)
        )
        gradients.append(np.asarray(ops.convert_to_numpy(gradient), "float64"))
    return gradients
