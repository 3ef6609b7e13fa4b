"""L1 selects features where it is a prox; in the loss it does not, and L2 never does.

A linear model of the diabetes patients is given their ten columns and, as decoys, the
same ten shuffled. It is trained with L1 as a proximal step, with L1 in the loss, where
gradient descent follows its subgradient, and with L2, at a range of strengths each, and
compared with scikit-learn's Lasso and Ridge. Outliers are put to the targets besides,
and a loss that bears them is tried for comparison: the penalty is not what does.
"""

from typing import NamedTuple

import numpy as np

from keras_decay.experiments import _data, _double
from keras_decay.experiments._findings import Recorder, Table

NAME = "sparsity"
FIGURES = ("sparsity", "sparsity-outliers")
RATE = 0.1
# Batches of all rows in an epoch, so that there are few epochs to be kept account of.
PER_EPOCH = 50
OUTLIERS, SIZE = 0.05, 10.0  # share of the targets, and by how many sd they are moved
SMALL = 1e-3
ARMS = {
    "prox": "L1, proximal step",
    "l1": "L1, in the loss",
    "l2": "L2, in the loss",
}
LOSSES = {"squared": "squared error", "huber": "Huber's loss"}
# What the outliers are tried on.
ROBUST = (("squared", "prox"), ("squared", "l2"), ("huber", "prox"), ("huber", "l2"))


class Rows(NamedTuple):
    """Standardised inputs, decoys last, and targets, for each of three parts."""

    x: dict
    y: dict
    names: list


def run(*, seed=0, quick=False, progress=None):
    """Trains all arms at all strengths, and solves the same by scikit-learn.

    Args:
        seed: Of the split, the decoys, the outliers and the initial weights.
        quick: Three strengths instead of 20, two draws of outliers instead of 8, 250
            steps instead of 4,000.
        progress: Called with (what, done, total) before each step.

    Returns:
        The `Findings`. `numbers["weights"]` holds by loss and arm the weights
        (strengths, inputs, 1 + draws): the targets are as they are first, and have
        outliers then; `numbers["oracle"]` what scikit-learn finds without outliers.

    Raises:
        TypeError, ValueError: If an argument is none of the above.
    """
    record = Recorder(NAME, seed, quick, progress)
    count, draws, steps = (3, 2, 250) if quick else (20, 8, 4000)
    rows = _rows(seed)
    strengths = _strengths(rows, count, 0.2 if quick else 0.01)
    targets = _targets(rows, seed, draws)
    weights, biases = {}, {}
    with _double.precision():
        for done, (loss, title) in enumerate(LOSSES.items()):
            record.at(f"training under {title}", done, 3)
            arms = [arm for arm in ARMS if loss == "squared" or (loss, arm) in ROBUST]
            chosen = {arm: strengths[arm] for arm in arms}
            weights[loss], biases[loss] = _trained(
                rows.x["train"], targets, chosen, loss, steps, seed
            )
    record.at("scikit-learn's Lasso and Ridge", 2, 3)
    numbers = {
        "names": rows.names,
        "steps": steps,
        "strengths": strengths,
        "weights": weights,
        "oracle": _oracle(rows, strengths),
        "outliers": _outliers(rows, weights, biases),
    }
    record.at("done", 3, 3)

    def draw():
        from keras_decay.experiments._sparsity_figures import draw_weights

        return draw_weights(found, ARMS)

    def draw_outliers():
        from keras_decay.experiments._sparsity_figures import draw_outliers

        return draw_outliers(found, titles())

    found = record.findings(
        tables=[_table(numbers), _table_of_outliers(numbers)],
        sentences=_sentences(numbers),
        numbers=numbers,
        drawings=dict(zip(FIGURES, (draw, draw_outliers), strict=True)),
    )
    return found


def _rows(seed):
    from sklearn.datasets import load_diabetes

    split = _data.load(seed)
    rng = np.random.default_rng(seed)
    mean, scale = split.train.x.mean(axis=0), split.train.x.std(axis=0)
    x, y = {}, {}
    for name in ("train", "validation", "test"):
        part = getattr(split, name)
        real = (part.x - mean) / scale
        # Shuffled, a column has its own law and nothing to say of the target.
        decoys = np.stack([rng.permutation(column) for column in real.T], axis=1)
        x[name], y[name] = np.concatenate([real, decoys], axis=1), part.y
    names = list(load_diabetes().feature_names)
    return Rows(x, y, [*names, *(f"{name} shuffled" for name in names)])


