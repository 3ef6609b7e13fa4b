"""How decay follows the learning rate: the factor c_t.

With η_t the learning rate of the step, η_0 the base rate, and m the factor by which a
variable's own learning rate differs from the optimizer's, mostly 1:

| coupling          | c_t          | whose form                           |
|-------------------|--------------|--------------------------------------|
| `"learning_rate"` | m η_t        | PyTorch's and Keras' AdamW           |
| `"schedule"`      | η_t / η_0    | Loshchilov and Hutter, 1711.05101    |
| `"independent"`   | 1            | decay fixed per step                 |
| `"corrected"`     | m η_t² / η_0 | AdamC, Defazio, 2506.02285           |
"""

import keras
from keras import ops

from keras_decay.ground import validation

COUPLINGS = {
    "learning_rate": lambda rate, base: rate,
    "schedule": lambda rate, base: rate / base,
    "independent": lambda rate, base: rate * 0 + 1,
    "corrected": lambda rate, base: rate * rate / base,
}
NEED_BASE = frozenset(("schedule", "corrected"))
PROPORTIONAL = frozenset(("learning_rate", "corrected"))


def coupling_factor(coupling, rate, base, rate_factor=1.0):
    """c_t, of the type of `rate`.

    Args:
        coupling: Its name.
        rate: η_t, a number or a scalar tensor.
        base: η_0, a number; None will do for a coupling that does not need it.
        rate_factor: m, a non-negative number. η_0 is multiplied by it as η_t is.
    """
    factor = COUPLINGS[coupling](rate, base)
    if rate_factor == 1 or coupling not in PROPORTIONAL:
        return factor
    return rate_factor * factor


def check_coupling(name, value):
    """`value` checked to be the name of a coupling."""
    return validation.choice(name, value, COUPLINGS)


def base_rate(optimizer, given, couplings):
    """η_0: as given, else the optimizer's constant rate if a coupling needs it.

    Raises:
        ValueError: If it is needed, not given, and the learning rate is a schedule: the
            first value of a warm-up would make c_t a thousand times too large.
    """
    if given is not None:
        return validation.number("base_learning_rate", given, above=0)
    needing = sorted(NEED_BASE.intersection(couplings))
    if not needing:
        return None
    rate = optimizer.learning_rate
    if not isinstance(rate, keras.Variable):
        raise ValueError(
            f"`base_learning_rate` must be given for the coupling {needing[0]!r} when "
            "the learning rate is a schedule or callable, whose first value may be far "
            "from its peak. Received: base_learning_rate=None"
        )
    rate = float(ops.convert_to_numpy(rate))
    return validation.number("learning_rate", rate, above=0)
