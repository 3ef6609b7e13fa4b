"""What is done to a variable: decay by λ, a penalty by its proximal step, or both."""

import functools
from typing import NamedTuple

import keras

from keras_decay.ground import validation
from keras_decay.optimizers.forms import PLAIN, DecayForm
from keras_decay.optimizers.strength import DecayStrength
from keras_decay.regularizers import Penalty


class Decay(NamedTuple):
    """What a step does to a variable besides the wrapped optimizer's own update.

    Attributes:
        form: How λ acts; None if nothing but a penalty does.
        strength: λ; None if the form has none.
        penalty: The `Penalty`, or None.
        coupling: The name of the coupling that gives c_t.
        rate_factor: m ≥ 0: the displacement is m u, and η_t and η_0 are m times those
            of the optimizer. Unless it is 1, the variable has no constraint, and u is
            proportional to η_t.
    """

    form: DecayForm | None
    strength: DecayStrength | None
    penalty: Penalty | None
    coupling: str
    rate_factor: float = 1.0


def rate_alone(rate_factor):
    """The `Decay` that decays nothing at this factor m; None where that is nothing."""
    if rate_factor == 1:
        return None
    return Decay(None, None, None, "learning_rate", rate_factor)


def decay_of(name, value, penalty, coupling):
    """The `Decay` by λ and a checked penalty.

    Args:
        name: The name of the argument that gave λ.
        value: λ, a form of decay, or None.
        penalty: A checked penalty, or None.
        coupling: The name of the coupling.
    """
    form = strength = None
    if value is not None:
        form = value if isinstance(value, DecayForm) else PLAIN
        value = form.weight_decay if form is value else value
    if value is not None:
        strength = DecayStrength(name, value)
    return Decay(form, strength, penalty, coupling)


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


def strength_or_form_config(decay):
    """What was given as `weight_decay` or as the strength of a rule, serialised."""
    strength = None if decay.strength is None else decay.strength.get_config()
    if decay.form is None or decay.form is PLAIN:
        return strength
    config = keras.saving.serialize_keras_object(decay.form)
    if strength is not None:
        # λ as it is now; the form itself knows only what it was.
        config["config"]["weight_decay"] = strength
    return config
