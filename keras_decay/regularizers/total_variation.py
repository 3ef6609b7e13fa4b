"""Total variation along one axis: neighbours become equal."""

import keras
from keras import ops

from keras_decay.ground import validation
from keras_decay.regularizers.maths.axes import (
    AXIS_NAMES,
    axis_config,
    checked_axis,
    kept_axes,
)
from keras_decay.regularizers.maths.l1_l2_group import sum_of_magnitudes
from keras_decay.regularizers.maths.taut_string import total_variation_prox
from keras_decay.regularizers.penalty import Penalty
from keras_decay.regularizers.strengths import plain, weighted_prox, weighted_value

MUST = f"an int, or one of {', '.join(map(repr, AXIS_NAMES))}"


@keras.saving.register_keras_serializable(package="keras_decay")
class TotalVariation(Penalty):
    """Total variation λ Σ|w_{i+1} − w_i| along an axis: weights in constant pieces.

        Ω(w) = λ Σᵢ |w_{i+1} − wᵢ|
        prox(w, s)ᵢ = mean of w over i's piece + sλ (±1 ±1) / its length

    λ is `strength`; i runs along `axis`, and the sum goes over all other axes too.
    `axis=0` ties what comes from neighbouring inputs of a `Dense` layer or neighbouring
    places of a `Conv1D` kernel. Convention: the term stands in the loss as it is. With
    `L1` it is the fused lasso.

    In the loss the gradient of neighbours that are equal is 0; only the proximal step,
    in the optimizer, makes them exactly equal. It is exact up to rounding, and no
    iteration toward a limit: rounds of O(n) operations for n entries along the axis,
    all other axes at once, about log n of them for most weights and n at most.

    Args:
        strength: Non-negative number, or a scalar `keras.Variable` or tensor. λ, in
            units of loss per unit of weight.
        axis: An int, or `"input"`, `"output"` or `"head"`, which `kd.regularize`
            resolves.

    Raises:
        TypeError, ValueError: If an argument is not as described, or when called, if
            the weights have no such axis.

    Example:

    ```python
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(0.1), penalty=kd.TotalVariation(1e-3, axis=0)
    )
    ```

    References: Tibshirani et al., Sparsity and Smoothness via the Fused Lasso, 2005;
    Condat, A Direct Algorithm for 1-D Total Variation Denoising, 2013.
    """

    def __init__(self, strength, axis):
        self.strength = validation.strength("strength", strength)
        if isinstance(axis, (list, tuple)):
            if len(axis) != 1:
                raise TypeError(validation.received("axis", axis, MUST))
            axis = axis[0]
        self.axis = checked_axis("axis", axis)

    def __call__(self, w):
        return weighted_value(self._variation, w, self.strength)

    def prox(self, w, step):
        return weighted_prox(self._flattened, w, step, self.strength)

    def _variation(self, w):
        return sum_of_magnitudes(ops.diff(w, axis=self._along(w)))

    def _flattened(self, w, level):
        level = ops.convert_to_tensor(level, dtype=w.dtype)
        axis = self._along(w)
        last = ops.moveaxis(w, axis, -1)
        rows = ops.reshape(last, (-1, last.shape[-1]))
        rows = total_variation_prox(rows, level)
        return ops.moveaxis(ops.reshape(rows, last.shape), -1, axis)

    def _along(self, w):
        kept = kept_axes(self.axis, w.shape)
        if len(kept) != 1:  # a name that stands for several axes
            raise ValueError(validation.received("axis", self.axis, "a single axis"))
        return kept[0]

    def get_config(self):
        return {"strength": plain(self.strength), "axis": axis_config(self.axis)}
