"""A model made anew from its config, with other settings and weights in some layers."""

import tempfile
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_decay.ground import validation
from keras_decay.models import layers_of
from keras_decay.tools._pruning import _kernels, _slices

KINDS = ("regularizer", "constraint", "initializer")


def changes(flow, need):
    """For each layer that changes, by name, its new settings and weights."""
    found = {}
    for name, kernel in flow.kernels.items():
        settings, weights = _slices.of_kernel(kernel, need)
        if weights:
            found[name] = (settings, weights)
    for name, (layer, before, behind) in flow.passed.items():
        settings, weights = _slices.of_passed(layer, before, behind, need)
        if settings is not None:
            found[name] = (settings, weights)
    return found


def rebuilt(model, changed):
    """The model with the changes, not compiled; `model` itself is only read.

    Args:
        model: A model that `is_graph`.
        changed: What `changes` has found.

    Returns:
        The new model, and in words the regularizers and constraints that did not fit.

    Raises:
        ValueError: If a layer cannot be made anew from its config.
    """
    _refuse_shared(model)
    names = _own_names(model)
    left_out: list[str] = []
    with keras.saving.custom_object_scope(names):
        try:
            config = model.get_config()
            for entry in config["layers"]:
                _edit(entry, model, changed, left_out)
                _name_activation(entry, names)
            new = type(model).from_config(config)
        except Exception as error:  # whatever a layer of the user's may raise
            raise ValueError(
                "`model` must be one that Keras can make anew from its config. "
                f"Received: model={model!r}, of which Keras says: {error}"
            ) from error
    for layer in model.layers:
        twin = new.get_layer(layer.name)
        if layer.name in changed:
            for name, value in changed[layer.name][1].items():
                variable = getattr(twin, name)
                variable.assign(ops.cast(_tensor(value), variable.dtype))
        else:
            _copy_state(layer, twin)
    _copy_trainable(model, new)
    return new, left_out


def _refuse_shared(model):
    """A config does not say that layers within two others are one: they would part."""
    homes: dict[int, str] = {}
    for layer in model.layers:
        for part in layers_of(layer):
            home = homes.setdefault(id(part), layer.name)
            if home != layer.name and part.weights:
                must = "a model whose layers do not share others"
                remedy = f"{part.name!r} is within both {home!r} and {layer.name!r}."
                raise ValueError(validation.received("model", model, must, remedy))


def _edit(entry, model, changed, left_out):
    """Change the entry of a layer in a config."""
    name = entry["config"].get("name")
    if name in changed:
        settings, weights = changed[name]
        entry["config"].update(settings)
        entry["config"].update(_unfit(model.get_layer(name), weights, left_out))
        entry.pop("build_config", None)  # it holds the shape that it had


def _name_activation(entry, names):
    """Call an activation of the user's own by a name that is in scope, lambdas too."""
    name = _activation_name(entry["config"].get("name"))
    if name in names:
        entry["config"]["activation"] = {
            "module": "builtins",
            "class_name": "function",
            "config": name,
            "registered_name": name,
        }


def _activation_name(layer_name):
    return f"{layer_name}/activation"


def _unfit(layer, weights, left_out):
    """Settings without what was made for a weight of the old shape.

    A regularizer or constraint may hold an array, such as a reference to decay toward;
    whether it can take the smaller weight is tried.
    """
    replaced = {}
    for name, value in weights.items():
        if name == "kernel" and type(layer) in _kernels.DEPTHWISE:
            name = "depthwise_kernel"
        for kind in KINDS:
            key = f"{name.replace('wise_kernel', 'wise')}_{kind}"
            made = getattr(layer, key, None)
            if made is None or _takes(made, kind, value):
                continue
            # What an initializer makes is overwritten at once.
            replaced[key] = "zeros" if kind == "initializer" else None
            if kind != "initializer":
                left_out.append(f"the {key} of {layer.name!r}")
    return replaced


def _takes(made, kind, value):
    """Whether a regularizer, constraint or initializer can take a weight's shape."""
    if _is_keras(type(made)) and not isinstance(made, keras.initializers.Constant):
        return True
    try:
        if kind == "initializer":
            return tuple(made(value.shape).shape) == value.shape
        result = made(_tensor(value))
        return kind == "regularizer" or tuple(result.shape) == value.shape
    except Exception:  # of any kind: it is a foreign object with an array of its own
        return False


def _own_names(model):
    """Classes and functions of the user's own that a config names, by their names."""
    found: dict[str, Any] = {}
    for layer in layers_of(model):
        for thing in (layer, *vars(layer).values()):
            if hasattr(thing, "get_config") and not _is_keras(type(thing)):
                found[type(thing).__name__] = type(thing)
        activation: Any = getattr(layer, "activation", None)
        is_function = callable(activation) and hasattr(activation, "__name__")
        if is_function and not _is_keras(activation):
            found[activation.__name__] = activation
            found[_activation_name(layer.name)] = activation
    return found


def _is_keras(thing):
    return str(thing.__module__).split(".")[0] == "keras"


def _copy_state(layer, twin):
    """The state of a layer and all within, by the methods that saving uses."""
    pairs = zip(layers_of(layer), layers_of(twin), strict=True)
    for old, new in pairs:
        store: dict[str, Any] = {}
        old.save_own_variables(store)
        if store:
            new.load_own_variables({name: ops.copy(v) for name, v in store.items()})
        if hasattr(old, "save_assets"):  # vocabularies and the like
            with tempfile.TemporaryDirectory() as folder:
                old.save_assets(folder)
                new.load_assets(folder)


def _copy_trainable(model, new):
    new.trainable = model.trainable
    for layer in model.layers:
        twin = new.get_layer(layer.name)
        pairs = zip(layers_of(layer), layers_of(twin), strict=True)
        for old, other in pairs:  # the outer before the inner, which may differ
            other.trainable = old.trainable
        # A bias that only the twin has is the last, and is trained like the layer.
        for old, other in zip(layer.weights, twin.weights, strict=False):
            if old.trainable != other.trainable:
                other.trainable = old.trainable


def _tensor(value):
    wide = "float64" if value.dtype == "float64" else "float32"
    return ops.convert_to_tensor(np.asarray(value, wide))
