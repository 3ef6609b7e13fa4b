"""The order of one step: what is read before the inner update, what is done after."""

from typing import Any, NamedTuple

import keras
from keras import ops

from keras_decay.ground import backend
from keras_decay.optimizers.forms import (
    AFTER_STEP,
    TOUCHED_ROWS,
    Circumstances,
    InnerStep,
)
from keras_decay.optimizers.rules import Decay
from keras_decay.optimizers.step.residual import RESIDUAL
from keras_decay.optimizers.step.update import decayed, scaled_step
from keras_decay.optimizers.step.weights import assign_if, view_of
from keras_decay.optimizers.strength import coupling_factor


class Target(NamedTuple):
    """A variable that a step treats.

    Attributes:
        variable: The weight's variable.
        grad: Its gradient; None where no gradient comes and nothing needs one.
        decay: Its `Decay`. One without form and penalty does nothing by itself: it is
            for members of a `JointPenalty`.
        memory: The variables that the optimizer keeps for it, by name.
    """

    variable: Any
    grad: Any
    decay: Decay
    memory: dict[str, Any]


def targets_among(variables, grads, index_of, plan, memory):
    """The `Target`s of a step with these gradients.

    Args:
        variables: The variables of the step.
        grads: One gradient, or None, for each of them.
        index_of: Function of a variable that gives its number.
        plan: The `DecayPlan`, matched.
        memory: The `WeightMemory`.
    """
    targets = []
    for grad, variable in zip(grads, variables, strict=True):
        # float8 scales are overwritten with their "gradients", not trained.
        if grad is None or getattr(variable, "overwrite_with_gradient", False):
            continue
        index = index_of(variable)
        decay = plan.decay_of(index)
        if decay is not None:
            targets.append(Target(variable, grad, decay, memory.of(index)))
    return targets


class JointPenalty(NamedTuple):
    """A penalty Ω over several variables at once, by its proximal step on all of them.

        (w_1, …, w_k) ← prox_{c_t Ω}(w_1, …, w_k)

    It acts after each member's own decay and penalty, before the constraints.

    Attributes:
        penalty: An object with the method `prox(weights, step)`, from a list of tensors
            in float32 or higher and the scalar tensor c_t to a list of tensors like it.
        members: Their variables, each with a `Target` in every step and in one joint
            penalty only. They share c_t.
        coupling: The name of the coupling that gives c_t.
        rate_factor: See `Decay`.
    """

    penalty: Any
    members: tuple[Any, ...]
    coupling: str
    rate_factor: float = 1.0


def inner_step_and_decay(
    optimizer, grads, variables, targets, base, cautious, joint_penalties=()
):
    """The inner optimizer's step on all variables, then decay of the targets.

    Args:
        optimizer: The inner optimizer, built.
        grads: One gradient, or None, for each variable.
        variables: The variables to update.
        targets: The `Target`s among them.
        base: The base learning rate η_0, or None.
        cautious: See `decayed`.
        joint_penalties: The `JointPenalty`s over targets.

    Returns:
        A boolean scalar, whether the weights moved; None where they always do.
    """
    accumulates = bool(optimizer.gradient_accumulation_steps)
    keeps_step = accumulates or any(_waits(target.decay) for target in targets)
    moment = _Moment(optimizer, base, keeps_step)
    members = {id(v) for joint in joint_penalties for v in joint.members}
    early, late = [], []
    for target in targets:
        is_simple = not (cautious or accumulates) and _is_simple(target, members)
        one = _Seen(target, moment, _rows(target, members), copy=not is_simple)
        if is_simple and one.view.rows is None:
            pull = one.pull()
            early.append((target, pull.memory, pull.rate * pull.direction))
        else:
            late.append((one, None if _waits(target.decay) else one.pull()))

    optimizer.apply(grads, variables)

    is_real = None
    if accumulates:
        is_real = ops.not_equal(optimizer.iterations, moment.step)
    for target, memory, amount in early:
        backend.current().subtract(target.variable, amount)
        _remember(target, memory, is_real)
    inner = InnerStep(optimizer, grads, variables)
    unfinished = {}
    for one, pull in late:
        decay = one.target.decay
        if _waits(decay):
            pull = one.pull(inner)
        after = scaled_step(one.view.before, one.view.after(), decay.rate_factor)
        c = moment.coupling_factor(decay)
        new = decayed(one.view.before, after, pull, c, decay.penalty, cautious)
        if id(one.target.variable) in members:
            unfinished[id(one.target.variable)] = one.view, new
        else:
            one.view.write(new, is_real)
        _remember(one.target, pull.memory if pull else {}, is_real)
    for joint in joint_penalties:
        views, weights = zip(*(unfinished[id(v)] for v in joint.members), strict=True)
        c = moment.coupling_factor(joint)
        for view, new in zip(views, joint.penalty.prox([*weights], c), strict=True):
            view.write(new, is_real)
    return is_real


