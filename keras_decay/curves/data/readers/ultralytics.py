"""ultralytics' `results.csv`: the loss in parts, `train/box_loss`, `val/box_loss`, ….

The parts are written as they enter the sum, multiplied by their gains, so that their
sum is the loss.
"""

from keras_decay.curves.data.numbers import is_number
from keras_decay.curves.data.readers.names import meaning
from keras_decay.ground import schema

_TRAINING, _VALIDATION, _LOSS = "train/", "val/", "_loss"


def summed(log):
    """Add the sum of the parts to every row of a `Log` that has only parts."""
    columns = {key: None for part in log.parts for one in part for key in one.row}
    names = {name.strip(): name for name in columns if isinstance(name, str)}
    parts = [
        name.removeprefix(_TRAINING)
        for name in names
        if name.startswith(_TRAINING) and name.endswith(_LOSS)
    ]
    parts = [part for part in parts if _VALIDATION + part in names]
    found = {ours.name for name in names if (ours := meaning(name))}
    if len(parts) < 2 or found & {schema.LOSS, schema.VAL_LOSS}:
        return
    for mark, ours in ((_TRAINING, schema.LOSS), (_VALIDATION, schema.VAL_LOSS)):
        own = [names[mark + part] for part in parts]
        for part in log.parts:
            for one in part:
                values = [one.row.get(name) for name in own]
                if all(map(is_number, values)):
                    one.row[ours] = sum(values)
    if log.columns:
        log.columns = [*log.columns, schema.LOSS, schema.VAL_LOSS]
    shown = " + ".join(parts)
    log.told.remark(f"the loss is the sum of its parts, {shown}")
