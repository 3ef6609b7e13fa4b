"""Networks and ways of training of the wider curves."""

import hashlib

import keras
import numpy as np
from keras import layers

# Each way of training: the size of the network, and what is set otherwise.
REGIMES = {
    "plain": {},
    "quick": {"rate": 5e-3},
    "large": {"size": 2, "rate": 2e-3},
    "large and quick": {"size": 2, "rate": 6e-3},
    "small": {"size": 0, "rate": 3e-3},
    "slow": {"rate": 2e-4},
    "drops": {"size": 2, "rate": 3e-3, "schedule": "drops"},
    "warm-up": {"rate": 4e-3, "schedule": "cosine"},
    "restarts": {"rate": 5e-3, "schedule": "restarts"},
    "fine-tuned": {"rate": 2e-3, "pretrained": 12, "few": True},
    "fine-tuned quickly": {"size": 2, "rate": 3e-3, "pretrained": 8, "few": True},
    "thawed": {"rate": 3e-3, "pretrained": 10, "thaw": True},
    "L2": {"size": 2, "rate": 2e-3, "l2": 3e-3},
    "dropout": {"size": 2, "rate": 2e-3, "dropout": 0.4},
    "SGD": {"optimizer": "SGD", "rate": 0.05},
    "strong L2": {"rate": 2e-3, "l2": 0.3},
    "too quick": {"rate": 0.5, "schedule": "rises"},
    "small batches": {"batch": 0.25, "rate": 3e-3},
}
FEW = 60


def network(data, kind, settings, seed):
    """A model for the kind of data; its last layer is called `head`."""
    size = settings.get("size", 1)
    penalty = keras.regularizers.L2(settings["l2"]) if "l2" in settings else None
    dropout = settings.get("dropout", 0.0)
    # Tasks of one kind get one of several architectures each.
    draw = int(hashlib.sha256(f"{seed} {kind}".encode()).hexdigest(), 16)
    if data.tokens:
        inputs = keras.Input((data.train[0].shape[1],), dtype="int32")
        x = layers.Embedding(data.tokens + 1, (8, 16, 48)[size])(inputs)
    else:
        inputs = x = keras.Input(data.train[0].shape[1:])
    x = (_image if kind == "image" else _series if kind != "table" else _table)(
        x, size, penalty, draw
    )
    if dropout:
        x = layers.Dropout(dropout)(x)
    for units in ((), (32,), (256,))[size]:
        x = layers.Dense(units, "relu", kernel_regularizer=penalty)(x)
        if dropout:
            x = layers.Dropout(dropout)(x)
    last = "softmax" if data.classes else None
    x = layers.Dense(data.classes or 1, last, kernel_regularizer=penalty, name="head")(
        x
    )
    return keras.Model(inputs, x)


def _table(x, size, penalty, draw):
    for units in ((16,), (64, 64), (256, 128))[size]:
        x = layers.Dense(units, "relu", kernel_regularizer=penalty)(x)
    return x


