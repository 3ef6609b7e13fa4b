"""`keras-decay diagnose`: a verdict on the training logs of any program, for scripts.

It starts without Keras. The exit code is 3 where a run overfits.
"""

import dataclasses
import json
import math
import sys
from pathlib import Path

from keras_decay.cli import logs
from keras_decay.cli._errors import Failure

OVERFITS, FAILED = 3, 1


def add_options(parser):
    parser.set_defaults(needs_keras=False)
    parser.description = (
        "A verdict on each training log: the files of Keras, Lightning, Hugging Face, "
        "ultralytics, fastai, TensorBoard, MLflow and W&B, other tables and JSON. Of "
        "several runs in one file the last is judged. Exit codes: 0 no run overfits, "
        "3 one does, 1 a file could not be read, 2 a mistake in the arguments."
    )
    parser.add_argument("curves", nargs="+", metavar="FILE", help="a file or folder")
    logs.add_options(parser)
    parser.add_argument(
        "--json",
        action="store_true",
        help="print a list with an object for each file that was read",
    )


def run(options, check):
    from keras_decay.curves import diagnose

    found, failed = [], False
    for text in options.curves:
        path = Path(text).expanduser()
        try:
            rows = logs.run_of(path, options, "diagnose")
        except Failure as error:
            failed = True
            print(f"keras-decay: {' '.join(str(error).split())}", file=sys.stderr)
            continue
        verdict = diagnose(rows)
        found.append(_as_object(text, rows, verdict))
        if not options.json:
            print(f"{text}: {_sentence(verdict)}")
        check()
    if options.json:
        print(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
    if failed:
        return FAILED
    return OVERFITS if any(one["verdict"] == "overfitting" for one in found) else 0


def _sentence(verdict):
    text = str(verdict)
    return f"{text[:1].upper()}{text[1:]}."


def _as_object(text, rows, verdict):
    """What JSON says of a file: the run, the verdict, and how the file was read."""
    fields = {
        name: _finite(value) for name, value in dataclasses.asdict(verdict).items()
    }
    run = {"file": text, "run": rows.place, "runs": rows.n_runs, "name": rows.name}
    return {**run, **fields, "notes": rows.notes}


def _finite(value):
    """JSON has no number for NaN and infinity."""
    is_number = isinstance(value, float) and not math.isfinite(value)
    return None if is_number else value
