"""What of a layer's penalties its config holds: found by trying, not by a list.

Every attribute of a layer that holds a regularizer gets a mark, the layer is written
into a config and made again from it, and the marks are looked for on the variables of
the new one. So it shows which attribute decides for which variables, in layers of any
kind. The layer itself is as before afterwards.
"""

import contextlib
import random

import keras

from keras_decay.models import all_layers
from keras_decay.tools._penalties import same


class Mark(keras.regularizers.Regularizer):
    """A regularizer that is only a number to be found again."""

    def __init__(self, number):
        self.number = number

    def __call__(self, w):
        return 0.0 * keras.ops.sum(w)

    def get_config(self):
        return {"number": self.number}


def units(model):
    """The largest layers of which each is saved by a config of its own."""
    if isinstance(model, keras.Model) and _lists_its_layers(model):
        for layer in model.layers:
            yield from units(layer)
    else:
        yield model


def deciders(unit):
    """Which attribute of which layer decides for each variable, when `unit` is loaded.

    Returns:
        (by the id of a variable the pair (layer, attribute), None), or ({}, why not).
    """
    inside = all_layers(unit)
    slots = [
        (layer, name)
        for layer in inside
        for name in vars(layer)
        if name.endswith("_regularizer") and "activity" not in name
    ]
    try:
        copy = _copy_with_marks(unit, slots, inside)
    except Exception as error:  # of the layers' own code, which may do anything
        text = " ".join(str(error).split())[:160]
        return {}, f"it cannot be made anew from its config ({text})"
    pairs = list(zip(unit.weights, copy.weights, strict=False))
    if len(unit.weights) != len(copy.weights) or any(
        tuple(old.shape) != tuple(new.shape) for old, new in pairs
    ):
        return {}, "made anew from its config, it has other variables"
    return {
        id(old): slots[new.regularizer.number]
        for old, new in pairs
        if isinstance(new.regularizer, Mark)
    }, None


def loads_alike(penalty):
    """Whether a penalty is itself again after saving and loading."""
    if penalty is None:
        return True
    try:
        config = keras.saving.serialize_keras_object(penalty)
        again = keras.saving.deserialize_keras_object(config)
        return same(again, penalty)
    except Exception:  # of the penalty's own code
        return False


def _lists_its_layers(model):
    """Whether the model's config holds the configs of its layers."""
    try:
        entries = model.get_config()["layers"]
        names = {entry["config"].get("name") for entry in entries}
    except Exception:  # a model need not have a config, nor one like this
        return False
    return all(layer.name in names for layer in model.layers)


def _copy_with_marks(unit, slots, inside):
    config = _config_with_marks(unit, slots)
    kinds = [Mark, *map(type, inside)]
    # What users may register, or name when they load; Keras finds its own classes.
    theirs = {k.__name__: k for k in kinds if not k.__module__.startswith("keras.")}
    with _random_state_kept(), keras.saving.custom_object_scope(theirs):
        copy = keras.saving.deserialize_keras_object(config, safe_mode=False)
    if not copy.built:
        raise ValueError("its config does not say how to build it")
    return copy


def _config_with_marks(unit, slots):
    before = [getattr(layer, name) for layer, name in slots]
    try:
        for number, (layer, name) in enumerate(slots):
            setattr(layer, name, Mark(number))
        config = keras.saving.serialize_keras_object(unit)
    finally:
        for (layer, name), value in zip(slots, before, strict=True):
            setattr(layer, name, value)
    config.pop("compile_config", None)
    return config


@contextlib.contextmanager
def _random_state_kept():
    """Initializers without a seed draw one from Python's own generator."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)
