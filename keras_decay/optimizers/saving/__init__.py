"""How a `DecoupledWeightDecay` is saved and restored.

- `from_config`, `to_config`: the arguments of the constructor.
- `state`: the variables in files.
"""

from keras_decay.optimizers.saving import state
from keras_decay.optimizers.saving.config import from_config, to_config

__all__ = ["from_config", "state", "to_config"]
