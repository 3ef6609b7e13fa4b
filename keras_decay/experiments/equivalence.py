"""L2 is weight decay under plain SGD, by λ = λ'/2, λ'/(2η₀) or λ'/(2η); elsewhere not.

One network on the diabetes patients, in float64, is trained twice at a time on the same
batches from the same weights: with `DecoupledWeightDecay`, and with `L2` in the loss.
The distance between the two is followed step by step.
"""

from typing import NamedTuple

import numpy as np

from keras_decay.experiments import _data, _double
from keras_decay.experiments._findings import Recorder, Table

NAME = "equivalence"
FIGURES = ("equivalence", "equivalence-adam")
UNITS = 32
BATCH = 64
RATE, ADAM_RATE = 0.05, 0.003
DECAY = 0.02  # λ' of the coupling "learning_rate", in units of η
STRONGER = 30
# Above this the two trainings are not the same up to rounding.
ROUNDING = 1e-10
SGD: tuple[str, dict] = ("SGD", {})
MOMENTUM = ("SGD", {"momentum": 0.9})


class Pair(NamedTuple):
    """A decoupled decay and the L2 that is claimed to be the same.

    Attributes:
        title: As it stands in table and figure.
        optimizer: Its name in Keras, and further arguments.
        rate: The learning rate, or "cosine" for a schedule from `RATE` to 0.
        coupling, decay: Of `DecoupledWeightDecay`.
        l2: λ of `L2`.
        formula: How λ follows from λ'.
        claim: Whether they are the same by the algebra.
    """

    title: str
    optimizer: tuple = SGD
    rate: float | str = RATE
    coupling: str = "learning_rate"
    decay: float = DECAY
    l2: float = DECAY / 2
    formula: str = "λ'/2"
    claim: bool = False


PAIRS = (
    Pair("SGD, learning_rate", claim=True),
    Pair("SGD, learning_rate, cosine schedule", rate="cosine", claim=True),
    Pair(
        "SGD, schedule, cosine schedule",
        rate="cosine",
        coupling="schedule",
        decay=DECAY * RATE,
        formula="λ'/(2η₀)",
        claim=True,
    ),
    Pair(
        "SGD, independent",
        coupling="independent",
        decay=DECAY * RATE,
        formula="λ'/(2η)",
        claim=True,
    ),
    Pair(
        "SGD, independent, η forgotten",
        coupling="independent",
        decay=DECAY * RATE,
        l2=DECAY * RATE / 2,
    ),
    Pair(
        "SGD, independent, cosine schedule",
        rate="cosine",
        coupling="independent",
        decay=DECAY * RATE,
        formula="λ'/(2η₀)",
    ),
    Pair("momentum 0.9", MOMENTUM, RATE / 10),
    Pair("RMSprop", ("RMSprop", {}), ADAM_RATE),
    Pair("Adam", ("Adam", {}), ADAM_RATE),
)


def run(*, seed=0, quick=False, progress=None):
    """Trains every pair, and Adam once more to see which weights a penalty spares.

    Args:
        seed: Of the split, the initial weights and the batches.
        quick: 100 steps instead of 1,000.
        progress: Called with (what, done, total) after each training.

    Returns:
        The `Findings`. `numbers` holds for each pair the relative distance
        ‖w_decoupled − w_L2‖/‖w_L2‖ after every step, and for Adam's kernels √v̂ and what
        is left of each weight, |w|/|w without decay|, with L2 and decoupled.

    Raises:
        TypeError, ValueError: If an argument is none of the above.
    """
    from scipy.stats import spearmanr

    record = Recorder(NAME, seed, quick, progress)
    steps = 100 if quick else 1000
    total = len(PAIRS) + 1
    with _double.precision():
        batches = _batches(seed, steps)
        distances = []
        for done, pair in enumerate(PAIRS):
            record.at(pair.title, done, total)
            distances.append(_distance(pair, batches, seed))
        record.at("what is left of each weight under Adam", total - 1, total)
        spared = _spared(batches, seed)
    record.at("done", total, total)
    correlations = {
        name: float(spearmanr(spared["root_v"], spared[name]).statistic)
        for name in ("l2", "decoupled")
    }
    numbers = {
        "steps": steps,
        "distance": {pair.title: d for pair, d in zip(PAIRS, distances, strict=True)},
        "adam": {**spared, "rank_correlation": correlations},
    }

    def draw():
        from keras_decay.experiments._equivalence_figures import draw_distances

        return draw_distances(found, PAIRS)

    def draw_adam():
        from keras_decay.experiments._equivalence_figures import draw_spared

        return draw_spared(found)

    found = record.findings(
        tables=[_table(distances)],
        sentences=_sentences(distances, correlations, steps),
        numbers=numbers,
        drawings=dict(zip(FIGURES, (draw, draw_adam), strict=True)),
    )
    return found


