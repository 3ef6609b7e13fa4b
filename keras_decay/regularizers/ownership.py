"""Who holds a strength's variable as state: a layer or an optimizer.

On JAX only one of the two may hold it. Keras hands the state of both to the compiled
training step, which reuses the memory of its arguments, and cannot do so twice. An
owner claims its variables here, so that a second owner is refused by name, before JAX
fails on some buffer.
"""

import gc
import weakref
from typing import Any

import keras

LAYER, OPTIMIZER = "layer", "optimizer"
# By the id of the variable: a variable compares by its value, and so is no key.
_owners: dict[int, tuple[Any, dict[str, Any]]] = {}


def claim(variables, kind, owner):
    """Note that `owner`, a layer or an optimizer, holds these variables as state.

    Raises:
        ValueError: On JAX, if one of the other kind holds one of them already.
    """
    for variable in variables:
        refuse_second(variable, kind, owner)
    for variable in variables:
        _entry(variable)[kind] = weakref.ref(owner)


def release(variable, kind):
    """Note that no owner of this kind holds the variable any longer."""
    _entry(variable).pop(kind, None)


def refuse_second(variable, kind, owner):
    """Raise the error of `claim`, if it would; claim nothing."""
    other = OPTIMIZER if kind == LAYER else LAYER
    if keras.backend.backend() != "jax" or holder(variable, other) is None:
        return
    gc.collect()  # models that nobody uses any longer may still be in memory
    found = holder(variable, other)
    if found is None:
        return
    raise ValueError(
        f"The strength {variable.path!r} is part of the state of the {other} "
        f"{found.name!r} and cannot be part of that of the {kind} {owner.name!r} too: "
        "JAX cannot train with one variable in both places. Give each of them a "
        "keras.Variable of its own, and set both."
    )


def holder(variable, kind):
    """The layer or optimizer that holds the variable, or None."""
    reference = _entry(variable).get(kind)
    return reference and reference()


def _entry(variable):
    known = _owners.get(id(variable))
    if known is None or known[0]() is not variable:
        key = id(variable)
        gone = weakref.ref(variable, lambda _: _owners.pop(key, None))
        known = _owners[key] = (gone, {})
    return known[1]
