"""The proximal step of a sum of penalties: closed, by iteration or by search."""

import functools
import math
from typing import Any

from keras import ops

from keras_decay.regularizers.maths.axes import kept_axes
from keras_decay.regularizers.maths.dykstra import dykstra
from keras_decay.regularizers.maths.l1_l2_group import (
    PenaltyParts,
    is_closed,
    is_zero,
    parts_prox,
    ridge_shrink,
)
from keras_decay.regularizers.maths.numeric_prox import numeric_prox
from keras_decay.regularizers.maths.scalar_search import lowest
from keras_decay.regularizers.strengths import strength_for


def sum_prox(total, w, step):
    """The proximal step of a `Sum`. The docstring of `Sum` says how it is found.

    Args:
        total: The `Sum`.
        w: A float32 or float64 tensor of any shape.
        step: Non-negative number or scalar tensor.
    """
    parts, others = collected(total.flatten(), w)
    # L2 can be taken out first, whatever the other terms are.
    ridge = step * parts.l2
    point, rest = ridge_shrink(w, ridge), ridge_shrink(step, ridge)
    parts = PenaltyParts(parts.l1, groups=parts.groups)
    entries = entries_of(others, point) if others and not parts.groups else None
    if entries is not None:
        # L1 can too, beside functions of each magnitude that do not fall.
        point, parts = parts_prox(point, rest, parts), PenaltyParts()
    if len(others) == 1 and parts.is_empty:
        return scaled_prox(*others[0])(point, rest)
    if all(term.convex for _, term in others):
        return convex_prox(point, rest, parts, others)
    if entries is not None:
        small = ops.convert_to_tensor(rest, dtype=w.dtype)
        return ops.sign(point) * lowest(entries, ops.abs(point), small)
    return numeric_prox(total, w, step)


def collected(terms, w):
    """The `PenaltyParts` of all terms that have some, and the other terms with factors.

    Args:
        terms: Pairs (factors, penalty that is no sum), as from `Penalty.flatten`.
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
        # A term whose strength is a plain zero is left out, whatever its factor.
        if not is_zero(parts.l1):
            l1 = l1 + factor * strength_for(parts.l1, w)
        if not is_zero(parts.l2):
            l2 = l2 + factor * strength_for(parts.l2, w)
        for axis, strength in parts.groups:
            kept = kept_axes(axis, w.shape)
            strength = factor * strength_for(strength, w)
            groups[kept] = groups.get(kept, 0.0) + strength
    return PenaltyParts(l1, l2, tuple(groups.items())), others


def convex_prox(w, step, parts, others):
    """The prox of convex terms: closed if one form holds all terms, else by Dykstra."""
    if is_closed(parts, w.shape):
        steps = [functools.partial(parts_prox, parts=parts)]
    else:
        alone = [PenaltyParts(groups=(group,)) for group in parts.groups]
        steps = [
            functools.partial(parts_prox, parts=part)
            for part in (*alone, PenaltyParts(parts.l1))
            if not part.is_empty
        ]
    if others and parts.is_empty:
        steps = []
    steps = [scaled_prox(factor, term) for factor, term in others] + steps
    return steps[0](w, step) if len(steps) == 1 else dykstra(w, step, steps)


def scaled_prox(factor, term):
    return lambda v, s: term.prox(v, s * factor)


def entries_of(others, w):
    """The sum of these terms as a function of each entry, or None if it is not one."""
    if any(term.entrywise(w) is None for _, term in others):
        return None
    return lambda v: sum(factor * term.entrywise(v) for factor, term in others)
