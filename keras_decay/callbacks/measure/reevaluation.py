"""The training loss as validation measures it: at an epoch's end, with dropout off.

Keras tells a callback nothing of the training data. They are local variables of the
`fit` that calls it.
"""

from keras_decay.ground import backend, validation


class Reevaluation:
    """Evaluates a model on the data that it is being trained on.

    Args:
        given: The arguments of `fit`, a dict; `validation_split` already applied.

    Raises:
        ValueError: If the data can be gone through only once, or have no end.
    """

    def __init__(self, given):
        x = given.get("x")
        steps = given.get("steps_per_epoch")
        if x is None or hasattr(x, "__next__"):
            raise ValueError(_refusal(x, "cannot be gone through a second time"))
        endless = _is_endless(x)
        if endless and steps is None:
            raise ValueError(_refusal(x, "have no end"))
        self._arguments = {
            "x": x,
            "y": given.get("y"),
            "sample_weight": given.get("sample_weight"),
            "batch_size": given.get("validation_batch_size") or given.get("batch_size"),
            "steps": steps if endless else None,
        }

    def __call__(self, model):
        """The logs of an evaluation, without a prefix."""
        with backend.current().kept_randomness():
            return model.evaluate(**self._arguments, verbose=0, return_dict=True)


def _is_endless(x):
    """Whether an epoch would never end: of a tf.data.Dataset or a PyDataset."""
    if hasattr(x, "cardinality") and callable(x.cardinality):
        return int(x.cardinality()) == -1
    return hasattr(x, "num_batches") and x.num_batches is None


def _refusal(x, why):
    return validation.received(
        "reevaluate",
        True,
        f"False where the training data {why}",
        f"The data are of type {type(x).__name__}: give arrays, a tf.data.Dataset, a "
        "PyDataset or a DataLoader with an end instead.",
    )
