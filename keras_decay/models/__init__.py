"""Questions to a Keras model: what it holds, and which variables a rule means.

- `held`, `holders_by_id`: the layers and variables that layers hold.
- `variable_kinds`: bias, scale, embedding or weight, for each trainable variable.
- `decays_by_default`: whether a variable is decayed where no rule speaks of it.
- `pattern`, `first_matches`, `matches`: patterns of rules, and the paths they match.
"""

from keras_decay.models.kinds import (
    BIAS,
    EMBEDDING,
    SCALE,
    WEIGHT,
    held,
    holders_by_id,
    variable_kinds,
)
from keras_decay.models.paths import (
    decays_by_default,
    first_matches,
    matches,
    pattern,
)

__all__ = [
    "BIAS",
    "EMBEDDING",
    "SCALE",
    "WEIGHT",
    "decays_by_default",
    "first_matches",
    "held",
    "holders_by_id",
    "matches",
    "pattern",
    "variable_kinds",
]
