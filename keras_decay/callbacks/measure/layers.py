"""The terms of a model's penalty by layer."""

from keras import ops

# Activity regularizers and what layers add by `add_loss`.
OTHER = "other"


class ByLayer:
    """The layers of a model that penalise their weights, in the order of its losses.

    `model.losses` ends with one term for each trainable weight that has a regularizer,
    in the order of `model.trainable_weights`. What comes before are activity
    regularizers and added losses; Keras does not say of which layer.

    Args:
        model: A Keras model.
    """

    def __init__(self, model):
        self._owners = _owners(model)
        self._has_others = False
        self.names = [*dict.fromkeys(self._owners), OTHER]

    def suits(self, model):
        """Whether it still describes the model."""
        return self._owners == _owners(model)

    def sums(self, terms):
        """The terms of the penalty summed by layer, in the order of `names`.

        Returns:
            A list of scalars, or None if layers were frozen or freed since.
        """
        count = len(terms) - len(self._owners)
        if count < 0:
            return None
        self._has_others = count > 0
        sums = dict.fromkeys(self.names, ops.zeros(()))
        for name, term in zip([OTHER] * count + self._owners, terms, strict=True):
            sums[name] = sums[name] + ops.sum(term)
        return list(sums.values())

    def named(self, values):
        """The values by layer; `OTHER` only where the model has any."""
        named = dict(zip(self.names, values, strict=True))
        if not self._has_others:
            del named[OTHER]
        return named


def _owners(model):
    """For every penalised weight, the path of the layer that it belongs to."""
    return [
        weight.path.rpartition("/")[0] or weight.path
        for weight in model.trainable_weights
        if getattr(weight, "regularizer", None) is not None
    ]
