"""Types of options that several commands share, for argparse."""

import argparse
import math
from pathlib import Path


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