def _strengths(rows, count, lowest):
    """λ for each arm, the same for both ways of L1."""
    import keras_decay as kd

    x, y = rows.x["train"], rows.y["train"]
    # Above this Lasso finds nothing but zeros.
    highest = np.abs(x.T @ (y - y.mean())).max() / len(y)
    alphas = 0.9 * highest * np.geomspace(1, lowest, count)
    l1 = np.array([kd.convert(alpha, "sklearn_lasso", "l1") for alpha in alphas])
    return {"prox": l1, "l1": l1, "l2": np.geomspace(4, 4 * lowest, count)}


def _targets(rows, seed, draws):
    """(rows, 1 + draws): the targets as they are, and with outliers each time anew."""
    y = rows.y["train"]
    rng = np.random.default_rng([seed, 1])
    columns = [y]
    for _ in range(draws):
        hit = rng.permutation(len(y))[: round(OUTLIERS * len(y))]
        moved = y.copy()
        moved[hit] += SIZE * rng.choice([-1.0, 1.0], len(hit))
        columns.append(moved)
    return np.stack(columns, axis=1)


def squared_error(y, prediction):
    """Σ r² over the outputs, each of which is a model by itself."""
    from keras import ops

    return ops.sum(ops.square(y - prediction), axis=-1)


def huber_loss(y, prediction):
    """The same, but that beyond |r| = 1 it goes on as a straight line, 2|r| − 1."""
    from keras import ops

    size = ops.abs(y - prediction)
    inner = ops.minimum(size, 1.0)
    return ops.sum(ops.square(inner) + 2 * (size - inner), axis=-1)


def _trained(x, targets, strengths, loss, steps, seed):
    """By arm the kernels (strengths, inputs, outputs) and biases (strengths, outputs).

    One output for each column of targets: they share the inputs and nothing else.
    """
    import keras

    import keras_decay as kd

    function = {"squared": squared_error, "huber": huber_loss}[loss]

    def build(prox=0.0, l1=0.0, l2=0.0):
        dense = keras.layers.Dense(
            targets.shape[1], kernel_regularizer=kd.ElasticNet(l1, l2)
        )
        model = keras.Sequential([keras.Input((x.shape[1],)), dense])
        sgd = keras.optimizers.SGD(RATE)
        model.compile(kd.DecoupledWeightDecay(sgd, penalty=kd.L1(prox)), function)
        return model

    none = dict.fromkeys(ARMS, 0.0)
    candidates = [
        none | {arm: float(strength)}
        for arm, values in strengths.items()
        for strength in values
    ]
    result = kd.sweep(
        build,
        candidates,
        np.tile(x, (PER_EPOCH, 1)),
        np.tile(targets, (PER_EPOCH, 1)),
        epochs=steps // PER_EPOCH,
        batch_size=len(x),
        shuffle=False,
        seeds=[seed],
        keep_weights=True,
        verbose=False,
    )
    ends = np.cumsum([len(values) for values in strengths.values()])[:-1]
    kernels, biases = (
        np.split(np.stack([of[0][index] for of in result.weights]), ends)
        for index in (0, 1)
    )
    return (
        dict(zip(strengths, kernels, strict=True)),
        dict(zip(strengths, biases, strict=True)),
    )


def _oracle(rows, strengths):
    """By arm the weights (strengths, inputs) that scikit-learn finds."""
    from sklearn.linear_model import Lasso, Ridge

    import keras_decay as kd

    x, y = rows.x["train"], rows.y["train"]
    # Lasso's name for λ converts to `l1` alone, not back; l1 = 2α.
    unit = kd.convert(1.0, "sklearn_lasso", "l1")
    lasso = [
        Lasso(l1 / unit, tol=1e-14, max_iter=1_000_000).fit(x, y).coef_
        for l1 in strengths["l1"]
    ]
    ridge = [
        Ridge(kd.convert(l2, "l2", "sklearn_ridge", n_samples=len(y))).fit(x, y).coef_
        for l2 in strengths["l2"]
    ]
    return {"prox": np.array(lasso), "l1": np.array(lasso), "l2": np.array(ridge)}


def _outliers(rows, weights, biases):
    """By loss and arm, without outliers and with: test errors, and how far weights go.

    λ is the best on the validation rows, which have no outliers, for each draw anew:
    each arm is given its best chance.
    """

    def errors(part, kernel, bias):
        residuals = rows.x[part] @ kernel + bias[:, None] - rows.y[part][:, None]
        return np.mean(residuals**2, axis=1)

    found: dict = {}
    for loss, arm in ROBUST:
        kernel, bias = weights[loss][arm], biases[loss][arm]
        best = np.argmin(errors("validation", kernel, bias), axis=0)
        columns = np.arange(kernel.shape[2])
        test = errors("test", kernel, bias)[best, columns]
        clean, *others = kernel[best, :, columns]
        moved = np.linalg.norm(np.array(others) - clean, axis=1)
        found.setdefault(loss, {})[arm] = {
            "clean": test[0],
            "outliers": test[1:],
            "moved": moved / np.linalg.norm(clean),
        }
    return found


