"""Which parameter is the strength, and the one-standard-error rule."""

import re
import warnings
from typing import NamedTuple

import numpy as np

from keras_decay.ground import validation

# Words of a parameter's name by which it reads as a strength.
_WORDS = {
    *("l1", "l2", "lam", "lambda", "lambd", "lambdas", "strength", "penalty", "decay"),
    *("weightdecay", "wd", "alpha", "ridge", "lasso", "reg", "regularization"),
    *("regularisation", "regularizer", "shrinkage", "dropout", "λ"),
    *("scale", "radius", "sigma", "timescale", "maxnorm", "τ", "σ"),
}
_REMEDY = (
    'Name it by stronger="NAME"; or give refit=True for the best candidate, whatever '
    "its strength."
)


class Strength(NamedTuple):
    """A parameter, and +1 if it regularises more when larger, −1 when smaller.

    The sign is None where it is still to be measured.
    """

    name: str
    sign: int | None


def strength_of(candidates, stronger=None):
    """The `Strength` among the parameters of the candidates.

    Args:
        candidates: List of dicts.
        stronger: Its name, with a leading "-" if it is stronger when smaller or "+" if
            it is when larger; None for the one parameter that varies.

    Raises:
        TypeError, ValueError: If it is not to be found; with the remedy.
    """
    if stronger is not None:
        return _named(candidates, stronger)
    names = varying(candidates)
    if len(candidates) == 1:
        names = [
            n for n in candidates[0] if _is_strength(n) and _is_numeric(candidates, n)
        ]
        return Strength(names[0], 1) if len(names) == 1 else None
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
    return Strength(name, None)


def directed(strength, stronger, measured):
    """The strength with its sign.

    Args:
        strength: As `strength_of` gives it.
        stronger: The user's.
        measured: +1 or −1; 0 if the parameter changes nothing; None if it could not be
            measured.

    Returns:
        None if nothing says what the sign is.
    """
    if strength.sign is not None:
        if measured and measured != strength.sign:
            says = {1: "larger", -1: "smaller"}
            warnings.warn(
                f"`stronger={stronger!r}` says that a {says[strength.sign]} "
                f"{strength.name!r} regularises more, but in the models that `build` "
                f"makes a {says[measured]} one does. Write stronger={strength.name!r} "
                "for what is measured.",
                stacklevel=3,
            )
        return strength
    if not measured:
        return None if stronger is None else strength._replace(sign=1)
    return strength._replace(sign=measured)


def undirected(name):
    """The error for a parameter whose direction nothing tells."""
    return ValueError(
        f"`stronger` must say in which direction {name!r} regularises: no penalty, "
        "decay, constraint or dropout of the models grows or shrinks with it. "
        f'Received: stronger=None. Give stronger="+{name}" if larger values regularise '
        f'more, stronger="-{name}" if smaller values do; or give refit=True for the '
        "best candidate"
    )


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
    return validation.is_number(value) and np.isfinite(value)


def same(a, b):
    """Whether two values of a parameter are the same, of whatever kind they are."""
    if a is b:
        return True
    try:
        return type(a) is type(b) and bool(np.all(a == b))
    except (TypeError, ValueError):
        return False


def _named(candidates, stronger):
    must = (
        "the name of a parameter, with a leading '-' if it is stronger when smaller or "
        "'+' if it is when larger"
    )
    if not isinstance(stronger, str):
        raise TypeError(validation.received("stronger", stronger, must))
    names = {name for one in candidates for name in one}
    # A name is no expression, so that a leading sign cannot be a part of it.
    name = stronger[1:] if stronger[:1] in ("-", "+") else stronger
    if name not in names:
        must += f", one of {', '.join(sorted(names))}"
        raise ValueError(validation.received("stronger", stronger, must))
    if not _is_numeric(candidates, name):
        must = "the name of a parameter that has numbers for values"
        raise ValueError(validation.received("stronger", stronger, must))
    return Strength(name, {"-": -1, "+": 1}.get(stronger[0]))


def _is_numeric(candidates, name):
    return all(is_numeric(one[name]) for one in candidates if name in one)


def _is_strength(name):
    """Whether the name reads as a strength's."""
    return bool((_words(name) | {name.replace("_", "").lower()}) & _WORDS)


def _words(name):
    return set(re.split(r"[^a-z0-9λτσ]+", name.lower()))
