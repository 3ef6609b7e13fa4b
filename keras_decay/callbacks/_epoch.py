"""What one epoch has shown: its losses by phase, its time, and the row they make."""

import time

from keras_decay.callbacks import _record
from keras_decay.callbacks._reevaluation import PREFIX

NOT_CALLED = "the model's own train_step or test_step does not call compute_loss"
HIDDEN = (
    "the model overrides `metrics` without super().metrics, so that on JAX nothing of "
    "the callback's is part of the training state"
)


class Epoch:
    """One epoch under way, with validation at its end.

    Args:
        meter: The `DataLossMeter` on the model.
        batches: The `Batches` that are to be kept, or None.
        reevaluation: The `Reevaluation` of the training data, or None.
    """

    def __init__(self, meter, batches=None, reevaluation=None):
        self._meter = meter
        self._batches = batches
        self._reevaluation = reevaluation
        self._training = self._validation = self._layers = None
        if batches is not None:
            batches.begin()
        self._began = time.perf_counter()
        meter.begin_epoch()

    def begin_test(self):
        """Training is over; the same metrics are about to be used for validation."""
        self._end_training()
        self._meter.phase = "test"
        self._meter.reset()

    def keep_batch(self, model):
        """A batch of training that is to be kept is over."""
        loss = self._meter.last_batch()
        if loss is not None:
            self._batches.keep(_record.steps_made(model), loss)

    def end_test(self):
        """Validation is over."""
        self._validation = self._meter.results()
        self._meter.phase = "train"

    def row(self, number, model, logs):
        """The row of the epoch with this number."""
        self._end_training()
        seconds = time.perf_counter() - self._began
        row = {"epoch": number, "step": _record.steps_made(model)}
        row.update({key: _record.plain(value) for key, value in logs.items()})
        losses = self._losses("", "train", self._training, logs)
        if self._validation is not None or any(key.startswith("val_") for key in logs):
            losses |= self._losses("val_", "test", self._validation or {}, logs)
        if self._reevaluation is not None:
            row.update(self._reevaluated(model))
        row.update(losses)
        if None in losses.values():
            row["data_loss_note"] = self._note()
        # Callbacks that change the rate at the end of an epoch log the one before.
        row.setdefault("learning_rate", _record.learning_rate(model))
        row.update(_record.decay(model, row["learning_rate"]))
        row["seconds"] = seconds
        if self._layers is not None:
            row["penalties"] = self._layers
        if self._batches is not None:
            row["batches"] = self._batches.columns()
        return row

    def _end_training(self):
        """Read the metrics before validation uses them."""
        if self._training is None:
            self._training = self._meter.results()
            self._layers = self._meter.layers()

    def _reevaluated(self, model):
        """The training data's own losses and metrics, as validation measures them."""
        self._meter.phase = "test"
        self._meter.reset()
        logs = self._reevaluation(model)
        values = {key: _record.plain(value) for key, value in logs.items()}
        if "test" not in self._meter.seen:
            values.update(dict.fromkeys(self._meter.metrics))
        elif not set(self._meter.metrics) <= set(logs):
            values.update(self._meter.results())
        self._meter.phase = "train"
        return {PREFIX + key: value for key, value in values.items()}

    def _losses(self, prefix, phase, results, logs):
        """What was measured. Keras' logs come first where they have it.

        Another callback may have evaluated the model since, with the same metrics.
        """
        losses = {}
        for name in self._meter.metrics:
            value = results.get(name)
            if phase in self._meter.seen and prefix + name in logs:
                value = _record.plain(logs[prefix + name])
            losses[prefix + name] = value
        return losses

    def _note(self):
        if self._meter.why_not is not None:
            return self._meter.why_not
        return HIDDEN if self._meter.seen >= {"train"} else NOT_CALLED
