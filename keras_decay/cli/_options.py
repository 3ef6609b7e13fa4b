"""Options that several commands share, and their types for argparse."""

import argparse
import contextlib
import math
from pathlib import Path

from keras_decay.cli._errors import UsageError
from keras_decay.experiments._output import OutputError, publishing


def whole_number(minimum, maximum=None):
    """A type for argparse: a whole number from `minimum` to `maximum`."""
    must = f"must be a whole number of at least {minimum}"
    if maximum is not None:
        must += f" and at most {maximum}"

    def convert(text):
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or not minimum <= number <= (maximum or number):
            raise argparse.ArgumentTypeError(f"{must}. Received: {text!r}")
        return number

    return convert


def positive_number(text):
    """A type for argparse: a finite number greater than 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(
            f"must be a finite number greater than 0. Received: {text!r}"
        )
    return number


def folder(text):
    """A type for argparse: the path of a folder, existing or not."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"must name a folder. Received: {text!r}")
    return Path(text).expanduser()


def add_output(parser, name, contents):
    """Options of a command that leaves a folder of results."""
    parser.add_argument(
        "--out",
        type=folder,
        default=f"keras-decay-{name}",
        metavar="DIR",
        help=f"the folder for {contents}",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the results that are in DIR"
    )


@contextlib.contextmanager
def results(options, names):
    """`publishing` into the folder of `add_output`; a bad one is a mistake of usage."""
    with contextlib.ExitStack() as stack:
        output = publishing(options.out, names, force=options.force)
        try:
            staging = stack.enter_context(output)
        except OutputError as error:
            raise UsageError(f"argument --out: {error}") from error
        yield staging
