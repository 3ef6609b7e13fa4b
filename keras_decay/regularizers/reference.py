"""A penalty on the distance from given weights."""

import base64
import zlib

import keras
import numpy as np
from keras import ops

from keras_decay.ground import validation
from keras_decay.regularizers.maths.l1_l2_group import ridge_shrink, sum_of_squares
from keras_decay.regularizers.penalty import Penalty
from keras_decay.regularizers.strengths import plain, weighted_prox, weighted_value


@keras.saving.register_keras_serializable(package="keras_decay")
class L2SP(Penalty):
    """The squared distance λ Σ(w − w₀)² from a reference, for fine-tuning.

        Ω(w) = λ Σ(w − w₀)²
        prox(w, s) = w₀ + (w − w₀) / (1 + 2sλ)

    λ is `strength`, w₀ is `reference`. Convention "l2": no factor ½, no division by the
    number of samples; with w₀ = 0 it is `L2`. The gradient at w = w₀ is 0.

    `DecayToward` is decoupled decay toward a reference: it keeps its reference in the
    optimizer, can take the weights that it finds there, and is right under Adam, as a
    term of the loss is not. Here the reference is an argument, belongs to one weight,
    and is part of the config: use it in a layer, or where a penalty is wanted.

    Args:
        strength: Non-negative number, or a scalar `keras.Variable` or tensor. λ, in
            units of loss per squared unit of weight.
        reference: A number, or an array, tensor or variable of the weight's shape, of
            which a copy is kept; in units of weight.

    Raises:
        TypeError, ValueError: If an argument is not as described, or when called, if
            the weight has another shape than the reference.

    Example:

    ```python
    pretrained = np.ones((3, 8))
    keras.layers.Dense(8, kernel_regularizer=kd.L2SP(1e-2, pretrained))
    ```

    Reference: Li, Grandvalet and Davoine, Explicit Inductive Bias for Transfer Learning
    with Convolutional Networks, arXiv 1802.01483.
    """

    def __init__(self, strength, reference):
        self.strength = validation.strength("strength", strength)
        if validation.is_number(reference):
            self.reference = validation.number("reference", reference)
        else:
            array = validation.array("reference", reference)
            self.reference = array if array.ndim else float(array)

    def __call__(self, w):
        return weighted_value(self._distance, w, self.strength)

    def prox(self, w, step):
        return weighted_prox(self._nearer, w, step, self.strength)

    def _distance(self, w):
        return sum_of_squares(w - self._reference_of(w))

    def _nearer(self, w, level):
        level = ops.convert_to_tensor(level, dtype=w.dtype)
        reference = self._reference_of(w)
        nearer = reference + ridge_shrink(w - reference, level)
        # Without a step keep w: w₀ + (w − w₀) differs from it in the last bit.
        return ops.where(level > 0, nearer, w)

    def _reference_of(self, w):
        if isinstance(self.reference, float):
            return self.reference
        if self.reference.shape != tuple(w.shape):
            raise ValueError(
                f"`reference` must have the shape of the weight, {tuple(w.shape)}. "
                f"Received: an array of shape {self.reference.shape}"
            )
        return ops.convert_to_tensor(self.reference, dtype=w.dtype)

    def __repr__(self):
        reference = self.reference
        if not isinstance(reference, float):
            reference = f"<array of shape {reference.shape}>"
        return f"L2SP(strength={self.strength!r}, reference={reference})"

    def get_config(self):
        reference = self.reference
        if not isinstance(reference, float):
            reference = packed(reference)
        return {"strength": plain(self.strength), "reference": reference}

    @classmethod
    def from_config(cls, config):
        reference = config["reference"]
        if isinstance(reference, dict):
            reference = unpacked(reference)
        return cls(config["strength"], reference)


def packed(array):
    """An array as text for a config, every bit of it."""
    little = array.astype(array.dtype.newbyteorder("<"))
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "data": base64.b64encode(zlib.compress(little.tobytes())).decode("ascii"),
    }


def unpacked(content):
    raw = zlib.decompress(base64.b64decode(content["data"]))
    dtype = np.dtype(content["dtype"])
    little = np.frombuffer(raw, dtype.newbyteorder("<"))
    return little.astype(dtype).reshape(content["shape"])
