"""Refuses models that share what training changes: it would go from fold to fold."""

import hashlib
import warnings
import weakref

import keras
import numpy as np
from keras import ops

from keras_decay.models import layers_of, optimizers_within

# Their weights are learnt by `adapt` and not by training.
_ADAPTED = (keras.layers.Normalization, keras.layers.Discretization)
_WHY = (
    "each training would go on from where the last one ended, with what it has learnt "
    "from the rows that are held out. Make it anew inside `build`"
)


class Sharing:
    """What the models seen so far are made of.

    Everything is known by a weak reference: what only a dead model had is not shared.
    """

    def __init__(self):
        self._known = {}
        self._values = {}
        self._has_warned = False

    def check(self, params, model, variables):
        """Refuse a model that shares with an earlier one what training changes.

        Args:
            params: The arguments of `build` that made it.
            model: It, compiled and built.
            variables: Keras variables that it uses and does not own, such as those that
                hold strengths.

        Raises:
            ValueError: If it does; it names the layer, or what else is shared.
        """
        layers = layers_of(model)
        shared = [layer for layer in layers if self._is_known(layer)]
        if any(layer is model for layer in shared):
            raise ValueError(_message("model", "", params))
        changing = _changing(layers)
        for layer in shared:
            if any(id(v) in changing for v in layer.variables):
                remedy = ", or set layer.trainable = False before the first `build`"
                raise ValueError(_message(f"layer {layer.name!r}", remedy, params))
        for optimizer in optimizers_within(model.optimizer):
            if self._is_known(optimizer):
                raise ValueError(_message("optimizer", "", params))
        for variable in changing.values():
            if any(self._is_known(part) for part in _parts(variable)):
                raise ValueError(_message(f"variable {variable.path!r}", "", params))
        for loss in keras.tree.flatten(model.loss):
            held = list(getattr(loss, "__dict__", {}).values())
            if any(isinstance(v, keras.Variable) and self._is_known(v) for v in held):
                raise ValueError(_message("loss, which holds a variable", "", params))
        self._check_values(params, variables)
        self._warn_of_random_numbers(shared)
        parts = [part for v in model.variables for part in _parts(v)]
        self._keep(*layers, *optimizers_within(model.optimizer), *parts, *variables)

    def _check_values(self, params, variables):
        """Refuse a variable that `build` shares and assigns, such as a strength."""
        for variable in variables:
            value = np.asarray(ops.convert_to_numpy(variable.value))
            digest = hashlib.sha256(value.tobytes()).digest()
            before = self._values.get(id(variable))
            if self._is_known(variable) and before not in (None, digest):
                raise ValueError(
                    "`build` must make a new keras.Variable at each call where its "
                    "value depends on the parameters: all models would train with the "
                    f"last value. Received: build(**{params!r}) that has assigned to "
                    f"the variable {variable.path!r} of an earlier call"
                )
            self._values[id(variable)] = digest

    def _warn_of_random_numbers(self, shared):
        for layer in shared:
            drawn = len(layer.variables) > len(layer.weights)
            if drawn and not self._has_warned:
                self._has_warned = True
                warnings.warn(
                    f"`build` shares the layer {layer.name!r} between its calls: its "
                    "random numbers go on from one training to the next, so that a "
                    "training depends on those before it. Make it anew inside `build`.",
                    stacklevel=2,
                )

    def _is_known(self, thing):
        reference = self._known.get(id(thing))
        return reference is not None and reference() is thing

    def _keep(self, *things):
        for thing in things:
            self._known[id(thing)] = weakref.ref(thing)


def _changing(layers):
    """The variables of these layers that training changes, by `id`."""
    found = {id(v): v for layer in layers for v in layer.trainable_variables}
    for layer in layers:
        if layer.trainable and not isinstance(layer, _ADAPTED):
            children = layers_of(layer, itself=False, nested=False)
            inner = {id(w) for one in children for w in one.weights}
            own = [w for w in layer.non_trainable_weights if id(w) not in inner]
            found |= {id(w): w for w in own}
    return found


def _parts(variable):
    """A variable, and on PyTorch the parameter that several variables may stand for."""
    is_torch = keras.backend.backend() == "torch"
    return [variable, variable.value] if is_torch else [variable]


def _message(what, remedy, params):
    return (
        f"`build` must return a new model, made of new layers, at each call. Received: "
        f"build(**{params!r}) with the {what} of an earlier call: {_WHY}{remedy}"
    )
