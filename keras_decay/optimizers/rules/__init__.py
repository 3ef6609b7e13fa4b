"""Which decay acts on which variable.

make_plan          the user's arguments as a `Plan`
Plan               the decays, and the variables that they act on
Decay              what is done to a variable
decay_config       a decay in a config
match              the outcome of matching in files
preset_rules       the rules of a well-known recipe
layerwise_rules    rules whose strength falls from layer to layer
"""

from keras_decay.optimizers.rules import match
from keras_decay.optimizers.rules.layerwise import layerwise_rules
from keras_decay.optimizers.rules.plan import Plan, make_plan, variable_path
from keras_decay.optimizers.rules.presets import preset_rules
from keras_decay.optimizers.rules.rules import Decay, decay_config

__all__ = [
    "Decay",
    "Plan",
    "decay_config",
    "layerwise_rules",
    "make_plan",
    "match",
    "preset_rules",
    "variable_path",
]
