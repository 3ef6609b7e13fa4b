"""What counts as a number in a curve, and numbers that were written as text."""

import math
import re
from numbers import Real

import numpy as np

# 1.234,5 and 0,25; never where the comma separates cells.
_DECIMAL_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+([eE][+-]?\d+)?")


def is_number(value):
    """Whether this can be a value of a curve; booleans and texts cannot."""
    kind = type(value)
    if kind is float or kind is int:
        return True  # the usual case: asking for `Real` takes ten times as long
    return isinstance(value, (Real, np.floating, np.integer)) and not isinstance(
        value, (bool, np.bool_)
    )


def is_nan(value):
    """Whether this is a number that is NaN."""
    return is_number(value) and math.isnan(value)


def number(value):
    """`value` as a float: text, or an array or tensor of one entry; None if it is none.

    Text may have a decimal comma.
    """
    if isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, str):
        text = value.strip()
        if "_" in text:
            return None
        try:
            return float(text)
        except ValueError:
            if _DECIMAL_COMMA.fullmatch(text) is None:
                return None
            return float(text.replace(".", "").replace(",", "."))
    if not hasattr(value, "__float__") or getattr(value, "ndim", False):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None
