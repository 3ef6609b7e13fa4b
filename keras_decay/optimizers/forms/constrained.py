"""Decay as strong as it takes to keep each weight within a bound."""

import math

import keras
from keras import ops

from keras_decay.ground import validation
from keras_decay.optimizers.forms.base import DecayForm, Origin, Pull, square_norm

NEVER = math.inf


@keras.saving.register_keras_serializable(package="keras_decay")
class ConstrainedDecay(DecayForm):
    """Constrained parameter regularisation (CPR): R(w) = ½‖w‖² is held below a bound κ.

    Each variable has a multiplier μ, a Lagrange multiplier that grows while the bound
    is exceeded and falls back to zero once it holds:

        μ ← max(μ + k (R(w) − κ), 0),      w ← w − u − μ ∇R(w) = w − u − μ w

    with w the weight before the step. It has no strength λ and follows no coupling: as
    in the paper, c_t = 1. Goes where a strength goes:
    `weight_decay=ConstrainedDecay(warmup_steps=500)`.

    Args:
        bound: κ, a positive number in units of ½‖w‖², for each variable alike.
        initial_factor: κ as a multiple of R of the weights that the optimizer finds
            when it is first built.
        warmup_steps: κ is R of the weights after that many steps, a positive integer;
            until then nothing is decayed. Exactly one of these three must be given.
        rate: k, a positive number; by default 1/n with n the number of entries of the
            variable, as in the authors' implementation.

    Raises:
        TypeError, ValueError: If an argument is not as described.

    Example:

    ```python
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.Adam(1e-3), kd.ConstrainedDecay(warmup_steps=500)
    )
    ```

    Reference: Franke et al., Improving Deep Learning Optimization through Constrained
    Parameter Regularization, arXiv 2311.09058.
    """

    def __init__(
        self, bound=None, *, initial_factor=None, warmup_steps=None, rate=None
    ):
        given = (bound, initial_factor, warmup_steps)
        if sum(value is not None for value in given) != 1:
            raise ValueError(
                "Exactly one of `bound`, `initial_factor` and `warmup_steps` must be "
                f"given. Received: bound={bound!r}, initial_factor={initial_factor!r}, "
                f"warmup_steps={warmup_steps!r}"
            )
        if bound is not None:
            bound = validation.number("bound", bound, above=0)
        if initial_factor is not None:
            initial_factor = validation.number(
                "initial_factor", initial_factor, above=0
            )
        if warmup_steps is not None:
            warmup_steps = validation.integer("warmup_steps", warmup_steps, minimum=1)
        if rate is not None:
            rate = validation.number("rate", rate, above=0)
        self.bound, self.initial_factor = bound, initial_factor
        self.warmup_steps, self.rate = warmup_steps, rate

    @property
    def origin(self):
        return Origin.SETTINGS if self.initial_factor is None else Origin.WEIGHTS

    def remembers(self, variable, path):
        if self.bound is not None:
            bound = self.bound
        elif self.warmup_steps is not None:
            bound = NEVER
        else:
            bound = self.initial_factor * 0.5 * square_norm(variable)
        return {"multiplier": 0.0, "bound": bound}

    def pull(self, w, fraction, memory, circumstances):
        size = math.prod(w.shape)
        half_square = 0.5 * ops.sum(ops.square(w))
        bound = ops.cast(memory["bound"], w.dtype)
        if self.warmup_steps is not None:
            # Once, and not at one step: the optimizer may have made more steps before.
            is_due = ops.logical_and(
                circumstances.step >= self.warmup_steps, ops.isinf(bound)
            )
            bound = ops.where(is_due, half_square, bound)
        rate = 1.0 / size if self.rate is None else self.rate
        old = ops.cast(memory["multiplier"], w.dtype)
        # An infinite bound gives −inf, and so a multiplier of 0.
        new = old + rate * (half_square - bound)
        new = ops.where(new > 0, new, ops.zeros_like(new))
        return Pull(new, w, {"multiplier": new, "bound": bound})