def _image(x, size, penalty, draw):
    if draw % 4 == 0:
        return layers.Flatten()(x)
    filters = (4, 8, 24)[size]
    x = layers.Conv2D(filters, 3, activation="relu", kernel_regularizer=penalty)(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(2 * filters, 2, activation="relu", kernel_regularizer=penalty)(x)
    return layers.Flatten()(x)


class _Places(layers.Layer):
    """Adds a vector for every place of a series."""

    def build(self, shape):
        self.places = self.add_weight(shape=shape[1:], initializer="random_normal")

    def call(self, x):
        return x + self.places


def _series(x, size, penalty, draw):
    units = (8, 16, 48)[size]
    which = draw % 5
    if which == 0:
        return layers.SimpleRNN(2 * units, kernel_regularizer=penalty)(x)
    if which == 1:
        return layers.GRU(units, kernel_regularizer=penalty)(x)
    if which == 2:
        x = layers.Conv1D(2 * units, 3, activation="relu", kernel_regularizer=penalty)(
            x
        )
        return layers.Flatten()(x)
    if which == 3:
        x = layers.Dense(2 * units, kernel_regularizer=penalty)(x)
        x = _Places()(x)
        x = x + layers.MultiHeadAttention(2, units)(x, x)
        x = layers.LayerNormalization()(x)
        y = layers.Dense(4 * units, "relu", kernel_regularizer=penalty)(x)
        x = layers.LayerNormalization()(x + layers.Dense(2 * units)(y))
        return layers.GlobalAveragePooling1D()(x)
    x = layers.Dense(2 * units, "relu", kernel_regularizer=penalty)(x)
    return layers.Flatten()(x)


def losses(y, predicted):
    """The loss of every row: squared error, or cross-entropy as Keras clips it."""
    predicted = np.asarray(predicted, dtype=float)
    if predicted.shape[1] == 1:
        return (predicted[:, 0] - y) ** 2
    return -np.log(np.clip(predicted[np.arange(len(y)), y], 1e-7, 1.0))


class _Truth(keras.callbacks.Callback):
    def __init__(self, data):
        super().__init__()
        self.both = np.concatenate([data.train[0], data.test[0]])
        self.data, self.train, self.test = data, [], []

    def on_epoch_end(self, epoch, logs=None):
        found = self.model.predict_on_batch(self.both)
        found = np.asarray(keras.ops.convert_to_numpy(found), "float64")
        count = len(self.data.train[0])
        self.train.append(float(losses(self.data.train[1], found[:count]).mean()))
        self.test.append(losses(self.data.test[1], found[count:]).astype("float32"))


class _Rate(keras.callbacks.Callback):
    """Sets the rate of every epoch, and writes it down."""

    def __init__(self, rates):
        super().__init__()
        self.rates = rates

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = self.rates[epoch]


def rates(schedule, rate, shown, epochs):
    t = np.arange(epochs)
    if schedule == "drops":
        found = rate * 0.1 ** (np.searchsorted([0.5 * shown, 0.8 * shown], t, "right"))
    elif schedule == "cosine":
        warm = max(1, shown // 5)
        share = np.clip((t - warm) / max(1, epochs - warm), 0, 1)
        cosine = 0.01 + 0.99 * (1 + np.cos(np.pi * share)) / 2
        found = rate * np.where(t < warm, (t + 1) / (warm + 1), cosine)
    elif schedule == "restarts":
        period = max(3, shown // 3)
        found = rate * (0.02 + 0.98 * (1 + np.cos(np.pi * (t % period) / period)) / 2)
    elif schedule == "rises":
        found = rate * 1.3**t
    else:
        found = np.full(epochs, rate)
    return found.astype("float32").astype(float).tolist()


def run(data, kind, regime, shown, epochs, given):
    """The curve, the training loss, and the loss of every test row, of each epoch."""
    settings = REGIMES[regime]
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(given["seed"])
    model = network(data, kind, settings, f"{given['data']} {given['seed']}")
    loss = "sparse_categorical_crossentropy" if data.classes else "mse"
    weighed = [loss, *(["accuracy"] if data.classes else [])]
    if "pretrained" in settings and len(data.pretraining[0]) > 20:
        model.compile(keras.optimizers.Adam(2e-3), loss)
        model.fit(
            *data.pretraining, batch_size=64, epochs=settings["pretrained"], verbose=0
        )
    if settings.get("few"):
        few = data.train[0][:FEW], data.train[1][:FEW]
        data = data._replace(train=few)
    rate = settings.get("rate", 1e-3)
    # Ten steps an epoch, or a few more.
    batch = settings.get("batch", 1) * max(32, len(data.train[0]) // 10)
    each = rates(settings.get("schedule"), rate, shown, epochs)
    thaw = shown // 2 if settings.get("thaw") else None
    truth = _Truth(data)
    curve: dict = {}
    for first, last in [(0, thaw), (thaw, epochs)] if thaw else [(0, epochs)]:
        if thaw:
            for layer in model.layers:
                layer.trainable = layer.name == "head" or first > 0
        made = getattr(keras.optimizers, settings.get("optimizer", "Adam"))(rate)
        model.compile(made, loss, metrics=weighed)
        history = model.fit(
            *data.train,
            batch_size=int(batch),
            initial_epoch=first,
            epochs=last,
            validation_data=data.validation,
            validation_batch_size=1000,
            callbacks=[truth, _Rate(each)],
            verbose=0,
        ).history
        names = {"loss": loss, "accuracy": "accuracy"}
        for ours, theirs in names.items():
            for before in ("", "val_"):
                if before + theirs in history:
                    curve.setdefault(before + ours, []).extend(history[before + theirs])
    curve["learning_rate"] = each
    return curve, truth.train, np.array(truth.test)
