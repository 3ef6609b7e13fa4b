"""Float64 for the experiments that compare with algebra."""

import contextlib

from keras_decay import _backend


@contextlib.contextmanager
def precision():
    """Keras' default float is float64 meanwhile, and the backend has it at all."""
    import keras

    before = keras.config.floatx()
    with _backend.current().wide():
        keras.config.set_floatx("float64")
        try:
            yield
        finally:
            keras.config.set_floatx(before)
