"""A Keras optimizer made anew for other variables, with what it knows of the old ones.

Keras' optimizers keep what belongs to a weight in lists in the order of the weights,
one list for each kind of slot. What belongs to no weight stands in attributes alone.
"""

import keras
from keras import ops

from keras_decay.ground import backend

# Of the base class: all variables, and the weights.
_NO_SLOTS = ("_variables", "_trainable_variables")


def remade(old, variables):
    """A new optimizer like `old`, built on `variables`.

    It has the counter of steps and the learning rate in common with `old`, and a copy
    of the state of each variable that `old` knows. `old` stays as it is.

    Args:
        old: A Keras optimizer, built.
        variables: The variables to go on with.

    Raises:
        ValueError: If some of its variables are in no place that is known.
    """
    _check_all_found(old)
    new = _unbuilt(old)
    if not variables:
        return new
    new.build(list(variables))
    before, after = _slots(old), _slots(new)
    for name, slots in after.items():
        for variable, slot in zip(variables, slots, strict=True):
            if is_known(old, variable) and slot is not None and name in before:
                _copy(before[name][old._get_variable_index(variable)], slot)
    single = _single(old)
    for name, variable in _single(new).items():
        if name in single and single[name] is not variable:
            _copy(single[name], variable)
    return new


def is_known(optimizer, variable):
    """Whether the optimizer was built on the variable, among others."""
    try:
        optimizer._get_variable_index(variable)
    except KeyError:
        return False
    return True


def _copy(source, target):
    # A copy: JAX gives the array of a variable away to the step, and each only once.
    target.assign(ops.copy(source))


def _unbuilt(old):
    """A new optimizer of the same settings, with the same counter and rate."""
    rate = old._learning_rate
    is_number = isinstance(rate, keras.Variable)
    if not is_number:
        # A function may have no config. It is put aside while the config is made.
        old.learning_rate = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 1.0)
    try:
        config = old.get_config()
    finally:
        if not is_number:
            old.learning_rate = rate
    new = type(old).from_config({**config, "learning_rate": 1.0})
    shared = {id(new._iterations), id(new._learning_rate)}
    own = [v for v in new.variables if id(v) not in shared]
    backend.current().untrack(new, new.variables)
    new._iterations = old._iterations
    new._learning_rate = rate
    for variable in own:  # what a user's class makes in its constructor
        new._track_variable(variable)
    for name, value in vars(old).items():
        # What was set later, and is in no config.
        is_setting = name != "built" and not name.startswith("_") and _is_plain(value)
        if is_setting and vars(new).get(name) != value:
            setattr(new, name, value)
    return new


def _is_plain(value):
    return value is None or isinstance(value, (bool, int, float, str))


def _slots(optimizer):
    """The lists that have a variable, or None, for each weight, by name."""
    size = len(optimizer._trainable_variables)
    return {
        name: list(value)
        for name, value in vars(optimizer).items()
        if name not in _NO_SLOTS
        and isinstance(value, (list, tuple))
        and len(value) == size
        and all(v is None or isinstance(v, keras.Variable) for v in value)
    }


def _single(optimizer):
    """The variables that are attributes themselves, by name."""
    return {
        name: value
        for name, value in vars(optimizer).items()
        if isinstance(value, keras.Variable)
    }


def _check_all_found(optimizer):
    found = [v for slots in _slots(optimizer).values() for v in slots]
    ids = {id(v) for v in [*found, *_single(optimizer).values()]}
    lost = [v.path for v in optimizer.variables if id(v) not in ids]
    if lost:
        raise ValueError(
            f"The wrapped {type(optimizer).__name__} cannot go on with other "
            "variables, since these variables of it are neither attributes nor in "
            "lists in the order of the weights, as Keras' own are: "
            f"{', '.join(lost)}"
        )
