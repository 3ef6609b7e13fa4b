"""Decay toward a norm instead of toward zero."""

import keras
from keras import ops

from keras_decay.ground import validation
from keras_decay.optimizers.forms.base import DecayForm, Origin, Pull, square_norm
from keras_decay.optimizers.strength import check_strength


@keras.saving.register_keras_serializable(package="keras_decay")
class TargetNormDecay(DecayForm):
    """Weight norm control, as in AdamWN: w ← w − u − c_t λ (1 − τ/‖w‖₂) w.

    A weight whose norm is below the target τ grows toward it. With τ = 0 it is plain
    decay. Goes where a strength goes: `weight_decay=TargetNormDecay(0.1)`.

    Args:
        weight_decay: λ, as in `DecoupledWeightDecay` (convention "decoupled").
        norm: τ, the Euclidean norm that each variable is drawn to, a non-negative
            number. Either this or `initial_factor`.
        initial_factor: τ as a multiple of the norm that the optimizer finds when it is
            first built; 1.0 if neither is given.

    Raises:
        TypeError, ValueError: If an argument is not as described.

    Example:

    ```python
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.Adam(1e-3), kd.TargetNormDecay(0.1, norm=5.0)
    )
    ```

    Reference: Loshchilov, Weight Norm Control, arXiv 2311.11446.
    """

    def __init__(self, weight_decay, norm=None, *, initial_factor=None):
        self.weight_decay = check_strength("weight_decay", weight_decay)
        if norm is not None and initial_factor is not None:
            raise ValueError(
                "Only one of `norm` and `initial_factor` must be given. Received: "
                f"norm={norm!r}, initial_factor={initial_factor!r}"
            )
        if norm is not None:
            norm = validation.number("norm", norm, minimum=0)
        else:
            given = 1.0 if initial_factor is None else initial_factor
            initial_factor = validation.number("initial_factor", given, minimum=0)
        self.norm, self.initial_factor = norm, initial_factor

    @property
    def origin(self):
        return Origin.SETTINGS if self.initial_factor is None else Origin.WEIGHTS

    def remembers(self, variable, path):
        if self.norm is not None:
            return {"norm": self.norm}
        return {"norm": self.initial_factor * square_norm(variable) ** 0.5}

    def pull(self, w, fraction, memory, circumstances):
        norm = ops.sqrt(ops.sum(ops.square(w)))
        is_zero = ops.equal(norm, 0)
        target = ops.cast(memory["norm"], w.dtype)
        # At zero there is no direction to grow in.
        share = 1 - target / ops.where(is_zero, ops.ones_like(norm), norm)
        return Pull(fraction, ops.where(is_zero, ops.zeros_like(share), share) * w, {})
