"""What a conversion needs besides the strength, and how an optimizer supplies it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_decay.ground import validation

MEANINGS = {
    "optimizer": "'sgd', or a Keras SGD without momentum",
    "learning_rate": "η, or η_0 under a schedule",
    "n_samples": "n, the training samples",
    "batch_size": "b, the samples in a batch",
    "epochs": "T, the epochs of the training",
    "noise_variance": "s², the variance of the targets' noise",
}


@dataclass(frozen=True)
class ConversionSettings:
    """The checked arguments of a conversion; None for one that was not given.

    Args:
        optimizer: A name, or the Keras optimizer that makes the steps, unwrapped.
        varying_rate: Whether the rate was not given, and the optimizer's is no number.
    """

    optimizer: Any = None
    learning_rate: float | None = None
    n_samples: int | None = None
    batch_size: int | None = None
    epochs: int | None = None
    noise_variance: float | None = None
    n_outputs: int = 1
    varying_rate: bool = False


def settings(
    optimizer, learning_rate, n_samples, batch_size, epochs, noise_variance, n_outputs
):
    """The arguments of `convert`, all of them checked, needed or not."""
    if optimizer is not None and not isinstance(optimizer, str):
        optimizer = stepping(optimizer)
    rate = positive("learning_rate", learning_rate)
    varying = False
    if rate is None and not isinstance(optimizer, (str, type(None))):
        rate = constant_rate(optimizer)
        varying = rate is None
    samples, batch = count("n_samples", n_samples), count("batch_size", batch_size)
    if samples is not None and batch is not None and batch > samples:
        must = f"at most `n_samples`, which is {samples}"
        raise ValueError(validation.received("batch_size", batch_size, must))
    return ConversionSettings(
        optimizer=optimizer,
        learning_rate=rate,
        n_samples=samples,
        batch_size=batch,
        epochs=count("epochs", epochs),
        noise_variance=positive("noise_variance", noise_variance),
        n_outputs=validation.integer("n_outputs", n_outputs, minimum=1),
        varying_rate=varying,
    )


def positive(name, value):
    """`value` as a float above 0; None stays None."""
    return None if value is None else validation.number(name, value, above=0)


def count(name, value):
    """`value` as an int of at least 1; None stays None."""
    return None if value is None else validation.integer(name, value, minimum=1)


def stepping(optimizer):
    """The optimizer that makes the steps, taken out of its wrappers."""
    import keras  # loaded already, if this is an optimizer

    from keras_decay.models import innermost

    if not isinstance(optimizer, keras.optimizers.Optimizer):
        must = "the name of an optimizer or a Keras optimizer"
        raise TypeError(validation.received("optimizer", optimizer, must))
    return innermost(optimizer)


def constant_rate(optimizer):
    """The optimizer's learning rate if it is a number, else None.

    Keras holds it as a float32 variable, in which 0.1 is 0.10000000149. The result is
    the shortest decimal with the same float32, which is what the user wrote.
    """
    import keras

    rate = getattr(optimizer, "learning_rate", None)
    if not isinstance(rate, keras.Variable):
        return None
    rate = float(keras.ops.convert_to_numpy(rate))
    single = np.float32(rate)
    if float(single) == rate:
        rate = float(str(single))
    return validation.number("learning_rate", rate, above=0)
