"""Rows that belong together: of one epoch, and of all steps up to a validation."""

from itertools import pairwise

from keras_decay.curves.data.numbers import is_nan, is_number
from keras_decay.ground import schema

AVERAGED = "training losses of one epoch, logged by step, are averaged"
AFTER_VALIDATION = "training losses after the last validation are left out"
REPLACED = "rows are replaced by later ones of the same epoch"

_VALIDATED = (schema.VAL_LOSS, schema.VAL_DATA_LOSS)
# What is averaged over the rows of an epoch; the last value holds for all else.
_AVERAGED = frozenset((schema.LOSS, schema.DATA_LOSS, "acc", "accuracy"))


def rows(groups, log, by_step):
    """The rows of one run, from groups of records of one epoch or step.

    Args:
        groups: List of pairs of place and row, or of lists of such pairs.
        log: The `Log`, which takes what is told.
        by_step: Whether the groups are of one step and not of one epoch.

    Returns:
        A list of pairs of place and row, each row with an epoch.
    """
    found = []
    for group in groups:
        if type(group) is tuple:
            found.append(group)
        else:
            found += _of_one_epoch(group, log, by_step)
    if log.gaps:
        found = [(place, without_gaps(row)) for place, row in found]
    if by_step:
        found = _with_epochs(_up_to_validations(found, log))
    return found


def halves_joined(runs):
    """Training and validation that follow on one another as blocks, as one run."""
    if len(runs) != 2:
        return runs
    one, other = ({key for _, row in run for key in row} for run in runs)
    if not (
        schema.LOSS in one
        and schema.VAL_LOSS in other
        and not one & set(_VALIDATED)
        and schema.LOSS not in other
    ):
        return runs
    validated = {row.get(schema.EPOCH): row for _, row in runs[1]}
    if not validated.keys() <= {row.get(schema.EPOCH) for _, row in runs[0]}:
        return runs
    return [
        [(p, {**row, **validated.get(row.get(schema.EPOCH), {})}) for p, row in runs[0]]
    ]


def without_gaps(row):
    """A data frame's row without its empty cells, which it writes as NaN.

    A training that has diverged has no finite validation loss either: there all is
    kept.
    """
    has_diverged = any(
        is_nan(row.get(name)) and not _is_finite(row.get(f"val_{name}"))
        for name in (schema.LOSS, schema.DATA_LOSS)
    )
    if has_diverged:
        return row
    return {key: value for key, value in row.items() if not is_nan(value)}


def _of_one_epoch(group, log, by_step):
    """One row, or one for each validation where there were several in an epoch."""
    trained = sum(_has(row, schema.LOSS) for _, row in group)
    validated = sum(_is_validated(row) for _, row in group)
    if trained <= 1 and validated <= 1:
        return [_merged(group, log.gaps)]
    steps = [row.get(schema.STEP) for _, row in group]
    is_log_of_steps = not by_step and all(map(is_number, steps)) and _rise(steps)
    if not is_log_of_steps:
        last = [_merged(group, log.gaps)]
        for place, row in group[:-1]:
            if any(_conflict(row, other) for _, other in group if other is not row):
                log.told.add(REPLACED, place)
        return last
    if validated <= 1:
        log.told.remark(AVERAGED)
        return [_averaged(group, log.gaps)]
    return _of_several_validations(group, log, validated)


def _of_several_validations(group, log, count):
    found: list = []
    waiting: list = []
    for place, row in group:
        waiting.append((place, row))
        if _is_validated(row) and len(found) < count:
            found.append(_averaged(waiting, log.gaps))
            waiting = []
    if waiting:  # train_loss_epoch of Lightning comes last
        found[-1] = _merged([found[-1], *waiting], log.gaps)
    return [
        (place, {**row, schema.EPOCH: row[schema.EPOCH] + part / count})
        for part, (place, row) in enumerate(found)
    ]


def _up_to_validations(pairs, log):
    """Rows at the validations, each with the mean training loss since the last one."""
    validated = [_is_validated(row) for _, row in pairs]
    if not any(validated) or not any(_has(row, schema.LOSS) for _, row in pairs):
        return pairs
    if all(validated):
        return pairs
    found, waiting = [], []
    for pair, is_validated in zip(pairs, validated, strict=True):
        waiting.append(pair)
        if is_validated:
            found.append(_averaged(waiting, log.gaps))
            waiting = []
    for place, row in waiting:
        if _has(row, schema.LOSS):
            log.told.add(AFTER_VALIDATION, place)
    return found


def _with_epochs(pairs):
    """Epochs as recorded, else the steps where these count one by one, else 0, 1, …"""
    epochs = [row.get(schema.EPOCH) for _, row in pairs]
    if not (all(map(is_number, epochs)) and _rise(epochs, strictly=True)):
        epochs = [row[schema.STEP] for _, row in pairs]
        if any(b - a != 1 for a, b in pairwise(epochs)):
            epochs = list(range(len(pairs)))
    return [
        (place, {**row, schema.EPOCH: epoch})
        for (place, row), epoch in zip(pairs, epochs, strict=True)
    ]


def _averaged(pairs, gaps):
    place, row = _merged(pairs, gaps)
    for key in _AVERAGED & row.keys():
        values = [r[key] for _, r in pairs if is_number(r.get(key))]
        if gaps:
            values = [value for value in values if not is_nan(value)]
        if len(values) > 1:
            row[key] = sum(values) / len(values)
    return place, row


def _merged(pairs, gaps):
    """One row of all; the later one decides."""
    row: dict = {}
    for _, other in pairs:
        for key, value in other.items():
            if key in row and (value is None or (gaps and is_nan(value))):
                continue
            row[key] = value
    return pairs[-1][0], row


def _conflict(row, other):
    """Whether two rows of an epoch give the loss two values."""
    return any(_has(row, name) and _has(other, name) for name in schema.LOSSES)


def _has(row, name):
    value = row.get(name)
    return value is not None and is_number(value) and value == value


def _is_validated(row):
    return any(_has(row, name) for name in _VALIDATED)


def _is_finite(value):
    return is_number(value) and abs(value) < float("inf")


def _rise(values, strictly=False):
    """Whether values never fall, and rise at all; strictly, whether each rises."""
    pairs = list(pairwise(values))
    if strictly:
        return all(a < b for a, b in pairs)
    return all(a <= b for a, b in pairs) and values[0] < values[-1]
