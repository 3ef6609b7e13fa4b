"""What a model is trained for, by its loss: numbers, or classes and their coding."""

import contextlib
import weakref
from typing import NamedTuple

import keras
import numpy as np

from keras_decay.search._building import seeded

BINARY, SPARSE, CATEGORICAL = "binary", "sparse", "categorical"
_LOSSES = keras.losses
# For each coding of classes the losses that expect it.
_CODINGS = {
    BINARY: (
        (_LOSSES.BinaryCrossentropy, _LOSSES.BinaryFocalCrossentropy),
        (_LOSSES.binary_crossentropy, _LOSSES.binary_focal_crossentropy),
    ),
    SPARSE: (
        (_LOSSES.SparseCategoricalCrossentropy,),
        (_LOSSES.sparse_categorical_crossentropy,),
    ),
    CATEGORICAL: (
        (_LOSSES.CategoricalCrossentropy, _LOSSES.CategoricalFocalCrossentropy),
        (_LOSSES.categorical_crossentropy, _LOSSES.categorical_focal_crossentropy),
    ),
}
# Models are not built again only to be asked for their loss.
_known: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class Coding(NamedTuple):
    """How a loss wants classes: its kind, and whether outputs are logits."""

    kind: str
    from_logits: bool


class Classes:
    """Classes of any labels, as a model is trained on them and gives them back.

    Attributes:
        classes: The labels in ascending order.
        coding: The `Coding`.
    """

    def __init__(self, classes, coding):
        self.classes, self.coding = classes, coding

    def check_outputs(self, shape):
        """Refuse a model whose output does not fit the classes."""
        count = len(self.classes)
        wanted = 1 if self.coding.kind == BINARY else count
        if count < 2:
            raise ValueError(
                "`y` must have at least two classes; the data has one class. Received: "
                f"y with {self.classes[0]!r} alone"
            )
        if self.coding.kind == BINARY and count > 2:
            raise ValueError(
                "`y` must have two classes where the loss is a binary crossentropy. "
                f"Only binary classification is supported. Received: y with {count} "
                "classes"
            )
        outputs = shape[-1] if len(shape) > 1 else 1
        if len(shape) > 2 or outputs != wanted:
            raise ValueError(
                f"`build` must return a model with {wanted} outputs for the {count} "
                f"classes of `y` under its loss. Received: one with outputs of shape "
                f"{tuple(shape[1:])}"
            )

    def encode(self, y):
        """Labels as the loss wants them."""
        index = np.searchsorted(self.classes, y)
        if self.coding.kind == CATEGORICAL:
            return np.eye(len(self.classes), dtype="float32")[index]
        return index.astype("float32" if self.coding.kind == BINARY else "int32")

    def probabilities(self, outputs):
        """The probability of each class, of shape (rows, classes)."""
        outputs = np.asarray(outputs, "float64").reshape(len(outputs), -1)
        if self.coding.kind == BINARY:
            if self.coding.from_logits:
                outputs = 0.5 * (1 + np.tanh(0.5 * outputs))
            return np.hstack([1 - outputs, outputs])
        if self.coding.from_logits:
            outputs = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        # They sum to one up to the model's precision, which scorers find too little.
        sums = outputs.sum(axis=1, keepdims=True)
        return outputs / np.where(sums > 0, sums, 1)

    def labels(self, outputs):
        """The most probable class of each row."""
        return self.classes[self.probabilities(outputs).argmax(axis=1)]


class Numbers:
    """Targets that the model takes as they are.

    Args:
        flat: Whether they are one number for each row, in an array of one dimension.
    """

    classes = coding = None

    def __init__(self, flat):
        self._flat = flat

    def check_outputs(self, shape):
        del shape

    def encode(self, y):
        return y

    def labels(self, outputs):
        """The outputs, of one dimension if the targets are and if they can be."""
        if self._flat and isinstance(outputs, np.ndarray):
            rows = len(outputs)
            return outputs.reshape(rows) if outputs.size == rows else outputs
        return outputs


def targets_of(coding, y):
    """`Classes` or `Numbers` for a model with this coding, trained on `y`."""
    if coding is None or not isinstance(y, np.ndarray) or y.ndim > 1:
        return Numbers(isinstance(y, np.ndarray) and y.ndim == 1)
    if coding.kind == BINARY and _is_share(y):
        return Numbers(True)
    from sklearn.utils.multiclass import check_classification_targets

    check_classification_targets(y)
    return Classes(np.unique(y), coding)


def labels_of(coding, y):
    """y in one dimension, if it holds labels in a column, as scikit-learn takes them.

    It warns of it.
    """
    column = isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] == 1
    if coding is None or not column or (coding.kind == BINARY and _is_share(y)):
        return y
    from sklearn.utils import column_or_1d

    return column_or_1d(y, warn=True)


def coding_of(model):
    """The `Coding` that a compiled model's loss wants, None if it takes numbers."""
    try:
        loss = keras.losses.get(model.loss)
    except (TypeError, ValueError):  # several losses, or one of the user's own
        return None
    for kind, (classes, functions) in _CODINGS.items():
        if isinstance(loss, classes) or any(loss is one for one in functions):
            return Coding(kind, bool(getattr(loss, "from_logits", False)))
    return None


def kind_of(build, params):
    """The kind of classes that `build` makes a model for, "" for numbers.

    It builds a model, once for each `build`, and returns None if that fails.
    """
    with contextlib.suppress(TypeError):  # not every callable can be kept weakly
        if build in _known:
            return _known[build]
    try:
        with seeded(0):
            coding = coding_of(build(**params))
    except Exception:  # whatever is wrong is said by `fit`
        return None
    kind = coding.kind if coding else ""
    with contextlib.suppress(TypeError):
        _known[build] = kind
    return kind


def _is_share(y):
    """Whether these are shares between 0 and 1, and not two classes."""
    within = y.dtype.kind == "f" and bool(np.all((y >= 0) & (y <= 1)))
    return within and len(np.unique(y)) > 2
