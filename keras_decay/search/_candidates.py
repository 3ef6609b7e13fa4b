"""The candidates of a search: every combination, or a random sample of them."""

import inspect
from collections.abc import Mapping

import numpy as np

from keras_decay.ground import validation

_GRID = (
    "a dict from names of parameters to lists of values or to scipy distributions, or "
    "a list of such dicts"
)
_SWEEP = (
    "a dict from names of parameters to lists of values, or a list of dicts of which "
    "each is one candidate"
)


def candidates_of_grid(build, param_grid, n_iter=None, random_state=None):
    """The candidates of a `param_grid`, as scikit-learn understands it.

    Args:
        build: The user's function; the names must be parameters of it.
        param_grid: A dict of lists, or of distributions, which have a method `rvs`; or
            a list of such dicts.
        n_iter: How many candidates to draw at random; None for all of them, which
            needs lists throughout.
        random_state: For drawing them, as scikit-learn takes it.

    Returns:
        A list of dicts of plain values.

    Raises:
        TypeError, ValueError: If something is not as described.
    """
    grids = [param_grid] if isinstance(param_grid, Mapping) else param_grid
    if not isinstance(grids, (list, tuple)) or not all(
        isinstance(grid, Mapping) for grid in grids
    ):
        raise TypeError(validation.received("param_grid", param_grid, _GRID))
    if not grids:
        raise ValueError(validation.received("param_grid", param_grid, _GRID))
    grids = [
        {name: _values("param_grid", name, value) for name, value in grid.items()}
        for grid in grids
    ]
    for grid in grids:
        check_names(build, "param_grid", grid)
    drawn = [n for grid in grids for n, v in grid.items() if hasattr(v, "rvs")]
    if n_iter is None and drawn:
        must = f"given where a parameter has a distribution, as {drawn[0]!r} has"
        raise ValueError(validation.received("n_iter", n_iter, must))
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    if n_iter is None:
        points = ParameterGrid(grids)
    else:
        n_iter = validation.integer("n_iter", n_iter, minimum=1)
        points = ParameterSampler(grids, n_iter, random_state=random_state)
    return [{name: plain(value) for name, value in point.items()} for point in points]


def candidates_of_sweep(build, params):
    """The candidates of `kd.sweep`: a grid of lists, or the candidates themselves.

    Returns:
        A list of dicts of plain values.
    """
    if isinstance(params, Mapping):
        for name, values in params.items():
            if hasattr(values, "rvs"):
                must = (
                    _SWEEP + "; draw from a distribution with DecaySearchCV(n_iter=…)"
                )
                raise TypeError(validation.received(f"params[{name!r}]", values, must))
        grid = {name: _values("params", name, v) for name, v in params.items()}
        check_names(build, "params", grid)
        return candidates_of_grid(build, grid)
    if not isinstance(params, (list, tuple)) or not all(
        isinstance(one, Mapping) for one in params
    ):
        raise TypeError(validation.received("params", params, _SWEEP))
    if not params:
        raise ValueError(validation.received("params", params, _SWEEP))
    for one in params:
        check_names(build, "params", one)
    return [{name: plain(value) for name, value in one.items()} for one in params]


def plain(value):
    """A NumPy number as Python's own; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def check_names(build, argument, given):
    """Refuse names that `build` does not take, and the lack of one that it needs."""
    if not callable(build):
        must = "a function of the hyperparameters that returns a compiled keras.Model"
        raise TypeError(validation.received("build", build, must))
    try:
        parameters = inspect.signature(build).parameters.values()
    except (TypeError, ValueError):  # of something written in C, nothing is known
        return
    named = [
        p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    names = [p.name for p in named]
    takes = f"it takes {', '.join(names) or 'none'}"
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for name in given:
            if name not in names:
                raise ValueError(
                    f"`{argument}` must name parameters of `build`; {takes}. "
                    f"Received: {argument} with {name!r}"
                )
    for p in named:
        if p.default is p.empty and p.name not in given:
            raise ValueError(
                f"`{argument}` must name every parameter of `build` that has no "
                f"default, and {p.name!r} is missing. Received: {argument} with "
                f"{', '.join(map(repr, given)) or 'none'}"
            )


def _values(argument, name, value):
    """A list of values, or a distribution as it is."""
    label = f"{argument}[{name!r}]"
    if not isinstance(name, str):
        must = "a dict whose keys are names of parameters"
        raise TypeError(validation.received(argument, name, must))
    if hasattr(value, "rvs"):
        return value
    must = "a list of at least one value"
    if isinstance(value, np.ndarray):
        if value.ndim != 1:
            raise ValueError(validation.received(label, value, must))
        value = value.tolist()
    if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__iter__"):
        remedy = "Put a single value into a list."
        raise TypeError(validation.received(label, value, must, remedy))
    values = [plain(one) for one in value]
    if not values:
        raise ValueError(validation.received(label, values, must))
    return values
