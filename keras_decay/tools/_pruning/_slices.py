"""The weights and settings of a layer without the units that go."""

import keras
import numpy as np

from keras_decay.tools._pruning import _kernels
from keras_decay.tools._pruning._elementwise import array
from keras_decay.tools._pruning._flow import folded, layer_bias


def of_kernel(kernel, need):
    """The smaller Dense or convolutional layer.

    What the constants that go have put into the next layer goes into its bias; a layer
    that has none gets one if there is anything to put there.

    Returns:
        The changed settings and the changed weights, each a dictionary by name; both
        empty where the layer stays as it is.
    """
    layer = kernel.layer
    rows, units = need.entering(kernel.features), need.kept[kernel.units]
    if rows.all() and units.all():
        return {}, {}
    bias = (layer_bias(layer) + folded(kernel, ~rows))[units]
    count = "units" if type(layer) is keras.layers.Dense else "filters"
    settings = {count: int(units.sum())}
    weights = _sliced_kernels(layer, rows, units)
    if layer.use_bias or bias.any():
        settings["use_bias"] = True
        weights["bias"] = bias
    return settings, weights


def _sliced_kernels(layer, rows, units):
    if type(layer) in _kernels.SEPARABLE:
        pointwise = array(layer.pointwise_kernel)
        inner = np.repeat(rows, layer.depth_multiplier)
        return {
            "depthwise_kernel": array(layer.depthwise_kernel)[..., rows, :],
            "pointwise_kernel": pointwise[..., inner, :][..., units],
        }
    first, second = rows, units
    if type(layer) in _kernels.TRANSPOSED:
        first, second = units, rows
    return {"kernel": array(layer.kernel)[..., first, :][..., second]}


def of_passed(layer, before, behind, need):
    """The same of a layer without units of its own; settings None if nothing changes.

    Args:
        layer: The layer.
        before: The `Features` that enter it.
        behind: The `Features` that leave it.
        need: The `Need` of the units.
    """
    entering, leaving = need.entering(before), need.entering(behind)
    if leaving.all() and entering.all():
        return None, {}
    if type(layer) is keras.layers.Reshape:
        target = list(layer.target_shape)
        target[-1] = -1 if target[-1] == -1 else int(leaving.sum())
        return {"target_shape": tuple(target)}, {}
    weights = {}
    if type(layer) is keras.layers.BatchNormalization:
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            if getattr(layer, name, None) is not None:
                weights[name] = array(getattr(layer, name))[entering]
    elif type(layer) is keras.layers.PReLU:
        alpha, axis = array(layer.alpha), before.axis - 1
        shared = alpha.shape[axis] != len(entering)
        weights["alpha"] = alpha if shared else alpha.compress(entering, axis)
    elif type(layer) in _kernels.DEPTHWISE:
        weights["kernel"] = array(layer.kernel)[..., entering, :]
        if layer.use_bias:
            weights["bias"] = array(layer.bias)[leaving]
    return {}, weights
