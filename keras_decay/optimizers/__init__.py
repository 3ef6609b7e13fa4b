"""Decoupled weight decay around any Keras optimizer.

The public names are `DecoupledWeightDecay`, its aliases `AdamW` and `SGDW`, the forms
of decay, `Rule`, the builders of rules, `rebuild` and `set_weight_decay`. The others
are for the rooms above:

- `effective_decay`: c_t λ_t of a step, as plain numbers.
- `coupling_factor`: c_t.
- `PLAIN`, `Circumstances`: the form of a plain number; what a form may look at.
- `Origin`: where a form gets the values from that it remembers.
- `RateOfConstrained`: the error about a factor on the rate of a constrained variable.
- `REBUILDING`, `is_one_of`: Keras' optimizers by name, some of them new in Keras.
"""

from keras_decay.ground.naming import name_by_room
from keras_decay.optimizers.aliases import SGDW, AdamW
from keras_decay.optimizers.changing import set_weight_decay
from keras_decay.optimizers.decoupled import DecoupledWeightDecay
from keras_decay.optimizers.effective import effective_decay
from keras_decay.optimizers.forms import (
    PLAIN,
    Circumstances,
    ConstrainedDecay,
    DecayToward,
    Origin,
    StableDecay,
    TargetNormDecay,
    TouchedRowsDecay,
)
from keras_decay.optimizers.inner import REBUILDING, is_one_of
from keras_decay.optimizers.rebuilding import rebuild
from keras_decay.optimizers.rules import (
    RateOfConstrained,
    Rule,
    layerwise_rules,
    preset_rules,
)
from keras_decay.optimizers.strength import coupling_factor

__all__ = [
    "PLAIN",
    "REBUILDING",
    "SGDW",
    "AdamW",
    "Circumstances",
    "ConstrainedDecay",
    "DecayToward",
    "DecoupledWeightDecay",
    "Origin",
    "RateOfConstrained",
    "Rule",
    "StableDecay",
    "TargetNormDecay",
    "TouchedRowsDecay",
    "coupling_factor",
    "effective_decay",
    "is_one_of",
    "layerwise_rules",
    "preset_rules",
    "rebuild",
    "set_weight_decay",
]

name_by_room(__name__)
