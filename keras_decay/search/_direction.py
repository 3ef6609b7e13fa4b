"""Measures whether a parameter of `build` regularises more when larger or smaller.

Models of a few of its values are built and compared by what regularises: the gradients
of penalties at some weights, the norms that constraints leave of some weights, the
optimizer's decay, the share that dropout takes. If all of these that change grow with
the parameter, or all of them shrink, that is its direction.
"""

import contextlib
import itertools
import warnings

import keras
import numpy as np
from keras import ops

from keras_decay.ground import backend, validation
from keras_decay.models import layers_of, optimizers_within
from keras_decay.optimizers import DecoupledWeightDecay
from keras_decay.search._building import build_model
from keras_decay.search._strengths import others_equal
from keras_decay.search._traits import Traits

# Sizes of weights at which penalties and constraints are compared.
SIZES = (1e-3, 1e-1, 1.0, 10.0)
RADII = (1e-2, 1.0, 1e2, 1e4)
# Steps at which schedules of a decay are compared.
STEPS = (0, 1, 10, 100, 1000, 10000)
TOLERANCE = 1e-5
OUTPUTS = (4, 6)  # the shape of what has none of its own
SMALL = 8  # rows and columns of the weights that are compared
_DROPOUTS = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.GaussianDropout,
    keras.layers.AlphaDropout,
)


