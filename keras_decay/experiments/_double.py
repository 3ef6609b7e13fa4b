"""Float64 for the experiments that compare with algebra."""

import contextlib

from keras_decay.ground import backend


@contextlib.contextmanager
def precision():
    """Keras' default float is float64 meanwhile, and the backend has it at all.

    The policy of new layers is set too: it follows the default float only until the
    first layer of the process is made.
    """
    import keras

    before = keras.config.floatx(), keras.config.dtype_policy()
    with backend.current().wide():
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        try:
            yield
        finally:
            keras.config.set_floatx(before[0])
            keras.config.set_dtype_policy(before[1])
