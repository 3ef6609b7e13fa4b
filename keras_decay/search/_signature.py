"""What two models must have in common for one program to train both."""

import json
import warnings

import keras

from keras_decay.models import layers_of, optimizers_within
from keras_decay.optimizers import DecoupledWeightDecay
from keras_decay.search._slots import filled


def signature(model, slots):
    """A text that is equal for models that differ in the slots' numbers alone.

    It is their configs with the same number in every slot, and without the names that
    Keras counts up from one model to the next; or None if the model has no config that
    says all of it, as one of a subclass.

    Args:
        model: A compiled model.
        slots: Its slots.
    """
    if type(model).__module__.split(".")[0] != "keras":
        return None
    rates = rates_of(model)
    before = [keras.ops.convert_to_numpy(rate) for rate in rates]
    try:
        for rate in rates:
            rate.assign(1.0)
        with filled(slots, [1.0] * len(slots)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a loss may be a lambda: it is not saved
            config = {
                "model": model.get_config(),
                "optimizer": keras.saving.serialize_keras_object(model.optimizer),
                "loss": _loss_config(model),
                "variables": [
                    [list(v.shape), v.dtype, v.trainable] for v in model.variables
                ],
                "slots": len(slots),
            }
    except (NotImplementedError, TypeError, ValueError):
        return None  # something in it cannot be serialised
    finally:
        for rate, value in zip(rates, before, strict=True):
            rate.assign(value)
    numbers: dict[str, str] = {}
    for named in [model, *layers_of(model), *optimizers_within(model.optimizer)]:
        numbers.setdefault(named.name, f"name {len(numbers)}")
    return json.dumps(_renamed(config, numbers), sort_keys=True, default=repr)


def rates_of(model):
    """The variables of the optimizer that hold a number the user has given."""
    found = []
    for optimizer in optimizers_within(model.optimizer):
        rate = getattr(optimizer, "_learning_rate", None)
        if isinstance(rate, keras.Variable):
            found.append(rate)
        if isinstance(optimizer, DecoupledWeightDecay):
            found += optimizer._plan.strength_variables
    return found


def _loss_config(model):
    config = dict(model.get_compile_config())
    config.pop("optimizer", None)
    return config


def _renamed(tree, names):
    """The config with other names: `names` has the new one for each.

    Our own classes stand in it by their registered names alone: their files may move,
    and a search that is kept on disk is found by this config.
    """
    if isinstance(tree, dict):
        is_ours = str(tree.get("registered_name", "")).startswith("keras_decay>")
        return {
            _renamed(key, names): _renamed(value, names)
            for key, value in tree.items()
            if not (is_ours and key == "module")
        }
    if isinstance(tree, (list, tuple)):
        return [_renamed(value, names) for value in tree]
    if isinstance(tree, str):  # a name, or a variable's path, which is made of names
        return "/".join(names.get(part, part) for part in tree.split("/"))
    return tree
