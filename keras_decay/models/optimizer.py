"""A model's optimizer, made ready before the first step."""

import contextlib

import keras


def build_optimizer(model):
    """Create the variables of a compiled model's optimizer now, and not in the step.

    Keras does so itself on JAX and PyTorch. On TensorFlow it creates them in the first
    step, and TensorFlow traces a step once more if variables are created in it.

    A model with a `train_step` of its own is left alone: it may train other variables.

    Args:
        model: A compiled model that is built.
    """
    is_own = type(model).train_step is not keras.Model.train_step
    if is_own or model.optimizer.built or not model.trainable_variables:
        return
    # Under tf.distribute variables are made in the scope that the model was made in.
    strategy = getattr(model, "distribute_strategy", None)
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        model.optimizer.build(model.trainable_variables)
