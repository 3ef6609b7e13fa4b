"""The four kinds of model whose variables Keras renames or may rename on loading."""

import keras
import numpy as np

import keras_decay as kd


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.body = keras.layers.Dense(8, "relu", kernel_regularizer=kd.L2(0.01))
        self.head = keras.layers.Dense(1)

    def call(self, x):
        return self.head(self.body(x))


def sequential_without_input():
    return keras.Sequential(
        [
            keras.layers.Dense(8, "relu", kernel_regularizer=kd.L2(0.01)),
            keras.layers.Dense(1),
        ]
    )


def nested_functional():
    inner_input = keras.Input((4,))
    body = keras.layers.Dense(
        8, "relu", kernel_regularizer=kd.L1(0.01) + 0.5 * kd.L2(0.01), name="body"
    )
    inner = keras.Model(inner_input, body(inner_input), name="inner")
    outer_input = keras.Input((4,))
    return keras.Model(
        outer_input, keras.layers.Dense(1, name="head")(inner(outer_input))
    )


def cloned():
    return keras.models.clone_model(nested_functional())


KINDS = {
    "sequential_without_input": sequential_without_input,
    "nested_functional": nested_functional,
    "cloned": cloned,
    "subclassed": Subclassed,
}


def compiled(kind):
    """A model of this kind with rules of three forms on its variables."""
    keras.utils.clear_session()  # automatic layer names start afresh
    keras.utils.set_random_seed(3)
    model = KINDS[kind]()
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.Adam(0.01),
        0.3,
        rules=[
            (r"(head|dense_1)/kernel$", kd.ElasticNet(0.02, 0.1)),
            (r"bias$", 0.2, "independent"),
        ],
        coupling="schedule",
        use_ema=True,
    )
    model.compile(optimizer, "mse")
    return model


def train(model, epochs):
    """Train without randomness: no shuffling and no random layer."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 4)).astype("float32")
    y = rng.normal(size=(40, 1)).astype("float32")
    # The averages replace the weights when fit ends, so resume is tested without.
    model.optimizer.use_ema = False
    model.fit(x, y, batch_size=16, epochs=epochs, shuffle=False, verbose=0)
    return model
