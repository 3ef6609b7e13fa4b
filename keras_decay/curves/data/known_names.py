"""The one table of names: what other programs call the columns of a learning curve."""

import re

from keras_decay.ground import schema

# Words before or after the name of a loss.
_TRAINING = ("train", "training", "trn", "tr")
_VALIDATION = ("val", "valid", "validation", "eval", "evaluation", "dev")
_EPOCHS = ("epoch", "epochs")


def renamed(columns):
    """Which columns are an epoch or a loss under another name.

    A column that already has our name keeps it, and nothing else is renamed to it.

    Args:
        columns: The names of all columns, in their order.

    Returns:
        A dict from such a name to ours.
    """
    columns = [name for name in columns if isinstance(name, str)]
    taken, found = set(columns), {}
    # Rows of `LearningCurve`: `train_loss` is the training loss evaluated again.
    are_ours = schema.DATA_LOSS in taken
    for name in columns:
        ours = canonical(name)
        if ours is None or ours in taken or (are_ours and ours != schema.EPOCH):
            continue
        found[name] = ours
        taken.add(ours)
    return found


def canonical(name):
    """Our name for an epoch or a loss that may be called otherwise, or None.

    Capitals, spaces, signs, units in brackets and a byte-order mark do not count.
    """
    name = re.sub(r"\(.*?\)|\[.*?\]", " ", name)
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)  # trainLoss
    words = re.findall(r"[a-z0-9]+", name.lower())
    if len(words) == 1 and words[0] in _EPOCHS:
        return schema.EPOCH
    if len(words) > 1:
        # train_loss_epoch of Lightning, epoch_loss of TensorBoard.
        words = words[words[0] in _EPOCHS : len(words) - (words[-1] in _EPOCHS)]
    prefix = ""
    for place in (0, -1):
        if len(words) > 1 and words[place] in _TRAINING + _VALIDATION:
            prefix = schema.VALIDATION if words.pop(place) in _VALIDATION else ""
            break
    ours = prefix + "_".join(words)
    return ours if ours in schema.LOSSES else None
