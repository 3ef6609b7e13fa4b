"""`Rule`: one entry of `rules`, with more to say than a tuple has room for."""

from dataclasses import dataclass
from typing import Any

import keras

from keras_decay.ground import validation
from keras_decay.models import pattern
from keras_decay.optimizers.forms import DecayForm
from keras_decay.optimizers.rules.decay import prox_penalty
from keras_decay.optimizers.strength import (
    KINDS,
    check_coupling,
    check_strength,
    strength_config,
)
from keras_decay.regularizers import Penalty

DEFAULT = "default"


@keras.saving.register_keras_serializable(package="keras_decay")
@dataclass(frozen=True)
class Rule:
    """What happens to the variables whose path a regular expression is found in.

    With m the `learning_rate`, λ the `strength`, u the displacement that the wrapped
    optimizer makes, η_t its learning rate and η_0 its base rate, one step is

        w ← w − m u − c_t λ_t w

    | coupling          | c_t         |
    |-------------------|-------------|
    | `"learning_rate"` | m η_t       |
    | `"schedule"`      | η_t / η_0   |
    | `"independent"`   | 1           |
    | `"corrected"`     | m η_t² / η_0 |

    which is the step of the same optimizer with the rates m η_t and m η_0. So m is the
    factor of a parameter group of PyTorch, or `lr_scale` of fine-tuning recipes.
    Penalties and the other forms of decay meet the same c_t.

    Goes into `DecoupledWeightDecay(rules=[…])`, beside or instead of tuples
    `(pattern, strength[, coupling])`, which are rules with m = 1.

    Convention of λ: "decoupled", as in `DecoupledWeightDecay`.

    Args:
        pattern: A regular expression, searched for in a variable's path (`re.search`).
        strength: `"default"` for the decay that the variable would have without rules:
            by `weight_decay` and `penalty` if it is of a kind that is decayed by
            default. Else as in a tuple: λ, a form of decay, a `Penalty`, or None to
            spare the variable.
        coupling: The rule's own coupling, or None for the optimizer's.
        learning_rate: m, a non-negative number. Where it is 0 the optimizer does not
            move the variable. Where it is not 1, the variable must have no constraint,
            and the wrapped optimizer's displacement must be proportional to η_t, which
            Adafactor's is not.

    Raises:
        TypeError, ValueError: If an argument is not as described.

    Example:

    ```python
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.Adam(1e-3),
        weight_decay=0.05,
        rules=[kd.Rule("backbone", learning_rate=0.1), ("head/kernel", kd.L1(1e-4))],
    )
    ```
    """

    pattern: str
    strength: Any = DEFAULT
    coupling: str | None = None
    learning_rate: float = 1.0

    def __post_init__(self):
        pattern("pattern", self.pattern)
        if self.coupling is not None:
            check_coupling("coupling", self.coupling)
        rate = validation.number("learning_rate", self.learning_rate, minimum=0)
        object.__setattr__(self, "learning_rate", rate)
        strength = checked_strength("strength", self.strength)
        object.__setattr__(self, "strength", strength)

    @property
    def is_default(self):
        """Whether the decay is the one that the variable has without rules."""
        return isinstance(self.strength, str)

    def get_config(self):
        return {
            "pattern": self.pattern,
            "strength": _strength_config(self.strength),
            "coupling": self.coupling,
            "learning_rate": self.learning_rate,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        strength = config.get("strength")
        if isinstance(strength, dict):
            config["strength"] = keras.saving.deserialize_keras_object(strength)
        return cls(**config)


class RateOfConstrained(ValueError):
    """A rule has a factor on the rate of a variable that has a constraint.

    The constraint acts within the wrapped optimizer's step, so that the displacement is
    not that of the unconstrained step, and would not be m times as large at m η_t.

    Args:
        rule: The rule's number.
        rate_factor: Its `learning_rate`.
        path: The variable's path.
    """

    def __init__(self, rule, rate_factor, path):
        super().__init__(rule, rate_factor, path)  # the arguments, so that it pickles
        name = f"rules[{rule}].learning_rate"
        self.sentence = (
            f"`{name}` must be 1 for a variable that has a constraint, as {path!r} "
            f"has. Received: {name}={rate_factor!r}"
        )

    def __str__(self):
        return (
            f"{self.sentence}. Take the constraint off, or put a rule for this "
            "variable before that one."
        )


def checked_strength(name, value):
    """`value` checked to be the strength of a rule; a number becomes a plain float."""
    if value is None or isinstance(value, DecayForm):
        return value
    if isinstance(value, str) and value == DEFAULT:
        return value
    if isinstance(value, Penalty):
        return prox_penalty(name, value)
    if isinstance(value, (str, bytes, bool, list, tuple, dict)):
        must = (
            f"{KINDS}, a form of decay, a Penalty, {DEFAULT!r}, or None to spare the "
            "variables"
        )
        kind = ValueError if isinstance(value, str) else TypeError
        raise kind(validation.received(name, value, must))
    return check_strength(name, value)


def _strength_config(value):
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (DecayForm, Penalty)):
        return keras.saving.serialize_keras_object(value)
    return strength_config(value)
