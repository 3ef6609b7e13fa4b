"""Which decay acts on which variable.

- `Rule`: an entry of `rules` that names a factor on the learning rate, too.
- `RateOfConstrained`: the error about such a factor for a constrained variable.
- `make_plan`: the user's arguments as a `DecayPlan`.
- `DecayPlan`: the decays, and the variables that they act on.
- `Decay`: what a step does to a variable.
- `strength_or_form_config`: the λ of a `Decay` in a config.
- `match`: the outcome of matching in files.
- `variable_path`: the path in which patterns are searched for.
- `preset_rules`: the rules of a well-known recipe.
- `layerwise_rules`: rules whose strength falls from layer to layer.
"""

from keras_decay.optimizers.rules import match
from keras_decay.optimizers.rules.decay import Decay, strength_or_form_config
from keras_decay.optimizers.rules.layerwise import layerwise_rules
from keras_decay.optimizers.rules.plan import DecayPlan, make_plan, variable_path
from keras_decay.optimizers.rules.presets import preset_rules
from keras_decay.optimizers.rules.rule import RateOfConstrained, Rule

__all__ = [
    "Decay",
    "DecayPlan",
    "RateOfConstrained",
    "Rule",
    "layerwise_rules",
    "make_plan",
    "match",
    "preset_rules",
    "strength_or_form_config",
    "variable_path",
]
