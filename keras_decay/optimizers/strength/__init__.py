"""The strength λ of a decay, and how decay follows the learning rate.

- `DecayStrength`: λ as a value of the running program.
- `check_strength`: λ as the user gave it, checked; `KINDS` says what it may be.
- `strength_config`: λ in a config.
- `coupling_factor`: c_t.
- `check_coupling`: the name of a coupling, checked.
- `base_rate`: η_0.
"""

from keras_decay.optimizers.strength.couplings import (
    base_rate,
    check_coupling,
    coupling_factor,
)
from keras_decay.optimizers.strength.strength import (
    KINDS,
    DecayStrength,
    check_strength,
    strength_config,
)

__all__ = [
    "KINDS",
    "DecayStrength",
    "base_rate",
    "check_coupling",
    "check_strength",
    "coupling_factor",
    "strength_config",
]
