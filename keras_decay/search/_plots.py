"""Results of a search as pictures: which of them, and what is marked in it."""

import numpy as np

from keras_decay.ground import validation
from keras_decay.search._strengths import (
    best_index,
    is_numeric,
    one_se_index,
    others_equal,
    varying,
)


def plot(ax, params, table, best, choices, *, param, label, words):
    """A validation curve along one parameter, or a heat map over two.

    Args:
        ax: matplotlib Axes, or None.
        params: The candidates.
        table: Dict of arrays over the candidates: "mean", "low", "high" and perhaps
            "training", as `validation_curve.draw` takes them; and "limit", a
            number or None.
        best: The number of the candidate at which other parameters stay.
        choices: List of (number of a candidate, words).
        param: The parameter to draw along, or None.
        label, words: What is drawn, and what the band is.

    Returns:
        The Axes.
    """
    names = varying(params)
    if param is not None:
        validation.choice("param", param, params[best])
    if param is None and len(names) == 2:
        return heat_map(ax, params, table, choices, names, label)
    if param is None and len(names) > 1:
        must = f"given where several parameters vary, as {', '.join(names)} do"
        raise ValueError(validation.received("param", param, must))
    name = param if param is not None else (names or list(params[best]) or [None])[0]
    return _curve(ax, params, table, best, choices, name, label, words)


def of_search(search, main, ax, param):
    """The picture of a fitted `DecaySearchCV` by the score named `main`."""
    results, params = search.cv_results_, search.cv_results_["params"]
    mean, error = results[f"mean_test_{main}"], results[f"se_test_{main}"]
    best = best_index(mean)
    rule = one_se_index(params, mean, error, search._strength)
    choices = [(best, "best")]
    if search._strength is not None:
        choices.append((rule, "one SE"))
    if search.best_index_ not in (best, rule):
        choices.append((search.best_index_, "chosen"))
    table = {}
    sign, label = 1, main
    if search.scorer_ is None or (search.multimetric_ and search.scorer_[main] is None):
        sign, label = -1, "held-out loss without penalty"
        table["training"] = search._train_loss
    elif isinstance(search.scoring, str):
        label = search.scoring
    # Where there is a single fold there is no error.
    error = np.nan_to_num(error)
    table |= {"mean": sign * mean}
    table |= {"low": table["mean"] - error, "high": table["mean"] + error}
    table["limit"] = float(sign * (mean[best] - error[best]))
    words = f"Band: ± one standard error over {search.n_splits_} folds."
    return plot(ax, params, table, best, choices, param=param, label=label, words=words)


def of_sweep(result, ax, param, metric):
    """The picture of a `SweepResult`."""
    final = result.final[f"val_{metric}"]
    best = result.best_index_
    table = {
        "mean": final.mean(axis=1),
        "low": final.min(axis=1),
        "high": final.max(axis=1),
    }
    if metric in result.final:
        table["training"] = result.final[metric].mean(axis=1)
    several = len(result.seeds) > 1
    words = f"Band: lowest to highest of {len(result.seeds)} seeds." if several else ""
    label = metric.replace("_", " ")
    if metric == "data_loss":
        label = "held-out loss without penalty"
    choices = [(best, "best")] if metric == "data_loss" else []
    return plot(
        ax, result.params, table, best, choices, param=param, label=label, words=words
    )


def _curve(ax, params, table, best, choices, name, label, words):
    from keras_decay.curves.draw import validation_curve

    along = [] if name is None else others_equal(params, best, name)
    if not along or not all(is_numeric(params[i][name]) for i in along):
        must = "a parameter with numbers for values"
        raise ValueError(validation.received("param", name, must))
    along.sort(key=lambda i: params[i][name])
    points = {k: np.asarray(v)[along] for k, v in table.items() if k != "limit"}
    points["value"] = np.array([params[i][name] for i in along], "float64")
    together: dict[int, list[str]] = {}
    for index, text in choices:
        if index in along:
            together.setdefault(along.index(index), []).append(text)
    marks = [
        (place, f"{' and '.join(texts)}: {name} = {points['value'][place]:.3g}")
        for place, texts in together.items()
    ]
    rest = {k: v for k, v in params[best].items() if k != name and k in varying(params)}
    if rest:
        words += (
            " With " + ", ".join(f"{k} = {_short(v)}" for k, v in rest.items()) + "."
        )
    return validation_curve.draw(
        ax,
        points,
        name=name,
        label=label,
        words=words,
        marks=marks,
        limit=table.get("limit"),
    )


def heat_map(ax, params, table, choices, names, label):
    from keras_decay.curves.draw import heat_map

    def key(candidate):
        return tuple(
            value.item()
            if isinstance(value, np.generic)
            else value
            if validation.is_number(value)
            else str(value)
            for value in (candidate.get(name) for name in names)
        )

    cells = [(*key(one), m) for one, m in zip(params, table["mean"], strict=True)]
    together: dict[int, list[str]] = {}
    for index, text in choices:
        together.setdefault(index, []).append(text)
    marks = [(*key(params[i]), " and ".join(texts)) for i, texts in together.items()]
    return heat_map.draw(ax, cells, names=names, label=label, marks=marks)


def _short(value):
    return f"{value:.3g}" if validation.is_number(value) else str(value)
