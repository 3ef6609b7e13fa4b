"""Numbers read off a model at the end of an epoch."""

import numpy as np
from keras import ops

from keras_decay.ground import schema
from keras_decay.optimizers import effective_decay


def plain(value):
    """A value from Keras' logs as a float; a vector as nested lists of floats."""
    if value is None or isinstance(value, str):
        return value
    array = np.asarray(ops.convert_to_numpy(value), dtype=float)
    return float(array.reshape(())) if array.size == 1 else array.tolist()


def steps_made(model):
    """The number of steps that the model's optimizer has made, or None without one."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return None
    return int(ops.convert_to_numpy(optimizer.iterations))


def learning_rate(model):
    """The present learning rate, or None where there is no single one."""
    try:
        return plain(model.optimizer.learning_rate)
    except AttributeError:
        # No optimizer, or Keras' MultiOptimizer, which has one for each part.
        return None


def decay(model, rate):
    """The present share of a weight that a step of decay takes: c_t λ_t.

    Returns:
        A dict to be added to a row: `decay`, a float, or a dict of floats where the
        optimizer has rules; empty where there is no `DecoupledWeightDecay`.
    """
    found = effective_decay(getattr(model, "optimizer", None), rate)
    if list(found) == ["weight_decay"]:
        return {schema.DECAY: found["weight_decay"]}
    return {schema.DECAY: found} if found else {}


def weights(model):
    """The L2 norm of every trainable weight and the share of exact zeros in it.

    Returns:
        A dict to be added to a row, `norms` and `zeros`, each by the weight's path.
    """
    paths: dict[str, None] = {}
    numbers = []
    for weight in model.trainable_variables:
        # In float32: the squares of float16 weights soon overflow.
        value = ops.cast(ops.convert_to_tensor(weight), "float32")
        path, count = weight.path, 1
        while path in paths:
            count += 1
            path = f"{weight.path}#{count}"
        paths[path] = None
        numbers.append(ops.sqrt(ops.sum(ops.square(value))))
        numbers.append(ops.mean(ops.cast(ops.equal(value, 0), "float32")))
    # One transfer from the device for all of them.
    values = ops.convert_to_numpy(ops.stack(numbers)).tolist() if numbers else []
    return {
        schema.NORMS: dict(zip(paths, values[::2], strict=True)),
        schema.ZEROS: dict(zip(paths, values[1::2], strict=True)),
    }
