"""Sums and multiples of penalties.

`Penalty.__add__` and `__mul__` make these; both serialise, nest, and keep a closed
proximal step wherever one is known.
"""

import keras
from keras import ops

from keras_decay.ground import validation
from keras_decay.regularizers.penalty.algebra import (
    Penalty,
    computable,
    plain,
    step_for,
    strength_for,
)
from keras_decay.regularizers.penalty.sum_prox import sum_prox


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
        self.penalty = _penalty("penalty", penalty)
        self.factor = validation.strength("factor", factor)

    def __call__(self, w):
        value = self.penalty(w)
        return strength_for(self.factor, value) * value

    def prox(self, w, step):
        wide = computable(w)
        step = step_for(step, wide) * strength_for(self.factor, wide)
        return self.penalty.prox(w, step)

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
        self.penalties: tuple[Penalty, ...] = tuple(
            term
            for penalty in penalties
            for term in (
                penalty.penalties
                if isinstance(penalty, Sum)
                else [_penalty("penalties", penalty)]
            )
        )

    def __call__(self, w):
        first, *others = self.penalties
        total = first(w)
        for penalty in others:
            total = total + penalty(w)
        return total

    def prox(self, w, step):
        wide = computable(w)
        return ops.cast(sum_prox(self, wide, step_for(step, wide)), w.dtype)

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


def _penalty(name, value):
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
