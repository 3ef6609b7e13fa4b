"""`prune`: a smaller model that puts out the same."""

import warnings

import keras
import numpy as np

from keras_decay.ground import validation
from keras_decay.models import layers_of
from keras_decay.tools._pruning import _graph, _rebuild
from keras_decay.tools._pruning._dead import dead_units
from keras_decay.tools._pruning._flow import Flow, Need


def prune(model):
    """The model without the units that penalties have emptied, with equal outputs.

    A unit (of Dense) or filter (of a convolution) goes if no weight other than zero
    leads from it to a unit that stays, or if it is a constant c: all its weights are
    exactly zero, or all that enters it is constant. What it gave to the next layer,
    y = W x + b, goes into the bias there,

        b ← b + c Σ_taps W_c,        c = a(b_c), a the activation,

    computed in float64. Removing a unit can leave others without use; all are found.
    Nothing is rounded to zero and there is no threshold: outputs at inference are
    equal but for the order of summation, within 1e-6 of their scale in float32.

    Followed are Dense, Conv1D to 3D, their transposed and separable forms, wherever in
    a sequential or functional model they feed each other directly, by several branches,
    or through layers that keep units apart: elementwise activations, batch
    normalisation (whose scales of zero make constants, too), dropout and noise,
    pooling, Flatten, Reshape, zero padding, cropping, upsampling, depthwise
    convolutions, Concatenate. Units that reach any other layer (softmax, layer
    normalisation, sums, attention, recurrent and nested layers, a layer used twice)
    stay. So do the model's outputs; a filter whose constant is not zero where the next
    convolution pads with zeros (`padding="same"`); and one unit where all would go.
    A warning names the layers of which dead units had to stay, and why. How many there
    are, before and after, says `kd.sparsity`.

    The new model has the same names, settings, dtypes, trainable flags and state; a
    layer that had no bias gets one where a constant needs it. A regularizer or
    constraint made for weights of the old shape is left out, with a warning. It is not
    compiled, because an optimizer's state does not fit the smaller weights: call
    `new.compile(optimizer, loss)` before training on. `model` is left as it is.

    Args:
        model: A built `keras.Sequential` with known inputs or functional `keras.Model`.

    Returns:
        A new model of the same class. Where nothing can go it is an equal copy.

    Raises:
        TypeError: If `model` is not a Keras model.
        ValueError: If it is not built, its graph is not known (a class with a `call` of
            its own), nothing in it can be followed, a layer cannot be made anew from
            its config, or one is within two others.

    Example:

    ```python
    optimizer = kd.DecoupledWeightDecay(keras.optimizers.Adam(), penalty=kd.L1(1e-3))
    model.compile(optimizer, "mse")
    model.fit(x, y, epochs=50)
    print(kd.sparsity(model))
    small = kd.prune(model)
    small.save("small.keras")
    ```

    Reference: Wen et al., Learning Structured Sparsity in Deep Neural Networks,
    arXiv 1608.03665; Liu et al., Learning Efficient Convolutional Networks through
    Network Slimming, arXiv 1708.06519 (scales of batch normalisation).
    """
    if not isinstance(model, keras.Model):
        raise TypeError(validation.received("model", model, "a keras.Model"))
    if not model.built:
        remedy = "Call `model.build(input_shape)`, or the model on one batch, first."
        raise ValueError(validation.received("model", model, "built", remedy))
    if not _graph.is_graph(model):
        must = "a keras.Sequential or a functional keras.Model, whose graph is known"
        remedy = (
            "What a class with a `call` of its own does cannot be followed: make the "
            "part to be pruned a functional model, and prune that."
        )
        raise ValueError(validation.received("model", model, must, remedy))
    flow = Flow(_graph.graph_of(model))
    if flow.unfollowed and not flow.follows():
        names = ", ".join(
            f"{name!r} ({what})" for name, what in flow.unfollowed.items()
        )
        must = "a model in which a Dense or convolutional layer feeds another"
        remedy = f"The layers that cannot be followed: {names}."
        raise ValueError(validation.received("model", model, must, remedy))
    need = Need(flow)
    new, left_out = _rebuild.rebuilt(model, _rebuild.changes(flow, need))
    if left_out:
        what = ", ".join(left_out)
        text = f"Made for weights of another shape, hence left out: {what}."
        warnings.warn(text, stacklevel=2)
    kept = _kept_dead(model, flow, need)
    if kept:
        warnings.warn(f"Dead units had to be kept: {'; '.join(kept)}.", stacklevel=2)
    return new


def _kept_dead(model, flow, need):
    """In words, per layer: the dead units that stay, and why they had to."""
    found = []
    for name, kernel in flow.kernels.items():
        why: dict[str, int] = {}
        for unit in kernel.units[kernel.constant & need.kept[kernel.units]]:
            reason = need.reasons.get(int(unit))
            if reason is not None:
                why[reason] = why.get(reason, 0) + 1
        found += [f"{count} of {name!r}, as {reason}" for reason, count in why.items()]
    followed = {id(kernel.layer) for kernel in flow.kernels.values()}
    followed |= {id(layer) for layer, _, _ in flow.passed.values()}
    for layer in layers_of(model):
        dead = None if id(layer) in followed else dead_units(layer)
        if dead is not None and np.any(dead):
            found.append(f"{int(dead.sum())} of {layer.path!r}, which is not followed")
    return found
