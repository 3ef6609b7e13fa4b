"""What a `DecoupledWeightDecay` makes for itself: strengths, memory, averages."""

import keras
import numpy as np

from keras_decay.ground import backend
from keras_decay.ground.arithmetic import HALF
from keras_decay.optimizers.step import CompiledSteps, MovingAverages, WeightMemory


class Loading:
    """What an optimizer knows of a file that it is loaded from, or may be.

    Attributes:
        arrays: What was loaded before the optimizer was built: arrays by name, or a
            list of them; else None.
        is_revived: Whether it was made from a config, as Keras does before it loads the
            match of the rules from a file.
        was_frozen: Whether it was to be built on no variables.
        keras_loads_inner: Whether Keras is to load the wrapped optimizer's variables,
            from a file of version 0.1.
    """

    def __init__(self):
        self.arrays = None
        self.is_revived = False
        self.was_frozen = False
        self.keras_loads_inner = False

    @property
    def may_match(self):
        """Whether a file may still give the match of the rules."""
        return self.is_revived or self.arrays is not None


def track_strengths(optimizer):
    """Put each λ that is a number into a variable, and track all variables of λ."""
    for strength in optimizer._plan.strengths:
        if strength.lacks_variable:
            strength.source = _scalar(optimizer, strength.plain, strength.name)
    for variable in optimizer._plan.strength_variables:
        if all(variable is not known for known in optimizer._variables):
            optimizer._track_variable(variable)


def _scalar(optimizer, value, name):
    floatx = keras.config.floatx()
    dtype = "float32" if floatx in HALF else floatx
    variable = optimizer.add_variable(
        shape=(),
        dtype=dtype,
        aggregation="only_first_replica",
        name=name.replace("[", "_").replace("]", ""),
    )
    # An initializer would round to float32 on TensorFlow, also under float64.
    variable.assign(np.asarray(value, dtype))
    return variable


def add_memory(optimizer):
    """Make the memory of the weights and their averages, once they are known."""
    variables = optimizer._trainable_variables
    optimizer._memory = new_memory(optimizer, optimizer._plan, variables)
    if optimizer.use_ema:
        averages = optimizer._model_variables_moving_average
        optimizer._averages = new_averages(
            optimizer, variables, averages, optimizer._memory
        )
        with backend.current().eager():
            optimizer._averages.begin()


def new_memory(optimizer, plan, variables):
    """A `WeightMemory` of these variables, among the optimizer's own variables."""

    def remove(variable):
        backend.current().untrack(optimizer, [variable])

    memory = WeightMemory(optimizer.add_variable, remove)
    with backend.current().eager():
        for index, variable in enumerate(variables):
            _remember(memory, plan, index, variable)
    return memory


def new_averages(optimizer, variables, averages, memory):
    """The `MovingAverages` in these variables, with what else they need."""
    count = optimizer.add_variable(shape=(), dtype="int", name="ema_count")
    residuals = [memory.residual(average) for average in averages]
    return MovingAverages(variables, averages, residuals, count)


def _remember(memory, plan, index, variable):
    """Make the variables that decay needs for the weight of this number."""
    decay = plan.decay_of(index)
    if decay is not None:
        memory.build(index, variable, decay.form)


def decide(optimizer, entries):
    """Decide as a saved match of the optimizer's variables does."""
    for index in optimizer._plan.decide(entries):
        optimizer._memory.remove(index)
        variable = optimizer._trainable_variables[index]
        _remember(optimizer._memory, optimizer._plan, index, variable)
        # The programs have the former decays in them.
        optimizer._compiled_steps = CompiledSteps()
