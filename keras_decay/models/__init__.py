"""Questions to a Keras model: what it holds, and which variables rules select.

- `layers_of`: the layers that Keras tracks, in Keras' order.
- `all_layers`: all layers, also those that Keras does not track.
- `held`: the layers and variables among a layer's attributes.
- `owners_by_id`: the layers that hold each variable.
- `unique`: variables or layers, each once.
- `is_ordered`, `layers_before`: whether Keras knows the order of layers, and the order.
- `variable_kinds`: bias, scale, embedding, weight, …, for each trainable variable.
- `described`: the same, as `Described`, with ranks and names.
- `role_of`: what a variable is in its layer, by its path.
- `decays_by_default`: whether a variable that no rule matches is decayed.
- `is_head_of_table`: whether a variable is an output layer that a table's layer holds.
- `pattern`: a check of a rule's pattern.
- `first_matches`, `matches`: which of some patterns decides for each path.
- `RuleMatchesNothing`: the error about a pattern that decides nothing.
- `build_optimizer`: the optimizer's variables, created before the first step.
- `optimizers_within`, `parts_of`, `innermost`: optimizers within optimizers.
"""

from keras_decay.models.kinds import (
    BATCH_NORM,
    BIAS,
    EMBEDDING,
    EMBEDDINGS,
    LAYER_SCALE,
    MASK_TOKEN,
    NORM,
    POSITION,
    RELATIVE_POSITION,
    SCALE,
    SCALES,
    SLOPE,
    SPARED_ROLES,
    STATE_SPACE,
    TOKEN,
    WEIGHT,
    Described,
    decays_by_default,
    described,
    is_head_of_table,
    role_of,
    variable_kinds,
)
from keras_decay.models.optimizer import build_optimizer
from keras_decay.models.order import is_ordered, layers_before
from keras_decay.models.paths import (
    RuleMatchesNothing,
    first_matches,
    matches,
    pattern,
)
from keras_decay.models.walk import (
    all_layers,
    held,
    layers_of,
    owners_by_id,
    unique,
)
from keras_decay.models.wrapped import innermost, optimizers_within, parts_of

__all__ = [
    "BATCH_NORM",
    "BIAS",
    "EMBEDDING",
    "EMBEDDINGS",
    "LAYER_SCALE",
    "MASK_TOKEN",
    "NORM",
    "POSITION",
    "RELATIVE_POSITION",
    "SCALE",
    "SCALES",
    "SLOPE",
    "SPARED_ROLES",
    "STATE_SPACE",
    "TOKEN",
    "WEIGHT",
    "Described",
    "RuleMatchesNothing",
    "all_layers",
    "build_optimizer",
    "decays_by_default",
    "described",
    "first_matches",
    "held",
    "innermost",
    "is_head_of_table",
    "is_ordered",
    "layers_before",
    "layers_of",
    "matches",
    "optimizers_within",
    "owners_by_id",
    "parts_of",
    "pattern",
    "role_of",
    "unique",
    "variable_kinds",
]
