"""The behavioural probe: what zero-gradient steps do to the weights, measured.

The model's own optimizer makes a few steps on the model's own variables with gradients
of zero, twice from the same state: once as it is, once with decay off. What the first
takes away beyond the second is decay, whatever momentum does meanwhile. Copies would
not do: Keras' exclusions are in no config, so that a copy is another optimizer. Of
loss scaling and MultiOptimizer the optimizers inside make the steps: with gradients of
zero there is nothing to scale, and each part has its own variables.
"""

import contextlib
from typing import NamedTuple

import numpy as np
from keras import ops

from keras_decay.ground import backend
from keras_decay.ground.arithmetic import HALF
from keras_decay.models import unique
from keras_decay.tools._promise import as_numpy, shrinkage

STEPS = 4  # of the weights; enough to see state that is not decayed pull weights back
CALLS = 4  # at most, where gradients accumulate: earlier ones would only add zeros
DRIFT = 0.01  # how far momentum may move a weight for all the steps to be compared


class Measurement(NamedTuple):
    """The decay of one variable in the probe.

    `share` and `promised` are fractions of the weight per step; `unchanged` says that
    not one entry has changed; `resolution` is what rounding alone may do to `share`.
    """

    share: float
    promised: float | None
    unchanged: bool
    resolution: float


def measure(model, views, promises, steps):
    """The `Measurement` of each variable, by the variable's id.

    Args:
        model: The model, built and compiled, whose optimizer is built.
        views: Pairs (view, the trainable variables that its optimizer updates).
        promises: The `Promise`, or None, of each variable, by its id.
        steps: The step at which to measure, by the view's id.
    """
    found = {}
    with contextlib.ExitStack() as stack:
        stack.enter_context(backend.current().no_grad())
        if is_distributed(model):
            stack.enter_context(model.distribute_strategy.scope())
        every = unique([*model.weights, *model.optimizer.variables])
        restore = stack.enter_context(restored(every))
        for view, variables in views:
            if not variables:
                continue
            step = steps[id(view)]
            with view.undisturbed():
                start = prepare(view, variables, step, promises)
                with view.without_decay():
                    call = caller(model, view.control_step, variables, every)
                    control = run(call, view, variables, stops_if_still=True)
                restore()
                prepare(view, variables, step, promises)
                call = caller(model, view.step, variables, every)
                decayed = run(call, view, variables)
                restore()
            for i, variable in enumerate(variables):
                runs = [arrays[i] for arrays in (start, control, decayed)]
                promise = promises[id(variable)]
                found[id(variable)] = compare(
                    variable, promise, step, steps_of(view), *runs
                )
    return found


def prepare(view, variables, step, promises):
    """Set step and test values for a run, and give the weights it starts from."""
    raw = view.inner._iterations
    if step != int(as_numpy(view.inner.iterations)):
        raw.assign(step * view.micro_steps)
    if view.micro_steps > CALLS:
        raw.assign((step + 1) * view.micro_steps - CALLS)
    for variable in variables:
        put_test_value(variable, center_of(promises[id(variable)]))
    return [as_numpy(variable) for variable in variables]


def center_of(promise):
    """What the weight is decayed toward, an array; None for zero."""
    if promise is None or promise.center is None or not promise.center.any():
        return None
    return promise.center


def caller(model, step, variables, every):
    """A function that calls an optimizer once with gradients of zero.

    Args:
        model: The model.
        step: Function of gradients and variables.
        variables: The variables to update.
        every: All variables of the model and its optimizer.
    """
    zeros = [filled(variable, 0.0) for variable in variables]

    def call():
        step(zeros, variables)

    if is_distributed(model):  # then as its distribution strategy runs it
        return lambda: model.distribute_strategy.run(call)
    return backend.current().uncompiled(call, every)


def filled(variable, number):
    """A tensor like the variable, of one number. Made by NumPy: see `uncompiled`."""
    array = np.full(variable.shape, number, "float32")
    return ops.convert_to_tensor(array, dtype=variable.dtype)


