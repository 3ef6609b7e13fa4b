"""The proximal step of a sum of penalties: which way leads to it, and the iteration."""

import functools
import math
from typing import Any

import keras
from keras import ops

from keras_decay.regularizers.axes import kept_axes
from keras_decay.regularizers.maths.l1_l2_group import (
    Parts,
    is_closed,
    is_zero,
    parts_prox,
    ridge_shrink,
)
from keras_decay.regularizers.maths.numeric_prox import numeric_prox
from keras_decay.regularizers.maths.scalar_search import lowest
from keras_decay.regularizers.penalty.algebra import strength_for

MAX_CYCLES = 10_000


def sum_prox(total, w, step):
    """The proximal step of a `Sum`, whose docstring says how each kind is found.

    Args:
        total: The `Sum`.
        w: Weights, in a precision in which one can compute.
        step: Non-negative number or scalar tensor.
    """
    parts, others = collected(total.flatten(), w)
    # Beside any one term L2 costs nothing; it is taken out first.
    point, rest = ridge_shrink(w, step, parts.l2), ridge_shrink(step, step, parts.l2)
    parts = Parts(parts.l1, groups=parts.groups)
    entries = _entries_of(others, point) if others and not parts.groups else None
    if entries is not None:
        # Beside functions of each magnitude alone, which do not fall, L1 neither.
        point, parts = parts_prox(point, rest, parts), Parts()
    if len(others) == 1 and parts.is_empty:
        return _scaled_prox(*others[0])(point, rest)
    if all(term.convex for _, term in others):
        return _convex_prox(point, rest, parts, others)
    if entries is not None:
        small = ops.convert_to_tensor(rest, dtype=w.dtype)
        return ops.sign(point) * lowest(entries, ops.abs(point), small)
    return numeric_prox(total, w, step)


def collected(terms, w):
    """The `Parts` of the terms that have some, and the other terms with factors.

    Args:
        terms: Pairs (factors, penalty that is no sum), as `Penalty.flatten` gives them.
        w: The weights, which the strengths then multiply.
    """
    l1 = l2 = 0.0
    groups: dict[tuple[int, ...], Any] = {}
    others = []
    for factors, term in terms:
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
