"""How training goes on with other variables.

- `rebuild`: the optimizer of a model, on what the model trains now.
- `Rebuilds`: the part of `DecoupledWeightDecay` that does so in custom loops.
"""

from keras_decay.optimizers.rebuilding.model import rebuild
from keras_decay.optimizers.rebuilding.wrapper import Rebuilds

__all__ = ["Rebuilds", "rebuild"]
