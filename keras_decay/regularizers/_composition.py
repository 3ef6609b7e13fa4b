"""Sums and multiples of penalties.

`Penalty.__add__` and `__mul__` make these; both serialise, nest, and keep a closed
proximal step wherever one is known.
"""

import functools
import math
from typing import Any

import keras
from keras import ops

from keras_decay import _validation
from keras_decay.regularizers._axes import kept_axes
from keras_decay.regularizers._base import (
    Penalty,
    computable,
    plain,
    step_for,
    strength_for,
)
from keras_decay.regularizers._numeric_prox import numeric_prox
from keras_decay.regularizers._parts import (
    Parts,
    is_closed,
    is_zero,
    parts_prox,
    ridge_shrink,
)
from keras_decay.regularizers._scalar_search import lowest

MAX_CYCLES = 10_000


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
        self.factor = _validation.strength("factor", factor)

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
                _validation.received("penalties", penalties, "a list of penalties")
            )
        if not penalties:
            raise ValueError(
                _validation.received("penalties", penalties, "a list of at least one")
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
        step = step_for(step, wide)
        parts, others = self._collected(wide)
        # Beside any one term L2 costs nothing; it is taken out first.
        point, rest = (
            ridge_shrink(wide, step, parts.l2),
            ridge_shrink(step, step, parts.l2),
        )
        parts = Parts(parts.l1, groups=parts.groups)
        entries = _entries_of(others, point) if others and not parts.groups else None
        if entries is not None:
            # Beside functions of each magnitude alone, which do not fall, L1 neither.
            point, parts = parts_prox(point, rest, parts), Parts()
        if len(others) == 1 and parts.is_empty:
            found = _scaled_prox(*others[0])(point, rest)
        elif all(term.convex for _, term in others):
            found = _convex_prox(point, rest, parts, others)
        elif entries is not None:
            small = ops.convert_to_tensor(rest, dtype=wide.dtype)
            found = ops.sign(point) * lowest(entries, ops.abs(point), small)
        else:
            found = numeric_prox(self, wide, step)
        return ops.cast(found, w.dtype)

    def _collected(self, w):
        """The `Parts` of the terms that have some, and the other terms with factors."""
        l1 = l2 = 0.0
        groups: dict[tuple[int, ...], Any] = {}
        others = []
        for factors, term in self.flatten():
            factor = math.prod(strength_for(factor, w) for factor in factors)
            parts = term.parts()
            if parts is None:
                others.append((factor, term))
                continue
            # A plain zero stays one, whatever the factor: there is no such term.
            if not is_zero(parts.l1):
                l1 = l1 + factor * strength_for(parts.l1, w)
            if not is_zero(parts.l2):
                l2 = l2 + factor * strength_for(parts.l2, w)
            for axis, strength in parts.groups:
                kept = kept_axes(axis, w.shape)
                strength = factor * strength_for(strength, w)
                groups[kept] = groups.get(kept, 0.0) + strength
        return Parts(l1, l2, tuple(groups.items())), others

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


def dykstra(w, step, proximal_steps):
    """argmin_v ½‖v − w‖² + step · Σᵢ Ωᵢ(v), from each Ωᵢ's own proximal step.

    It is block coordinate ascent on the dual problem: qᵢ is the subgradient that Ωᵢ
    contributes, and v = w − Σᵢ qᵢ after each update.
    """
    dtype = keras.backend.standardize_dtype(w.dtype)
    tolerance = 1e-14 if dtype == "float64" else 2e-7
    tolerance = tolerance * ops.max(ops.abs(w))

    def unfinished(cycle, change, v, *q):
        del v, q
        return ops.logical_and(cycle < MAX_CYCLES, change > tolerance)

    def run_cycle(cycle, change, v, *q):
        del change
        subgradients = list(q)
        for i, proximal_step in enumerate(proximal_steps):
            point = v + subgradients[i]
            v = proximal_step(point, step)
            subgradients[i] = point - v
        # Not the change of v: it may rest for a while in the middle of the way.
        moved = [
            ops.max(ops.abs(new - old))
            for new, old in zip(subgradients, q, strict=True)
        ]
        return (cycle + 1, ops.max(ops.stack(moved)), v, *subgradients)

    start = (
        ops.convert_to_tensor(0, dtype="int32"),
        ops.convert_to_tensor(float("inf"), dtype=dtype),
        w,
        *(ops.zeros_like(w) for _ in proximal_steps),
    )
    return ops.while_loop(unfinished, run_cycle, start)[2]


def _convex_prox(w, step, parts, others):
    """The proximal step of convex terms: at once if one form holds all, or Dykstra."""
    if is_closed(parts, w.shape):
        steps = [functools.partial(parts_prox, parts=parts)]
    else:
        alone = [Parts(groups=(group,)) for group in parts.groups]
        steps = [
            functools.partial(parts_prox, parts=part)
            for part in (*alone, Parts(parts.l1))
            if not part.is_empty
        ]
    if others and parts.is_empty:
        steps = []
    steps = [_scaled_prox(factor, term) for factor, term in others] + steps
    return steps[0](w, step) if len(steps) == 1 else dykstra(w, step, steps)


def _scaled_prox(factor, term):
    return lambda v, s: term.prox(v, s * factor)


def _entries_of(others, w):
    """The sum of these terms as a function of each entry, or None if it is not one."""
    if any(term.entrywise(w) is None for _, term in others):
        return None
    return lambda v: sum(factor * term.entrywise(v) for factor, term in others)


def _penalty(name, value):
    if not isinstance(value, Penalty):
        raise TypeError(
            _validation.received(
                name,
                value,
                "a keras_decay Penalty",
                "Use keras_decay.L1, L2, … in place of Keras' own regularizers.",
            )
        )
    return value
