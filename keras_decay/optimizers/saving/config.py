"""How a `DecoupledWeightDecay` is written into a config, and read again."""

import keras

from keras_decay.optimizers.inner import serialize_inner
from keras_decay.optimizers.rules import Rule, match, strength_or_form_config


def to_config(optimizer):
    """The arguments of the constructor, serialised."""
    plan = optimizer._plan
    default = plan.default
    weight_decay = penalty = None
    if default is not None:
        weight_decay = strength_or_form_config(default)
        if default.penalty is not None:
            penalty = keras.saving.serialize_keras_object(default.penalty)
    return {
        "name": optimizer.name,
        "optimizer": serialize_inner(optimizer.optimizer),
        "weight_decay": weight_decay,
        "penalty": penalty,
        "coupling": optimizer.coupling,
        "cautious": optimizer.cautious,
        "rules": [rule.get_config() for rule in plan.rules],
        "base_learning_rate": optimizer.base_learning_rate,
        "jit_compile": optimizer.jit_compile,
        "use_ema": optimizer.use_ema,
        "ema_momentum": optimizer.ema_momentum,
        "ema_overwrite_frequency": optimizer.ema_overwrite_frequency,
    }


def from_config(kind, config, custom_objects):
    """An optimizer of the class `kind` from what `to_config` has written."""
    config = dict(config)
    matched = match.matched_of_0_1(config)

    def revive(value):
        if not isinstance(value, dict):
            return value
        return keras.saving.deserialize_keras_object(
            value, custom_objects=custom_objects
        )

    for key in ("optimizer", "weight_decay", "penalty"):
        config[key] = revive(config.get(key))
    config["rules"] = [
        revive(rule) if isinstance(rule, (dict, Rule)) else tuple(map(revive, rule))
        for rule in config.get("rules") or []
    ]
    optimizer = kind(**config)
    optimizer._loading.is_revived = True
    optimizer._plan.of_0_1 = matched
    return optimizer
