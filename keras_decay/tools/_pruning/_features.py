"""What layers between two kernels do to the units that pass through them."""

from dataclasses import dataclass, replace

import keras
import numpy as np

from keras_decay.tools._pruning import _kernels
from keras_decay.tools._pruning._elementwise import applied, array, is_elementwise

NOBODY = -1  # owner of what no layer's unit puts out, such as the model's inputs


@dataclass(frozen=True, eq=False)
class Features:
    """The entries of a tensor along its axis of units.

    Attributes:
        owner: For each entry the number of the unit that it comes from.
        known: For each, whether it is one constant: in every sample, everywhere.
        value: The constant.
        axis: The axis, counted with the batch's.
    """

    owner: np.ndarray
    known: np.ndarray
    value: np.ndarray
    axis: int

    def where(self, known):
        """The same, constant only where `known` too."""
        return replace(self, known=self.known & known)

    def with_values(self, value, known=None):
        """The same with other constants; what is not finite is none."""
        known = self.known if known is None else known
        return replace(self, value=value, known=known & np.isfinite(value))


def fresh(count, axis):
    """Features of which nothing is known."""
    nobody = np.full(count, NOBODY)
    return Features(nobody, np.zeros(count, bool), np.zeros(count), axis)


def after(layer, features, shape):
    """The features behind a layer without units of its own.

    Args:
        layer: The layer.
        features: The `Features` that enter.
        shape: The shape of the tensor that enters, None where not fixed.

    Returns:
        `Features`, or None if the layer is not understood.
    """
    if is_elementwise(layer):
        values = applied(layer, features.value, layer.compute_dtype)
        return features.with_values(values)
    rule = RULES.get(type(layer))
    return rule(layer, features, shape) if rule else None


def _same(layer, features, shape):
    return features


def _pooled(layer, features, shape):
    """Windows over positions; the mean and the largest of equals is what they are."""
    on_axis = features.axis == _kernels.input_axis(layer, len(shape))
    return features if on_axis else None


def _pooled_away(layer, features, shape):
    found = _pooled(layer, features, shape)
    if found is None or layer.keepdims:
        return found
    return replace(found, axis=1)


def _padded(layer, features, shape):
    """Zeros at the border: a constant of zero alone stays one."""
    found = _pooled(layer, features, shape)
    return found and found.where(found.value == 0)


def _enlarged(layer, features, shape):
    if getattr(layer, "interpolation", "nearest") not in ("nearest", "bilinear"):
        return None
    return _pooled(layer, features, shape)


def _flattened(layer, features, shape):
    # Both data formats flatten to positions × units.
    rank = len(shape)
    if features.axis != (_kernels.input_axis(layer, rank) if rank > 2 else 1):
        return None
    positions = [n for i, n in enumerate(shape[1:], 1) if i != features.axis]
    return None if None in positions else _repeated(features, int(np.prod(positions)))


def _reshaped(layer, features, shape):
    target = layer.compute_output_shape(shape)
    count = len(features.owner)
    if features.axis != len(shape) - 1 or target[-1] is None:
        return None
    if target[-1] == count:
        return replace(features, axis=len(target) - 1)
    if len(target) == 2:
        return _repeated(features, target[-1] // count)
    return None


def _repeated(features, times):
    owner, known, value = features.owner, features.known, features.value
    return Features(
        np.tile(owner, times), np.tile(known, times), np.tile(value, times), 1
    )


def _made_a_sequence(layer, features, shape):
    return replace(features, axis=2)


def _normalized(layer, features, shape):
    """Batch normalisation: its own constants where the scale is zero, too."""
    if layer.axis % len(shape) != features.axis:
        return None
    variance = array(layer.moving_variance).astype("float64")
    gamma = array(layer.gamma) if layer.scale else np.ones(len(variance))
    beta = array(layer.beta) if layer.center else 0.0
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(variance + layer.epsilon)
        value = np.where(features.known, features.value, 0) - array(layer.moving_mean)
        value = value * scale + beta
    return features.with_values(value, features.known | (gamma == 0))


def _scaled(layer, features, shape):
    if np.ndim(layer.scale) or np.ndim(layer.offset):
        return None
    return features.with_values(features.value * layer.scale + layer.offset)


def _prelu(layer, features, shape):
    alpha = np.moveaxis(array(layer.alpha), features.axis - 1, -1)
    flat = alpha.reshape(-1, alpha.shape[-1])
    same = np.broadcast_to((flat == flat[0]).all(0), features.known.shape)
    value = features.value * np.where(features.value < 0, flat[0], 1.0)
    return features.with_values(value).where(same | (features.value >= 0))


def _depthwise(layer, features, shape):
    """A filter for each unit: what enters is scaled, or zeroed by a kernel of zeros."""
    bare = _kernels.has_bare_kernel(layer) and is_elementwise(layer.activation)
    if not bare or _pooled(layer, features, shape) is None:
        return None
    kernel = array(layer.kernel).astype("float64")
    taps = kernel.reshape(-1, *kernel.shape[-2:])
    per_unit = taps.shape[-1]
    entering = features.known
    if not _kernels.sees_the_same_everywhere(layer):
        entering = entering & (features.value == 0)
    known = entering[:, None] | (taps == 0).all(0)
    value = np.where(entering, features.value, 0)[:, None] * taps.sum(0)
    value = np.where(known, value, 0).ravel()
    if layer.use_bias:
        value = value + array(layer.bias)
    spread = replace(features, owner=np.repeat(features.owner, per_unit))
    value = applied(layer.activation, value, layer.compute_dtype)
    return spread.with_values(value, known.ravel())


# Exact classes: a class derived from one of these may do anything. By name, because
# older versions of Keras lack some.
_BY_NAME = {
    _same: "Identity ActivityRegularization Dropout SpatialDropout1D SpatialDropout2D "
    "SpatialDropout3D GaussianDropout GaussianNoise AlphaDropout",
    _pooled: "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D "
    "AveragePooling3D Cropping1D Cropping2D Cropping3D",
    _pooled_away: "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D "
    "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D",
    _padded: "ZeroPadding1D ZeroPadding2D ZeroPadding3D",
    _enlarged: "UpSampling1D UpSampling2D UpSampling3D",
    _flattened: "Flatten",
    _reshaped: "Reshape",
    _made_a_sequence: "RepeatVector",
    _normalized: "BatchNormalization",
    _scaled: "Rescaling",
    _prelu: "PReLU",
    _depthwise: "DepthwiseConv1D DepthwiseConv2D",
}
RULES = {
    getattr(keras.layers, name): rule
    for rule, names in _BY_NAME.items()
    for name in names.split()
    if hasattr(keras.layers, name)
}
