"""One step: the wrapped optimizer's update, then decay, then the moving average.

inner_step_and_decay    the step; a `Target` is a variable that it decays
Memory                  what is kept of each weight from step to step
update_averages         the moving average; `ema_settings` checks its settings
CompiledSteps           the step compiled; `plain_settings` are part of the program
"""

from keras_decay.optimizers.step.average import ema_settings, update_averages
from keras_decay.optimizers.step.compiled import CompiledSteps, plain_settings
from keras_decay.optimizers.step.memory import Memory
from keras_decay.optimizers.step.step import Target, inner_step_and_decay

__all__ = [
    "CompiledSteps",
    "Memory",
    "Target",
    "ema_settings",
    "inner_step_and_decay",
    "plain_settings",
    "update_averages",
]
