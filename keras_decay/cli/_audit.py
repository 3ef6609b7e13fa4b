"""`keras-decay audit`: which decay the variables of a saved model undergo."""

import contextlib
from pathlib import Path

from keras_decay.cli._errors import Failure, UsageError
from keras_decay.cli._options import folder, whole_number
from keras_decay.experiments._output import OutputError, publishing


def add_options(parser):
    parser.description = (
        "Which decay every variable of a saved model really undergoes, measured. "
        "Nothing of the file is executed. The exit code is 0 also when there are "
        "warnings, unless --strict is given."
    )
    parser.add_argument("model", metavar="MODEL.keras", help="the file of the model")
    parser.add_argument(
        "--steps-per-epoch",
        type=whole_number(1),
        metavar="N",
        help="batches in an epoch, for half-lives in epochs and totals",
    )
    parser.add_argument(
        "--epochs", type=whole_number(1), metavar="N", help="epochs of the whole run"
    )
    parser.add_argument(
        "--out",
        type=folder,
        metavar="DIR",
        help="a folder to write audit.json and audit.csv to",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the results that are in DIR"
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 if there are warnings"
    )


def run(options, check):
    from keras_decay.tools import _model_file, _saving, audit

    path = Path(options.model).expanduser()
    if not options.model.strip() or not path.exists() or path.is_dir():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise UsageError(f"argument MODEL.keras: {options.model!r} {problem}")
    with contextlib.ExitStack() as stack:
        staging = None
        if options.out is not None:
            output = publishing(options.out, _saving.FILES, force=options.force)
            try:
                staging = stack.enter_context(output)
            except OutputError as error:
                raise UsageError(f"argument --out: {error}") from error
        try:
            report = audit(
                path, steps_per_epoch=options.steps_per_epoch, epochs=options.epochs
            )
        except _model_file.FileError as error:
            raise Failure(str(error)) from error
        check()
        if staging is not None:
            _saving.save(report, staging)
    print(report)
    if options.out is not None:
        print(f"\nIn {options.out}/: {' and '.join(_saving.FILES)}.")
    return 1 if options.strict and not report.ok else 0
