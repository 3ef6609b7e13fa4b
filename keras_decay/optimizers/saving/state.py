"""The state of a `DecoupledWeightDecay` in files: all of it is restored, or nothing.

The wrapped optimizer's variables are saved among the wrapper's, together with the match
of the rules, so that one decision is made on them all. In files of version 0.1 Keras
has saved the wrapped optimizer by itself, and the match stood in the config.
"""

import warnings

import keras
import numpy as np
from keras import ops

from keras_decay.optimizers.rules import match

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
    """Write the state of a built optimizer into a store of Keras'."""
    inner = optimizer.optimizer
    store[MATCH] = match.encoded(optimizer._plan, optimizer._trainable_variables, inner)
    for name, variable in own_variables(optimizer).items():
        store[name] = _storable(variable)
    for name, array in _state_of(inner).items():
        store[INNER + name] = array


def load(optimizer, stored, late=False):
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
    obstacle = obstacle or _other_arrays(_arrays(state), own)
    if obstacle:
        _load_references(optimizer, saved, own)
        begin_afresh(optimizer, obstacle)
        return False
    for name, variable in state.items():
        variable.assign(own[name])
    if saved is not None:
        optimizer.optimizer.load_own_variables(inner)
    optimizer._memory.incomplete = False
    optimizer._plan.problem = None
    return saved is None


def load_list(optimizer, weights):
    """Restore the state of an optimizer from its variables' values, if they fit.

    Nothing tells which variables they belong to but their number and shapes.
    """
    shapes = [tuple(variable.shape) for variable in optimizer.variables]
    obstacle = None
    if [weight.shape for weight in weights] != shapes:
        obstacle = "Its variables were others in number or shape."
    obstacle = optimizer._plan.obstacle_of_0_1 or obstacle
    if obstacle or optimizer._plan.problem:
        begin_afresh(optimizer, obstacle or "")
        return
    set_list(optimizer, weights)


def set_list(optimizer, weights):
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


def begin_afresh(optimizer, obstacle):
    """Warn that a state is not restored. A rule that matches nothing is said too."""
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
    """Decide as the file says if it is about these variables; else say why not."""
    plan = optimizer._plan
    thawed = late and optimizer._was_frozen
    if not match.is_about(saved.entries, plan.outcome, thawed):
        return match.changes(saved.entries, plan.outcome)
    if saved.patterns != plan.patterns:
        return match.decided_otherwise(saved, plan)
    optimizer._decide(saved.entries)
    return None


def _other_inner(optimizer, saved, inner):
    """Why the wrapped optimizer cannot take over this state, or None."""
    name = type(optimizer.optimizer).__name__
    if saved.inner != name:
        return f"It was saved with {saved.inner} inside, and this one wraps {name}."
    problem = _other_arrays(_state_of(optimizer.optimizer), inner)
    return problem and f"Its {name} was another one. {problem}"


def _other_arrays(state, saved):
    """Why saved arrays are not those of the state, both by name, or None."""
    missing = sorted(set(state) - set(saved))
    # A penalty's variable became a plain number if the optimizer was loaded too.
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
    """Load the arrays that are settings rather than state, by the variables' paths."""
    plan = optimizer._plan
    if not optimizer._memory.incomplete or (saved is None and plan.obstacle_of_0_1):
        return
    entries = plan.outcome if saved is None else saved.entries
    places = {entry["path"]: i for i, entry in enumerate(entries)}
    complete = True
    for index, entry in enumerate(plan.outcome):
        decay = plan.decay_of(index)
        if decay is None or not getattr(decay.form, "must_be_loaded", False):
            continue
        slot = optimizer._memory.of(index)["reference"]
        array = own.get(f"reference_{places.get(entry['path'])}")
        if array is None or array.shape != tuple(slot.shape):
            complete = False
        else:
            slot.assign(array)
    optimizer._memory.incomplete = not complete


def _arrays(state):
    return {name: np.empty(tuple(v.shape), bool) for name, v in state.items()}


def _state_of(optimizer):
    """What a Keras optimizer saves of itself: arrays by name."""
    state: dict = {}
    optimizer.save_own_variables(state)
    return {name: _storable(value) for name, value in state.items()}


def _storable(value):
    # HDF5 has no bfloat16.
    if keras.backend.standardize_dtype(value.dtype) == "bfloat16":
        value = ops.cast(value, "float32")
    return ops.convert_to_numpy(value)
