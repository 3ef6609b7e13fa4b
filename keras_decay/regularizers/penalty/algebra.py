"""Penalties, their sums and their multiples.

The three classes are one file because each makes the others: `a + b` is a `Sum` and
`0.5 * a` is a `Scaled`, both of which are penalties.
"""

import abc
import copy
import functools

import keras

from keras_decay.ground import validation
from keras_decay.ground.arithmetic import computable
from keras_decay.regularizers.maths.numeric_prox import numeric_prox
from keras_decay.regularizers.penalty.sum_prox import sum_prox
from keras_decay.regularizers.strengths import plain, step_for, strength_for, wide_prox

# Named, not imported: the files of these classes import this one.
EQUALS = {
    keras.regularizers.L1: "keras_decay>L1",
    keras.regularizers.L2: "keras_decay>L2",
    keras.regularizers.L1L2: "keras_decay>ElasticNet",
}


class Penalty(keras.regularizers.Regularizer, abc.ABC):
    """A penalty Ω(w) on weights, usable in the loss and in the optimizer.

    Derive from it for a penalty of your own: `__call__` is all that it must define. It
    gives the loss term, and makes the penalty a `kernel_regularizer`, `bias_`,
    `embeddings_` or `activity_regularizer`. The proximal step

        prox(w, step) = argmin_v ½‖v − w‖² + step · Ω(v)

    by which `DecoupledWeightDecay(penalty=…)` uses it, is found numerically from the
    value, in some hundred evaluations of its gradient; define `prox` where you know
    better. Define `get_config` and register the class with
    `keras.saving.register_keras_serializable` if models are to be saved.

    Penalties compose: `a + b` is their sum and `0.5 * a` multiplies the value, whatever
    the penalty; both serialise.

    A penalty may say more of itself: `convex = False` that it is not convex, so that
    the proximal step of a sum is looked for in a way that does not rely on it, and
    `entrywise(w)` what it is of each entry, if it is a sum over entries.

    Example:

    ```python
    @keras.saving.register_keras_serializable(package="mine")
    class SmoothedL1(kd.Penalty):
        def __init__(self, strength):
            self.strength = strength

        def __call__(self, w):
            return self.strength * ops.sum(ops.sqrt(ops.square(w) + 1e-4))

        def get_config(self):
            return {"strength": self.strength}
    ```

    Reference: Parikh and Boyd, Proximal Algorithms, 2014.
    """

    # NumPy scalars then leave `np.float64(0.5) * penalty` to `__rmul__`.
    __array_ufunc__ = None

    @staticmethod
    def of(regularizer):
        """The penalty that equals a regularizer, or None if there is no such penalty.

        Keras' own `L1`, `L2` and `L1L2` equal our `L1`, `L2` and `ElasticNet`. So does
        a class derived from one of them, unless it has a `__call__` of its own.

        Args:
            regularizer: A Keras regularizer, or a `Penalty`, which is returned itself.
        """
        if isinstance(regularizer, Penalty):
            return regularizer
        for kind, name in EQUALS.items():
            inherits = isinstance(regularizer, kind)
            if inherits and type(regularizer).__call__ is kind.__call__:
                equal = keras.saving.get_registered_object(name)
                return equal.from_config(kind.get_config(regularizer))
        return None

    @abc.abstractmethod
    def __call__(self, w):
        """The value Ω(w).

        Args:
            w: Weights, a floating-point tensor of any shape.

        Returns:
            A scalar tensor, in `w`'s precision or float32 if that is lower.
        """

    def prox(self, w, step):
        """The proximal step argmin_v ½‖v − w‖² + step · Ω(v).

        Unless a penalty defines it, it is found numerically from the value, to 1e-6 of
        the largest weight in float64 for convex penalties that are smooth or act on
        each entry by itself.

        Args:
            w: Weights, a floating-point tensor of any shape.
            step: Non-negative number or scalar tensor, in units of 1/Ω.

        Returns:
            A tensor of `w`'s shape and dtype.
        """
        return wide_prox(functools.partial(numeric_prox, self), w, step)

    @property
    def convex(self):
        """Whether Ω is convex. A class says that it is not by `convex = False`."""
        return True

    def entrywise(self, w):
        """Ω of each entry of `w`, or None if Ω is not a sum over entries.

        The proximal step of a `Sum` relies on it. So it is also None unless Ω is the
        same even function of every entry, and does not fall with |w|.
        """
        del w
        return None

    @property
    def variables(self):
        """The `keras.Variable`s that this penalty holds as strengths."""
        return [v for v in vars(self).values() if isinstance(v, keras.Variable)]

    def flatten(self, factors=()):
        """The terms of this penalty, as pairs (factors, penalty that is no sum)."""
        return [(tuple(factors), self)]

    def parts(self):
        """The `PenaltyParts` of a penalty of L1, L2 and group terms, else None.

        By them the proximal step of a `Sum` finds its closed form.
        """
        return None

    def resolved(self, axis_of):
        """This penalty with `axis_of(name)` in place of an axis that is a name."""
        named = getattr(self, "axis", None)
        if not isinstance(named, str):
            return self
        new = copy.copy(self)
        new.axis = axis_of(named)
        return new

    def __add__(self, other):
        if not isinstance(other, Penalty):
            return NotImplemented
        return Sum([self, other])

    def __radd__(self, other):
        # The built-in sum() starts with the number 0.
        if validation.is_number(other) and other == 0:
            return self
        return NotImplemented

    def __mul__(self, factor):
        return Scaled(self, factor)

    __rmul__ = __mul__

    def __repr__(self):
        settings = ", ".join(
            f"{name}={value!r}"
            for name, value in vars(self).items()
            if not name.startswith("_")
        )
        return f"{type(self).__name__}({settings})"


