"""Which parameter is the strength, and the one-standard-error rule."""

import re
from typing import NamedTuple

import numpy as np

from keras_decay import _validation

# Words of a parameter's name by which it reads as a strength, and as one that
# regularises more when it is smaller.
_LARGER = {
    *("l1", "l2", "lam", "lambda", "lambd", "lambdas", "strength", "penalty", "decay"),
    *("weightdecay", "wd", "alpha", "ridge", "lasso", "reg", "regularization"),
    *("regularisation", "regularizer", "shrinkage", "dropout", "λ"),
}
_SMALLER = {"scale", "radius", "sigma", "timescale", "maxnorm", "τ", "σ"}
_REMEDY = (
    'Name it by stronger="NAME", or by stronger="-NAME" if smaller values regularise '
    "more; or give refit=True for the best candidate."
)


class Strength(NamedTuple):
    """A parameter, and +1 if it regularises more when larger, −1 when smaller."""

    name: str
    sign: int


def strength_of(candidates, stronger=None):
    """The `Strength` among the parameters of the candidates.

    Args:
        candidates: List of dicts.
        stronger: Its name, with a leading "-" if it is stronger when smaller; None for
            the one parameter that varies, if its name reads as a strength's or its
            values are real numbers. A scale or radius is then stronger when smaller.

    Raises:
        TypeError, ValueError: If it is not to be found; with the remedy.
    """
    if stronger is not None:
        return _named(candidates, stronger)
    names = varying(candidates)
    if len(candidates) == 1:
        names = [n for n in candidates[0] if _sign(n) and _is_numeric(candidates, n)]
        return Strength(names[0], _sign(names[0])) if len(names) == 1 else None
    if len(names) != 1:
        found = f"{len(names)} parameters vary: {', '.join(map(repr, names))}"
        raise ValueError(
            f"`stronger` must say which is the strength. {found}. {_REMEDY}"
        )
    name = names[0]
    if not _is_numeric(candidates, name):
        raise ValueError(
            f"`stronger` must name a parameter with numbers for values, and {name!r}, "
            f"the only one that varies, has others. {_REMEDY}"
        )
    sign = _sign(name)
    whole = all(float(c[name]).is_integer() for c in candidates if name in c)
    if not sign and (whole or "rate" in _words(name) or "lr" in _words(name)):
        raise ValueError(
            f"`stronger` must say whether {name!r}, the only parameter that varies, is "
            f"a strength of regularisation: its name does not tell. {_REMEDY}"
        )
    return Strength(name, sign or 1)


def varying(candidates):
    """The names of the parameters that are not the same in all candidates."""
    names = list(dict.fromkeys(name for one in candidates for name in one))
    first = candidates[0]
    return [
        name
        for name in names
        if any(
            (name in one) != (name in first) or not same(one.get(name), first.get(name))
            for one in candidates
        )
    ]


def others_equal(candidates, index, name):
    """The numbers of the candidates that differ from one in no parameter but `name`."""
    chosen = {k: v for k, v in candidates[index].items() if k != name}
    found = []
    for i, one in enumerate(candidates):
        rest = {k: v for k, v in one.items() if k != name}
        alike = rest.keys() == chosen.keys() and name in one
        if alike and all(same(v, chosen[k]) for k, v in rest.items()):
            found.append(i)
    return found


def best_index(means):
    """The number of the highest mean; NaN counts as lowest."""
    return int(np.argmax(np.where(np.isnan(means), -np.inf, means)))


def one_se_index(candidates, means, errors, strength):
    """The strongest candidate within one standard error of the best.

        mean ≥ mean of the best − SE of the best

    among the candidates that differ from the best in the strength alone.
    """
    best = best_index(means)
    if strength is None:
        return best
    limit = means[best] - (0.0 if np.isnan(errors[best]) else errors[best])
    within = [
        i for i in others_equal(candidates, best, strength.name) if means[i] >= limit
    ]
    # Of equal strengths, the better.
    return max(
        within or [best],
        key=lambda i: (strength.sign * candidates[i][strength.name], means[i]),
    )


def is_numeric(value):
    """Whether a parameter's value can stand on an axis."""
    return _validation.is_number(value) and np.isfinite(value)


def same(a, b):
    """Whether two values of a parameter are the same, of whatever kind they are."""
    if a is b:
        return True
    try:
        return type(a) is type(b) and bool(np.all(a == b))
    except (TypeError, ValueError):
        return False


def _named(candidates, stronger):
    must = "the name of a parameter, with a leading '-' if it is stronger when smaller"
    if not isinstance(stronger, str):
        raise TypeError(_validation.received("stronger", stronger, must))
    names = {name for one in candidates for name in one}
    # A name is no expression, so that a leading "-" cannot be a part of it.
    name = stronger.removeprefix("-")
    if name not in names:
        must += f", one of {', '.join(sorted(names))}"
        raise ValueError(_validation.received("stronger", stronger, must))
    if not _is_numeric(candidates, name):
        must = "the name of a parameter that has numbers for values"
        raise ValueError(_validation.received("stronger", stronger, must))
    return Strength(name, -1 if stronger.startswith("-") else 1)


def _is_numeric(candidates, name):
    return all(is_numeric(one[name]) for one in candidates if name in one)


def _sign(name):
    """+1 or −1 if the name reads as a strength's, else 0."""
    words = _words(name) | {name.replace("_", "").lower()}
    if words & _SMALLER:
        return -1
    return 1 if words & _LARGER else 0


def _words(name):
    return set(re.split(r"[^a-z0-9λτσ]+", name.lower()))
