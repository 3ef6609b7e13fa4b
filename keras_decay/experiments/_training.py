"""One fit: an arm, a seed, and what came of it."""

import time
from dataclasses import dataclass, field

import numpy as np

from keras_decay.ground import backend


@dataclass(frozen=True)
class Fit:
    """One arm trained with one seed.

    The losses are mean squared errors on the data alone, in units of the training
    targets' variance, evaluated after training with dropout off. The verdict and
    its epochs, counted from 0, are those of `keras_decay.diagnose` on `rows`.
    """

    arm: str
    seed: int
    train_loss: float
    validation_loss: float
    test_loss: float
    verdict: str
    sentence: str
    best_epoch: int | None
    onset_epoch: int | None
    seconds: float
    rows: list = field(repr=False)

    @property
    def gap(self):
        """Validation minus training loss after the last epoch."""
        return self.validation_loss - self.train_loss


def train(arm, split, *, seed, epochs, batch_size, on_epoch=None):
    """Trains `arm` on `split` by `model.fit` with a `LearningCurve` on it.

    Args:
        arm: The `Arm`.
        split: The `Split`.
        seed: It governs initial weights, dropout and shuffling.
        epochs, batch_size: As of `fit`.
        on_epoch: Called after each epoch with the number of epochs done.

    Returns:
        The `Fit`.
    """
    import keras

    from keras_decay.callbacks import LearningCurve
    from keras_decay.models import build_optimizer

    start = time.perf_counter()
    keras.utils.set_random_seed(seed)
    model = arm.build(inputs=split.train.x.shape[1])
    build_optimizer(model)
    # Once more, so that arms which drew different numbers while they were built are
    # shown the rows in the same order.
    keras.utils.set_random_seed(seed)
    curve = LearningCurve(live=False)
    callbacks = [curve]
    if on_epoch is not None:
        callbacks.append(
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: on_epoch(epoch + 1)
            )
        )
    if arm.patience is not None:
        # No penalty is in this arm's loss, so that val_loss is that of the data.
        callbacks.append(
            keras.callbacks.EarlyStopping(
                "val_loss", patience=arm.patience, restore_best_weights=True
            )
        )
    model.fit(
        **feed(split, batch_size),
        epochs=epochs,
        callbacks=callbacks,
        verbose=0,
    )
    diagnosis = curve.diagnose()
    train_loss, validation_loss, test_loss = (
        part.squared_error(predict(model, part.x))
        for part in (split.train, split.validation, split.test)
    )
    return Fit(
        arm=arm.name,
        seed=seed,
        train_loss=train_loss,
        validation_loss=validation_loss,
        test_loss=test_loss,
        verdict=diagnosis.verdict,
        sentence=str(diagnosis),
        best_epoch=diagnosis.best_epoch,
        onset_epoch=diagnosis.onset_epoch,
        seconds=time.perf_counter() - start,
        rows=[dict(row) for row in curve.rows],
    )


def feed(split, batch_size):
    """The data as arguments of `fit`."""
    train, validation = (
        (part.x.astype("float32"), part.y.astype("float32")[:, None])
        for part in (split.train, split.validation)
    )
    return backend.current().feed(train, validation, batch_size)


def predict(model, x):
    """The model's outputs for the rows of `x` in inference mode, of shape (rows,)."""
    import keras

    outputs = model(x.astype("float32"), training=False)
    return np.ravel(keras.ops.convert_to_numpy(outputs))
