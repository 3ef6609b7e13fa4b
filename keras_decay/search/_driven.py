"""What a parameter of `build` drives: the penalties and decays that change with it.

Models are built with three values of it, and their settings compared. A number in the
settings that changes must be c·vᵖ of the value v, so that the setting is known for any
value without building a model for each: p is 1 for strengths, −1 or −2 for scales.
"""

import copy
import math
from typing import Any, NamedTuple

import keras

from keras_decay.search._building import build_model

PROBES = (0.01, 0.02, 0.04)  # each twice the last
TOLERANCE = 1e-4  # Keras keeps strengths in float32


class Power(NamedTuple):
    """A number c·vᵖ at a path within a setting."""

    path: tuple[Any, ...]
    factor: float
    exponent: float


class Setting(NamedTuple):
    """A setting that the parameter drives.

    Attributes:
        variable: Which of the model's trainable variables it acts on; None for all that
            the optimizer decays.
        config: The setting as it is serialised, or a number.
        powers: Where in it, and how, the parameter enters.
        is_decay: Whether it is a decay of the optimizer, and no penalty.
        coupling: Of the decay, as `DecoupledWeightDecay` names it.
    """

    variable: int | None
    config: Any
    powers: tuple[Power, ...]
    is_decay: bool = False
    coupling: str = "learning_rate"

    def at(self, value):
        """The regularizer for a value of the parameter."""
        config = copy.deepcopy(self.config)
        for path, factor, exponent in self.powers:
            *way, last = path
            place = config
            for key in way:
                place = place[key]
            place[last] = factor * value**exponent
        return keras.saving.deserialize_keras_object(config)


def driven_settings(build, params, name, row):
    """A model, built with the first of the probes, and the `Setting`s driven.

    Args:
        build: The user's function.
        params: Its other arguments.
        name: The parameter.
        row: A row of inputs.

    Raises:
        ValueError: If it drives no penalty on weights and no decay, or not by a power.
    """
    models = [build_model(build, {**params, name: v}, 0, row) for v in PROBES]
    shapes = [[tuple(v.shape) for v in m.trainable_variables] for m in models]
    if any(one != shapes[0] for one in shapes):
        raise ValueError(
            f"`name` must be a strength, and {name!r} changes the model's weights "
            f"themselves. Received: name={name!r}"
        )
    settings = [
        *_in_the_loss(name, models),
        *_in_the_optimizer(name, [model.optimizer for model in models], models),
    ]
    if not settings:
        raise ValueError(
            f"`name` must be a parameter of `build` that changes a penalty on weights "
            f"or the optimizer's decay; {name!r} changes none. Received: name={name!r}"
        )
    return models[0], settings


def _in_the_loss(name, models):
    of_models = [
        [
            v.regularizer and keras.saving.serialize_keras_object(v.regularizer)
            for v in model.trainable_variables
        ]
        for model in models
    ]
    for index, configs in enumerate(zip(*of_models, strict=True)):
        powers = _powers(name, configs)
        if powers:
            yield Setting(index, configs[0], powers)


def _in_the_optimizer(name, optimizers, models):
    for optimizer, model in zip(optimizers, models, strict=True):
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
    configs = [optimizer.get_config() for optimizer in optimizers]
    plan = getattr(optimizers[0], "_plan", None)
    outcome = plan.outcome if plan else None
    for index, entry in enumerate(outcome or ()):
        rule = entry["rule"]
        if rule is None:
            continue
        if rule == "default":
            chosen = [[c["penalty"], c["weight_decay"], c["coupling"]] for c in configs]
        else:
            rules = [config["rules"][rule] for config in configs]
            chosen = [
                [r[1], None, r[2]] if isinstance(r[1], dict) else [None, *r[1:]]
                for r in rules
            ]
        penalties, decays, couplings = zip(*chosen, strict=True)
        for parts, is_decay in ((penalties, False), (decays, True)):
            powers = _powers(name, parts)
            if powers:
                yield Setting(index, parts[0], powers, is_decay, couplings[0])
    if plan is None:
        plain = [config.get("weight_decay") for config in configs]
        powers = _powers(name, plain)
        if powers:
            yield Setting(None, plain[0], powers, True)


def _powers(name, configs):
    """How the numbers in alike configs change with the parameter."""
    found = []
    flat = [dict(_leaves(config)) for config in configs]
    if any(one.keys() != flat[0].keys() for one in flat):
        raise ValueError(_no_power(name))
    for path, first in flat[0].items():
        values = [one[path] for one in flat]
        if all(value == first for value in values):
            continue
        if not all(isinstance(v, (int, float)) and v > 0 for v in values):
            raise ValueError(_no_power(name))
        pairs = list(zip(PROBES, values, strict=True))
        exponents = [
            math.log(v / first) / math.log(p / PROBES[0]) for p, v in pairs[1:]
        ]
        if abs(exponents[0] - exponents[1]) > TOLERANCE:
            raise ValueError(_no_power(name))
        exponent = exponents[1]
        if abs(exponent - round(exponent)) < TOLERANCE:
            exponent = float(round(exponent))
        found.append(Power(path, first / PROBES[0] ** exponent, exponent))
    return tuple(found)


def _leaves(config, path=()):
    """Pairs of a path and what stands there."""
    if isinstance(config, dict):
        for key, value in config.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(config, (list, tuple)):
        for key, value in enumerate(config):
            yield from _leaves(value, (*path, key))
    else:
        yield path, config


def _no_power(name):
    return (
        f"`name` must enter the penalty as a factor or a power: strengths c·vᵖ of the "
        f"parameter v; {name!r} enters otherwise. Received: name={name!r}. Make the "
        "grid by hand, for instance with np.logspace"
    )
