"""Decay by the scale of the gradients."""

import keras
from keras import ops

from keras_decay.ground.arithmetic import computable
from keras_decay.optimizers.forms.base import AFTER_STEP, DecayForm, Pull
from keras_decay.optimizers.strength import check_strength

# Keras' optimizers that keep Adam's second moment and correct its bias.
ADAPTIVE = ("Adam", "Nadam")


@keras.saving.register_keras_serializable(package="keras_decay")
class StableDecay(DecayForm):
    """Stable weight decay, as in AdamS: w ← w − u − c_t λ w / √v̄_t.

    v̄_t is the mean, over all entries of all variables with gradients, of Adam's bias-
    corrected second moment after this step's gradient: the decay then has the same
    units as the step. Goes where a strength goes, `weight_decay=StableDecay(5e-4)`,
    around Adam or Nadam. While v̄_t is zero, nothing is decayed.

    Args:
        weight_decay: λ, as in `DecoupledWeightDecay`, but in units of √v̄: the paper's
            5e-4 for AdamS is its value for SGD.

    Raises:
        TypeError, ValueError: If λ is not as described, or the wrapped optimizer keeps
            no such moment.

    Example:

    ```python
    adam = keras.optimizers.Adam(1e-3)
    optimizer = kd.DecoupledWeightDecay(adam, kd.StableDecay(5e-4))
    ```

    Reference: Xie et al., On the Overlooked Pitfalls of Weight Decay and How to
    Mitigate Them, arXiv 2011.11152.
    """

    needs = frozenset((AFTER_STEP,))

    def __init__(self, weight_decay):
        self.weight_decay = check_strength("weight_decay", weight_decay)

    def check(self, name, optimizer):
        kinds = tuple(getattr(keras.optimizers, kind) for kind in ADAPTIVE)
        if not isinstance(optimizer, kinds):
            raise ValueError(
                f"`{name}` must not be StableDecay around an optimizer that keeps no "
                f"second moment like Adam's: use {' or '.join(ADAPTIVE)}. Received: "
                f"optimizer={type(optimizer).__name__}"
            )

    def pull(self, w, fraction, memory, circumstances):
        scale = ops.cast(circumstances.inner.once(_gradient_scale), w.dtype)
        return Pull(fraction / scale, w, {})


def _gradient_scale(optimizer, grads, variables):
    """√v̄_t, a scalar; infinite where it is zero, so that nothing is decayed."""
    moments = optimizer._velocities
    present = [
        computable(moments[optimizer._get_variable_index(variable)])
        for grad, variable in zip(grads, variables, strict=True)
        # float8 scales are overwritten with their "gradients", not trained.
        if grad is not None and not getattr(variable, "overwrite_with_gradient", False)
    ]
    total = sum(ops.sum(v) for v in present)
    size = sum(ops.size(v) for v in present)
    mean = total / ops.cast(size, total.dtype)
    step = ops.cast(optimizer.iterations, total.dtype)
    beta = ops.cast(optimizer.beta_2, total.dtype)
    correction = 1 - ops.power(beta, step)
    root = ops.sqrt(mean / correction)
    return ops.where(root > 0, root, ops.full_like(root, float("inf")))
