"""One step: the wrapped optimizer's update, then decay, then the moving average.

- `inner_step_and_decay`: the update and decay.
- `targets_among`: the variables that it decays, each a `Target`.
- `JointPenalty`: a penalty over several variables at once.
- `WeightMemory`: what is kept for each weight from step to step.
- `RESIDUAL`: the name under which it keeps what rounding has taken from a weight.
- `MovingAverages`: the moving averages of the weights.
- `CompiledSteps`: the compiled step; `plain_settings` are constants of its program.
"""

from keras_decay.optimizers.step.average import MovingAverages
from keras_decay.optimizers.step.compiled import CompiledSteps, plain_settings
from keras_decay.optimizers.step.memory import WeightMemory
from keras_decay.optimizers.step.residual import RESIDUAL
from keras_decay.optimizers.step.step import (
    JointPenalty,
    Target,
    inner_step_and_decay,
    targets_among,
)

__all__ = [
    "RESIDUAL",
    "CompiledSteps",
    "JointPenalty",
    "MovingAverages",
    "Target",
    "WeightMemory",
    "inner_step_and_decay",
    "plain_settings",
    "targets_among",
]
