"""Splits what `compute_loss` returns into the data's part and the penalty's."""

import functools
import inspect

import keras
from keras import ops

UNHEARD = "this version of Keras adds the loss up in a way that is not known here"
UNKNOWN = (
    "the model's own compute_loss mentions neither `losses` nor `super().compute_loss`,"
    " so that it is unknown whether the penalties of its layers are in the loss"
)


def splitter(model, original):
    """A function that computes a model's loss and tells its parts.

    Args:
        model: A Keras model.
        original: Its `compute_loss`, bound.

    Returns:
        A function with the arguments of `compute_loss`. It returns the loss, and a
        dict with its `data_loss`, its `penalty` and the `terms` of the latter, a list
        in the order of `model.losses`; or the reason why there is none.
    """
    if original == keras.Model.compute_loss.__get__(model):
        return _keras_parts(model)
    return _difference(model, original)


def _keras_parts(model):
    """Let Keras' own method compute the loss, and listen to what it adds up.

    Training is therefore bit for bit what it is without the callback. If a later Keras
    adds otherwise, nothing is heard and nothing recorded, rather than something wrong.
    """

    def compute_loss(*args, **kwargs):
        listener = _Listener(model)
        total = keras.Model.compute_loss(listener, *args, **kwargs)
        return total, listener.parts()

    return compute_loss


class _Listener:
    """Stands for the model as the `self` of `keras.Model.compute_loss`."""

    def __init__(self, model):
        self._model = model
        self._data = []
        self._penalties = []
        self._n_penalties = 0

    def __getattr__(self, name):
        return getattr(self._model, name)

    @property
    def losses(self):
        losses = self._model.losses
        self._n_penalties = len(losses)
        return losses

    @property
    def _compile_loss(self):
        compiled = self._model._compile_loss
        if compiled is None:
            return None

        def compile_loss(*args, **kwargs):
            loss = compiled(*args, **kwargs)
            if loss is not None:
                self._data.append(loss)
            return loss

        return compile_loss

    def _aggregate_additional_loss(self, loss):
        loss = self._model._aggregate_additional_loss(loss)
        self._penalties.append(loss)
        return loss

    def parts(self):
        """The two sums, or the reason if something was not heard."""
        missed = not self._data and self._model.loss is not None
        if missed or len(self._penalties) != self._n_penalties:
            return UNHEARD
        # tf.distribute divides every replica's loss by their number.
        strategy = getattr(self._model, "distribute_strategy", None)
        replicas = getattr(strategy, "num_replicas_in_sync", 1)
        penalties = [ops.stop_gradient(term) * replicas for term in self._penalties]
        return {
            "data_loss": _sum(self._data) * replicas,
            "penalty": _sum(penalties),
            "terms": penalties,
        }


def _difference(model, original):
    """A user's own total, less the penalties that Keras has collected."""
    adds_penalties = _adds_penalties(original)

    def compute_loss(*args, **kwargs):
        total = original(*args, **kwargs)
        penalties = [ops.sum(loss) for loss in model.losses]
        if penalties and not adds_penalties:
            return total, UNKNOWN
        penalty = _sum(penalties)
        data = ops.subtract(ops.stop_gradient(total), penalty)
        terms = [ops.stop_gradient(term) for term in penalties]
        return total, {"data_loss": data, "penalty": penalty, "terms": terms}

    return compute_loss


def _adds_penalties(function):
    """Whether a user's `compute_loss` seems to add `model.losses`, as Keras' does.

    What it leaves to other functions cannot be seen. Without Python code to look at
    it is taken for granted.
    """
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code is None or bool({"losses", "compute_loss"} & set(code.co_names))


def _sum(terms):
    terms = [ops.stop_gradient(term) for term in terms]
    return functools.reduce(ops.add, terms) if terms else ops.zeros(())


def batch_size(args, kwargs):
    """The weight of a batch in Keras' own mean of the loss."""
    x = args[0] if args else kwargs.get("x")
    others = (*args[1:3], kwargs.get("y"), kwargs.get("y_pred"))
    first = next(leaf for leaf in keras.tree.flatten((x, others)) if leaf is not None)
    return ops.shape(first)[0]
