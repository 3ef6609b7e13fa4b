"""Does the best decay depend on the learning rate? Maps of both, for four optimizers.

Loshchilov and Hutter (arXiv 1711.05101, figures 1 and 2) train a network for every pair
of a learning rate and a decay. With L2 in the loss their good pairs lie on a diagonal,
with decoupled decay on a rectangle, so that either can be tuned without the other. Here
the same maps are made on two small data sets, and the slope of the valley is measured.
"""

from typing import NamedTuple

import numpy as np

from keras_decay.experiments._coupling import coupling_of
from keras_decay.experiments._findings import Recorder, Table
from keras_decay.experiments._problems import PROBLEMS
from keras_decay.experiments._seeds import interval_text, mean_and_interval

NAME = "decoupling"
FIGURES = ("decoupling", "decoupling-slopes")
BATCH = 25
EPOCHS, QUICK_EPOCHS = 30, 14
MOMENTUM = 0.9
SEEDS, QUICK_SEEDS = 5, 2
GRID, QUICK_GRID = (12, 12), (3, 6)
VALIDATION = {"digits": 400, "diabetes": 242}


class Arm(NamedTuple):
    """An optimizer, with L2 in the loss or with decoupled decay.

    Attributes:
        name, title: In numbers, and in words.
        inner: "SGD" or "Adam".
        decoupled: Whether decay is in the optimizer.
        decays: log10 of the least and the largest decay, for each problem: of L2 the λ
            in loss + λ/2 Σw², decoupled that of the paper, w ← w − u − (η_t/η_0) λ w.
    """

    name: str
    title: str
    inner: str
    decoupled: bool
    decays: dict


ARMS = (
    Arm(
        "sgd",
        "SGD with L2",
        "SGD",
        False,
        {"digits": (-3.6, -0.3), "diabetes": (-3.0, 0.3)},
    ),
    Arm(
        "sgdw", "SGDW", "SGD", True, {"digits": (-3.8, -0.5), "diabetes": (-3.8, -0.5)}
    ),
    Arm(
        "adam",
        "Adam with L2",
        "Adam",
        False,
        {"digits": (-3.3, 0.0), "diabetes": (-2.8, 0.5)},
    ),
    Arm(
        "adamw", "AdamW", "Adam", True, {"digits": (-3.3, 0.0), "diabetes": (-3.0, 0.3)}
    ),
)
RATES = {
    ("digits", "SGD"): (-2.5, 0.0),
    ("digits", "Adam"): (-3.25, -0.5),
    ("diabetes", "SGD"): (-3.25, -0.5),
    ("diabetes", "Adam"): (-3.5, -0.75),
}
QUICK_RATES = (-2.25, -1.25)
QUICK_DECAYS = {"sgd": (-2.5, 0.0), "sgdw": (-3.0, -0.5)}


class Map(NamedTuple):
    """The losses of one problem and one arm.

    Attributes:
        problem, arm: What was trained.
        rates, decays: log10 of each.
        losses: The data loss on the validation rows after the last epoch, of shape
            (seeds, rates, decays); NaN where it diverged.
    """

    problem: str
    arm: Arm
    rates: np.ndarray
    decays: np.ndarray
    losses: np.ndarray

    @property
    def mean(self):
        """The `Coupling` of the mean over seeds."""
        return coupling_of(self.losses.mean(axis=0), self.rates, self.decays)

    @property
    def of_seeds(self):
        """The `Coupling` of each seed alone."""
        return [coupling_of(one, self.rates, self.decays) for one in self.losses]


