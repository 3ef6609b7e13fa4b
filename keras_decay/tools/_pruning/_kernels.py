"""How the units that enter a Dense or convolutional layer meet its weights."""

import keras
import numpy as np

from keras_decay.tools._pruning._elementwise import array

PLAIN = (
    keras.layers.Dense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
)
# The kernel of a transposed convolution is (…, outputs, inputs).
TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    *(
        [keras.layers.Conv3DTranspose]
        if hasattr(keras.layers, "Conv3DTranspose")
        else []
    ),
)
SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


def is_kernel_layer(layer):
    """Whether a layer turns all its inputs into units by one kernel, as it stands.

    Groups split the inputs, LoRA and quantization hold the kernel in parts.
    """
    return (
        type(layer) in (*PLAIN, *TRANSPOSED, *SEPARABLE)
        and getattr(layer, "groups", 1) == 1
        and has_bare_kernel(layer)
    )


def has_bare_kernel(layer):
    """Whether the kernel is a variable of floats, and nothing is added to it."""
    return (
        layer.built
        and not getattr(layer, "lora_enabled", False)
        and getattr(layer, "quantization_mode", None) is None
    )


def input_axis(layer, rank):
    """The axis of the units that a layer takes in."""
    first = getattr(layer, "data_format", None) == "channels_first"
    return 1 if first else rank - 1


def joins(layer):
    """Which input has a weight other than zero to which unit: (inputs, units), bool."""
    if type(layer) in SEPARABLE:
        depthwise, pointwise = _parts(layer)
        used = (depthwise != 0).any(0)[:, :, None]
        return (used & (pointwise != 0)).any(1)
    return (_taps(layer) != 0).any(0)


def sums(layer, rows):
    """The sum over the taps of the weights of some inputs: (rows, units), float64.

    This is what an input that is the same everywhere is multiplied by.
    """
    if type(layer) in SEPARABLE:
        depthwise, pointwise = (part.astype("float64") for part in _parts(layer))
        return np.einsum("im,imo->io", depthwise.sum(0)[rows], pointwise[rows])
    return _taps(layer)[:, rows].astype("float64").sum(0)


def sees_the_same_everywhere(layer):
    """Whether an input that is the same everywhere adds the same to every output.

    Zero padding ends that at the border, and a transposed convolution never does it.
    """
    if type(layer) is keras.layers.Dense:
        return True
    if type(layer) in TRANSPOSED:
        return False
    return layer.padding == "valid" or all(size == 1 for size in layer.kernel_size)


def _taps(layer):
    kernel = array(layer.kernel)
    if type(layer) in TRANSPOSED:
        kernel = np.swapaxes(kernel, -1, -2)
    return kernel.reshape(-1, *kernel.shape[-2:])


def _parts(layer):
    depthwise = array(layer.depthwise_kernel)
    depthwise = depthwise.reshape(-1, *depthwise.shape[-2:])
    pointwise = array(layer.pointwise_kernel)
    return depthwise, pointwise.reshape(*depthwise.shape[1:], -1)