def titles():
    """(loss, arm): how it stands in table and figure."""
    short = {"prox": "L1", "l2": "L2"}
    return {(loss, arm): f"{short[arm]}, {LOSSES[loss]}" for loss, arm in ROBUST}


def _summary(numbers, arm):
    """(exact zeros, scikit-learn's, small ones, the smallest, distance from theirs)."""
    ours = numbers["weights"]["squared"][arm][:, :, 0]
    theirs = numbers["oracle"][arm]
    sizes = np.abs(ours)
    return (
        int(np.sum(ours == 0)),
        int(np.sum(theirs == 0)),
        int(np.sum((sizes < SMALL) & (sizes > 0))),
        float(sizes[sizes > 0].min()),
        float(np.abs(ours - theirs).max()),
    )


def _table(numbers):
    count = len(numbers["strengths"]["l1"])
    return Table(
        columns=(
            "penalty",
            "zeros",
            "scikit-learn's",
            f"others < {SMALL:g}",
            "smallest",
            "distance",
        ),
        rows=tuple((ARMS[arm], *_summary(numbers, arm)) for arm in ARMS),
        title="Which weights are zero",
        note=f"of {count * len(numbers['names'])} weights, at {count} strengths "
        "together; distance: the greatest\nof a weight from scikit-learn's, by Lasso "
        "or Ridge",
    )


def _table_of_outliers(numbers):
    rows = []
    for (loss, arm), title in titles().items():
        of = numbers["outliers"][loss][arm]
        rows.append(
            (
                title,
                float(of["clean"]),
                float(of["outliers"].mean()),
                float(of["moved"].mean()),
            )
        )
    draws = len(numbers["outliers"]["squared"]["l2"]["outliers"])
    return Table(
        columns=("penalty, loss", "test error", "with outliers", "weights move"),
        rows=tuple(rows),
        title="What outliers do",
        note=f"{OUTLIERS:.0%} of the training targets moved by {SIZE:g} sd, mean of "
        f"{draws} draws,\nλ chosen anew each time on validation rows without. weights "
        "move:\n‖w with − w without‖ / ‖w without‖",
    )


def _sentences(numbers):
    prox, l1, l2 = (_summary(numbers, arm) for arm in ARMS)
    ours, theirs = numbers["weights"]["squared"]["prox"][:, :, 0], numbers["oracle"]
    same = np.all((ours == 0) == (theirs["prox"] == 0), axis=1)
    norms = np.linalg.norm(numbers["weights"]["squared"]["l2"][:, :, 0], axis=1)
    where = "at every strength" if same.all() else f"at {same.sum()} of {len(same)}"
    moved = {
        (loss, arm): numbers["outliers"][loss][arm]["moved"].mean()
        for loss, arm in ROBUST
    }
    ratio = moved["squared", "prox"] / moved["squared", "l2"]
    penalties = [moved["squared", arm] for arm in ("prox", "l2")]
    losses = [moved["huber", arm] for arm in ("prox", "l2")]
    robust = max(losses) < min(penalties)
    return [
        f"As a proximal step L1 gives {prox[0]} exact zeros, and the support is "
        f"Lasso's {where}; no weight is further than {prox[4]:.1g} from Lasso's.",
        f"In the loss, at the same λ, it gives {l1[0]}: the weights step to and fro "
        f"across zero, the smallest at {l1[3]:.1g}, up to {l1[4]:.2g} from Lasso's.",
        f"L2 shrinks the weights' norm from {norms[-1]:.2f} to {norms[0]:.2f} as λ "
        f"grows, and {'none is' if l2[0] == 0 else f'{l2[0]} are'} zero.",
        f"Outliers in the targets move the weights by {penalties[0]:.0%} under L1 and "
        f"by {penalties[1]:.0%} under L2: "
        + (
            "neither penalty is robust."
            if 0.67 < ratio < 1.5
            else f"{'L1' if ratio < 1 else 'L2'} moves less."
        ),
        f"Under Huber's loss it is {losses[0]:.0%} and {losses[1]:.0%}"
        + (": it is the loss that makes robust, not the penalty." if robust else "."),
    ]