@keras.saving.register_keras_serializable(package="keras_decay")
class Scaled(Penalty):
    """c · Ω(w): a penalty whose value is multiplied by a factor.

        prox(w, s) = prox_Ω(w, c·s)

    Usually written `0.5 * penalty`. The factor multiplies the value, whatever the
    penalty and whatever its strengths are called.

    Args:
        penalty: The `Penalty` Ω.
        factor: The factor c, a non-negative number, or a scalar `keras.Variable` or
            tensor; without unit.

    Raises:
        TypeError, ValueError: If `penalty` is no penalty or `factor` no such number.
    """

    def __init__(self, penalty, factor):
        self.penalty = checked("penalty", penalty)
        self.factor = validation.strength("factor", factor)

    def __call__(self, w):
        value = self.penalty(w)
        return strength_for(self.factor, value) * value

    def prox(self, w, step):
        wide = computable(w)
        scaled = step_for(step, wide) * strength_for(self.factor, wide)
        return self.penalty.prox(w, scaled)

    @property
    def variables(self):
        return super().variables + self.penalty.variables

    @property
    def convex(self):
        return self.penalty.convex

    def entrywise(self, w):
        value = self.penalty.entrywise(w)
        return None if value is None else strength_for(self.factor, w) * value

    def resolved(self, axis_of):
        return Scaled(self.penalty.resolved(axis_of), self.factor)

    def flatten(self, factors=()):
        return self.penalty.flatten((*factors, self.factor))

    def __repr__(self):
        inner = f"({self.penalty})" if isinstance(self.penalty, Sum) else self.penalty
        return f"{self.factor} * {inner}"

    def get_config(self):
        return {
            "penalty": keras.saving.serialize_keras_object(self.penalty),
            "factor": plain(self.factor),
        }

    @classmethod
    def from_config(cls, config):
        penalty = keras.saving.deserialize_keras_object(config["penalty"])
        return cls(penalty, config["factor"])


@keras.saving.register_keras_serializable(package="keras_decay")
class Sum(Penalty):
    """Ω₁(w) + Ω₂(w) + …, usually written `a + b`.

    The proximal step is closed where the terms allow it: any number of L1, L2,
    elastic-net and group terms whose groups are nested or disjoint, and any one further
    term beside L2 terms, since

        prox_{Ω + λΣw²}(w, s) = prox_Ω(w/k, s/k),   k = 1 + 2sλ

    and prox_{Ω + λΣ|w|}(w, s) = prox_Ω(soft threshold of w at sλ, s) where Ω is a sum
    over entries that does not fall with their magnitude. Otherwise:

    - Convex terms: cyclic Dykstra-like iteration, which converges to the proximal step
      of the sum. It stops when a cycle changes no term's share by more than rounding,
      or after 10,000 cycles; the tests hold it to 1e-6 of the largest weight.
    - Sums over entries that are not convex, such as MCP + LogSum: the global minimiser
      of every entry, searched on a grid and refined by bisection, to 1e-6 of the weight
      in float64.
    - Terms that are not convex beside groups and the like: a local minimiser that is no
      worse than w and 0, as `Penalty.prox` finds it from the value.

    Args:
        penalties: A list of at least one `Penalty`; sums in it are taken apart.

    Raises:
        TypeError, ValueError: If `penalties` is empty or holds something else.

    Reference: Bauschke and Combettes, A Dykstra-like algorithm for two monotone
    operators, 2008; Yu, On decomposing the proximal map, 2013.
    """

    def __init__(self, penalties):
        if not isinstance(penalties, (list, tuple)):
            raise TypeError(
                validation.received("penalties", penalties, "a list of penalties")
            )
        if not penalties:
            raise ValueError(
                validation.received("penalties", penalties, "a list of at least one")
            )
        terms: list[Penalty] = []
        for penalty in penalties:
            checked("penalties", penalty)
            terms += penalty.penalties if isinstance(penalty, Sum) else [penalty]
        self.penalties: tuple[Penalty, ...] = tuple(terms)

    def __call__(self, w):
        first, *others = self.penalties
        total = first(w)
        for penalty in others:
            total = total + penalty(w)
        return total

    def prox(self, w, step):
        return wide_prox(functools.partial(sum_prox, self), w, step)

    @property
    def variables(self):
        return [v for penalty in self.penalties for v in penalty.variables]

    @property
    def convex(self):
        return all(penalty.convex for penalty in self.penalties)

    def entrywise(self, w):
        values = [penalty.entrywise(w) for penalty in self.penalties]
        return None if any(value is None for value in values) else sum(values)

    def resolved(self, axis_of):
        return Sum([penalty.resolved(axis_of) for penalty in self.penalties])

    def flatten(self, factors=()):
        return [pair for penalty in self.penalties for pair in penalty.flatten(factors)]

    def __repr__(self):
        return " + ".join(map(repr, self.penalties))

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {"penalties": [serialize(penalty) for penalty in self.penalties]}

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        return cls([deserialize(penalty) for penalty in config["penalties"]])


def checked(name, value):
    if not isinstance(value, Penalty):
        raise TypeError(
            validation.received(
                name,
                value,
                "a keras_decay Penalty",
                "Use keras_decay.L1, L2, … in place of Keras' own regularizers.",
            )
        )
    return value
