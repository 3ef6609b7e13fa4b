"""The user's `rules`, checked and read."""

from typing import NamedTuple

import keras

from keras_decay.ground import validation
from keras_decay.models import pattern
from keras_decay.optimizers.rules.decay import (
    Decay,
    decay_of,
    prox_penalty,
    strength_or_form_config,
)
from keras_decay.optimizers.strength import KINDS, check_coupling
from keras_decay.regularizers import Penalty


class ParsedRule(NamedTuple):
    """One entry of `rules`.

    Attributes:
        pattern: The regular expression.
        decay: The `Decay` of the variables that it matches; None spares them.
        coupling: The coupling that the rule itself names, or None.
    """

    pattern: str
    decay: Decay | None
    coupling: str | None

    def get_config(self):
        """The rule as a plain list [pattern, strength, coupling]."""
        value = None
        if self.decay is not None and self.decay.form is None:
            value = keras.saving.serialize_keras_object(self.decay.penalty)
        elif self.decay is not None:
            value = strength_or_form_config(self.decay)
        return [self.pattern, value, self.coupling]


def parse_rules(rules, coupling):
    """The user's `rules` as a list of `ParsedRule`, checked.

    Args:
        rules: See `DecoupledWeightDecay`.
        coupling: The coupling of rules that name none.
    """
    form = "a list of tuples (path regex, strength or penalty[, coupling])"
    if rules is None:
        return []
    if isinstance(rules, (str, bytes)) or not isinstance(rules, (list, tuple)):
        raise TypeError(validation.received("rules", rules, form))
    for index, rule in enumerate(rules):
        if not isinstance(rule, (list, tuple)) or len(rule) not in (2, 3):
            name = f"rules[{index}]"
            raise TypeError(validation.received(name, rule, "in `rules`, " + form))
    return [
        _parsed(f"rules[{index}]", rule, coupling) for index, rule in enumerate(rules)
    ]


def _parsed(name, rule, coupling):
    expression, value, own = (*rule, None)[:3]
    pattern(f"{name}[0]", expression)
    if own is not None:
        check_coupling(f"{name}[2]", own)
    if value is None:
        return ParsedRule(expression, None, own)
    argument, coupling = f"{name}[1]", own or coupling
    if isinstance(value, Penalty):
        decay = decay_of(argument, None, prox_penalty(argument, value), coupling)
        return ParsedRule(expression, decay, own)
    if isinstance(value, (str, bytes, bool, list, tuple, dict)):
        must = f"{KINDS}, a form of decay, a Penalty, or None to spare the variables"
        raise TypeError(validation.received(argument, value, must))
    decay = decay_of(argument, value, None, coupling)
    if own is not None and decay.strength is None:
        raise ValueError(
            f"`{name}[2]` must not be given with {type(value).__name__}, which "
            f"follows no coupling. Received: {name}[2]={own!r}"
        )
    return ParsedRule(expression, decay, own)
