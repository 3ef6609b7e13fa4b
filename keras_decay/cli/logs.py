"""Logs of trainings on the command line: their options, and how they are read.

What is left out of a file is a warning on standard error.
"""

import argparse
import sys
import warnings

from keras_decay.cli._errors import Failure, UsageError


def add_options(parser):
    """Options for which run and which columns of a log are meant."""
    parser.add_argument(
        "--run",
        type=_number,
        default=-1,
        metavar="N",
        help="which of several runs in a file, from 0, or from -1 for the last",
    )
    parser.add_argument(
        "--train",
        metavar="COLUMN",
        default=argparse.SUPPRESS,
        help="the column of the training loss, where its name is not known",
    )
    parser.add_argument(
        "--validation",
        metavar="COLUMN",
        default=argparse.SUPPRESS,
        help="the column of the validation loss",
    )


def run_of(path, options, command):
    """The run of a file or folder that is asked for, or the reason why there is none.

    Args:
        path: Path of the log.
        options: The parsed options, those of `add_options` among them.
        command: Name of the command, for warnings.
    """
    from keras_decay.curves import read_curves

    if not path.exists():
        name = "CURVE" if command == "plot" else "FILE"
        raise UsageError(f"argument {name}: {str(path)!r} does not exist")
    columns = {
        name: vars(options)[name]
        for name in ("train", "validation")
        if name in vars(options)
    }
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise Failure(f"{str(path)!r} has no epochs yet")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            runs = read_curves(path, **columns)
    except OSError as error:
        reason = error.strerror or error
        raise Failure(f"cannot read {str(path)!r}: {reason}") from error
    except (TypeError, ValueError, ImportError) as error:
        raise Failure(str(error)) from error
    for warning in caught:
        print(f"keras-decay {command}: warning: {warning.message}", file=sys.stderr)
    if not -len(runs) <= options.run < len(runs):
        raise UsageError(
            f"argument --run: {str(path)!r} has {len(runs)} runs, numbered from 0. "
            f"Received: {options.run}"
        )
    found = runs[options.run]
    if not found:
        raise Failure(f"{str(path)!r} has no epochs yet")
    return found


def _number(text):
    try:
        return int(text)
    except ValueError:
        must = f"must be a whole number. Received: {text!r}"
        raise argparse.ArgumentTypeError(must) from None
