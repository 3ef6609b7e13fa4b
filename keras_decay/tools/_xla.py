"""Whether XLA compiles the update of the weights, and why not."""

import math

import keras

from keras_decay.ground import backend
from keras_decay.models import layers_of
from keras_decay.tools._probe import is_distributed


def xla_text(model, views):
    """ "yes" or "no: …" on TensorFlow; None on the other backends.

    Args:
        model: The compiled model.
        views: The views of its optimizers.
    """
    if keras.backend.backend() != "tensorflow":
        return None
    if model.jit_compile and not model.run_eagerly:
        return "yes, with the whole training step"
    ours = [view for view in views if hasattr(view, "jit_compile")]
    if not ours:
        return "no: the model is compiled with jit_compile off"
    reasons = {reason(model, view) for view in ours}
    if reasons == {None}:
        return "yes" if len(ours) == len(views) else "yes, where decay is decoupled"
    return "no: " + "; ".join(sorted(reasons - {None}))


def reason(model, view):
    """Why the update of a `DecoupledWeightDecay` is not compiled, or None."""
    if view.jit_compile is False:
        return "jit_compile=False"
    if is_distributed(model):
        return "the model is in a distribution strategy"
    if any(layer_is_sparse(layer) for layer in layers_of(model)):
        return "an Embedding gives sparse gradients"
    if model.run_eagerly and not view.fixed:
        return "run eagerly with a schedule or callable"
    sizes = [math.prod(variable.shape) for variable in model.trainable_variables]
    least = backend.current().WORTH_COMPILING
    if view.jit_compile == "auto" and sum(sizes) < least * len(sizes):
        return "its variables are small, where XLA would take longer"
    return None


def layer_is_sparse(layer):
    """Whether the gradient of the layer's weights is sparse on TensorFlow."""
    return isinstance(layer, keras.layers.Embedding) and any(
        variable.name == "embeddings" for variable in layer.trainable_variables
    )
