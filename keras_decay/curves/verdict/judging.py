"""From rows to the verdict on them, in one word and one sentence."""

from dataclasses import dataclass

import numpy as np

from keras_decay.curves.data import columns
from keras_decay.curves.verdict import (
    phases,
    prechelt,
    remarks,
    rules,
    smoothed,
    suggestions,
)
from keras_decay.curves.verdict.case import Case
from keras_decay.curves.verdict.words import Words
from keras_decay.ground import schema, validation


@dataclass(frozen=True)
class Diagnosis:
    """The verdict on a learning curve, with the numbers that it rests on.

    `str(diagnosis)` is the verdict as a sentence. Losses are smoothed, see `diagnose`;
    epochs are counted as in the rows, from 0.

    Attributes:
        verdict: "underfitting", "improving", "good fit", "overfitting", "diverged" or
            "inconclusive".
        best_epoch: The epoch of the lowest smoothed validation loss, or None.
        onset_epoch: The epoch since which the model overfits, or None.
        best_val: The lowest smoothed validation loss, or None.
        final_val: The smoothed validation loss at the end, or None.
        final_train: The smoothed training loss at the end, or None.
        gap: `final_val` − `final_train`, or None. A large one is told in the sentence.
        rise: `final_val` / `best_val` − 1, Prechelt's generalisation loss as a
            fraction, or None.
        gl: Prechelt's generalisation loss GL at the end, 100 · `rise`, in percent.
        p_k: His training progress P_k over the last `strip` epochs, in per mille: by
            how much the mean of the training loss exceeds its lowest value there.
        pq: His quotient GL / P_k; infinite if GL > 0 where training makes no progress.
        up: In how many successive strips of `strip` epochs, up to the end, the
            smoothed validation loss has risen: his UP_s holds for s ≤ `up`.
        strip: k, the length of a strip in epochs with validation.
        window: Length of the centred moving average of the validation loss, in epochs
            with validation, or None.
        n_epochs: The number of epochs recorded.
        column: The column judged: "data_loss", the loss apart from the penalty, or
            "loss" where only that was recorded.
        sentence: The verdict as a sentence.
        suggestion: What to try next, as a sentence.
        confidence: The probability that "overfits" or "does not", whichever the verdict
            says, is right; for "inconclusive" that of the likelier one. None for
            "diverged" and where there are too few evaluations to tell.
    """

    verdict: str
    sentence: str
    column: str
    n_epochs: int
    best_epoch: int | None = None
    onset_epoch: int | None = None
    best_val: float | None = None
    final_val: float | None = None
    final_train: float | None = None
    gap: float | None = None
    rise: float | None = None
    gl: float | None = None
    p_k: float | None = None
    pq: float | None = None
    up: int | None = None
    strip: int = prechelt.STRIP
    window: int | None = None
    suggestion: str = ""
    confidence: float | None = None

    def __str__(self):
        return self.sentence


def judge(rows, *, metric="loss", mode="min", n_validation=None):
    """Judge the rows of one training; `diagnose` says by which rules.

    Args:
        rows: A list of dicts, one for each epoch, each with the key `epoch`.
        metric: The name of what is judged.
        mode: "min" if it should be low, "max" if it should be high.
        n_validation: The number of validation rows, or None.

    Returns:
        A `Diagnosis`.
    """
    _check(metric, mode, n_validation)
    column = columns.loss_columns(rows) if metric == schema.LOSS else metric
    train, val = (
        _series(rows, name, mode) for name in (column, schema.VALIDATION + column)
    )
    both = smoothed.Curves.of(train, val, columns.names(rows))
    words = Words(metric, mode, both.exponent)
    case = Case.of(both, phases.phases(rows), words, n_validation)
    numbers = _numbers(case)
    answers = (rule(case) for rule in rules.RULES)
    found = next(answer for answer in answers if answer is not None)
    found["sentence"] += (
        remarks.doubt(found, case)
        + remarks.gap(case)
        + remarks.overconfidence(found, case, rows, column)
        + remarks.phase(case)
        + remarks.penalised(rows, column)
        + remarks.left_out(both.not_finite, (train, val))
    )
    if getattr(rows, "n_runs", 1) > 1:
        found["sentence"] += f" ({rows})"
    advice = suggestions.suggestion(
        found["verdict"], rows, numbers.get("best_epoch"), case.evidence is not None
    )
    return Diagnosis(
        column=column,
        n_epochs=len(rows),
        confidence=_confidence(found["verdict"], case),
        suggestion=advice,
        **numbers,
        **found,
    )


def _series(rows, column, mode):
    """What is recorded in a column, as a loss."""
    found = columns.series(rows, column)
    sign = -1.0 if mode == "max" else 1.0
    return columns.Series(found.epochs, sign * found.values)


def _check(metric, mode, n_validation):
    if not isinstance(metric, str) or not metric:
        raise TypeError(validation.received("metric", metric, "the name of a column"))
    if mode not in ("min", "max"):
        raise ValueError(validation.received("mode", mode, '"min" or "max"'))
    if n_validation is None:
        return
    is_count = isinstance(n_validation, (int, np.integer))
    if not is_count or isinstance(n_validation, bool) or n_validation < 1:
        must = "a number of rows, at least 1, or None"
        raise ValueError(validation.received("n_validation", n_validation, must))


def _confidence(verdict, case):
    """The probability that "overfits" or "does not" is right."""
    if case.probability is None or verdict == "diverged":
        return None
    if verdict == "overfitting":
        return case.probability
    if verdict == "inconclusive":
        return max(case.probability, 1 - case.probability)
    return 1 - case.probability


def _numbers(case):
    train, val, words = case.curves.train, case.curves.val, case.words
    numbers = {}
    if len(train):
        numbers["final_train"] = words.value(train.smooth[-1])
    if len(val):
        numbers["best_epoch"] = int(val.epochs[val.best])
        numbers["best_val"] = words.value(val.smooth[val.best])
        numbers["final_val"] = words.value(val.smooth[-1])
        numbers["rise"] = val.rise
        numbers["gl"] = 100 * val.rise
        numbers["up"] = prechelt.successive_rises(val.smooth)
        numbers["window"] = val.window
    if len(train) and len(val):
        with np.errstate(over="ignore"):
            numbers["gap"] = numbers["final_val"] - numbers["final_train"]
        numbers["p_k"] = prechelt.progress(train.raw)
        numbers["pq"] = prechelt.quotient(numbers["gl"], numbers["p_k"])
    return numbers
