"""The order of one step: what is read before the inner update, what is done after."""

from typing import Any, NamedTuple

import keras
from keras import ops

from keras_decay.ground import backend
from keras_decay.optimizers.forms import Circumstances, Pull
from keras_decay.optimizers.rules import Decay
from keras_decay.optimizers.step.residual import RESIDUAL
from keras_decay.optimizers.step.update import decayed
from keras_decay.optimizers.step.weights import assign_if, view_of
from keras_decay.optimizers.strength import COUPLINGS


class Target(NamedTuple):
    """A variable that a step decays.

    `memory` holds the variables that the optimizer keeps for it, by name.
    """

    variable: Any
    grad: Any
    decay: Any
    memory: dict[str, Any]


def inner_step_and_decay(optimizer, grads, variables, targets, base, cautious):
    """The inner optimizer's step on all variables, then decay of the targets.

    Args:
        optimizer: The inner optimizer, built.
        grads: One gradient, or None, for each variable.
        variables: The variables to update.
        targets: The `Target`s among them.
        base: The base learning rate η_0, or None.
        cautious: See `decayed`.

    Returns:
        A boolean scalar, whether the weights moved; None where they always do.
    """
    accumulates = bool(optimizer.gradient_accumulation_steps)
    moment = _Before(optimizer, base, accumulates)
    early, late = [], []
    for target in targets:
        is_simple = not (cautious or accumulates) and _is_simple(target)
        view, pull = _prepare(target, moment, copy=not is_simple)
        if is_simple and view.rows is None:
            early.append((target, pull.memory, pull.rate * pull.direction))
        else:
            late.append((target, view, pull))

    optimizer.apply(grads, variables)

    is_real = None
    if accumulates:
        is_real = ops.not_equal(optimizer.iterations, moment.step)
    for target, memory, amount in early:
        backend.current().subtract(target.variable, amount)
        _remember(target, memory, None)
    decays = {target.decay for target, _, _ in late}
    normalisers = {d: d.form.normaliser(optimizer, grads, variables) for d in decays}
    for target, view, pull in late:
        decay = target.decay
        normaliser = normalisers[decay]
        if normaliser is not None:
            normaliser = ops.cast(normaliser, view.before.dtype)
            pull = Pull(pull.rate / normaliser, pull.direction, pull.memory)
        c = moment.coupling_factor(decay)
        new = decayed(view.before, view.after(), pull, c, decay.penalty, cautious)
        view.write(new, is_real)
        _remember(target, pull.memory if pull else {}, is_real)
    return is_real


class _Before:
    """What is common to all weights before the inner step.

    Each number is computed once, since in small models that counts.
    """

    def __init__(self, optimizer, base, accumulates):
        # Kept only where it is to be seen afterwards whether the count has moved.
        native = backend.current()
        take = native.snapshot if accumulates else native.read
        self.step = take(optimizer.iterations)
        rate = optimizer.learning_rate
        if isinstance(rate, keras.Variable):
            self._rate = native.read(rate)
        else:
            self._rate = ops.convert_to_tensor(rate)
            if keras.config.floatx() == "float64":
                # A schedule is in float32 all the same on TensorFlow and JAX, and
                # would be divided by the base rate in that.
                self._rate = ops.cast(self._rate, "float64")
        self._base = base
        self._factors: dict[Decay, Any] = {}
        self._fractions: dict[tuple[Decay, str], Any] = {}

    def coupling_factor(self, decay):
        """c_t."""
        if decay not in self._factors:
            couple = COUPLINGS[decay.coupling]
            self._factors[decay] = couple(self._rate, self._base)
        return self._factors[decay]

    def fraction(self, decay, dtype):
        """c_t λ_t in that type, or None where there is no λ."""
        if decay.strength is None:
            return None
        key = decay, keras.backend.standardize_dtype(dtype)
        if key not in self._fractions:
            c, strength = (
                value if value.dtype == dtype else ops.cast(value, dtype)
                for value in (
                    self.coupling_factor(decay),
                    decay.strength.at(self.step),
                )
            )
            self._fractions[key] = backend.current().as_decayed(c * strength)
        return self._fractions[key]


def _is_simple(target):
    """Whether a step is w ← (w − u) − rate · direction and no more.

    Then what is taken away can be computed before the inner step, which spares a copy
    of the weight, and be subtracted in place after it.
    """
    decay, variable = target.decay, target.variable
    return (
        decay.penalty is None
        and not decay.form.has_normaliser
        and variable.constraint is None
        and RESIDUAL not in target.memory
    )


def _prepare(target, moment, copy):
    """How the target is seen, and the pull at its weight before the inner step."""
    variable, grad, decay, memory = target
    # A penalty acts on every row.
    rows = decay.form.rows(grad) if decay.penalty is None else None
    view = view_of(variable, memory, rows, copy)
    if not decay.pulls:
        return view, None
    fraction = moment.fraction(decay, view.before.dtype)
    remembered = {
        name: backend.current().read(slot)
        for name, slot in memory.items()
        if name != RESIDUAL
    }
    circumstances = Circumstances(moment.step, grad, view.rows)
    return view, decay.form.pull(view.before, fraction, remembered, circumstances)


def _remember(target, memory, is_real):
    for name, value in memory.items():
        assign_if(is_real, target.memory[name], value)
