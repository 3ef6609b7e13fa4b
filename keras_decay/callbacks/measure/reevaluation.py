"""The training loss as validation measures it: at an epoch's end, with dropout off."""

import warnings

from keras_decay.ground import backend, validation

MUST = (
    "False, the training data as a tuple (x, y) or (x, y, sample_weight), or as a "
    "tf.data.Dataset, PyDataset or DataLoader with an end"
)


class Reevaluation:
    """Evaluates a model on the data that it is being trained on.

    Args:
        data: What `LearningCurve` takes as `reevaluate`, but for booleans.

    Raises:
        TypeError: If these are no data.
        ValueError: If the data can be gone through only once, or have no end.
    """

    def __init__(self, data):
        if isinstance(data, (tuple, list)):
            if len(data) not in (2, 3):
                raise ValueError(validation.received("reevaluate", data, MUST))
            names = ("x", "y", "sample_weight")
            self._arguments = dict(zip(names, data, strict=False))
        elif data is None or isinstance(data, (str, int, float)):
            raise TypeError(validation.received("reevaluate", data, MUST))
        else:
            self._arguments = {"x": data}
        x = self._arguments["x"]
        if hasattr(x, "__next__"):
            raise ValueError(_refusal(x, "can be gone through more than once"))
        if _is_endless(x):
            raise ValueError(_refusal(x, "have an end"))

    @classmethod
    def of(cls, value):
        """What `LearningCurve(reevaluate=value)` asks for, or None."""
        if value is True:
            warnings.warn(
                "reevaluate=True evaluates nothing any more, and will be refused: give "
                "the training data themselves, `reevaluate=(x, y)`.",
                FutureWarning,
                stacklevel=3,
            )
        return None if isinstance(value, bool) else cls(value)

    def __call__(self, model):
        """The logs of an evaluation, without a prefix."""
        with backend.current().kept_randomness():
            return model.evaluate(**self._arguments, verbose=0, return_dict=True)


def _is_endless(x):
    """Whether a tf.data.Dataset or a PyDataset has no end."""
    if hasattr(x, "cardinality") and callable(x.cardinality):
        return int(x.cardinality()) == -1
    return hasattr(x, "num_batches") and x.num_batches is None


def _refusal(x, must):
    return validation.received(
        "reevaluate", f"data of type {type(x).__name__}", f"data that {must}"
    )
