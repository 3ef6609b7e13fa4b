"""The interface of a form of decay, and the plain form."""

import abc
import enum
from typing import Any, ClassVar, NamedTuple

import keras
from keras import ops

from keras_decay.ground.arithmetic import computable
from keras_decay.optimizers.strength import strength_config


class Pull(NamedTuple):
    """What decay takes away from a weight, rate · direction, and what it remembers.

    `rate` is a scalar and `direction` of the weight's shape, both tensors; `memory`
    holds the new values of the form's variables, by name.
    """

    rate: Any
    direction: Any
    memory: dict[str, Any]


class InnerStep:
    """The wrapped optimizer and the step that it has just made.

    Args:
        optimizer: The wrapped optimizer.
        grads: One gradient, or None, for each variable of the step.
        variables: The variables.
    """

    def __init__(self, optimizer, grads, variables):
        self._arguments = optimizer, grads, variables
        self._known: dict[Any, Any] = {}

    def once(self, function):
        """`function(optimizer, grads, variables)`, computed once for all weights."""
        if function not in self._known:
            self._known[function] = function(*self._arguments)
        return self._known[function]


class Circumstances(NamedTuple):
    """What a form may look at besides the weight.

    Attributes:
        step: The number of real steps before this one.
        grad: The weight's gradient, as the optimizer got it.
        rows: The numbers of the rows that the weight consists of; None for all rows.
        inner: The `InnerStep`, for forms that need `AFTER_STEP`; else None.
    """

    step: Any
    grad: Any
    rows: Any = None
    inner: InnerStep | None = None


# What a form may need.
# TOUCHED_ROWS: where the gradient is sparse, only the rows that the batch has touched.
# AFTER_STEP: its pull computed after the inner step, still at the weight before it,
# which costs a copy of the weight.
TOUCHED_ROWS, AFTER_STEP = "touched rows", "after step"


class Origin(enum.Enum):
    """Where a form gets the values from that it remembers of each weight."""

    SETTINGS = enum.auto()  # its config
    WEIGHTS = enum.auto()  # the weights that the optimizer is first built on
    ARRAYS = enum.auto()  # arrays that it was given, which are no part of a config
    FILE = enum.auto()  # the optimizer's variables in a file, still to be loaded


class DecayForm(abc.ABC):
    """How decay pulls at a weight w, which is taken before the step:

        w ← w − u − rate · direction

    The plain form has the rate c_t λ_t and the direction w.
    """

    # λ as the user gave it. A form without one has neither strength nor coupling.
    weight_decay: Any = None
    # `TOUCHED_ROWS`, `AFTER_STEP`, both or neither.
    needs: ClassVar[frozenset[str]] = frozenset()

    @property
    def origin(self):
        """The `Origin` of what it remembers."""
        return Origin.SETTINGS

    def remembers(self, variable, path):
        """The form's variables for one weight: initial values, by name.

        Args:
            variable: The weight's variable.
            path: Its path.

        Returns:
            A dict of numbers or NumPy arrays; None stands for the weight's own value.
        """
        del variable, path
        return {}

    @abc.abstractmethod
    def pull(self, w, fraction, memory, circumstances):
        """The `Pull` at one weight.

        Args:
            w: The weight before the step, a tensor in float32 or higher.
            fraction: c_t λ_t, a scalar tensor of `w`'s dtype; None without a strength.
            memory: The values of the form's variables for this weight, by name.
            circumstances: The `Circumstances` of the step.
        """

    def check(self, name, optimizer):
        """Raise ValueError if the form, given as `name`, cannot act with `optimizer`.

        Args:
            name: The argument's name.
            optimizer: The wrapped optimizer.
        """
        del name, optimizer

    def get_config(self):
        """The arguments of the constructor, as plain Python values."""
        return {
            name: strength_config(value) if name == "weight_decay" else value
            for name, value in vars(self).items()
            if not name.startswith("_")
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        if isinstance(config.get("weight_decay"), dict):
            schedule = keras.saving.deserialize_keras_object(config["weight_decay"])
            config["weight_decay"] = schedule
        return cls(**config)

    def __repr__(self):
        given = (f"{k}={v!r}" for k, v in self.get_config().items() if v is not None)
        return f"{type(self).__name__}({', '.join(given)})"


def square_norm(variable):
    """‖w‖² of the variable's present value, a Python float computed in float64."""
    value = ops.convert_to_numpy(computable(variable)).astype("float64")
    return float((value**2).sum())


class PlainDecay(DecayForm):
    """c_t λ_t w, what a number as `weight_decay` stands for; λ is kept outside."""

    def pull(self, w, fraction, memory, circumstances):
        return Pull(fraction, w, {})


PLAIN = PlainDecay()
