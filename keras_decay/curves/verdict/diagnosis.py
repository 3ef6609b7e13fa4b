"""Judge any record of a training."""

from keras_decay.curves.data import columns
from keras_decay.curves.verdict.judging import Diagnosis, judge

__all__ = ["Diagnosis", "diagnose"]


def diagnose(source, *, metric="loss", mode="min", run=-1, n_validation=None):
    """Judge a learning curve: is the model underfitting, overfitting, or neither?

    With E_va and E_tr the validation and training loss, levels their means over a tenth
    of the evaluations and the best the lowest level of E_va, the first rule that holds
    decides:

    - *diverged*: the last loss is not finite; or E_tr ends at more than twice its
      first value, or has never come back to it and ends 5 % above it, more than noise
      does; or it has given back three quarters of a fall by more than half.
    - *inconclusive*: fewer than 5 epochs with validation, or no training loss. The
      columns found are named.
    - *overfitting*: E_tr has fallen by at least 2 % since the best, and either

        - E_va ends more than 3 % above its best and by more than three standard errors,
          the Mann-Kendall statistic since the lowest loss is above 2.58 or the losses
          in the second half since then stay above 60 % of the rise, and it is likelier
          than not that such a curve overfits. That probability is a logistic regression
          on how far E_va has risen, the same in units of its noise, the Mann-Kendall
          statistic and the fall of E_tr since the best; or
        - the last four evaluations or more, from the lowest loss on, were each worse
          than the one before, by more than 1 % in all and by more than any rise that
          was undone before.

      With `n_validation` the rise must also exceed what so many rows may differ by from
      others. The onset is the last epoch at which E_va was within a standard error of
      its best.
    - *inconclusive*, too, if E_va has risen in the first way, but E_tr has not fallen;
      if a steady rise is smaller, or has lasted two or three evaluations; if such a
      curve is likely to overfit, but the rise is no more than noise or the rows allow.
      Where E_tr has not fallen, or rises as large were undone before, *improving* and
      *underfitting* come first.
    - *improving*: half as many epochs again would bring E_va down by at least 4 % if it
      went on as it went of late, in a straight line against the logarithm of the
      epochs, and by two standard errors or after a fall in each of the last five
      evaluations. The slope is the middle one of those over the last fifth, third and
      half, each a median over all pairs of epochs (Theil and Sen). And E_va is near its
      best: that was in the last fifth of the epochs, or lies at most 3 % below the end;
      and at most a tenth of what was learned is lost.
    - *underfitting*: E_tr has fallen by less than 30 % since the first epoch, and E_va
      lies within 20 % of that epoch's loss from it; or by less than 40 %, and it no
      longer changes. Not if E_tr fell in each of the last five evaluations, and by 5 %
      in the second half.
    - *good fit*: none of these. The loss has "settled" where its last half has no trend
      by Mann and Kendall and its levels differ by less than 3 %.

    Where the column of the learning rate shows a restart, or the steps of the optimizer
    begin again, as after layers were thawed, the part since then is judged. Since a
    drop of the rate, too, *improving* and "settled" are judged anew. A part of fewer
    than 5 evaluations is judged with the one before.

    The sentence also says: how many of such curves overfit, if `confidence` is less
    than 0.8; that the gap is large, if E_va is twice E_tr or more; that the model is
    overconfident rather than wrong more often, if a validation accuracy rose since the
    best loss; that the loss holds a penalty, if a column tells of one.

    The verdict is on the loss without penalty (`data_loss`, `val_data_loss`) where it
    was recorded, else on `loss` and `val_loss`. It does not depend on the unit of the
    loss. A single curve cannot tell a poor model from a hard task: underfitting means
    that training has brought little, good fit that it was stopped in time.
    How often the verdicts are right is told in docs/verdicts.md.

    A loss may have another program's name: `train_loss`, `Train Loss`, `train/loss`,
    `valid_loss`, `eval_loss` and the like, with capitals, spaces or a byte-order mark.
    Rows of one epoch that follow on one another are one row. Of several trainings in
    one file the last is judged, and the sentence says how many there are. What cannot
    be read is left out, and a warning gives its lines.

    Args:
        source: A `LearningCurve`, a list of dicts with one dict per epoch, a Keras
            `History`, a dict of lists, a pandas data frame; or the path of a file or
            folder. Everything that `read_curves` reads.
        metric: The name of what is judged, with and without `val_`: "loss", or any
            other column.
        mode: "min" if the metric should be low, "max" if it should be high.
        run: Which of several runs is judged, from 0, or from −1 for the last
            backwards.
        n_validation: The number of validation rows, or None if it is not known.

    Returns:
        A `Diagnosis`.

    Raises:
        TypeError: If `source` is none of these.
        FileNotFoundError: If there is no file at that path.
        ValueError: If the file is no learning curve, or `mode` or `n_validation` is
            none of the above.

    Example:

    ```python
    curve = {"loss": [1.0, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02],
             "val_loss": [1.1, 0.8, 0.7, 0.7, 0.8, 0.9, 1.0, 1.1]}
    print(kd.diagnose(curve))
    ```

    Reference: Prechelt, Early stopping, but when?, 1998, for GL, P_k, PQ and UP; Sen,
    Estimates of the regression coefficient based on Kendall's tau, 1968, for the slope;
    Hamed and Rao, A modified Mann-Kendall trend test for autocorrelated data, 1998.
    The regression and the rules on the training loss and on divergence are ours.
    """
    rows = columns.as_run(source, "source", run)
    return judge(rows, metric=metric, mode=mode, n_validation=n_validation)
