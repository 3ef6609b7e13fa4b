"""Which decay shall I take? Each form on two data sets, with its own best strength.

Every form is trained on several splits of the rows into training, validation and test
with several strengths. The strength is chosen by the loss on the validation rows, and
the test rows say what has come of it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from keras_decay.experiments._findings import Recorder, Table
from keras_decay.experiments._pairs import compared
from keras_decay.experiments._problems import PROBLEMS, held_out_losses

NAME = "which-decay"
FIGURES = ("which-decay", "which-decay-strengths")
BATCH = 25
EPOCHS = 30
SPLITS, QUICK_SPLITS = 8, 3
STRENGTHS, QUICK_STRENGTHS = 8, 3
DECADES = 2.8  # from the least strength to the largest
# If the strength lies at the grid's edge in this share of the splits, it is said.
OFTEN = 0.25
RATES = {"digits": 1e-2, "diabetes": 3e-3}
TRAIN = 200
HELD_OUT = {"digits": (200, 400), "diabetes": (100, 142)}


class Form(NamedTuple):
    """A form of decay.

    Attributes:
        name, title: In numbers, and in words.
        compiled: Function of (problem, Adam, strength, peak rate) that returns a model.
        least: log10 of the least strength, for each problem.
    """

    name: str
    title: str
    compiled: Callable[..., Any]
    least: dict


def _in_loss(problem, adam, strength, peak):
    from keras_decay.regularizers import L2

    del peak
    return problem.model(adam, L2(strength))


def _decoupled(coupling="learning_rate", cautious=False, form=None):
    def compiled(problem, adam, strength, peak):
        from keras_decay import optimizers

        decay = strength if form is None else getattr(optimizers, form)(strength)
        optimizer = optimizers.DecoupledWeightDecay(
            adam,
            decay,
            coupling=coupling,
            cautious=cautious,
            base_learning_rate=peak if coupling == "corrected" else None,
        )
        return problem.model(optimizer)

    return compiled


def _proximal(penalty):
    def compiled(problem, adam, strength, peak):
        from keras_decay import optimizers, regularizers

        del peak
        omega = getattr(regularizers, penalty)(strength)
        return problem.model(optimizers.DecoupledWeightDecay(adam, penalty=omega))

    return compiled


def _from(digits, diabetes):
    """log10 of the least strength for each problem."""
    return {"digits": digits, "diabetes": diabetes}


NONE = Form("none", "none", _in_loss, {})
L2 = Form("l2", "L2 in the loss", _in_loss, _from(-3.4, -3.4))
ADAMW = Form("adamw", "AdamW", _decoupled(), _from(-1.0, -0.7))
FORMS = (
    NONE,
    L2,
    ADAMW,
    Form("cautious", "cautious", _decoupled(cautious=True), _from(-1.0, 0.2)),
    Form("corrected", "corrected", _decoupled("corrected"), _from(-1.0, -0.7)),
    Form("stable", "stable", _decoupled(form="StableDecay"), _from(-3.6, -3.6)),
    Form(
        "toward",
        "toward initial weights",
        _decoupled(form="DecayToward"),
        _from(-2.6, -0.7),
    ),
    Form("l1", "L1, proximal", _proximal("L1"), _from(-3.0, -2.4)),
    Form("group", "group lasso, proximal", _proximal("GroupLasso"), _from(-3.0, -3.0)),
)
QUICK_FORMS = (NONE, L2, ADAMW)


def run(*, seed=0, quick=False, progress=None):
    """Trains every form with every strength on every split, and compares.

    Args:
        seed: Of the splits, initial weights and batches.
        quick: Diabetes alone, no decay, L2 and AdamW, on a smaller scale.
        progress: Called with (what, done, total) before each form.

    Returns:
        The `Findings`. `numbers[problem][form]` holds strengths, and losses on
        validation and test rows of shape (strengths, splits), the strength chosen for
        each split, and its losses on the test rows.

    Raises:
        TypeError, ValueError: If an argument is none of the above.
    """
    record = Recorder(NAME, seed, quick, progress)
    problems = ("diabetes",) if quick else tuple(PROBLEMS)
    forms = QUICK_FORMS if quick else FORMS
    total = len(problems) * (len(forms) - 1)  # none is L2 with the strength 0
    numbers: dict[str, dict] = {}
    done = 0
    for name in problems:
        problem = PROBLEMS[name](seed, train=TRAIN, validation=HELD_OUT[name][0])
        numbers[name] = {}
        for form in forms[1:]:
            record.at(f"{form.title}, {name}", done, total)
            numbers[name] |= _results(problem, form, seed, quick)
            done += 1
    record.at("done", total, total)
    titles = {form.name: form.title for form in forms}
    comparisons = {
        name: compared({form.name: numbers[name][form.name]["test"] for form in forms})
        for name in problems
    }

    def draw():
        from keras_decay.experiments._which_decay_figures import draw_losses

        return draw_losses(found, titles)

    def draw_strengths():
        from keras_decay.experiments._which_decay_figures import draw_strengths

        return draw_strengths(found, titles)

    found = record.findings(
        tables=[_table(name, forms, numbers, comparisons) for name in problems],
        sentences=_sentences(forms, numbers, comparisons),
        numbers={"losses": numbers, "comparisons": comparisons},
        drawings=dict(zip(FIGURES, (draw, draw_strengths), strict=True)),
    )
    return found


def _results(problem, form, seed, quick):
    """What is found of a form, by its name; with L2 also of none at all."""
    count = QUICK_STRENGTHS if quick else STRENGTHS
    least = form.least[problem.name]
    strengths = np.logspace(least, least + DECADES, count)
    first = [0.0] if form is L2 else []
    losses = held_out_losses(
        problem,
        lambda strength: model_of(problem, form, strength),
        [*first, *strengths],
        splits=QUICK_SPLITS if quick else SPLITS,
        seed=seed,
        test=HELD_OUT[problem.name][1],
        epochs=EPOCHS,
        batch_size=BATCH,
    )
    found = {}
    if first:
        without = {name: of_each[:1] for name, of_each in losses.items()}
        found[NONE.name] = _chosen(np.zeros(1), without)
        losses = {name: of_each[1:] for name, of_each in losses.items()}
    return found | {form.name: _chosen(strengths, losses)}


def model_of(problem, form, strength):
    """A new model with a form of decay, under Adam with a cosine schedule."""
    import keras

    peak = RATES[problem.name]
    steps = EPOCHS * -(-TRAIN // BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(peak, steps)
    return form.compiled(problem, keras.optimizers.Adam(schedule), strength, peak)


def _chosen(strengths, losses):
    """The strengths that the validation rows choose, and their losses on test rows."""
    validation, test = losses["validation"], losses["test"]
    # A diverged training is never chosen.
    best = np.argmin(np.where(np.isfinite(validation), validation, np.inf), axis=0)
    splits = np.arange(validation.shape[1])
    return {
        "strengths": strengths,
        "validation_losses": validation,
        "test_losses": test,
        "chosen": strengths[best],
        "at_edge": int(((best == 0) | (best == len(strengths) - 1)).sum()),
        "test": test[best, splits],
    }


def _table(name, forms, numbers, comparisons):
    rows = []
    for form in sorted(forms, key=lambda f: numbers[name][f.name]["test"].mean()):
        own, against = numbers[name][form.name], comparisons[name][form.name]
        test = own["test"]
        error = test.std(ddof=1) / np.sqrt(len(test))
        rows.append(
            (
                form.title,
                None if form is NONE else float(np.median(own["chosen"])),
                f"{test.mean():.3f} ± {error:.3f}",
                None if against["p"] is None else f"{against['difference']:+.3f}",
                against["words"],
            )
        )
    return Table(
        columns=("decay", "λ", "test loss", "diff.", "against the best"),
        rows=tuple(rows),
        title=f"{name}, Adam",
        note=(
            "λ: the median of those chosen by the validation loss. test loss: without\n"
            "the penalty, mean ± standard error over splits. worse: p < 0.05 by a\n"
            "t-test paired over splits, corrected by Holm; as splits share rows, p is\n"
            "somewhat too small"
        ),
    )


def _sentences(forms, numbers, comparisons):
    titles = {form.name: form.title for form in forms}
    said = []
    for name, of_form in numbers.items():
        means = {form: own["test"].mean() for form, own in of_form.items()}
        against = comparisons[name]
        best = min(means, key=lambda form: means[form])
        alike = [titles[f] for f in means if against[f]["words"] == "not significant"]
        worse = [titles[f] for f in means if against[f]["words"] == "worse"]
        text = f"{name}: {titles[best]} has the lowest test loss, {means[best]:.3f}"
        if best != NONE.name:
            text += f", {1 - means[best] / means[NONE.name]:.0%} below no decay"
        said.append(text + ".")
        if alike:
            said.append(f"{name}: not significantly different: {', '.join(alike)}.")
        at_edge = [
            titles[f]
            for f, own in of_form.items()
            if f != NONE.name and own["at_edge"] >= OFTEN * len(own["test"])
        ]
        if worse:
            said.append(f"{name}: significantly worse: {', '.join(worse)}.")
        if at_edge:
            said.append(
                f"{name}: λ often chosen at its grid's edge, so that a form may do "
                f"better than shown: {', '.join(at_edge)}."
            )
    if len(numbers) > 1:
        good = [
            titles[f]
            for f in means
            if all(c[f]["words"] != "worse" for c in comparisons.values())
        ]
        if good:
            said.append(f"On no data set significantly worse: {', '.join(good)}.")
        else:
            said.append("No form is among the best on all data sets.")
    return said
