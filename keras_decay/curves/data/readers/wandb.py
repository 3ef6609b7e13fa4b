"""W&B's CSV export of a chart, `"Step","run - loss","run - loss__MIN",…`.

The CSV of `run.history()` has plain names and needs no reader of its own. A chart that
shows several runs has a column for each run and metric.
"""

from keras_decay.curves.data.readers.found import Log, Record, no_curve
from keras_decay.curves.data.readers.longs import ONE_ROW_A_RUN
from keras_decay.ground import schema

_BETWEEN = " - "
_BOUNDS = ("__MIN", "__MAX")
# Columns of the table of runs.
_RUNS = {"Name", "State", "Runtime"}


def parts(records, names, told):
    """The `Log` of an exported chart, or None if it is none."""
    if set(names) >= _RUNS:
        remedy = "Export the chart of the loss, or save run.history().to_csv(path)."
        raise no_curve(told.name, ONE_ROW_A_RUN, remedy)
    values = [name for name in names[1:] if not name.endswith(_BOUNDS)]
    if not values or not all(_BETWEEN in name for name in values):
        return None
    place = names[0] if _BETWEEN not in names[0] else None
    runs: dict[str, dict[str, str]] = {}
    for name in values:
        run, _, metric = name.rpartition(_BETWEEN)
        if metric not in ("_step", "_runtime", "_timestamp"):
            runs.setdefault(run, {})[name] = metric
    by_epoch = place is not None and place.lower().endswith("epoch")
    at = schema.EPOCH if by_epoch else schema.STEP
    found = []
    for columns in runs.values():
        rows = []
        for one in records:
            row = {m: one.row[n] for n, m in columns.items() if n in one.row}
            if row and place in one.row:
                rows.append(Record(one.place, {at: one.row[place], **row}))
        found.append(rows)
    log = Log(found, told, "the file", names=list(runs))
    log.by_step = not by_epoch
    return log