def is_distributed(model):
    """Whether the model lives in one of TensorFlow's distribution strategies."""
    strategy = getattr(model, "distribute_strategy", None)
    # What stands for none is a class of its own.
    return strategy is not None and "Default" not in type(strategy).__name__


def steps_of(view):
    """How many steps of the weights are made."""
    return STEPS if view.micro_steps == 1 else 1


def run(call, view, variables, stops_if_still=False):
    """The weights after the first step and after all, by variable.

    Args:
        call: Calls the optimizer once.
        view: The view of the optimizer.
        variables: Its variables.
        stops_if_still: Whether to end after a first step that has changed neither a
            weight nor the optimizer's state: the further steps would not either. This
            is so without decay where momentum is zero, as it is before training.
    """
    stops_if_still = stops_if_still and steps_of(view) > 1
    before = contents(view, variables) if stops_if_still else None
    seen = []
    for step in range(steps_of(view)):
        for _ in range(min(view.micro_steps, CALLS)):
            call()
        if step in (0, steps_of(view) - 1):
            seen.append([as_numpy(v) for v in variables])
        if step == 0 and stops_if_still and contents(view, variables) == before:
            seen.append(seen[0])
            break
    return list(zip(*seen, strict=True))


def contents(view, variables):
    """The bytes of the weights and of the optimizer's state but its step."""
    every = [*variables, *view.inner.variables]
    kept = [v for v in every if v is not view.inner._iterations]
    return [as_numpy(v).tobytes() for v in kept]


def compare(variable, promise, first, made, start, control, decayed):
    """The `Measurement` of one variable from its weights in both runs.

    Over all steps the shares multiply, as long as the control leaves the weight nearly
    where it was. Where momentum carries it away, the first step alone is compared: then
    the difference is the decay of the weight that both have started from.
    """
    pairs = list(zip(control, decayed, strict=True))
    center = center_of(promise)
    center = 0.0 if center is None else center
    lost = [shrinkage(start - center, start - center - (c - d)) for c, d in pairs]
    moved, size = np.linalg.norm(control[-1] - start), np.linalg.norm(start - center)
    drift = float(moved) / max(float(size), 1e-300)
    steps = made if drift <= DRIFT else 1
    total = lost[-1] if steps == made else lost[0]
    promised = 0.0 if promise is None else None
    if promise is not None and promise.expected is not None:
        expected = start
        for step in range(first, first + steps):
            expected = promise.expected(expected, step)
        promised = per_step(shrinkage(start - center, expected - center), steps)
    epsilon = precision(variable.dtype)
    return Measurement(
        share=per_step(total, steps),
        promised=promised,
        unchanged=all(np.array_equal(c, d) for c, d in pairs),
        resolution=epsilon * (1 + drift) / max(1.0, np.sqrt(start.size)),
    )


def per_step(total, steps):
    """The share per step of which `steps` make the share `total`."""
    if not total < 1:
        return total
    return float(-np.expm1(np.log1p(-total) / steps))


def precision(dtype):
    """The relative distance of neighbouring numbers of a floating-point type."""
    known = dict(zip(HALF, (2.0**-10, 2.0**-7), strict=True))
    return known.get(str(dtype)) or float(np.finfo(str(dtype)).eps)


def put_test_value(variable, center):
    """Make the variable one that decay can be seen on.

    Zeros, as biases begin with, become ones. A weight that is decayed toward others is
    put at twice these, since at the start of a training it is equal to them. A
    constraint is fulfilled beforehand, so that its own effect is not taken for decay's.
    """
    if center is not None:
        variable.assign(ops.convert_to_tensor(2 * center, dtype=variable.dtype))
    elif not np.any(as_numpy(variable)):
        variable.assign(filled(variable, 1.0))
    if variable.constraint is not None:
        value = variable.constraint(ops.convert_to_tensor(variable))
        variable.assign(ops.cast(value, variable.dtype))


@contextlib.contextmanager
def restored(variables):
    """After the block the variables are what they were before, bit for bit.

    Yields:
        A function that restores them within the block.
    """
    snapshot = backend.current().snapshot
    values = [snapshot(variable) for variable in variables]

    def restore():
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    try:
        yield restore
    finally:
        restore()