def run(*, seed=0, quick=False, progress=None):
    """Trains a network for every learning rate, decay and seed, and measures the maps.

    Args:
        seed: Of the split; the first of the seeds of initial weights and batches.
        quick: SGD and diabetes alone, a smaller grid and fewer epochs.
        progress: Called with (what, done, total) before each map.

    Returns:
        The `Findings`. `numbers["maps"]` holds for each problem and optimizer learning
        rates, decays, and losses of shape (seeds, rates, decays);
        `numbers["couplings"]` the best decay at each learning rate, and its slope.

    Raises:
        TypeError, ValueError: If an argument is none of the above.
    """
    record = Recorder(NAME, seed, quick, progress)
    work = [
        (problem, arm)
        for problem in (("diabetes",) if quick else PROBLEMS)
        for arm in (ARMS[:2] if quick else ARMS)
    ]
    maps = []
    for done, (name, arm) in enumerate(work):
        record.at(f"{arm.title}, {name}", done, len(work))
        maps.append(_full_map(name, arm, seed, quick))
    record.at("done", len(work), len(work))

    def draw():
        from keras_decay.experiments._decoupling_figures import draw_maps

        return draw_maps(found, maps)

    def draw_slopes():
        from keras_decay.experiments._decoupling_figures import draw_slopes

        return draw_slopes(found)

    slopes = _slopes(maps)
    found = record.findings(
        tables=[_table(maps, slopes)],
        sentences=_sentences(slopes),
        numbers={
            "maps": {f"{m.problem}, {m.arm.name}": _numbers(m) for m in maps},
            "slopes": slopes,
        },
        drawings=dict(zip(FIGURES, (draw, draw_slopes), strict=True)),
    )
    return found


def _full_map(name, arm, seed, quick):
    if quick:
        grid, limits = QUICK_GRID, (QUICK_RATES, QUICK_DECAYS[arm.name])
    else:
        grid, limits = GRID, (RATES[name, arm.inner], arm.decays[name])
    rates, decays = (
        np.linspace(*ends, n) for ends, n in zip(limits, grid, strict=True)
    )
    seeds = [seed + i for i in range(QUICK_SEEDS if quick else SEEDS)]
    problem = PROBLEMS[name](seed, validation=VALIDATION[name])
    epochs = QUICK_EPOCHS if quick else EPOCHS
    losses = losses_of(problem, arm, rates, decays, seeds, epochs)
    return Map(name, arm, rates, decays, losses)