def _batches(seed, steps):
    """(x, y) for each step: the training rows, shuffled anew whenever they are used."""
    part = _data.load(seed).train
    # The data's columns have norm 1; here each has a variance of about 1.
    x, y = part.x * np.sqrt(len(part.x)), part.y[:, None]
    rng = np.random.default_rng(seed)
    rounds = -(-steps * BATCH // len(x))
    order = np.concatenate([rng.permutation(len(x)) for _ in range(rounds)])
    return [(x[rows], y[rows]) for rows in order[: steps * BATCH].reshape(steps, BATCH)]


def _model(optimizer, seed, l2=0.0):
    import keras

    from keras_decay.models import build_optimizer
    from keras_decay.regularizers import L2

    keras.utils.set_random_seed(seed)
    penalty = L2(l2) if l2 else None
    model = keras.Sequential(
        [
            keras.Input((10,)),
            keras.layers.Dense(UNITS, "tanh", kernel_regularizer=penalty),
            keras.layers.Dense(1, kernel_regularizer=penalty),
        ]
    )
    model.compile(optimizer, "mse")
    build_optimizer(model)
    return model


def _optimizer(pair, steps):
    import keras

    name, arguments = pair.optimizer
    rate = pair.rate
    if rate == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(RATE, steps)
    return getattr(keras.optimizers, name)(rate, **arguments)


def _trained(model, batches):
    """The kernels after every step, (steps, weights)."""
    path = []
    for x, y in batches:
        model.train_on_batch(x, y)
        path.append(_kernels(model))
    return np.stack(path)


def _kernels(model):
    return np.concatenate([np.ravel(layer.get_weights()[0]) for layer in model.layers])


def _distance(pair, batches, seed):
    """‖w_decoupled − w_L2‖/‖w_L2‖ after every step."""
    from keras_decay.optimizers import DecoupledWeightDecay

    decoupled = DecoupledWeightDecay(
        _optimizer(pair, len(batches)),
        pair.decay,
        coupling=pair.coupling,
        base_learning_rate=RATE if pair.rate == "cosine" else None,
    )
    ours = _trained(_model(decoupled, seed), batches)
    loss = _optimizer(pair, len(batches))
    theirs = _trained(_model(loss, seed, l2=pair.l2), batches)
    norm = np.linalg.norm(theirs, axis=1)
    return np.linalg.norm(ours - theirs, axis=1) / norm


def _spared(batches, seed):
    """√v̂ of every weight under Adam with L2, and what either decay leaves of it."""
    import keras

    from keras_decay.optimizers import AdamW

    def adam():
        return keras.optimizers.Adam(ADAM_RATE)

    plain, penalised = _model(adam(), seed), _model(adam(), seed, l2=DECAY / 2)
    # Adam's L2 takes away so much more that at the converted λ there would be nothing
    # to be seen beside it.
    decoupled = _model(AdamW(ADAM_RATE, STRONGER * DECAY), seed)
    for model in (plain, penalised, decoupled):
        _trained(model, batches)
    optimizer = plain.optimizer
    # Biases have a velocity too; kernels alone have two axes.
    velocities = [
        keras.ops.convert_to_numpy(v)
        for v in optimizer.variables
        if v.path.endswith("velocity") and len(v.shape) == 2
    ]
    v = np.concatenate([np.ravel(each) for each in velocities])
    unbiased = v / (1 - optimizer.beta_2 ** len(batches))
    left = np.abs(_kernels(plain))
    return {
        "root_v": np.sqrt(unbiased),
        "l2": np.abs(_kernels(penalised)) / left,
        "decoupled": np.abs(_kernels(decoupled)) / left,
    }


def is_same(distance):
    """Whether two trainings are one, up to rounding, at every step."""
    return bool(np.max(distance) < ROUNDING)


def _table(distances):
    rows = [
        (
            pair.title,
            pair.formula,
            float(distance[-1]),
            "the same" if is_same(distance) else "not the same",
        )
        for pair, distance in zip(PAIRS, distances, strict=True)
    ]
    return Table(
        columns=("optimizer, coupling", "λ of L2", "distance", "verdict"),
        rows=tuple(rows),
        note="distance: ‖w − w with L2‖ / ‖w with L2‖ after the last step, in float64",
    )


def _sentences(distances, correlations, steps):
    by_title = {p.title: d for p, d in zip(PAIRS, distances, strict=True)}
    same = max(d.max() for p, d in zip(PAIRS, distances, strict=True) if p.claim)
    said = "stay the same" if same < ROUNDING else "do not stay the same"
    return [
        f"Under plain SGD decoupled decay and L2 {said} over {steps} steps, up to a "
        f"relative distance of {same:.1g}, with any schedule, if λ is converted.",
        f"Leave η out of the conversion and they are "
        f"{by_title['SGD, independent, η forgotten'][-1]:.0%} apart.",
        f"With momentum they are {by_title['momentum 0.9'][-1]:.1%} apart at the end, "
        f"with RMSprop {by_title['RMSprop'][-1]:.0%}, with Adam "
        f"{by_title['Adam'][-1]:.0%}: there L2 is not weight decay.",
        "Adam's L2 spares the weights with large gradients: the rank correlation of √v̂ "
        f"and what is left of a weight is {correlations['l2']:.2f}; of decoupled decay "
        f"it is {correlations['decoupled']:.2f}.",
    ]
