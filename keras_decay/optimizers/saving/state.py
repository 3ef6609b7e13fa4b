"""The state of a `DecoupledWeightDecay` in files: all of it is restored, or nothing.

The wrapped optimizer's variables are saved among the wrapper's, together with the match
of the rules, so that one decision is made on them all. In files of version 0.1 Keras
has saved the wrapped optimizer by itself, and the match stood in the config.
"""

import warnings

import keras
import numpy as np
from keras import ops

from keras_decay.optimizers import building
from keras_decay.optimizers.forms import Origin
from keras_decay.optimizers.rules import match
from keras_decay.optimizers.step import RESIDUAL

MATCH = "match"
INNER = "optimizer_"


def own_variables(optimizer):
    """The optimizer's own variables by names that outlast saving and loading.

    A `keras.Variable` that was given as a strength is a number after loading, and one
    that was given twice is two: so strengths go by their role.
    """
    by_role = {**optimizer._plan.strengths_by_role(), **optimizer._memory.by_role()}
    ids = {id(variable) for variable in by_role.values()}
    others = [v for v in optimizer._variables if id(v) not in ids]
    return {**{str(i): v for i, v in enumerate(others)}, **by_role}


def save(optimizer, store):
    """Write the state of an optimizer into a store of Keras'."""
    if not optimizer.built:
        _save_unbuilt(optimizer, store)
        return
    inner = optimizer.optimizer
    store[MATCH] = match.encoded(optimizer._plan, optimizer._trainable_variables, inner)
    for name, variable in own_variables(optimizer).items():
        store[name] = _storable(variable)
    for name, array in _state_of(inner).items():
        store[INNER + name] = array


def _save_unbuilt(optimizer, store):
    """Write what was loaded and is still to be used."""
    loaded = optimizer._loading.arrays
    if isinstance(loaded, dict):
        for name, array in loaded.items():
            store[name] = array
    elif Origin.ARRAYS in optimizer._plan.origins:
        raise ValueError(
            "`reference` cannot be saved before the optimizer is built, since its "
            "arrays are saved as the optimizer's variables. Call "
            "`optimizer.build(model.trainable_variables)` first."
        )


def load(optimizer, store):
    """Load the state from a store of Keras', now or when the optimizer is built."""
    stored = {name: np.asarray(store[name]) for name in list(store.keys())}
    loading = optimizer._loading
    loading.keras_loads_inner = False
    if not stored:
        return  # it was saved before training: the config says it all
    if optimizer.built:
        loading.keras_loads_inner = _restore(optimizer, stored)
    else:
        loading.arrays = stored  # as when weights are loaded before the first `fit`


def load_list(optimizer, weights):
    """Load the state of an optimizer from arrays in the order of its variables."""
    weights = [np.asarray(ops.convert_to_numpy(weight)) for weight in weights]
    if optimizer.built:
        _set_list(optimizer, weights)
    else:
        optimizer._loading.arrays = weights


def load_late(optimizer):
    """Restore what was loaded before the optimizer was built."""
    stored, optimizer._loading.arrays = optimizer._loading.arrays, None
    if isinstance(stored, dict):
        _restore(optimizer, stored, late=True)
    else:
        _restore_list(optimizer, stored)


def _restore(optimizer, stored, late=False):
    """Restore the state of a built optimizer, or warn and leave it as it is.

    Args:
        optimizer: The `DecoupledWeightDecay`.
        stored: Arrays by name, what a store of Keras' holds.
        late: Whether the arrays were read before the optimizer was built, so that Keras
            loads nothing more.

    Returns:
        Whether the wrapped optimizer's variables are still to be loaded, by Keras: in a
        file of version 0.1.
    """
    saved = match.decoded(stored[MATCH]) if MATCH in stored else None
    own = {
        name: array
        for name, array in stored.items()
        if name != MATCH and not (saved and name.startswith(INNER))
    }
    inner = {
        name.removeprefix(INNER): array
        for name, array in stored.items()
        if name.startswith(INNER)
    }
    if saved is not None:
        obstacle = _adopt(optimizer, saved, late) or _other_inner(
            optimizer, saved, inner
        )
    else:
        obstacle = optimizer._plan.obstacle_of_0_1
        if late and obstacle is None:
            obstacle = (
                "The file holds no match of the rules, as those of version 0.1, and "
                "was loaded before the optimizer was built."
            )
    state = own_variables(optimizer)
    obstacle = obstacle or _other_kind(state, stored)
    obstacle = obstacle or _other_arrays(_arrays(state), own)
    if obstacle:
        _load_references(optimizer, saved, own)
        _begin_afresh(optimizer, obstacle)
        return False
    for name, variable in state.items():
        variable.assign(own[name])
    if saved is not None:
        optimizer.optimizer.load_own_variables(inner)
    optimizer._memory.incomplete = False
    optimizer._plan.problem = None
    return saved is None


