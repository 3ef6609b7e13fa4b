"""What a learning curve says, in one word and one sentence."""

from dataclasses import dataclass

import numpy as np

from keras_decay.curves.data import columns
from keras_decay.curves.verdict import prechelt, smoothed, suggestions, verdicts


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
        gap: `final_val` − `final_train`, or None.
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

    def __str__(self):
        return self.sentence


def diagnose(source, *, run=-1):
    """Judge a learning curve: is the model underfitting, overfitting, or neither?

    With E_va and E_tr the validation and training loss, both smoothed by a centred
    moving average over 5 % of the epochs (at least 3), the first rule that holds
    decides:

    - *diverged*: the last loss is not finite; or E_tr ends at more than twice its
      first value, or has never come back to it and ends 5 % above it, more than noise
      does; or it has given back three quarters of a fall by more than half.
    - *inconclusive*: fewer than 5 epochs with validation, or no training loss. The
      columns found are named.
    - *overfitting*: E_va ends above its best by more than four standard errors of that
      average, E_tr has fallen by at least 2 % since, and either

        - the generalisation loss GL = E_va(end) / min E_va − 1, less three of its
          standard errors, exceeds 7 %, and is twice the size of rises that were undone
          again; the standard error allows for losses that are correlated from epoch to
          epoch; or
        - the rise is large: GL of at least 12 %, which takes back at least 12 % of what
          was learned, E_tr(0) − min E_va; and it is smooth, 25 times the jitter from
          epoch to epoch, or three standard errors where 30 epochs or more show that the
          jitter is hardly correlated (at most 0.35); or
        - the rise is steady: the last four evaluations or more, from the lowest loss
          on, were each worse than the one before, by more than 1 % in all and by more
          than any rise that was undone before. These are losses as recorded, and four
          standard errors are not asked.

        The onset is the last epoch at which E_va was within a standard error of its
        best; under a steady rise, that of the lowest loss.

    - *inconclusive*, too, if E_va has risen in the first two ways, but E_tr has not
      fallen; or if a steady rise is smaller, or has lasted two or three evaluations.
      Where E_tr has not fallen, or rises as large were undone before, *improving* and
      *underfitting* come first.
    - *improving*: half as many epochs again would bring E_va down by at least 4 %, and
      by two standard errors, if it went on as it went of late: in a straight line
      against the logarithm of the epochs. Its slope is the middle one of those over
      the last fifth, third and half, each a median over all pairs of epochs (Theil and
      Sen). And E_va is near its best: that was in the last fifth of the epochs, or lies
      at most 3 % below the end; and at most a tenth of what was learned is lost.
    - *underfitting*: E_tr has fallen by less than 30 % since the first epoch, and E_va
      lies within 20 % of that epoch's loss from it; or by less than 40 %, and it no
      longer changes.
    - *good fit*: none of these.

    The verdict is on the loss without penalty (`data_loss`, `val_data_loss`) where it
    was recorded, else on `loss` and `val_loss`. It does not depend on the unit of the
    loss. A single curve cannot tell a poor model from a hard task: underfitting means
    that training has brought little, good fit that it was stopped in time.
    How often the verdicts are right is told in docs/verdicts.md: 93 in 100 with at
    least 120 rows of validation, fewer with 50.

    A loss may have another program's name: `train_loss`, `Train Loss`, `train/loss`,
    `valid_loss`, `eval_loss` and the like, with capitals, spaces or a byte-order mark.
    Rows of one epoch that follow on one another are one row. Of several trainings in
    one file the last is judged, and the sentence says how many there are. What cannot
    be read is left out, and a warning gives its lines.

    Args:
        source: A `LearningCurve`, a list of dicts with one dict per epoch, a Keras
            `History`, a dict of lists, a pandas data frame; or the path of a file or
            folder. Everything that `read_curves` reads.
        run: Which of several runs is judged, from 0, or from −1 for the last
            backwards.

    Returns:
        A `Diagnosis`.

    Raises:
        TypeError: If `source` is none of these.
        FileNotFoundError: If there is no file at that path.
        ValueError: If the file is no learning curve.

    Example:

    ```python
    curve = {"loss": [1.0, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02],
             "val_loss": [1.1, 0.8, 0.7, 0.7, 0.8, 0.9, 1.0, 1.1]}
    print(kd.diagnose(curve))
    ```

    Reference: Prechelt, Early stopping, but when?, 1998, for GL, P_k, PQ and UP; Sen,
    Estimates of the regression coefficient based on Kendall's tau, 1968, for the slope.
    The rules on noise, on the training loss and on divergence are ours.
    """
    rows = columns.as_run(source, "source", run)
    column = columns.loss_columns(rows)
    train = columns.series(rows, column)
    val = columns.series(rows, f"val_{column}")
    base = {"column": column, "n_epochs": len(rows)}

    finite = smoothed.Curves.of(train, val, columns.names(rows))
    base.update(_numbers(finite))
    for rule in verdicts.RULES:
        found = rule(finite)
        if found is not None:
            found["sentence"] += _left_out(finite, train, val)
            if rows.n_runs > 1:
                found["sentence"] += f" ({rows})"
            advice = suggestions.suggestion(
                found["verdict"], rows, base.get("best_epoch")
            )
            return Diagnosis(**base, **found, suggestion=advice)
    raise AssertionError("The last rule always holds.")


def _left_out(curves, train, val):
    """The part of the sentence on losses between finite ones that are not finite."""
    count = sum(int(np.sum(~np.isfinite(one.values))) for one in (train, val))
    if curves.not_finite is not None or not count:
        return ""
    if count == 1:
        return "; 1 loss that is not finite is left out"
    return f"; {count} losses that are not finite are left out"


def _numbers(curves):
    numbers = {}
    if len(curves.train):
        numbers["final_train"] = curves.unscaled(curves.train.smooth[-1])
    if len(curves.val):
        numbers["best_epoch"] = int(curves.val.epochs[curves.val.best])
        numbers["best_val"] = curves.unscaled(curves.val.smooth[curves.val.best])
        numbers["final_val"] = curves.unscaled(curves.val.smooth[-1])
        numbers["rise"] = curves.val.rise
        numbers["gl"] = 100 * curves.val.rise
        numbers["up"] = prechelt.successive_rises(curves.val.smooth)
        numbers["window"] = curves.val.window
    if len(curves.train) and len(curves.val):
        with np.errstate(over="ignore"):
            numbers["gap"] = numbers["final_val"] - numbers["final_train"]
        numbers["p_k"] = prechelt.progress(curves.train.raw)
        numbers["pq"] = prechelt.quotient(numbers["gl"], numbers["p_k"])
    return numbers