def direction(build, candidates, name, seed, row):
    """+1 if the parameter regularises more when larger, −1 when smaller.

    Args:
        build: The user's function.
        candidates: A list of dicts, in which the parameter has numbers for values.
        name: The parameter.
        seed: The seed that models are built with.
        row: A row of inputs.

    Returns:
        +1, −1, or 0 if it changes nothing in the models; None if it cannot be measured:
        what regularises does not change with the parameter, changes in both
        directions, or belongs to models of other shapes.
    """
    points = _points(candidates, name)
    if len(points) < 2:
        return None
    few = [points[0], *points[len(points) // 2 : -1][:1], points[-1]]
    with warnings.catch_warnings():
        # Keras on PyTorch converts each tensor in a way that NumPy deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        models = [build_model(build, one, seed, row) for one in few]
        digests = {Traits(model).digest for model in models}
        if len(digests) == 1 and None not in digests:
            return 0
        pairs = itertools.pairwise(models)
        signs = {sign for pair in pairs for sign in _signs(*pair)}
    return signs.pop() if len(signs) == 1 and signs <= {-1, 1} else None


def _points(candidates, name):
    """Candidates that differ in the parameter alone, in the order of its values."""
    having = [i for i, one in enumerate(candidates) if name in one]
    best: dict[float, dict] = {}
    for i in having:
        alike = others_equal(candidates, i, name)
        found = {candidates[j][name]: candidates[j] for j in alike}
        if len(found) > len(best):
            best = found
        if len(best) > 1 and len(best) * 2 >= len(having):
            break
    if len(best) < 2:  # as in a random search: one candidate with others' values
        values = [candidates[i][name] for i in having]
        best = {value: {**candidates[having[0]], name: value} for value in values}
    return [best[value] for value in sorted(best)]


def _signs(low, high):
    """The directions of all that changes between two models; 0 for both at once."""
    shapes = [[tuple(v.shape) for v in m.trainable_variables] for m in (low, high)]
    layers = [layers_of(m) for m in (low, high)]
    if shapes[0] != shapes[1] or len(layers[0]) != len(layers[1]):
        return [0]
    found = []
    variables = [m.trainable_variables for m in (low, high)]
    for one, other in zip(*variables, strict=True):
        shape = tuple(one.shape)
        found.append(_of_penalties(one.regularizer, other.regularizer, shape))
        found.append(_of_constraints(one.constraint, other.constraint, shape))
    for one, other in zip(*layers, strict=True):
        low_penalty = getattr(one, "activity_regularizer", None)
        high_penalty = getattr(other, "activity_regularizer", None)
        found.append(_of_penalties(low_penalty, high_penalty, OUTPUTS))
        found.append(_compared(_dropout(one), _dropout(other)))
    found += _of_optimizers(low, high)
    return [sign for sign in found if sign is not None]


def _compared(low, high):
    """+1 if some of these numbers grow and none shrinks, −1 the other way round.

    None if they stay, 0 if some grow and some shrink or they are not known.
    """
    if low is None or high is None or len(low) != len(high):
        return None if low is high else 0
    low, high = np.asarray(low, "float64"), np.asarray(high, "float64")
    if not (np.all(np.isfinite(low)) and np.all(np.isfinite(high))):
        return 0
    size = TOLERANCE * np.maximum(np.abs(low), np.abs(high))
    grows, shrinks = np.any(high > low + size), np.any(low > high + size)
    return None if not grows and not shrinks else int(grows) - int(shrinks)


def _of_penalties(low, high, shape):
    def pulls(penalty, shape):
        return _norms(SIZES, [0.0] * len(SIZES), _gradient, penalty, shape)

    return _differing(low, high, shape, pulls)


def _of_constraints(low, high, shape):
    def kept(constraint, shape):
        free = _norms(RADII, None, lambda _, w: w, True, shape)
        left = _norms(RADII, free, lambda f, w: f(w), constraint, shape)
        # What is left of the weights is the smaller, the stronger the constraint is.
        return left and [-norm for norm in left]

    return _differing(low, high, shape, kept)


def _differing(low, high, shape, measure):
    """Compare what two regularizers or constraints do; None if they are alike."""
    if low is high or (low is not None and _key(low) == _key(high) is not None):
        return None
    return _compared(measure(low, shape), measure(high, shape))


def _key(thing):
    """A text for objects of known classes that is equal if they do the same."""
    if type(thing).__module__.split(".")[0] not in ("keras", "keras_decay"):
        return None
    try:
        return repr(keras.saving.serialize_keras_object(thing))
    except Exception:  # what it holds may have no config
        return None


def _gradient(penalty, weights):
    return backend.current().gradient(penalty, weights)


def _norms(sizes, without, function, thing, shape):
    """The norms of `function(thing, weights)` at weights of each size.

    Returns:
        A list; `without` if there is no such thing; None if it fails.
    """
    if thing is None:
        return without
    small = tuple(min(size, SMALL) for size in shape)
    # Smaller weights will do, but not where a penalty holds some of their shape.
    for tried in dict.fromkeys((small, shape)):
        weights = np.random.default_rng(0).normal(size=tried)
        with contextlib.suppress(Exception):  # of the user's own code
            points = [
                ops.convert_to_tensor((s * weights).astype("float32")) for s in sizes
            ]
            values = [ops.convert_to_numpy(function(thing, point)) for point in points]
            return [float(np.linalg.norm(np.ravel(value))) for value in values]
    return None


def _dropout(layer):
    """The shares that a layer drops, and the noise that it adds."""
    named = dict(getattr(layer, "__dict__", {}))
    found = []
    for name, value in named.items():
        is_share = "drop" in name.lower() or (
            name == "rate" and isinstance(layer, _DROPOUTS)
        )
        is_noise = name == "stddev" and isinstance(layer, keras.layers.GaussianNoise)
        if (is_share or is_noise) and validation.is_number(value):
            found.append(float(value))
    return found


def _of_optimizers(low, high):
    ones, others = (optimizers_within(model.optimizer) for model in (low, high))
    if len(ones) != len(others):
        return [0]
    found = []
    for one, other in zip(ones, others, strict=True):
        if isinstance(one, DecoupledWeightDecay):
            if not isinstance(other, DecoupledWeightDecay):
                return [0]
            decays = [x._plan.decays for x in (one, other)]
            if len(decays[0]) != len(decays[1]):
                return [0]
            for a, b in zip(*decays, strict=True):
                found.append(_of_penalties(a.penalty, b.penalty, OUTPUTS))
                found.append(_compared(_decay(a.strength), _decay(b.strength)))
        else:
            for name in ("weight_decay", "adam_weight_decay"):
                values = [_number(getattr(x, name, None)) for x in (one, other)]
                found.append(_compared(*values))
    return found


def _number(value):
    """A decay as a list of one number; None if it is something else."""
    if value is None or value is False:
        return [0.0]
    return [float(value)] if validation.is_number(value) else None


def _decay(strength):
    """The strength of a decay of ours at each of some steps; None if it is unknown."""
    if strength is None:
        return [0.0] * len(STEPS)
    try:
        return [float(ops.convert_to_numpy(strength.at(step))) for step in STEPS]
    except Exception:  # a schedule of the user's may need what is not here
        return None
