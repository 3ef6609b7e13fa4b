"""What is given to `DecaySearchCV`, checked in scikit-learn's way."""

import keras
import numpy as np
from sklearn.utils import check_array
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_consistent_length, validate_data

from keras_decay.ground import validation
from keras_decay.search import _data
from keras_decay.search._building import length


def inputs(search, X, reset):
    """X as an array, or a list or dict of arrays.

    Args:
        search: The estimator, which learns names and number of the features.
        X: The user's.
        reset: Whether it is being fitted; else the number of features is compared.
    """
    # One of scipy's sparse matrices is a dict.
    if (isinstance(X, dict) and not hasattr(X, "toarray")) or (
        isinstance(X, (list, tuple)) and any(len(np.shape(one)) > 1 for one in X)
    ):
        return _data.arrays("X", X)
    return validate_data(search, X, reset=reset, allow_nd=True, dtype="numeric")


def targets(y, X):
    """y as an array, of one dimension where it can be, or a list or dict of arrays."""
    if y is None:
        raise ValueError(
            "DecaySearchCV requires y to be passed, but the target y is None."
        )
    if isinstance(y, dict):
        tree = _data.arrays("y", y)
        _data.check_rows("y", tree, length(X), of="X")
        return tree
    y = check_array(
        y,
        ensure_2d=False,
        allow_nd=True,
        dtype=None,
        input_name="y",
        ensure_min_samples=0,
    )
    check_consistent_length(_first(X), y)
    if y.dtype.kind == "O":
        kinds = {type(one) for one in y.ravel()}
        if not kinds <= {str}:
            y = _numbers(y)
    return y


def output_shape(model, row):
    """The shape of a model's output for a row; () if there are several outputs."""
    output = model(row, training=False)
    shape = getattr(output, "shape", None)
    return tuple(shape) if shape is not None else ()


def class_weights(class_weight, y):
    """The weight of each row by its label, or None.

    Args:
        class_weight: Dict from labels to numbers, "balanced", or None.
        y: Labels, or whatever `targets` gives.
    """
    if class_weight is None:
        return None
    if not isinstance(y, np.ndarray) or y.ndim > 1:
        must = "None unless y holds one label for each row"
        raise ValueError(validation.received("class_weight", class_weight, must))
    return compute_sample_weight(class_weight, y).astype("float32")


def _first(tree):
    return keras.tree.flatten(tree)[0] if isinstance(tree, (dict, list)) else tree


def _numbers(y):
    try:
        return y.astype("float64")
    except (TypeError, ValueError) as error:
        must = "numbers, or labels that are all text"
        raise ValueError(validation.received("y", y[:3].tolist(), must)) from error
