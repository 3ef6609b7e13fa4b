"""Which candidate is taken, and how long it is trained on all rows."""

import dataclasses

import numpy as np

from keras_decay.ground import validation
from keras_decay.search import _scoring, _strengths
from keras_decay.search._building import build_model, first_rows, length
from keras_decay.search._direction import direction
from keras_decay.search._run import run
from keras_decay.search._strengths import strength_of
from keras_decay.search._work import Job, Split, Task

ONE_SE = "1se"


def main_score(refit, scorers, several):
    """The name of the score that decides; None if a callable looks at several."""
    if not several:
        must = "True, False, '1se' or a function of cv_results_ that returns an index"
        if not (
            isinstance(refit, (bool, np.bool_)) or refit == ONE_SE or callable(refit)
        ):
            raise ValueError(validation.received("refit", refit, must))
        return _scoring.DATA_LOSS
    names = ", ".join(map(repr, scorers))
    if callable(refit) or refit is False:
        return None
    if not isinstance(refit, str) or refit not in scorers:
        must = f"one of the scores {names}, a function or False where there are several"
        raise ValueError(validation.received("refit", refit, must))
    return refit


def strength_for(refit, candidates, stronger):
    """The `Strength`, None where none is needed and none is plain to see.

    Its sign is None where it is still to be measured.
    """
    if refit == ONE_SE or stronger is not None:
        return strength_of(candidates, stronger)
    try:
        return strength_of(candidates)
    except ValueError:
        return None


def directed(strength, search, candidates, seed, row):
    """The `Strength` with its sign, measured on models that `build` makes.

    Args:
        strength: As `strength_for` gives it.
        search: The estimator.
        candidates: A list of dicts.
        seed: The seed that models are built with.
        row: A row of inputs.

    Returns:
        None where no sign is needed and none is to be measured.

    Raises:
        ValueError: If one is needed and none is to be measured.
    """
    if strength is None or len(candidates) == 1:
        return strength and strength._replace(sign=strength.sign or 1)
    measured = direction(search.build, candidates, strength.name, seed, row)
    found = _strengths.directed(strength, search.stronger, measured)
    if found is None and search.refit == ONE_SE:
        if measured is None:
            raise _strengths.undirected(strength.name)
        # What changes nothing is refused by `run`, before anything is trained.
        return strength._replace(sign=1)
    return found


def check_error_score(value):
    """The score of a training that ended in NaN: a number, NaN too, or "raise"."""
    if value == "raise" or validation.is_number(value):
        return value
    raise ValueError(validation.received("error_score", value, "a number or 'raise'"))


def check_folds(refit, splits):
    """Refuse the one-standard-error rule where there is no standard error."""
    if refit == ONE_SE and len(splits) < 2:
        must = "at least two folds where refit='1se', for a standard error"
        raise ValueError(f"`cv` must give {must}. Received: one. Give refit=True")


def check_scores(scores, scorers):
    """Refuse a score that is known for no candidate."""
    for name, table in scores.items():
        if not np.isnan(table.mean(axis=1)).all():
            continue
        if scorers[name] is None:
            raise ValueError(
                "`scoring` must be given: this model's training step does not tell its "
                "data loss, which scoring=None stands for. Received: scoring=None"
            )
        raise ValueError(
            f"`scoring` must give numbers. Received: NaN alone of {name!r}"
        )


def index_by(refit, results):
    """The candidate that a user's function chooses."""
    index = refit(results)
    count = len(results["params"])
    if isinstance(index, (bool, np.bool_)) or not isinstance(index, (int, np.integer)):
        must = f"a function that returns a whole number. It returned {index!r}"
        raise TypeError(validation.received("refit", refit, must))
    if not 0 <= index < count:
        must = f"a function that returns 0 to {count - 1}. It returned {index}"
        raise ValueError(validation.received("refit", refit, must))
    return int(index)


def settings_on_all_rows(settings, outcomes):
    """How the choice is trained on all rows, where nothing is left to validate on.

    Early stopping by a validation cannot go on. In its place the training takes the
    median number of epochs that the trainings of the folds took: to their best epoch
    if its weights were restored, else to their last.
    """
    stopping, epochs = settings.stopping, settings.epochs
    if stopping is not None and stopping.monitor.startswith("val_"):
        lengths = [
            len(next(iter(outcome.history.values())))
            if outcome.best_epoch is None
            else outcome.best_epoch + 1
            for outcome in outcomes
        ]
        stopping, epochs = None, max(1, round(float(np.median(lengths))))
    return dataclasses.replace(
        settings, epochs=epochs, stopping=stopping, predict=False, keep_weights=True
    )


def train_on_all_rows(job, index, seed, settings, how):
    """A model of one candidate, trained on all rows here, and its `Outcome`."""
    data = dataclasses.replace(job.data, valid_weight=None)
    params = job.candidates[index]
    rows = Split(np.arange(length(data.x)), np.arange(0))
    whole = Job(job.build, [params], [rows], data, settings)
    here = how | {"n_jobs": 1}  # for a single training no workers are started
    (outcome,), _ = run(whole, [Task(0, 0, seed)], **here)
    if outcome is None:
        raise KeyboardInterrupt
    model = build_model(job.build, params, seed, first_rows(data.x, 1))
    model.set_weights(outcome.weights)
    return model, outcome
