"""MLflow's local store: the folder `mlruns`, or one of its runs, or `mlflow.db`.

In a folder every metric of a run is a file `metrics/NAME` of lines
`timestamp value step`; in the database, which newer versions make, it is rows of the
table `metrics`.
"""

import contextlib
import sqlite3
from pathlib import Path

from keras_decay.curves.data.numbers import number
from keras_decay.curves.data.readers import found, longs
from keras_decay.curves.data.readers.found import Log, Told

_METRICS, _META = "metrics", "meta.yaml"
_SQLITE = b"SQLite format 3\0"
_MOST_FILES = 10_000
_DAMAGED = "lines that are no metric are left out"


def is_database(content):
    """Whether this is a database of SQLite."""
    return content.startswith(_SQLITE)


def runs_in(folder):
    """The folders of MLflow's runs in a folder, which may be a run itself."""
    if (folder / _METRICS).is_dir():
        return [folder]
    # mlruns/experiment/run, and from an experiment or the folder above mlruns too.
    return [
        metrics.parent
        for depth in ("*", "*/*", "*/*/*")
        for metrics in sorted(folder.glob(f"{depth}/{_METRICS}"))
        if metrics.is_dir() and (metrics.parent / _META).is_file()
    ]


def log_of_folder(folder, runs):
    """The `Log` of these runs, in the order in which they began."""
    told = Told(repr(str(folder)), "line")
    series = {run: _series(run / _METRICS, told) for run in runs}
    starts = {
        run: min((t for t, _ in found), default=0)
        for run, found in (
            (run, [point[:2] for pairs in each.values() for point in pairs])
            for run, each in series.items()
        )
    }
    ordered = sorted((run for run in runs if series[run]), key=lambda r: starts[r])
    if not ordered:
        remedy = "Was a metric logged (mlflow.log_metric)?"
        raise found.no_curve(told.name, "its runs have no metrics", remedy)
    return _log(
        [series[run] for run in ordered], [r.name for r in ordered], told, "the folder"
    )


def log_of_database(path):
    """The `Log` of a database of MLflow."""
    told = Told(repr(str(path)), "row")
    uri = f"{Path(path).resolve().as_uri()}?mode=ro&immutable=1"
    query = (
        "SELECT run_uuid, key, timestamp, value, step FROM metrics "
        "WHERE is_nan = 0 ORDER BY timestamp"
    )
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
            rows = database.execute(query).fetchall()
    except sqlite3.Error as error:
        raise found.no_curve(
            told.name,
            f"it is a database, and not one of MLflow ({error})",
            "Hand over its rows: a list of dicts with epoch, loss and val_loss.",
        ) from None
    series: dict = {}
    for run, key, timestamp, value, step in rows:
        pairs = series.setdefault(run, {}).setdefault(str(key), [])
        pairs.append((timestamp, value, step))
    if not series:
        raise found.no_curve(told.name, "it has no metrics", "Was a metric logged?")
    return _log(list(series.values()), list(map(str, series)), told, "the file")


def _series(folder, told):
    """Triples of time, value and step by the name of the metric."""
    found_: dict = {}
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    for count, path in enumerate(files):
        if count == _MOST_FILES:
            break
        points = found_.setdefault(path.relative_to(folder).as_posix(), [])
        text = path.read_text(encoding="utf-8", errors="replace")
        for place, line in enumerate(text.splitlines(), 1):
            values = [number(part) for part in line.split()[:3]]
            if len(values) == 3 and None not in values:
                points.append(tuple(values))
            elif line.strip():
                told.add(_DAMAGED, place)
    return {name: points for name, points in found_.items() if points}


def _log(runs, names, told, where):
    parts = [
        longs.table(
            {
                name: [(step, value) for _, value, step in sorted(points)]
                for name, points in series.items()
            }
        )
        for series in runs
    ]
    return Log(parts, told, where, by_step=True, names=names)
