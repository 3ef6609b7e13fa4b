"""Long tables: a row for every value, or for training and validation of every epoch.

MLflow's "download CSV" of a chart is one: `run_id,key,value,step,timestamp`. So are
tables of TensorBoard's scalars (`tag,step,value`), and those with a column `phase` that
says `train` or `val`.
"""

from keras_decay.curves.data.numbers import is_number
from keras_decay.curves.data.readers import found
from keras_decay.curves.data.readers.found import Log, Record
from keras_decay.curves.data.readers.names import mark_of, meaning
from keras_decay.ground import schema

_KEYS = ("key", "tag", "metric", "metric_name", "name", "variable")
_VALUES = ("value", "values")
_RUNS = ("run_id", "run id", "run_uuid", "run", "run_name", "run name", "dir_name")
_PHASES = ("phase", "split", "mode", "set", "subset", "stage", "dataset", "type")
# MLflow's search_runs and W&B's table of runs: the last value of each.
_RUN_TABLES = ("metrics.", "params.", "tags.mlflow")

ONE_ROW_A_RUN = (
    "it holds one row for each run and not for each epoch: only the last values"
)


def pivoted(records, names, told):
    """The `Log` of a long table, or None if it is none."""
    lower = {name.lower(): name for name in names}
    if any(name.startswith(_RUN_TABLES) for name in names):
        raise found.no_curve(
            told.name,
            ONE_ROW_A_RUN,
            "Export the chart of a metric, or hand over the rows of "
            "MlflowClient().get_metric_history(run_id, 'loss').",
        )
    key, value = _first(lower, _KEYS), _first(lower, _VALUES)
    if key and value and len(names) > 2:
        return _by_key(records, lower, key, value, told)
    phase = _first(lower, _PHASES)
    if phase and records and all(mark_of(one.row.get(phase)) for one in records):
        return Log([_by_phase(records, phase)], told, "the file")
    return None


def table(series, run=0):
    """Records of values by tag and step.

    Args:
        series: Dict from tags to lists of pairs of step and value.
        run: Section of the records.

    Returns:
        A list of `Record` in the order of steps, one for each step.
    """
    rows: dict = {}
    for tag, pairs in series.items():
        for step, value in pairs:
            rows.setdefault(step, {schema.STEP: step})[tag] = value
    return [
        Record(place, rows[step], run) for place, step in enumerate(sorted(rows), 1)
    ]


def _by_key(records, lower, key, value, told):
    run = _first(lower, _RUNS)
    place_of = {
        ours.name: name
        for name in lower.values()
        if (ours := meaning(name)) and ours.name in (schema.STEP, schema.EPOCH)
    }
    if not place_of:
        return None
    step = place_of.get(schema.STEP) or place_of[schema.EPOCH]
    runs: dict = {}
    for one in records:
        at, tag = one.row.get(step), one.row.get(key)
        if not is_number(at) or not is_number(one.row.get(value)) or tag is None:
            told.add(found.UNREADABLE, one.place)
            continue
        series = runs.setdefault(one.row.get(run), {})
        series.setdefault(str(tag), []).append((at, one.row[value]))
    told.unit = "line"
    names = [_as_name(name) for name in runs]
    parts = [table(series) for series in runs.values()]
    return Log(parts or [[]], told, "the file", by_step=True, names=names)


def _as_name(run):
    if run is None:
        return ""
    return f"{run:g}" if is_number(run) else str(run)


def _by_phase(records, phase):
    pivot = []
    for one in records:
        mark = mark_of(one.row[phase])
        row = {
            name
            if meaning(name) and meaning(name).name in schema.PLACES
            else mark + name: value
            for name, value in one.row.items()
            if name != phase
        }
        pivot.append(one._replace(row=row))
    return pivot


def _first(lower, names):
    return next((lower[name] for name in names if name in lower), None)
