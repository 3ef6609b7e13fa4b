"""The callback that records a training, epoch by epoch."""

import warnings

import keras

from keras_decay.callbacks import order
from keras_decay.callbacks.measure import record
from keras_decay.callbacks.measure.batches import SampledBatches
from keras_decay.callbacks.measure.epoch import Epoch
from keras_decay.callbacks.measure.metering import installed_meter
from keras_decay.callbacks.measure.reevaluation import Reevaluation
from keras_decay.callbacks.output.curve_file import CurveFile
from keras_decay.callbacks.output.outputs import Outputs
from keras_decay.callbacks.recording import Recording
from keras_decay.callbacks.stop_on_overfit import StopOnOverfit
from keras_decay.callbacks.training import Training
from keras_decay.ground import backend, schema, validation


class LearningCurve(Recording, keras.callbacks.Callback):
    """Records one row per epoch, with the loss apart from the penalty.

    Keras' `loss` and `val_loss` hold the data's loss and the penalties in one sum:

        loss = data_loss + penalty

    where `data_loss` is what the compiled loss function gives and `penalty` all that
    regularizers and `add_loss` add, each averaged over the epoch's batches at the
    weights these had. Both are measured, not subtracted afterwards, and neither
    changes training. At the end of an epoch they are in the logs and can be monitored,
    e.g. `EarlyStopping("val_data_loss", mode="min")`. The logs of a model without
    penalties have them where a callback of a `fit` with validation monitors them.

    `model.metrics` lists nothing of ours, so that a `train_step` of your own may go
    through it. In every epoch the sum is compared with the loss that Keras has logged;
    where they differ by more than 1e-4 of the larger, `data_loss` and `penalty` are
    None.

    A row is a dict with the keys

    - `epoch`: from 0, counted on through restarts and repeated calls of `fit`;
    - `step`: steps that the optimizer has made at the end of the epoch;
    - every key of Keras' logs; those that begin with `val_` only in epochs with
      validation;
    - `data_loss`, `val_data_loss`, `penalty`, `val_penalty`; None if the model does not
      tell or logs another loss, and then `data_loss_note` says why;
    - `learning_rate`, `seconds` that the epoch took with its validation;
    - `decay`, where the optimizer is a `DecoupledWeightDecay`: c_t λ_t, what decay
      takes of a weight in a step; with rules, a dict by argument;
    - `penalties`, with `track_penalty="layers"`: the training's penalty by layer, the
      mean over the epoch's batches, and under `other` what Keras does not tell the
      layer of, activity regularizers and `add_loss`;
    - `norms` and `zeros`, with `track_norms=True`: the L2 norm of every trainable
      weight, and the share of its entries that are exactly 0, by path;
    - `batches`, with `track_batches`: single batches of the epoch, evenly spaced, as
      lists `step`, `data_loss` and `penalty`;
    - `train_loss`, `train_data_loss` and so on, with `reevaluate`: the training data
      evaluated like validation, at the epoch's end and with dropout off;
    - `restart`, True in the first row of a `fit` that goes on with a curve.

    The file at `path` holds one row per line in JSON. NaN and infinity are written as
    `NaN` and `Infinity`, as Python's json does. A row is one write at the end of its
    epoch, so that a process killed at any moment loses the running epoch alone. If
    training is started again with a model restored from an earlier step, the rows
    beyond that step are dropped and the curve goes on from there. With
    `BackupAndRestore`, list it after the curve. Under a new optimizer, whose steps
    count from 0, `fit(initial_epoch=...)` says where the curve goes on.

    One training writes the file: a second process is refused at the same time. The lock
    ends with its process. Within a process a later training takes the file over from an
    earlier one, which is told at its next row. Where several processes train one model,
    the first writes. A full disk costs rows in the file alone.

    An exception or interrupt that ends `fit` may leave the model with our methods on
    it. They are taken off at the model's next `fit`.

    Without a `path` the same rules hold in memory: a second `fit` goes on, a fresh
    model starts new rows.

    A model whose own `compute_loss` calls `super().compute_loss` or adds
    `self.losses` is supported: there the penalty is subtracted batch by batch.

    Args:
        path: File to append the rows to, or None. Missing folders are made.
        figure: A path or list of paths ending in .png, .svg or .pdf, drawn at the end
            of training; or None.
        live: Where to show the curve while it grows. "auto": in a notebook as a picture
            that is replaced in place; in a terminal as a plot in its last lines, above
            which all else goes on as usual; nowhere otherwise. "notebook" and
            "terminal" ask for one of them; "terminal" and True write plain lines where
            there is neither. False: nowhere. Showing takes at most 1 % of the time, and
            no more of it at epoch 10,000 than at epoch 10: neighbouring epochs of a
            long curve are shown by their mean.
        every: Draw the figure every so many epochs too, an integer of at least 1, as
            far as drawing takes at most 1 % of the time; None for the end only.
        track_penalty: Whether to record `penalty`; `"layers"` for `penalties` too.
        track_norms: Whether to record `norms` and `zeros`.
        track_batches: How many batches of every epoch to record, an integer of at
            least 1; None for none. Keras then waits for every batch.
        reevaluate: The training data, to be evaluated after every epoch: `(x, y)`,
            `(x, y, sample_weight)`, a tf.data.Dataset, PyDataset or DataLoader. It
            takes as long as validation on as many rows. `class_weight` does not count,
            as it does not in validation. Data that cannot be gone through twice or
            have no end are refused. False: nothing. True, which found the data by
            itself, is deprecated and evaluates nothing.
        tensorboard: A folder for TensorBoard, or None. Every number of a row is written
            with its epoch as the step, training to `train/`, validation under the same
            names to `validation/` and what was evaluated again to `reevaluated/`; what
            a restart supersedes is hidden. Needs the package tensorboard, on any
            backend, and no TensorFlow.
        overwrite: Whether a fresh model may replace the curve in an existing file.
        stop_on_overfit: Deprecated: `keras_decay.StopOnOverfit(curve, criterion)` in
            the list of callbacks takes its place.

    Attributes:
        rows: The rows, a list of dicts.

    Raises:
        TypeError, ValueError: If an argument is not of its kind.
        ValueError: Before the first step of training: if a fresh model meets a file
            with rows in it, if the file is no curve, if a metric of the model has one
            of our names, if `keras_decay.BackupAndRestore` comes first, or if another
            process is writing the file. At the first validation: if Keras'
            BackupAndRestore comes first.
        OSError: Before the first step, if a file cannot be written.

    Example:

    ```python
    curve = kd.LearningCurve("run.jsonl", figure="run.png")
    model.fit(x, y, validation_split=0.2, epochs=100, callbacks=[curve])
    print(curve.diagnose())
    ```
    """

    def __init__(
        self,
        path=None,
        *,
        figure=None,
        live="auto",
        every=None,
        track_penalty=True,
        track_norms=False,
        track_batches=None,
        reevaluate=False,
        tensorboard=None,
        overwrite=False,
        stop_on_overfit=None,
    ):
        super().__init__()
        self.path = None
        if path is not None:
            self.path = validation.path("path", path, "a path or None")
        self.track_penalty = _penalty(track_penalty)
        self.track_norms = validation.boolean("track_norms", track_norms)
        self.track_batches = track_batches
        self._batches = None
        if track_batches is not None:
            limit = validation.integer("track_batches", track_batches, minimum=1)
            self._batches = SampledBatches(limit)
            # Not a method: Keras waits for every batch where a callback has one.
            self.on_train_batch_end = self._end_batch
        self.reevaluate = reevaluate
        self._reevaluation = Reevaluation.of(reevaluate)
        self.overwrite = validation.boolean("overwrite", overwrite)
        self.rows = []
        self._outputs = Outputs(figure, every, live, tensorboard)
        self._stop = self._deprecated_stop(stop_on_overfit)
        # Pairs of Keras' `params` of a `fit` and what is told of its rows.
        self._listeners = []
        self._meter = None
        self._fit = None
        self._epoch = None
        self._file = CurveFile(self.path)
        self._writes = True
        self._restarted = False

    def subscribe(self, listener):
        """Let `listener(model, rows)` be called after each row of the present `fit`.

        Args:
            listener: Function of the model and of the rows of this training: those that
                an earlier process has recorded before it was interrupted, too.
        """
        self._listeners.append((self.params, listener))

    def set_model(self, model):
        """Called by Keras at the start of `fit`, `evaluate` and `predict`."""
        super().set_model(model)
        # If there was one, an exception has ended it; Keras says nothing of that.
        self._fit = None

    def on_train_begin(self, logs=None):
        """Called by Keras: refuse now what would go wrong later."""
        if (self.params or {}).get("steps") == 0:
            raise ValueError(
                "The training data must have at least one row. Received: no batch in "
                "an epoch, so that there is nothing to train on."
            )
        if self._fit is not None and self._fit.has(self):
            raise ValueError(
                "The same LearningCurve stands in the list of callbacks twice."
            )
        fit = Training(self.params, self._meet)
        order.check_begun(self)
        self._epoch = None
        self._writes = backend.current().is_chief(self.model)
        if self._writes:
            with fit.left_by_exceptions():
                self._outputs.start(fit)
                self._file.open(fit)
            if self._file.was_killed:
                self._outputs.figures.clear()
        self._listeners = [one for one in self._listeners if one[0] is self.params]
        if self._stop is not None:
            self._stop.begin()
            self.subscribe(self._stop.epoch)
        self._fit = fit

    def _meet(self, callbacks):
        order.check(callbacks, self)

    def on_epoch_begin(self, epoch, logs=None):
        """Called by Keras."""
        if self._fit is None:
            return
        if self._epoch is None:
            # Not before every other callback had its `on_train_begin`: one of them
            # may have restored the model.
            with self._fit.left_by_exceptions():
                self._begin(epoch)
        self._epoch = Epoch(self._meter, self._batches, self._reevaluation)

    def _end_batch(self, batch, logs=None):
        epoch = None if self._fit is None else self._epoch
        if epoch is not None and self._batches and self._batches.wants_next():
            # Only now: on JAX the attribute `model` fetches the state of training.
            epoch.keep_batch(self.model)

    def on_test_begin(self, logs=None):
        """Called by Keras."""
        if self._fit is not None and self._epoch is not None:
            self._epoch.begin_test()

    def on_test_end(self, logs=None):
        """Called by Keras."""
        if self._fit is not None and self._epoch is not None:
            self._epoch.end_test()

    def on_epoch_end(self, epoch, logs=None):
        """Called by Keras: record the row of the epoch."""
        if self._fit is None or self._epoch is None:
            return
        row = self._epoch.row(self._number(epoch), self.model, logs or {})
        if self._restarted:
            row[schema.RESTART] = True
            self._restarted = False
        if self.track_norms:
            row.update(record.weights(self.model))
        self.rows.append(row)
        if self._writes:
            self._file.append(self.rows)
            self._outputs.epoch(self.rows)
        for params, listener in self._listeners:
            if params is self._fit.params:
                listener(self.model, self.rows[self._first :])

    def on_train_end(self, logs=None):
        """Called by Keras: leave the model as it was, and draw."""
        if self._fit is None:
            return
        self._fit = None
        if self._meter is not None:
            self._meter.restore()
        if self._stop is not None:
            self._stop.finish()
        self._file.close()
        if self._writes:
            self._outputs.finish(self.rows)

    def restore_best_weights(self):
        """Give the model the best weights of `stop_on_overfit`, which is deprecated.

        `StopOnOverfit` has a method of this name.

        Raises:
            ValueError: If there are none.
        """
        if self._stop is None:
            raise ValueError(
                "There are no best weights to restore: `StopOnOverfit(curve)` keeps "
                "them."
            )
        self._stop.restore_best_weights()

    def _deprecated_stop(self, criterion):
        if criterion is None:
            return None
        warnings.warn(
            "`stop_on_overfit` will be removed: put `StopOnOverfit(curve, "
            f"{criterion!r})` into the list of callbacks instead.",
            DeprecationWarning,
            stacklevel=3,
        )
        return StopOnOverfit(self, criterion)

    def _begin(self, epoch):
        model = self.model
        rows = self._file.resume(
            self.rows,
            record.steps_made(model),
            epoch=epoch,
            # A killed training that was to be restored had no backup yet.
            overwrite=self.overwrite
            or (self._file.was_killed and order.has_backup(self)),
            writes=self._writes,
        )
        settings = (self.track_penalty, self.track_batches is not None)
        self._meter = installed_meter(model, self._fit, self._meter, settings)
        self.rows, self._restarted = rows, bool(rows)
        # Keras counts the epochs of a training that goes on after an interruption from
        # `initial_epoch`: so many rows before belong to it.
        began = self._number(epoch) - epoch
        self._first = sum(row[schema.EPOCH] < began for row in rows)
        if self._writes:
            self._outputs.begin(self._number(epoch))

    def _number(self, epoch):
        """The number of the epoch that follows on the rows, Keras' own being `epoch`.

        Keras counts the epochs of every `fit` from 0, unless it is told otherwise.
        """
        return max(epoch, self.rows[-1]["epoch"] + 1) if self.rows else epoch


def _penalty(value):
    """`track_penalty`, checked."""
    if isinstance(value, str) and value == "layers":
        return value
    try:
        return validation.boolean("track_penalty", value)
    except TypeError:
        must = 'True, False or "layers"'
        raise TypeError(validation.received("track_penalty", value, must)) from None
