"""TensorFlow's side of the interface described in `programs`."""

import keras
import tensorflow as tf

from keras_decay.ground.backend.programs.machine import UNKNOWN, WIDTH, cores
from keras_decay.ground.backend.programs.optimizers import pure_class

COMPILES = True
ACCUMULATES = False


def compiled(function):
    # A new function each time: else TensorFlow takes the programs of several groups for
    # one program that is traced again and again, and warns.
    def program(*arguments):
        return function(*arguments)

    return tf.function(program, jit_compile=True, autograph=False)


def vectorized(function):
    def at_once(*arguments):
        return tf.vectorized_map(lambda each: function(*each), arguments, warn=False)

    return at_once


def repeat(count, body, carry):
    flat = tf.nest.flatten(carry)

    def step(i, *values):
        new = body(i, tf.nest.pack_sequence_as(carry, values))
        tf.nest.assert_same_structure(carry, new)
        return (i + 1, *tf.nest.flatten(new))

    _, *flat = tf.while_loop(lambda i, *_: i < count, step, (tf.constant(0), *flat))
    return tf.nest.pack_sequence_as(carry, flat)


def choose(index, branches, carry):
    # Loops of no or one turn: with `tf.switch_case` a program compiles for minutes.
    for number, branch in enumerate(branches, 1):
        turns = tf.cast(tf.equal(index, number), "int32")
        carry = repeat(turns, lambda _, now, act=branch: act(now), carry)
    return carry


def value_and_gradients(function, values):
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        value, others = function(values)
    gradients = tape.gradient(value, values, unconnected_gradients="zero")
    return value, others, [tf.convert_to_tensor(g) for g in gradients]


def obstacle(model):
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.RNN) and not layer.unroll:
            # The stacked loop would need lists of tensors, which XLA does not have.
            return (
                f"the layer {layer.name!r} is not unrolled (unroll=True), on TensorFlow"
            )
    return None


def make_pure(model):
    del model


def as_pure(optimizer):
    """An optimizer whose class does not bypass `keras.Variable`.

    Keras' optimizers on TensorFlow hand native variables to the strategy of
    tf.distribute. The subclass made here does without these overrides.
    """
    if optimizer.built:
        optimizer = type(optimizer).from_config(optimizer.get_config())
    optimizer.__class__ = pure_class(type(optimizer), *_parents())
    return optimizer


def _parents():
    """The class of Keras that knows of tf.distribute, and the one below it."""
    order = keras.optimizers.Optimizer.__mro__
    position = next(i for i, c in enumerate(order) if "stateless_apply" in vars(c))
    base = next(c for c in order[position + 1 :] if "stateless_apply" in vars(c))
    return order[position], base


def concurrency():
    return 1 if tf.config.list_logical_devices("GPU") else cores()


def width(weights):
    del weights
    return WIDTH


def free_memory():
    # TensorFlow does not tell how much memory a device has.
    return UNKNOWN if tf.config.list_logical_devices("GPU") else None


def set_within(stack, index, value):
    indices = tf.stack([tf.range(stack.shape[0]), tf.fill([stack.shape[0]], index)], 1)
    return tf.tensor_scatter_nd_update(stack, indices, value)


def precision():
    """Whether float32 may be rounded within products, on GPUs that do so."""
    return bool(tf.config.experimental.tensor_float_32_execution_enabled())


def set_precision(rounded):
    tf.config.experimental.enable_tensor_float_32_execution(rounded)
