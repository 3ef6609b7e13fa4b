"""The user's `rules`, checked and read."""

from typing import NamedTuple

import keras

from keras_decay.ground import validation
from keras_decay.models import pattern
from keras_decay.optimizers.rules.decay import (
    Decay,
    decay_of,
    prox_penalty,
    rate_alone,
    strength_or_form_config,
)
from keras_decay.optimizers.rules.rule import Rule
from keras_decay.optimizers.strength import KINDS, check_coupling
from keras_decay.regularizers import Penalty


class ParsedRule(NamedTuple):
    """One entry of `rules`.

    Attributes:
        pattern: The regular expression.
        decay: The `Decay` of the variables that it matches; None leaves them to the
            wrapped optimizer.
        coupling: The coupling that the rule itself names, or None.
        rule: The `Rule` that the user gave, or None for a tuple.
    """

    pattern: str
    decay: Decay | None
    coupling: str | None
    rule: Rule | None = None

    @property
    def is_default(self):
        """Whether `decay` is for variables of a kind that is decayed by default."""
        return self.rule is not None and self.rule.is_default

    @property
    def spared(self):
        """What acts on a variable that the rule does not decay: its rate, or None."""
        return None if self.rule is None else rate_alone(self.rule.learning_rate)

    @property
    def own_decay(self):
        """`decay`, unless it is the default's."""
        return None if self.is_default else self.decay

    def get_config(self):
        """The rule as a plain list [pattern, strength, coupling], or that of a `Rule`.

        λ is what it is now; a `Rule` itself knows only what it was.
        """
        value, decay = None, self.own_decay
        if decay is not None and decay.form is not None:
            value = strength_or_form_config(decay)
        elif decay is not None and decay.penalty is not None:
            value = keras.saving.serialize_keras_object(decay.penalty)
        if self.rule is None:
            return [self.pattern, value, self.coupling]
        config = keras.saving.serialize_keras_object(self.rule)
        if not self.is_default:
            config["config"]["strength"] = value
        return config


def parse_rules(rules, coupling, default=None):
    """The user's `rules` as a list of `ParsedRule`, checked.

    Args:
        rules: See `DecoupledWeightDecay`.
        coupling: The coupling of rules that name none.
        default: The `Decay` of variables that no rule matches, or None.
    """
    form = "a list of kd.Rule or tuples (path regex, strength or penalty[, coupling])"
    if rules is None:
        return []
    if isinstance(rules, (str, bytes)) or not isinstance(rules, (list, tuple)):
        raise TypeError(validation.received("rules", rules, form))
    parsed = []
    for index, rule in enumerate(rules):
        name = f"rules[{index}]"
        if isinstance(rule, Rule):
            parsed.append(_parsed_rule(name, rule, coupling, default))
        elif isinstance(rule, (list, tuple)) and len(rule) in (2, 3):
            parsed.append(_parsed(name, rule, coupling))
        else:
            raise TypeError(validation.received(name, rule, "in `rules`, " + form))
    return parsed


def _parsed(name, rule, coupling):
    expression, value, own = (*rule, None)[:3]
    pattern(f"{name}[0]", expression)
    if own is not None:
        check_coupling(f"{name}[2]", own)
    if value is None:
        return ParsedRule(expression, None, own)
    argument = f"{name}[1]"
    if isinstance(value, (str, bytes, bool, list, tuple, dict)):
        must = f"{KINDS}, a form of decay, a Penalty, or None to spare the variables"
        raise TypeError(validation.received(argument, value, must))
    decay = _decay(argument, f"{name}[2]", value, own, coupling)
    return ParsedRule(expression, decay, own)


def _parsed_rule(name, rule, coupling, default):
    own = rule.coupling
    if rule.strength is None:
        decay = None
    elif rule.is_default:
        if own is not None:
            if default is None:
                must = "given with a strength, where the optimizer has no default decay"
                raise ValueError(validation.received(f"{name}.coupling", own, must))
            _refuse_coupling(f"{name}.coupling", own, default.form, default)
        decay = default and default._replace(coupling=own or coupling)
    else:
        strength = f"{name}.strength"
        decay = _decay(strength, f"{name}.coupling", rule.strength, own, coupling)
    if decay is None:
        decay = rate_alone(rule.learning_rate)
    else:
        decay = decay._replace(rate_factor=rule.learning_rate)
    return ParsedRule(rule.pattern, decay, own, rule)


def _decay(argument, coupling_argument, value, own, coupling):
    if isinstance(value, Penalty):
        penalty = prox_penalty(argument, value)
        return decay_of(argument, None, penalty, own or coupling)
    decay = decay_of(argument, value, None, own or coupling)
    _refuse_coupling(coupling_argument, own, value, decay)
    return decay


def _refuse_coupling(argument, own, value, decay):
    """Refuse a coupling of its own for a form that follows none."""
    if own is not None and decay.strength is None and decay.penalty is None:
        raise ValueError(
            f"`{argument}` must not be given with {type(value).__name__}, which "
            f"follows no coupling. Received: {argument}={own!r}"
        )
