"""`decouple`: from penalties in the loss to decay in the optimizer."""

import re
import types
from typing import Any

import keras

from keras_decay.ground import validation
from keras_decay.models import all_layers
from keras_decay.optimizers import DecoupledWeightDecay
from keras_decay.tools._attachment import Attachment
from keras_decay.tools._moved import moved
from keras_decay.tools._penalties import same
from keras_decay.tools._regularize import check_model


def decouple(model, optimizer, *, allow_unsaved=False):
    """Move the penalties in a model's loss into an optimizer, where they are decay.

    For a variable w with the penalty Ω in the loss, the returned optimizer does

        w ← w − u − η 2λ w         if Ω = λ Σw² (convention "l2": decay 2λ)
        w ← prox_{ηΩ}(w − u)       for every other Ω

    and the penalty is gone from the variable and from its layer: `val_loss` is the data
    loss, Adam's moments know nothing of Ω, and L1 reaches exact zeros. Under plain SGD
    the decay 2λ makes the steps that L2(λ) in the loss makes. Under momentum β a
    penalty in the loss acts 1/(1 − β) times as strongly in the long run as here.

    Frozen variables keep their penalties, which are in no loss while they are frozen.
    Keras' own L1, L2 and L1L2 are moved as ours are. A sum with an L2 term is one
    penalty; so is an L2 penalty whose strength is a `keras.Variable`, which changes the
    decay when it changes.

    Args:
        model: A built `keras.Model`, compiled or not. It is changed in place, and not
            compiled.
        optimizer: A Keras optimizer without decay, or its name.
        allow_unsaved: Whether to remove also penalties that come back when the model is
            saved and loaded: those that a subclassed model's constructor writes down.

    Returns:
        A `DecoupledWeightDecay` around `optimizer`, with a rule for each penalty, to
        compile the model with.

    Raises:
        TypeError, ValueError: If an argument is not as described, or the model has no
            penalty, or what cannot be moved, each by name: activity regularizers,
            `add_loss`, regularizers that are no `Penalty` and no L1, L2 or L1L2 of
            Keras, and what would come back. Nothing is changed then.

    Example:

    ```python
    layers = [keras.layers.Dense(64, "relu", kernel_regularizer="l2")]
    model = keras.Sequential([keras.Input((10,)), *layers, keras.layers.Dense(1)])
    optimizer = kd.decouple(model, keras.optimizers.Adam(1e-3))
    model.compile(optimizer, "mse")
    ```

    Reference: Loshchilov and Hutter, Decoupled Weight Decay Regularization,
    arXiv 1711.05101.
    """
    check_model(model)
    allow_unsaved = validation.boolean("allow_unsaved", allow_unsaved)
    if isinstance(optimizer, (str, dict)):
        optimizer = keras.optimizers.get(optimizer)
    _refuse_immovable(model)
    rules = _rules(model.trainable_variables)
    if not rules:
        must = "with penalties in its loss"
        remedy = "There is nothing to move; give the optimizer a weight_decay."
        raise ValueError(validation.received("model", model, must, remedy))
    wrapper = DecoupledWeightDecay(optimizer, rules=rules)
    attachment = Attachment(
        model,
        [(v, None) for v in model.trainable_variables if v.regularizer is not None],
    )
    if not allow_unsaved:
        attachment.refuse_lost(
            "`model` must not have penalties that come back when it is saved and "
            "loaded, such as those",
            "Remove them from the model's code, or pass allow_unsaved=True and call "
            "decouple again whenever the model was loaded.",
        )
    attachment.apply()
    return wrapper


def _rules(variables):
    """A rule for each different decay, for exactly the paths that have it."""
    by_path: dict[str, Any] = {}
    refused = []
    for variable in variables:
        strength = None
        if variable.regularizer is not None:
            strength = moved(variable.regularizer)
            if strength is None:
                kind = type(variable.regularizer).__name__
                refused.append(f"\n  {variable.path}: {kind}")
        if not _equal(by_path.setdefault(variable.path, strength), strength):
            raise ValueError(
                "`model` must have different paths for variables with different "
                f"penalties, but several are called {variable.path!r}. Name the layers "
                "apart."
            )
    if refused:
        raise ValueError(
            "`model` must have penalties that are a keras_decay Penalty, or L1, L2 or "
            "L1L2 of Keras, for no other has a proximal step. Others are at:"
            + "".join(refused)
        )
    groups: list[tuple[Any, list[str]]] = []
    for path, strength in by_path.items():
        if strength is None:
            continue
        for known, paths in groups:
            if _equal(known, strength):
                paths.append(path)
                break
        else:
            groups.append((strength, [path]))
    return [
        (f"^(?:{'|'.join(map(re.escape, paths))})$", strength)
        for strength, paths in groups
    ]


def _equal(one, other):
    if getattr(one, "variables", ()) or getattr(other, "variables", ()):
        return one is other  # what is equal now may not stay so
    return one == other if isinstance(one, float) else same(one, other)


def _refuse_immovable(model):
    """Refuse what the loss has beside the penalties of weights."""
    layers = all_layers(model)
    active = [x.name for x in layers if x.activity_regularizer is not None]
    if active:
        raise ValueError(
            "`model` must not have activity regularizers, which are no penalties on "
            f"weights and cannot be moved. Layers that have one: {', '.join(active)}"
        )
    adding = [x.name for x in layers if _adds_losses(type(x))]
    penalised = [v for v in model.trainable_weights if v.regularizer is not None]
    if not adding and len(model.losses) > len(penalised):
        adding = [model.name]
    if adding:
        raise ValueError(
            "`model` must not add losses by `add_loss`, which are no penalties on "
            f"weights and cannot be moved. Layers that do: {', '.join(adding)}"
        )


def _adds_losses(kind):
    """Whether a class of the user's calls `add_loss` in one of its methods."""
    for base in kind.__mro__:
        if base.__module__.split(".")[0] in ("keras", "keras_decay"):
            continue
        for method in vars(base).values():
            method = getattr(method, "__wrapped__", method)
            if isinstance(method, types.FunctionType) and "add_loss" in _names(
                method.__code__
            ):
                return True
    return False


def _names(code):
    """The names that a function uses, also in functions within it."""
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return {*code.co_names, *(name for c in inner for name in _names(c))}