def losses_of(problem, arm, rates, decays, seeds, epochs, momentum=MOMENTUM):
    """The validation losses of a grid, of shape (seeds, rates, decays).

    Args:
        problem: The `Problem`.
        arm: The `Arm`.
        rates, decays: log10 of each.
        seeds: A list.
        epochs: How long each is trained.
        momentum: Of SGD.
    """
    from keras_decay.search import sweep

    steps = epochs * -(-len(problem.train.x) // BATCH)

    def build(rate, decay):
        return _model(problem, arm, 10**rate, 10**decay, steps, momentum)

    pairs = [{"rate": float(r), "decay": float(d)} for r in rates for d in decays]
    result = sweep(
        build,
        pairs,
        *problem.train,
        validation_data=problem.validation,
        epochs=epochs,
        batch_size=BATCH,
        seeds=seeds,
        verbose=False,
    )
    if result.report.interrupted:
        raise KeyboardInterrupt
    losses = result.final["val_data_loss"].T
    return losses.reshape(len(seeds), len(rates), len(decays))


def _model(problem, arm, rate, decay, steps, momentum):
    import keras

    from keras_decay.optimizers import DecoupledWeightDecay
    from keras_decay.regularizers import L2

    more = {"momentum": momentum} if arm.inner == "SGD" else {}
    cosine = keras.optimizers.schedules.CosineDecay(rate, steps)
    optimizer = getattr(keras.optimizers, arm.inner)(cosine, **more)
    if not arm.decoupled:
        return problem.model(optimizer, L2(decay / 2))
    decoupled = DecoupledWeightDecay(
        optimizer, decay, coupling="schedule", base_learning_rate=rate
    )
    return problem.model(decoupled)


def _slopes(maps):
    """For each problem and inner optimizer, what the slopes by seed come to."""
    found = []
    for coupled, decoupled in zip(maps[::2], maps[1::2], strict=True):
        slopes = {
            name: np.array([coupling.slope for coupling in one.of_seeds])
            for name, one in (("l2", coupled), ("decoupled", decoupled))
        }
        # λ of w − u − η_t λ w is that of the paper divided by η_0.
        slopes["decoupled_rate"] = slopes["decoupled"] - 1
        entry = {
            "problem": coupled.problem,
            "optimizer": coupled.arm.inner,
            "by_seed": slopes,
            "slope": {k: mean_and_interval(v) for k, v in slopes.items()},
            # By how much more the best decay follows the rate with L2 than decoupled.
            "advantage": {
                name: mean_and_interval(_size(slopes["l2"]) - _size(slopes[name]))
                for name in ("decoupled", "decoupled_rate")
            },
        }
        entry["verdict"] = {k: _verdict(v) for k, v in entry["advantage"].items()}
        found.append(entry)
    return found


def _size(slopes):
    """Of each seed's slope along the mean, so that their mean is the mean's size.

    Each slope's own absolute value would count noise about zero as a dependence.
    """
    known = slopes[np.isfinite(slopes)]
    return np.sign(known.mean()) * slopes if len(known) else slopes


def _verdict(advantage):
    """What an interval of |slope with L2| − |slope decoupled| says of the claim."""
    mean, width = advantage
    if mean - width > 0:
        return "shows"
    if mean + width < 0:
        return "reversed"
    return "undecided"


FORMS = {
    "l2": "λ/2 Σw²",
    "decoupled": "(η_t/η_0) λ w",
    "decoupled_rate": "η_t λ w",
}


def _table(maps, slopes):
    rows = []
    for entry, coupled, decoupled in zip(slopes, maps[::2], maps[1::2], strict=True):
        for form, of in zip(FORMS, (coupled, decoupled, decoupled), strict=True):
            sheared = form == "decoupled_rate"  # the second form's map, sheared
            rows.append(
                (
                    of.problem,
                    of.arm.title,
                    FORMS[form],
                    interval_text(entry["slope"][form]),
                    None if sheared else _correlation(of),
                    None if sheared else float(np.nanmin(of.losses.mean(axis=0))),
                )
            )
    return Table(
        columns=("data", "optimizer", "decay", "slope", "corr.", "best loss"),
        rows=tuple(rows),
        note=(
            "decay: λ/2 Σw² as a term of the loss, the others taken off the weights\n"
            "slope: of log best λ against log η, mean over seeds ± 95 % interval; at\n"
            "0 the best λ is the same for every η. corr.: of the two, mean over seeds\n"
            "best loss: on validation rows without the penalty, mean over seeds"
        ),
    )


def _correlation(one):
    """Of log best λ and log η, the mean over seeds."""
    return mean_and_interval([each.correlation for each in one.of_seeds])[0]


def _sentences(slopes):
    said = []
    for entry in slopes:
        l2, paper, keras = (interval_text(entry["slope"][form]) for form in FORMS)
        verdicts = (CLAIM[entry["verdict"][form]] for form in list(FORMS)[1:])
        of_paper, of_keras = verdicts
        said.append(
            f"{entry['problem']}, {entry['optimizer']}: the best λ goes as η to the "
            f"power {l2} with L2, and {paper} decoupled in the paper's form: that "
            f"decoupling frees it from η {of_paper}. In Keras' form, η_t λ w, the "
            f"power is {keras}: that it is freer than L2's {of_keras}."
        )
    counts = {
        verdict: sum(e["verdict"]["decoupled"] == verdict for e in slopes)
        for verdict in CLAIM
    }
    said.append(
        f"The paper's claim, in its own form, shows in {counts['shows']} of "
        f"{len(slopes)} pairs of maps; the reverse in {counts['reversed']}; "
        f"{counts['undecided']} undecided."
    )
    return said


CLAIM = {
    "shows": "shows here",
    "reversed": "is reversed here",
    "undecided": "cannot be decided here",
}


def _numbers(one):
    coupling = one.mean
    return {
        "log10_rates": one.rates,
        "log10_decays": one.decays,
        "losses": one.losses,
        "log10_best_decay": coupling.best,
        "correlations": [each.correlation for each in one.of_seeds],
    }
