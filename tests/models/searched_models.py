"""Small models and data that searches are tested on."""

import keras
import numpy as np

import keras_decay as kd
from keras_decay.search import epoch_order

# Compiling would take most of the time of such small trainings.
EAGERLY = keras.backend.backend() != "torch"
X = np.random.default_rng(0).normal(size=(30, 3)).astype("float32")
Y = X @ np.array([1.0, -2.0, 0.0], "float32") + 0.5
LABELS = np.array(["lion", "ape", "zebu"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)]


def ridge(l2=0.0, rate=0.05):
    """A linear model."""
    layer = keras.layers.Dense(1, kernel_regularizer=kd.L2(l2))
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(rate), "mse", run_eagerly=EAGERLY)
    return model


def network(units=4, l2=0.0):
    """A network with a metric, dropout and one hidden layer.

    PyTorch draws dropout from the generator that its loaders of data draw from too, so
    that another way to feed the same batches has other masks: there it is without.
    """
    layers = [
        keras.layers.Dense(units, "tanh", kernel_regularizer=kd.L2(l2)),
        keras.layers.Dropout(0.2 if keras.backend.backend() != "torch" else 0.0),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    sgd = keras.optimizers.SGD(0.05, momentum=0.5)
    model.compile(sgd, "mse", metrics=["mae"], run_eagerly=EAGERLY)
    return model


def classifier(loss, units, activation=None, l2=0.0):
    """A linear classifier."""
    layer = keras.layers.Dense(units, activation, kernel_regularizer=kd.L2(l2))
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(0.5), loss, run_eagerly=EAGERLY)
    return model


def softmax(l2=0.0):
    """A classifier of three classes."""
    return classifier("sparse_categorical_crossentropy", 3, "softmax", l2)


def model_of(*layers, optimizer=None, loss="mse", **compiled):
    """A compiled model of these layers and an output."""
    model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(1)])
    compiled = {"run_eagerly": EAGERLY, **compiled}
    model.compile(optimizer or keras.optimizers.SGD(0.01), loss, **compiled)
    return model


def two_inputs(l2=0.0):
    """A model of a dict of inputs."""
    inputs = {name: keras.Input((size,), name=name) for name, size in INPUTS.items()}
    joined = keras.layers.Concatenate()(list(inputs.values()))
    layer = keras.layers.Dense(1, kernel_regularizer=kd.L2(l2))
    model = keras.Model(inputs, layer(joined))
    model.compile(keras.optimizers.SGD(0.05), "mse", run_eagerly=EAGERLY)
    return model


INPUTS = {"a": 2, "b": 1}


def trained_by_hand(build, params, seed, x, y, epochs, batch_size, weight=None, **more):
    """A model trained by plain `fit`, an epoch at a time, and its history."""
    keras.utils.set_random_seed(seed)
    model = build(**params)
    model(x[:1])
    history: dict[str, list[float]] = {}
    for epoch in range(epochs):
        rows = epoch_order(seed, epoch, len(x))
        logs = model.fit(
            x[rows],
            y[rows],
            sample_weight=None if weight is None else weight[rows],
            batch_size=batch_size,
            shuffle=False,
            initial_epoch=epoch,
            epochs=epoch + 1,
            verbose=0,
            **more,
        ).history
        for name, values in logs.items():
            history.setdefault(name, []).extend(values)
    return model, history
