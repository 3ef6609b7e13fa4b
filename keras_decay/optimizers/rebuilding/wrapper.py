"""A `DecoupledWeightDecay` that goes on with other variables."""

import contextlib
import copy
from typing import Any

import keras
from keras import ops

from keras_decay.ground import backend
from keras_decay.optimizers import building
from keras_decay.optimizers.forms import Origin
from keras_decay.optimizers.rebuilding.inner import is_known, remade
from keras_decay.optimizers.rules import variable_path
from keras_decay.optimizers.step import CompiledSteps


class Rebuilds:
    """The part of `DecoupledWeightDecay` that goes on with other variables."""

    def rebuild(self, variables):
        """Go on with other variables, such as those of thawed layers or of a new head.

        What the optimizer knows of a variable stays as it is, bit for bit: moments,
        accumulated gradients, averages, what decay remembers, and the rule that decides
        for it. So do the steps, the learning rate and λ. A variable that is new starts
        without a state, its average at its present value, and is decided by its path.
        What is no longer among them is forgotten.

        For training loops of your own; `kd.rebuild(model)` is for `fit`. A
        `tf.function` or other compiled step that applied gradients before would run on
        with the old variables: have it traced again, by a new `tf.function`. On JAX put
        the present values into the variables before.

        Args:
            variables: The variables to go on with, as for `build`.

        Raises:
            TypeError, ValueError: If there are no variables, or one is given twice, or
                a rule matches none of them. The optimizer is then as it was.
        """
        variables = checked(variables)
        with in_scope(self), replacing(self, variables):
            pass


def checked(variables):
    """The variables as a list, with each of them once."""
    variables = list(variables)
    if not variables:
        raise ValueError(
            "`variables` must have at least one variable to go on with. Received: an "
            "empty list. Thaw a layer first."
        )
    seen = set()
    for variable in variables:
        if id(variable) in seen:
            raise ValueError(
                "`variables` must have each variable once. Received: "
                f"{variable_path(variable)} twice"
            )
        seen.add(id(variable))
    return variables


def in_scope(optimizer):
    """The scope of tf.distribute in which an optimizer was made."""
    strategy = getattr(optimizer, "_distribution_strategy", None)
    return contextlib.nullcontext() if strategy is None else strategy.scope()


@contextlib.contextmanager
def replacing(optimizer, variables):
    """Prepare an optimizer for other variables, and take them over after the block.

    If preparing or the block raises, the optimizer is as it was. Without variables it
    is as one that is still to be built, but for its steps.
    """
    if not optimizer.built:
        _check_rules(optimizer, variables)
        yield
        if variables:
            optimizer.build(variables)
        return
    if same(optimizer._trainable_variables, variables):
        yield
        return
    before = {id(v) for v in optimizer._variables}
    try:
        with backend.current().eager():
            successor = _Successor(optimizer, variables)
        yield
    except BaseException:
        made = [v for v in optimizer._variables if id(v) not in before]
        backend.current().untrack(optimizer, made)
        raise
    successor.take_over(optimizer)


def _check_rules(optimizer, variables):
    """Raise what `build` would, for an optimizer that no file may still decide for."""
    if variables and not optimizer._loading.may_match:
        plan = copy.copy(optimizer._plan)
        plan.match(variables)
        plan.check()


def same(ones, others):
    """Whether two lists hold the same variables in the same order."""
    return [id(v) for v in ones] == [id(v) for v in others]


def let_know(optimizer, variables):
    """Have Keras' base class know other variables. It must make none for them now."""
    optimizer._trainable_variables_indices.clear()
    keras.optimizers.Optimizer.build(optimizer, variables)


class _Successor:
    """What an optimizer will consist of, with a copy of what it knows.

    Its variables are made in the order of `build`, in which Keras hands them on.
    """

    def __init__(self, optimizer, variables):
        self._variables = variables
        known = [
            optimizer._get_variable_index(v) if is_known(optimizer, v) else None
            for v in variables
        ]
        decided = {
            index: optimizer._plan.outcome[number]
            for index, number in enumerate(known)
            if number is not None
        }
        self._plan = copy.copy(optimizer._plan)
        self._plan.match(variables, decided)
        if variables:
            self._plan.check()
        self._inner = remade(optimizer.optimizer, variables)
        later: Any = None
        self._memory = self._average_list = self._averages = later
        if not variables:
            return
        if optimizer._averages is not None:
            self._average_list = optimizer.add_optimizer_variables(variables, "average")
        self._memory = building.new_memory(optimizer, self._plan, variables)
        for index, number in enumerate(known):
            self._remember(optimizer, index, number)
        self._memory.incomplete = optimizer._memory.incomplete
        if optimizer._averages is not None:
            self._averages = building.new_averages(
                optimizer, variables, self._average_list, self._memory
            )
            self._averages.carry_on(optimizer._averages, known)

    def _remember(self, optimizer, index, number):
        if number is not None:
            before = optimizer._memory.of(number)
            for name, slot in self._memory.of(index).items():
                slot.assign(ops.copy(before[name]))
            return
        decay = self._plan.decay_of(index)
        if decay and decay.form and decay.form.origin is Origin.FILE:
            raise ValueError(
                "`reference` must hold every variable that is decayed toward it, but "
                f"the file of the optimizer {optimizer.name!r} has none for "
                f"{variable_path(self._variables[index])!r}. Construct an optimizer "
                "with arrays for all of them."
            )

    def take_over(self, optimizer):
        """Put everything in place; nothing here can fail."""
        left = list(optimizer._memory.by_role().values())
        if optimizer._averages is not None:
            left += optimizer._averages.variables()
        backend.current().untrack(optimizer, left)
        optimizer._plan, optimizer.optimizer = self._plan, self._inner
        optimizer._memory, optimizer._averages = self._memory, self._averages
        optimizer._compiled_steps = CompiledSteps()
        attributes = vars(optimizer)
        attributes["_model_variables_moving_average"] = self._average_list or []
        use_ema, attributes["use_ema"] = optimizer.use_ema, False
        optimizer._is_building = True
        let_know(optimizer, self._variables)
        optimizer._is_building = False
        attributes["use_ema"] = use_ema
        optimizer.built = bool(self._variables)