def _restore_list(optimizer, weights):
    """Restore the state of an optimizer from the values of its variables, if they fit.

    Only their number and shapes tell which variables they belong to.
    """
    shapes = [tuple(variable.shape) for variable in optimizer.variables]
    obstacle = None
    if [weight.shape for weight in weights] != shapes:
        obstacle = "Its variables were others in number or shape."
    obstacle = optimizer._plan.obstacle_of_0_1 or obstacle
    if obstacle or optimizer._plan.problem:
        _begin_afresh(optimizer, obstacle or "")
        return
    _set_list(optimizer, weights)


def _set_list(optimizer, weights):
    """Set the variables of a built optimizer, in their order, to arrays."""
    variables = optimizer.variables
    if len(weights) != len(variables):
        raise ValueError(
            f"`weights` must have one array for each of the {len(variables)} variables "
            f"of the optimizer. Received: {len(weights)} arrays"
        )
    for variable, weight in zip(variables, weights, strict=True):
        if weight.shape != tuple(variable.shape):
            raise ValueError(
                f"`weights` must have the shape {tuple(variable.shape)} for the "
                f"variable {variable.path}. Received: an array of shape {weight.shape}"
            )
    for variable, weight in zip(variables, weights, strict=True):
        variable.assign(weight)
    optimizer._memory.incomplete = False


def _begin_afresh(optimizer, obstacle):
    """Warn that the state is not restored, and of a rule that matches nothing."""
    plan = optimizer._plan
    text = (
        f"The saved state of the optimizer {optimizer.name!r} is not restored, and its "
        f"training begins afresh. {obstacle}"
    )
    if plan.problem:
        text += f" Besides, {plan.problem.sentence}."
        plan.problem = None
    warnings.warn(text, stacklevel=3)


def _adopt(optimizer, saved, late):
    """Decide as the file says, or return why it is not about these variables."""
    plan = optimizer._plan
    thawed = late and optimizer._loading.was_frozen
    if not match.is_about(saved.entries, plan.outcome, thawed):
        return match.changes(saved.entries, plan.outcome)
    if saved.patterns != plan.patterns:
        return match.decided_otherwise(saved, plan)
    building.decide(optimizer, saved.entries)
    return None


def _other_inner(optimizer, saved, inner):
    """Why the wrapped optimizer cannot take over the saved state; None if it can."""
    name = type(optimizer.optimizer).__name__
    if saved.inner != name:
        return f"It was saved with {saved.inner} inside, and this one wraps {name}."
    problem = _other_arrays(_state_of(optimizer.optimizer), inner)
    return problem and f"Its {name} was another one. {problem}"


def _other_kind(state, stored):
    """Say what has saved numbered variables alone, as Keras' own optimizers do."""
    if all(name.isdigit() for name in state) or not all(n.isdigit() for n in stored):
        return None
    return (
        "It was saved by another kind of optimizer: one of Keras' own, or the "
        "LossScaleOptimizer that Keras adds under the policy mixed_float16. In the "
        "latter case call keras.config.set_dtype_policy('mixed_float16') before "
        "loading, or else the loss is no longer scaled."
    )


def _other_arrays(state, saved):
    """Why saved arrays do not fit the state, both by name; None if they do."""
    missing = sorted(set(state) - set(saved))
    # The variable of a penalty is a plain number once its optimizer has been loaded.
    other = sorted(
        name
        for name in set(saved) - set(state)
        if not name.startswith(("default", "rule_"))
    )
    if missing or other:
        return f"The file lacks {missing} and has {other} besides."
    for name, array in state.items():
        if saved[name].shape != array.shape:
            return (
                f"In the file {name!r} has the shape {saved[name].shape}, not "
                f"{array.shape}."
            )
    return None


def _load_references(optimizer, saved, own):
    """Load the arrays that forms of decay were given, by the variables' paths.

    They are settings, so they are loaded even where the state is not.
    """
    plan = optimizer._plan
    if not optimizer._memory.incomplete or (saved is None and plan.obstacle_of_0_1):
        return
    entries = plan.outcome if saved is None else saved.entries
    places = {entry["path"]: i for i, entry in enumerate(entries)}
    complete = True
    for index, entry in enumerate(plan.outcome):
        decay = plan.decay_of(index)
        if decay is None or decay.form is None or decay.form.origin is not Origin.FILE:
            continue
        for name, slot in optimizer._memory.of(index).items():
            if name == RESIDUAL:
                continue
            array = own.get(f"{name}_{places.get(entry['path'])}")
            if array is None or array.shape != tuple(slot.shape):
                complete = False
            else:
                slot.assign(array)
    optimizer._memory.incomplete = not complete


def _arrays(state):
    return {name: np.empty(tuple(v.shape), bool) for name, v in state.items()}


def _state_of(optimizer):
    """The arrays that a Keras optimizer saves, by name."""
    state: dict = {}
    optimizer.save_own_variables(state)
    return {name: _storable(value) for name, value in state.items()}


def _storable(value):
    # HDF5 has no bfloat16.
    if keras.backend.standardize_dtype(value.dtype) == "bfloat16":
        value = ops.cast(value, "float32")
    return ops.convert_to_numpy(value)
