"""The rules on a validation loss that has risen since its best."""

import math

import numpy as np

from keras_decay.curves.verdict import probability
from keras_decay.curves.verdict.evidence import STRICT_RISE, STRICT_RISES
from keras_decay.curves.verdict.words import chance, percent

# As likely as not; and likely enough that noise alone is a doubtful reason.
LIKELY, MORE_LIKELY = 0.5, 0.6
# So likely must it be, had the training loss fallen, that a rise of both is told.
BOTH_LIKELY = 0.8
# The rise that a label calls overfitting; one of a few rows more is noise.
RISE = 0.03
# Overfitting is a trade: training gains what validation loses.
TRAIN_FALL = 0.02
# Less than float32 losses can tell from rounding.
NOTHING = 1e-6
# Levels of a flat curve differ by two to three standard errors by chance. A rise is
# more, unless the order of the losses alone tells that it is no chance.
NOISE = 3.0
SURE_TREND = 2.58
STAYS, STAYS_FAR = 0.6, 0.2
SMOOTH = 10.0
# A rise that Mann and Kendall's statistic does not see is told by what it took back.
TREND = 1.96


def overfitting(case):
    """Validation loss has turned up while training loss went on falling."""
    evidence, words = case.evidence, case.words
    strict = evidence.is_strict
    likely = case.probability >= LIKELY and evidence.rise > RISE
    likely = likely and is_more_than_noise(evidence)
    if not strict and not likely:
        return _both_rise(case)
    train, val = case.curves.train, case.curves.val
    onset = _onset(val, strict and not likely)
    fall = _fall_since(train, onset)
    if fall < TRAIN_FALL:
        return None if strict and not likely else _not_fallen(case, onset)
    if hidden_by_rows(case):
        return None
    risen = f"{words.val} has {words.worse} {percent(val.rise)} {words.off} its best"
    if strict and not likely:
        risen += ", each evaluation worse than the last,"
    elif evidence.trend < TREND and evidence.lost < 1:
        lost = case.curves.lost
        risen += f", which takes back {percent(lost)} of what was learned,"
    sentence = (
        f"overfitting since epoch {onset}: {risen} while {words.train} "
        f"{words.was_better} by {percent(fall)}"
    )
    return {"verdict": "overfitting", "sentence": sentence, "onset_epoch": onset}


def is_more_than_noise(evidence):
    """Whether the rise exceeds what noise makes of the levels of a flat curve.

    It shows in the order of the losses, or they stay above the best in the second half
    since then. Where they stay far above it, they may wander.
    """
    if evidence.rise <= NOISE * evidence.error:
        return False
    is_smooth = evidence.rise > SMOOTH * evidence.error
    if is_smooth and evidence.stays > STAYS_FAR:
        return True
    if evidence.rise <= NOISE * evidence.wander:
        return False
    return evidence.trend > SURE_TREND or evidence.stays > STAYS * evidence.rise


def _onset(val, is_raw):
    """The last epoch at which the loss was within a standard error of its best."""
    if is_raw:
        return int(val.epochs[np.argmin(val.raw)])
    near = val.smooth <= val.smooth[val.best] + val.jitter / math.sqrt(val.window)
    return int(val.epochs[np.flatnonzero(near)[-1]])


def _fall_since(train, epoch):
    """By how much training loss has fallen since an epoch, relative to its loss."""
    index = train.at(epoch)
    return train.relative(train.smooth[index] - train.smooth[-1], index)


def _both_rise(case):
    """Validation loss has risen as an overfitting one does, and training loss too."""
    evidence = case.evidence
    if evidence.fall >= TRAIN_FALL or evidence.rise <= RISE:
        return None
    if probability.whatever_training(evidence) < BOTH_LIKELY:
        return None
    return _not_fallen(case, _onset(case.curves.val, False))


def _not_fallen(case, onset):
    words, val = case.words, case.curves.val
    risen = f"{words.val} has {words.worse} {percent(val.rise)} {words.off} its best"
    sentence = (
        f"inconclusive: {risen}, but {words.train} has not {words.better} since epoch "
        f"{onset}; a smaller learning rate may help"
    )
    return {"verdict": "inconclusive", "sentence": sentence}


# The standard deviation over the rows of the change of a row's loss, relative to the
# best loss: so much for no rise, and so much more for each unit of it.
# `tests/curves/fit_probability.py` prints both.
ROW_SPREAD, ROW_SPREAD_RISE = 0.35, 5.0
INTERVAL = 1.96


def rows_noise(evidence, n_validation):
    """What n rows alone make of a rise: 1.96 standard errors, relative to the best."""
    spread = ROW_SPREAD + ROW_SPREAD_RISE * max(evidence.rise, 0.0)
    return INTERVAL * spread / math.sqrt(n_validation)


def hidden_by_rows(case):
    """Whether the validation rows are too few to tell this rise from none."""
    if case.n_validation is None:
        return False
    evidence = case.evidence
    return max(evidence.rise, evidence.climb) <= rows_noise(evidence, case.n_validation)


def _row_words(case):
    noise = percent(rows_noise(case.evidence, case.n_validation))
    return f"{case.n_validation} validation rows may differ by {noise} from others"


def undecided(case):
    """Validation loss ends above its best, and that may be chance."""
    evidence, words, val = case.evidence, case.words, case.curves.val
    if evidence.rise <= RISE or evidence.fall < TRAIN_FALL:
        return None
    ends = (
        f"{words.val} ends {percent(evidence.rise)} {words.off} its best at epoch "
        f"{int(val.epochs[evidence.best])}"
    )
    if hidden_by_rows(case) and case.probability >= LIKELY:
        why = _row_words(case)
    elif case.probability >= MORE_LIKELY:
        why = f"of 100 such curves about {chance(case.probability)} overfit"
    else:
        return None
    return {"verdict": "inconclusive", "sentence": f"inconclusive: {ends}; {why}"}


def rising(case):
    """Validation loss rises as it never did before, while training loss falls."""
    train, val, evidence = case.curves.train, case.curves.val, case.evidence
    is_trade = _fall_since(train, val.epochs[np.argmin(val.raw)]) >= TRAIN_FALL
    is_new = evidence.climb > evidence.undone
    return still_rising(case) if is_trade and is_new else None


def still_rising(case):
    """Validation loss rises from evaluation to evaluation, by little or in few."""
    train, val, evidence = case.curves.train, case.curves.val, case.evidence
    words, count = case.words, evidence.rises
    is_long = count >= STRICT_RISES and evidence.climb > NOTHING
    is_new = evidence.climb > evidence.undone
    is_large = count > 1 and evidence.climb > STRICT_RISE and is_new
    if not is_long and not is_large:
        return None
    best = val.epochs[np.argmin(val.raw)]
    why = "that is too little to tell overfitting from chance"
    if hidden_by_rows(case):
        why = _row_words(case)
    elif _fall_since(train, best) < TRAIN_FALL:
        why = (
            f"{words.train} has not {words.better} since; a smaller learning rate may "
            "help"
        )
    sentence = (
        f"inconclusive: {words.val} has {words.worse} {percent(evidence.climb)} "
        f"{words.off} its best at epoch {int(best)}, in each of the last {count} "
        f"evaluations; {why}"
    )
    return {"verdict": "inconclusive", "sentence": sentence}
