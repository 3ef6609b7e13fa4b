"""The interface of a form of decay, and the plain form."""

import abc
from typing import Any, NamedTuple

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


class Circumstances(NamedTuple):
    """What a form may look at besides the weight."""

    step: Any  # the number of real steps before this one
    grad: Any  # the weight's gradient, as the optimizer got it
    rows: Any  # the numbers of the rows that `w` consists of; None for all of them


class DecayForm(abc.ABC):
    """How decay pulls at a weight w, which is taken before the step:

        w ← w − u − rate · direction

    The plain form has the rate c_t λ_t and the direction w.
    """

    # Whether it has a strength λ, `weight_decay`, and follows the coupling.
    has_strength = True
    # Whether `normaliser` gives anything.
    has_normaliser = False

    def remembers(self, variable, path):
        """The form's variables for one weight: initial NumPy values, by name.

        Args:
            variable: The weight's variable.
            path: Its path.
        """
        del variable, path
        return {}

    def rows(self, grad):
        """The numbers of the rows that are decayed, each once; None for all of them.

        Args:
            grad: The weight's gradient, as the optimizer got it.
        """
        del grad

    def takes_initial(self):
        """Whether it remembers the weights that the optimizer is first built on."""
        return False

    def holds_arrays(self):
        """Whether it has been given arrays, which are no part of a config."""
        return False

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

    def normaliser(self, optimizer, grads, variables):
        """What the rate is divided by, a scalar known after the inner step; or None.

        Args:
            optimizer: The wrapped optimizer.
            grads: One gradient, or None, for each variable of the step.
            variables: The variables.
        """
        del optimizer, grads, variables

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


def as_float64(variable):
    """The variable's present value as a NumPy array."""
    return ops.convert_to_numpy(computable(variable)).astype("float64")


class PlainDecay(DecayForm):
    """c_t λ_t w, what a number as `weight_decay` stands for."""

    def pull(self, w, fraction, memory, circumstances):
        return Pull(fraction, w, {})


PLAIN = PlainDecay()
