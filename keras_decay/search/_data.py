"""The user's data as plain arrays, checked before anything is trained."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_decay.ground import validation
from keras_decay.search._building import length

_MUST = (
    "an array, a data frame, or a list or dict of these, with one entry for each row"
)


def arrays(name, value):
    """`value` as an array, or as a list or dict of arrays, all with the same rows.

    Floating-point numbers take Keras' default precision, as in `fit`. A list is one of
    arrays if its items have a shape, else it is an array itself.

    Raises:
        TypeError, ValueError: If it is not; the message names the argument.
    """
    tree: Any
    if isinstance(value, Mapping) and not hasattr(value, "toarray"):
        tree = {key: _array(f"{name}[{key!r}]", one) for key, one in value.items()}
        each = list(tree.values())
    elif isinstance(value, (list, tuple)) and any(_has_rows(one) for one in value):
        each = [_array(f"{name}[{i}]", one) for i, one in enumerate(value)]
        tree = list(each)
    else:
        tree = _array(name, value)
        each = [tree]
    if not each or not len(each[0]):
        raise ValueError(f"`{name}` must hold at least one row. Received: none")
    rows = sorted({len(one) for one in each})
    if len(rows) > 1:
        raise ValueError(
            f"`{name}` must be arrays with the same number of rows. Received: "
            f"{' and '.join(map(str, rows))} rows"
        )
    return tree


def check_rows(name, value, rows, of="x"):
    """Refuse data with another number of rows than `of` has."""
    if length(value) != rows:
        raise ValueError(
            f"`{name}` must have as many rows as `{of}`, {rows}. Received: "
            f"{length(value)} rows"
        )


def weights(name, value, rows):
    """Sample weights as an array of float32, one non-negative number for each row."""
    if value is None:
        return None
    must = f"a list of {rows} non-negative numbers, one for each row"
    try:
        array = np.asarray(getattr(value, "to_numpy", lambda: value)(), "float32")
    except (TypeError, ValueError) as error:
        raise TypeError(validation.received(name, value, must)) from error
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (rows,):
        raise ValueError(
            f"`{name}` must be {must}. Received: an array of shape {array.shape}"
        )
    if not np.all(np.isfinite(array)) or np.any(array < 0):
        raise ValueError(
            f"`{name}` must be {must}. Received: {name} with a number that is not"
        )
    if not np.any(array):
        raise ValueError(
            f"`{name}` must not be zero for every row: nothing would be learnt. "
            f"Received: {rows} zeros"
        )
    return array


def class_weights(class_weight, y):
    """The weight of each row by its class, as `fit(class_weight=…)` gives it, or None.

    Args:
        class_weight: A dict from whole numbers, the classes, to numbers; or None.
        y: Whole numbers, or one column for each class.
    """
    if class_weight is None:
        return None
    must = "a dict from classes, whole numbers, to non-negative numbers"
    if not isinstance(class_weight, Mapping) or not class_weight:
        raise TypeError(validation.received("class_weight", class_weight, must))
    for key, weight in class_weight.items():
        if isinstance(key, bool) or not isinstance(key, (int, np.integer)):
            raise TypeError(validation.received("class_weight", class_weight, must))
        validation.number(f"class_weight[{key}]", weight, minimum=0)
    if not isinstance(y, np.ndarray) or y.ndim > 2:
        raise ValueError(
            "`class_weight` must be None unless `y` is one array of classes. Received: "
            f"class_weight={class_weight!r}"
        )
    if y.ndim == 2:
        y = y[:, 0] if y.shape[1] == 1 else y.argmax(axis=1)
    classes = np.round(y).astype(int).tolist()
    return np.array([class_weight.get(one, 1.0) for one in classes], "float32")


def joined(first, second):
    """The rows of both, one after the other."""
    try:
        return keras.tree.map_structure(
            lambda a, b: np.concatenate([a, b]), first, second
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            "`validation_data` must be made like `x` and `y`: as many arrays, of the "
            f"same shapes but for the rows. {error}"
        ) from error


def product(*factors):
    """The product of those weights that are not None; None if all are."""
    given = [factor for factor in factors if factor is not None]
    return np.prod(given, axis=0).astype("float32") if given else None


def _array(name, value):
    if hasattr(value, "to_numpy"):  # pandas and polars
        value = value.to_numpy()
    elif isinstance(value, keras.Variable) or keras.ops.is_tensor(value):
        value = keras.ops.convert_to_numpy(value)
    if hasattr(value, "toarray"):
        raise TypeError(
            f"`{name}` must be dense; sparse data is not supported. Received: a matrix "
            f"of type {type(value).__name__}. Use its method toarray()"
        )
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O":  # numbers of several kinds in a data frame
            array = array.astype("float64")
    except (TypeError, ValueError) as error:
        raise TypeError(validation.received(name, value, _MUST)) from error
    if array.ndim == 0 or array.dtype.kind in "cmMV":
        raise TypeError(validation.received(name, value, _MUST))
    if array.dtype.kind == "f":
        array = array.astype(keras.config.floatx(), copy=False)
    return array


def _has_rows(value):
    return bool(getattr(value, "shape", ()))
