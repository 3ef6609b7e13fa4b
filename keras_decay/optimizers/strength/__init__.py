"""The strength λ of a decay, and how it follows the learning rate.

Strength          λ as a value of the running program
check_strength    λ as the user gave it, checked; `KINDS` says what it may be
strength_config   λ in a config
COUPLINGS         the factor c_t of each coupling; `NEED_BASE` names those with η_0
coupling          the name of a coupling, checked
base_rate         η_0
"""

from keras_decay.optimizers.strength.couplings import (
    COUPLINGS,
    NEED_BASE,
    base_rate,
    coupling,
)
from keras_decay.optimizers.strength.strength import (
    KINDS,
    Strength,
    check_strength,
    strength_config,
)

__all__ = [
    "COUPLINGS",
    "KINDS",
    "NEED_BASE",
    "Strength",
    "base_rate",
    "check_strength",
    "coupling",
    "strength_config",
]
