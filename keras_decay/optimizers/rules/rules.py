"""The user's `rules`, checked and read; and what a rule holds."""

import functools
from typing import NamedTuple

import keras

from keras_decay.ground import validation
from keras_decay.models import pattern
from keras_decay.optimizers.forms import PLAIN, DecayForm
from keras_decay.optimizers.strength import KINDS, Strength
from keras_decay.optimizers.strength import coupling as check_coupling
from keras_decay.regularizers import Penalty


class Decay(NamedTuple):
    """What is done to a variable: λ, a penalty by its proximal step, or both.

    `form` says how λ acts. A form without a strength decays by itself.
    """

    strength: Strength | None
    penalty: Penalty | None
    coupling: str
    form: DecayForm = PLAIN

    @property
    def pulls(self):
        """Whether anything is taken away from the weight before the penalty acts."""
        return self.strength is not None or not self.form.has_strength


class Rule(NamedTuple):
    """One entry of `rules`; without a decay the variables it matches are spared."""

    pattern: str
    decay: Decay | None
    coupling: str | None


def parse_rules(rules, coupling, add_variable):
    """The user's `rules` as a list of `Rule`, checked."""
    form = "a list of tuples (path regex, strength or penalty[, coupling])"
    if rules is None:
        return []
    if isinstance(rules, (str, bytes)) or not isinstance(rules, (list, tuple)):
        raise TypeError(validation.received("rules", rules, form))
    parsed = []
    for index, rule in enumerate(rules):
        name = f"rules[{index}]"
        if not isinstance(rule, (list, tuple)) or len(rule) not in (2, 3):
            raise TypeError(validation.received(name, rule, "in `rules`, " + form))
        expression = pattern(f"{name}[0]", rule[0])
        own = rule[2] if len(rule) == 3 else None
        if own is not None:
            check_coupling(f"{name}[2]", own)
        value, decay = rule[1], None
        if isinstance(value, Penalty):
            decay = Decay(None, prox_penalty(f"{name}[1]", value), own or coupling)
        elif value is not None:
            strength, form = _rule_strength(index, value, add_variable)
            if own is not None and not form.has_strength:
                raise ValueError(
                    f"`{name}[2]` must not be given with {type(form).__name__}, which "
                    f"follows no coupling. Received: {name}[2]={own!r}"
                )
            decay = Decay(strength, None, own or coupling, form)
        parsed.append(Rule(expression, decay, own))
    return parsed


def prox_penalty(name, value):
    """`value` checked to be a penalty that the optimizer can use."""
    if not isinstance(value, Penalty):
        remedy = ""
        if isinstance(value, keras.regularizers.Regularizer):
            remedy = "Use keras_decay's penalty of the same name: it has a prox."
        must = "a keras_decay Penalty"
        raise TypeError(validation.received(name, value, must, remedy))
    value.resolved(functools.partial(_refuse_axis, name, value))
    return value


def _refuse_axis(name, penalty, axis):
    must = "a penalty whose axis is a number"
    remedy = f"An optimizer knows no layers, which the axis {axis!r} is a matter of."
    raise ValueError(validation.received(name, penalty, must, remedy))


def _rule_strength(index, value, add_variable):
    name = f"rules[{index}][1]"
    if isinstance(value, (str, bytes, bool, list, tuple, dict)):
        must = f"{KINDS}, a form of decay, a Penalty, or None to spare the variables"
        raise TypeError(validation.received(name, value, must))
    return strength_and_form(name, value, add_variable)


def strength_and_form(name, value, add_variable):
    """A strength, or the form of decay that holds one, as (`Strength`, form)."""
    form = value if isinstance(value, DecayForm) else PLAIN
    if form is value:
        if not form.has_strength:
            return None, form
        value = form.weight_decay
    return Strength(name, value, add_variable), form


def decay_config(decay):
    """What is given as `weight_decay`, or the penalty of a rule, serialised."""
    if decay is None:
        return None
    if decay.form is not PLAIN:
        config = keras.saving.serialize_keras_object(decay.form)
        if decay.strength is not None:
            # λ as it is now; the form itself knows only what it was.
            config["config"]["weight_decay"] = decay.strength.get_config()
        return config
    if decay.strength is not None:
        return decay.strength.get_config()
    return keras.saving.serialize_keras_object(decay.penalty)
