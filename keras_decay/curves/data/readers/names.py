"""The table of names: what other programs call the columns of a learning curve.

| ours | also |
|---|---|
| `epoch` | `Epoch`, `epochs`, `train/epoch`, `trainer/epoch` |
| `step` | `global_step`, `_step`, `iteration`, `trainer/global_step` |
| `loss` | `train_loss`, `Train Loss`, `loss/train`, `trainLoss`, `train_loss_epoch` |
| `val_loss` | `valid_loss`, `eval/loss`, `dev loss`, `loss_val`; else `test_loss` |
| `learning_rate` | `lr`, `lr-Adam`, `lr/pg0`, `x/lr0`, `train/learning_rate` |
| a metric, `val_…` | `train_acc`, `valid_accuracy`, `eval/f1` |
"""

import re
from functools import lru_cache
from typing import NamedTuple

from keras_decay.ground import schema

TRAINING = frozenset(("train", "training", "trn", "tr"))
VALIDATION = frozenset(("val", "valid", "validation", "eval", "evaluation", "dev"))
TEST = frozenset(("test", "testing"))
MARKS = TRAINING | VALIDATION | TEST

_EPOCHS = frozenset(("epoch", "epochs"))
_STEPS = frozenset(("step", "steps", "iteration", "iterations", "iter"))
_LOSSES = frozenset(("loss", "losses"))
# Words that do not change which quantity a name means.
_FILLERS = frozenset(("total", "avg", "average", "mean", "running", "overall"))
_COUNTERS = frozenset(("global", "trainer", "current", "num", "number", "no"))
# trainloss, valacc
_JOINED = re.compile(r"(train|training|val|valid|validation|eval|test)(loss|acc\w*)")
# A longer one is no name: looking for brackets in it takes long.
_LONGEST = 500
_FOLDERS = ("train/", "val/")
# How well a name fits: the lowest decides between several.
_PLAIN, _FILLED, _BY_STEP, _BARE, _TESTED = range(1, 6)


class Meaning(NamedTuple):
    """What a name means.

    Attributes:
        name: Our name.
        rank: How well it fits; of several names for one thing the lowest is taken.
    """

    name: str
    rank: int


def renamed(columns):
    """Which columns have another program's name.

    A column that already has our name keeps it, and nothing else is renamed to it.

    Args:
        columns: The names of all columns, in their order.

    Returns:
        A dict from such a name to ours.
    """
    columns = [name for name in columns if isinstance(name, str)]
    taken = set(columns)
    # Rows of `LearningCurve`: `train_loss` is the training loss evaluated again.
    are_ours = schema.DATA_LOSS in taken
    best: dict[str, tuple[int, str]] = {}
    for name in columns:
        ours = meaning(name)
        if ours is None or ours.name in taken:
            continue
        if are_ours and ours.name != schema.EPOCH:
            continue
        best[ours.name] = min(
            best.get(ours.name, (ours.rank, name)),
            (ours.rank, name),
            key=lambda pair: pair[0],
        )
    found = {name: ours for ours, (_, name) in best.items()}
    is_foreign = schema.LOSS in best or schema.VAL_LOSS in best
    if is_foreign or any(name.startswith(_FOLDERS) for name in columns):
        found.update(_metrics(columns, taken | set(best), found))
    return found


def canonical(name):
    """Our name for an epoch, a step, a learning rate or a loss, or None."""
    ours = meaning(name)
    return None if ours is None or ours.rank >= _BY_STEP else ours.name


def meaning(name):
    """What a name means, or None.

    Capitals, spaces, signs, units in brackets and a byte-order mark do not count.
    """
    return _meaning(name) if len(name) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _meaning(name):
    words = _words(name)
    if not words:
        return None
    counted = [w for w in words if w not in _COUNTERS and w not in TRAINING]
    if len(counted) == 1 and counted[0] in _EPOCHS:
        return Meaning(schema.EPOCH, _PLAIN)
    if len(counted) == 1 and counted[0] in _STEPS:
        return Meaning(schema.STEP, _PLAIN)
    if _is_rate(counted):
        return Meaning(schema.LEARNING_RATE, _PLAIN)
    mark, rest = _without_mark(words)
    rank = _PLAIN
    if len(rest) > 1 and rest[-1] in _EPOCHS:
        rest = rest[:-1]  # train_loss_epoch of Lightning
    elif len(rest) > 1 and rest[0] in _EPOCHS:
        rest = rest[1:]  # epoch_loss of TensorBoard
    elif len(rest) > 1 and rest[-1] in _STEPS:
        rest, rank = rest[:-1], _BY_STEP
    plain = [word for word in rest if word not in _FILLERS]
    if len(plain) < len(rest):
        rank = max(rank, _FILLED)
    prefix = schema.VALIDATION if mark in VALIDATION | TEST else ""
    if mark in TEST:
        rank = _TESTED
    if not plain and mark and not rest:
        return Meaning(prefix + schema.LOSS, max(rank, _BARE))
    if len(plain) == 1 and plain[0] in _LOSSES:
        return Meaning(prefix + schema.LOSS, rank)
    if plain == ["data", "loss"]:
        return Meaning(prefix + schema.DATA_LOSS, rank)
    return None


def mark_of(word):
    """`train/` or `val/` for a word that says which data a row is about, or None."""
    words = _words(word) if isinstance(word, str) else []
    if len(words) != 1 or words[0] not in MARKS:
        return None
    return "train/" if words[0] in TRAINING else "val/"


def is_step_of_epoch(name):
    """Whether this is a value of one step beside others of whole epochs."""
    ours = meaning(name)
    return ours is not None and ours.rank == _BY_STEP


def is_tested(name):
    """Whether this is a loss on test data, taken where no other is validated."""
    ours = meaning(name)
    return ours is not None and ours.rank == _TESTED


def _metrics(columns, taken, renamed_already):
    """New names of metrics that say train or validation in another way."""
    found = {}
    for name in columns:
        if name in renamed_already or name.startswith(schema.VALIDATION):
            continue
        mark, rest = _without_mark(_words(name))
        if len(rest) > 1 and rest[-1] in _EPOCHS:
            rest = rest[:-1]
        if not mark or not rest or mark in TEST or rest[-1] in _STEPS:
            continue
        prefix = schema.VALIDATION if mark in VALIDATION else ""
        ours = prefix + "_".join(rest)
        if ours not in taken and ours not in schema.RESERVED:
            found[name] = ours
            taken = taken | {ours}
    return found


def _words(name):
    if len(name) > _LONGEST:
        return []
    name = re.sub(r"\(.*?\)|\[.*?\]", " ", name)
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)  # trainLoss
    words = re.findall(r"[a-z0-9]+", name.lower())
    if len(words) == 1 and (joined := _JOINED.fullmatch(words[0])):
        return list(joined.groups())
    return words


def _without_mark(words):
    """The word for training or validation, and the others; the first, else the last."""
    for place in (0, -1):
        if words and words[place] in MARKS:
            rest = list(words)
            return rest.pop(place), rest
    for place, word in enumerate(words):
        if word in MARKS:
            return word, words[:place] + words[place + 1 :]
    return "", words


def _is_rate(words):
    if words and words[0] in ("x", *_EPOCHS):
        words = words[1:]
    if words[:2] == ["learning", "rate"] and len(words) <= 3:
        return True
    return bool(words) and re.fullmatch(r"lr\d*", words[0]) is not None