def _is_simple(target, members):
    """Whether a step is w ← (w − u) − rate · direction and no more.

    Then what is taken away can be computed before the inner step, which spares a copy
    of the weight, and be subtracted in place after it.
    """
    decay, variable = target.decay, target.variable
    return (
        decay.form is not None
        and decay.penalty is None
        and decay.rate_factor == 1
        and not _waits(decay)
        and variable.constraint is None
        and RESIDUAL not in target.memory
        and id(variable) not in members
    )


def _rows(target, members):
    """The numbers of the rows that the step treats, each once; None for all rows."""
    decay = target.decay
    if decay.form is None or TOUCHED_ROWS not in decay.form.needs:
        return None
    # Penalties and a factor on the displacement act on every row.
    acts_on_all = decay.penalty is not None or id(target.variable) in members
    if acts_on_all or decay.rate_factor != 1:
        return None
    return backend.current().sparse_rows(target.grad)


def _waits(decay):
    """Whether the pull is computed after the inner step."""
    return decay.form is not None and AFTER_STEP in decay.form.needs


class _Moment:
    """What is common to all weights before the inner step.

    Each number is computed once, since in small models that counts.

    Args:
        optimizer: The inner optimizer.
        base: The base learning rate η_0, or None.
        keeps_step: Whether `step` must outlast the inner step.
    """

    def __init__(self, optimizer, base, keeps_step):
        native = backend.current()
        take = native.snapshot if keeps_step else native.read
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
        self._factors: dict[tuple[str, float], Any] = {}
        self._fractions: dict[tuple[Decay, str], Any] = {}

    def coupling_factor(self, decay):
        """c_t of a `Decay` or a `JointPenalty`."""
        key = decay.coupling, decay.rate_factor
        if key not in self._factors:
            self._factors[key] = coupling_factor(
                decay.coupling, self._rate, self._base, decay.rate_factor
            )
        return self._factors[key]

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


class _Seen:
    """A target as it is before the inner step.

    Args:
        target: The `Target`.
        moment: The `_Moment`.
        rows: The numbers of the rows that the step treats; None for all rows.
        copy: Whether the weight must outlast the inner step.
    """

    def __init__(self, target, moment, rows, copy):
        self.target = target
        self.view = view_of(target.variable, target.memory, rows, copy)
        self._moment = moment
        self._fraction = moment.fraction(target.decay, self.view.before.dtype)

    def pull(self, inner=None):
        """The `Pull` at the weight before the inner step; None without a form."""
        _, grad, decay, memory = self.target
        if decay.form is None:
            return None
        remembered = {
            name: backend.current().read(slot)
            for name, slot in memory.items()
            if name != RESIDUAL
        }
        circumstances = Circumstances(self._moment.step, grad, self.view.rows, inner)
        before = self.view.before
        return decay.form.pull(before, self._fraction, remembered, circumstances)


def _remember(target, memory, is_real):
    for name, value in memory.items():
        assign_if(is_real, target.memory[name], value)
