"""The trainings of a cross-validation, and what comes of them by candidate and fold."""

import time
import warnings

import numpy as np
from sklearn.exceptions import FitFailedWarning

from keras_decay.search import _scoring
from keras_decay.search._building import rows_of
from keras_decay.search._histories import has_failed
from keras_decay.search._work import Split, Task

SHOWN = 3  # candidates that a warning names


def splits_of(cv, x, y, groups, is_classifier):
    """The `Split`s that scikit-learn's `check_cv` gives.

    Raises:
        ValueError: If a fold has no row to train or to test on.
    """
    from sklearn.model_selection import check_cv

    rows = len(y)
    found = []
    try:
        splitter = check_cv(cv, y, classifier=is_classifier)
    except ValueError as error:
        must = "a number of folds, a splitter or an iterable of pairs of indices"
        raise ValueError(f"`cv` must be {must}. {error}") from error
    for fold in splitter.split(x, y, groups):
        parts = [np.asarray(part) for part in fold]
        parts = [np.flatnonzero(p) if p.dtype == bool else p for p in parts]
        if not all(len(part) for part in parts):
            raise ValueError(
                "`cv` must leave rows to train on and rows to test on in every fold. "
                f"Received: {len(parts[0])} and {len(parts[1])} of {rows} rows"
            )
        found.append(Split(*parts))
    if not found:
        raise ValueError("`cv` must give at least one fold. Received: none")
    return found


class Trainings:
    """Outcomes by candidate, fold and seed.

    Args:
        candidates, folds, seeds: How many.
        outcomes: As `run` returns them for `tasks_of`.
    """

    def __init__(self, candidates, folds, seeds, outcomes):
        self.shape = (candidates, folds, seeds)
        self.outcomes = np.empty(len(outcomes), object)
        self.outcomes[:] = outcomes
        self.outcomes = self.outcomes.reshape(self.shape)
        self.finished = np.array(
            [all(o is not None for o in one.flat) for one in self.outcomes]
        )

    def of_candidate(self, index):
        """All outcomes of one candidate that there are."""
        return [o for o in self.outcomes[index].flat if o is not None]

    def seconds(self):
        """The mean time of training over seeds, by candidate and fold."""
        return self._by_fold(lambda outcome, fold: outcome.seconds)

    def failed(self):
        """The numbers of finished candidates of which a training ended in NaN."""
        return [
            i
            for i in range(self.shape[0])
            if self.finished[i] and any(map(has_failed, self.of_candidate(i)))
        ]

    def training_loss(self, weighted):
        """The data loss of the rows trained on, by candidate and fold."""
        return self._by_fold(weighted.training_loss)

    def scores(self, scorers, held_out, targets, error_score, weighted):
        """The scores of the trainings, and how long scoring took.

        Args:
            scorers: Dict from names to scorers, None for minus the data loss.
            held_out: For each fold the inputs and targets, as scorers want them.
            targets: `Classes` or `Numbers`.
            error_score: The score of a training that ended in NaN.
            weighted: The `WeightedScores`, for minus the data loss.

        Returns:
            A dict of arrays of shape (candidates, folds), and such an array.
        """
        times = np.zeros(self.shape[:2])
        tables = {}
        for name, scorer in scorers.items():

            def one(outcome, fold, scorer=scorer):
                if has_failed(outcome):
                    return error_score
                if scorer is None:
                    return weighted.of(outcome, fold)
                predicted = _scoring.Predicted(outcome.predictions, targets)
                return _scoring.score(scorer, predicted, *held_out[fold])

            tables[name] = self._by_fold(one, times)
        return tables, times / self.shape[2]

    def _by_fold(self, function, times=None):
        table = np.full(self.shape[:2], np.nan)
        for i, j in np.ndindex(*self.shape[:2]):
            if self.finished[i]:
                start = time.perf_counter()
                values = [function(outcome, j) for outcome in self.outcomes[i, j]]
                table[i, j] = np.mean(values)
                if times is not None:
                    times[i, j] += time.perf_counter() - start
        return table


def tasks_of(candidates, folds, seeds):
    """A `Task` for every candidate, fold and seed."""
    return [
        Task(candidate, fold, seed)
        for candidate in range(candidates)
        for fold in range(folds)
        for seed in seeds
    ]


def held_out_rows(splits, x, y):
    """For each fold the inputs and targets that scorers see."""
    return [(rows_of(x, split.valid), rows_of(y, split.valid)) for split in splits]


def warn_of_failures(candidates, trainings, error_score):
    """Say once which candidates ended in NaN, and which were not finished.

    Raises:
        ValueError: If nothing finished is left, or `error_score` is "raise".
    """
    failed = trainings.failed()
    finished = np.flatnonzero(trainings.finished)
    if failed:
        named = ", ".join(str(candidates[i]) for i in failed[:SHOWN])
        named += f" and {len(failed) - SHOWN} more" * (len(failed) > SHOWN)
        text = f"Training ended in NaN or infinity for {named}."
        if error_score == "raise":
            raise ValueError(text)
        every = all(has_failed(o) for i in failed for o in trainings.of_candidate(i))
        if len(failed) == len(finished) and (every or np.isnan(error_score)):
            raise ValueError(
                f"All candidates failed. {text} Look for learning rates that are too "
                "high, and for targets of very different sizes."
            )
        warnings.warn(
            f"{text} It scores {error_score} in the folds in which it did.",
            FitFailedWarning,
            stacklevel=3,
        )
    if len(finished) < len(candidates):
        warnings.warn(
            f"The search was interrupted: {len(finished)} of {len(candidates)} "
            "candidates are finished, and the choice is among them.",
            stacklevel=3,
        )
