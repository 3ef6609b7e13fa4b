"""Units whose incoming weights are all exactly zero, in any layer that has units."""

import numpy as np

from keras_decay.tools._pruning import _kernels
from keras_decay.tools._pruning._elementwise import applied, array, is_elementwise

KINDS = (
    *_kernels.PLAIN,
    *_kernels.TRANSPOSED,
    *_kernels.SEPARABLE,
    *_kernels.DEPTHWISE,
)


def is_understood(layer):
    """Whether it is known where the units of a layer are."""
    return type(layer) in KINDS and _kernels.has_bare_kernel(layer)


def dead_units(layer):
    """For each unit of a layer whether it is dead; None if it is not understood."""
    if not is_understood(layer):
        return None
    if type(layer) in _kernels.DEPTHWISE:
        kernel = array(layer.kernel)
        return ~(kernel != 0).reshape(-1, kernel.shape[-2] * kernel.shape[-1]).any(0)
    return ~_kernels.joins(layer).any(0)


def constants(layer, dead):
    """What each dead unit puts out, the activation of its bias; None if not known."""
    if not is_elementwise(layer.activation):
        return None
    bias = np.zeros(int(dead.sum()))
    if layer.use_bias:
        bias = array(layer.bias)[dead].astype("float64")
    return applied(layer.activation, bias, layer.compute_dtype)
