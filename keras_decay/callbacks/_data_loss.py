"""Measures the loss apart from the penalty while Keras trains and evaluates.

Subtracting the penalty from the loss afterwards is wrong: the loss of an epoch is a
mean over batches, each at its own weights. So the model itself must tell, batch by
batch, and `compute_loss` is where it adds the two. From `install` to `restore` a model
carries two more metrics, fed from a `compute_loss` of our own on this one instance.
That is this library's one exception to "no monkey-patching".
"""

import contextlib
import weakref

import keras
from keras import ops

from keras_decay.callbacks import _loss_parts
from keras_decay.callbacks._layers import ByLayer
from keras_decay.callbacks._names import refuse_taken
from keras_decay.callbacks._silent import Silent

NAMES = ("data_loss", "penalty")
LAYERS, BATCH = "layers", "batch"
_METER = "keras_decay_meter"
_STEPS = ("train_step", "test_step")
_MAKERS = ("make_train_function", "make_test_function")
_PATCHED = ("compute_loss", *_STEPS, *_MAKERS)


class DataLossMeter:
    """Two metrics on a model, `data_loss` and `penalty`, weighted as Keras' own loss.

    Args:
        model: A compiled Keras model.
        penalty: Whether to record the penalty too: True, False or `"layers"`.
        batches: Whether to know the losses of the last batch too.
    """

    def __init__(self, model, penalty, batches=False):
        self.model = model
        self.settings = (penalty, bool(batches))
        self._by_layer = ByLayer(model) if penalty == "layers" else None
        self._silent = {}
        # Variables of a model under tf.distribute must be created in its scope.
        strategy = getattr(model, "distribute_strategy", None)
        with contextlib.nullcontext() if strategy is None else strategy.scope():
            names = NAMES if penalty else NAMES[:1]
            self.metrics = {name: keras.metrics.Mean(name=name) for name in names}
            if self._by_layer is not None:
                size = len(self._by_layer.names)
                self._silent[LAYERS] = Silent("penalties", size)
            if batches:
                self._silent[BATCH] = Silent("last_batch", 2, last=True)
        # In which phases, "train" and "test", the model has told its losses.
        self.seen = set()
        self.phase = "train"
        # The reason, where the parts of the loss cannot be told apart.
        self.why_not = None
        self._fit = None
        self._finalizer = None
        self._theirs = self._ours = (None, None)
        self._left = None

    @staticmethod
    def on(model):
        """The meter installed on `model`, or None."""
        return getattr(vars(model).get("compute_loss"), _METER, None)

    def suits(self, model, penalty, batches):
        """Whether it can be installed again on `model`, with these settings."""
        if self.model is not model or self.settings != (penalty, bool(batches)):
            return False
        # Layers may have been frozen or freed since.
        return self._by_layer is None or self._by_layer.suits(model)

    def belongs_to(self, fit):
        """Whether it was installed by a callback of this `fit`."""
        return self._fit is not None and self._fit.same_as(fit)

    def install(self, fit):
        """Attach the metrics, until `restore` or until this `fit` is left."""
        model = self.model
        refuse_taken(model, self.metrics)
        recording = self._recording(model.compute_loss)
        self._fit = fit
        self._before = {
            name: vars(model)[name] for name in _PATCHED if name in vars(model)
        }
        for metric in self.metrics.values():
            metric.reset_state()
        # Straight into the list: neither saving nor the lock of a built model looks
        # there, while resetting, logging and JAX's state do.
        model._metrics.extend(self._all())
        model.compute_loss = recording
        for name in _STEPS:
            setattr(model, name, _distinct(getattr(model, name), self.restore))
        for name in _MAKERS:
            setattr(model, name, self._healing(name, getattr(model, name)))
        self._swap_in()
        self._finalizer = fit.when_left(self.restore)

    def restore(self):
        """Leave the model as it was found. Safe to call at any time, and twice."""
        model = self.model
        if self.on(model) is not self:
            return
        if self._finalizer is not None:
            self._finalizer.detach()
        for name in _PATCHED:
            delattr(model, name)
        for name, value in self._before.items():
            setattr(model, name, value)
        ours = set(map(id, self._all()))
        model._metrics[:] = [m for m in model._metrics if id(m) not in ours]
        self._swap_out()

    def results(self):
        """The present means, None for what was not recorded in this phase."""
        if self.phase not in self.seen:
            return dict.fromkeys(self.metrics)
        return {
            name: float(metric.result())
            if float(ops.convert_to_numpy(metric.count)) > 0
            else None
            for name, metric in self.metrics.items()
        }

    def begin_epoch(self):
        """Start an epoch of training."""
        self.phase = "train"
        self.reset()
        for metric in self._silent.values():
            metric.restart()

    def layers(self):
        """The present mean penalty of every layer, or None if it is unknown."""
        if self._by_layer is None:
            return None
        means = self._silent[LAYERS].means()
        return None if means is None else self._by_layer.named(means)

    def last_batch(self):
        """The data loss and the penalty of the last batch, or None if unknown."""
        metric = self._silent.get(BATCH)
        return metric and metric.means()

    def _all(self):
        return [*self.metrics.values(), *self._silent.values()]

    def reset(self):
        """Start anew, where the model's `metrics` hide ours from Keras' own reset."""
        known = set(map(id, self.model.metrics))
        for metric in self.metrics.values():
            if id(metric) not in known:
                metric.reset_state()

    def _recording(self, original):
        parts_of = _loss_parts.splitter(self.model, original)

        def compute_loss(*args, **kwargs):
            total, parts = parts_of(*args, **kwargs)
            if isinstance(parts, str):
                self.why_not = parts
                return total
            training = kwargs.get("training")
            phase = self.phase if training is None else _PHASES[bool(training)]
            self.seen.add(phase)
            weight = _batch_size(args, kwargs)
            for name, metric in self.metrics.items():
                metric.update_state(parts[name], sample_weight=weight)
            if phase == "train":
                self._update_silent(parts, weight)
            return total

        setattr(compute_loss, _METER, self)
        return compute_loss

    def _update_silent(self, parts, weight):
        if self._by_layer is not None:
            sums = self._by_layer.sums(parts["terms"])
            if sums is not None:
                self._silent[LAYERS].update_state(sums, weight)
        if BATCH in self._silent:
            both = [parts[name] for name in NAMES]
            self._silent[BATCH].update_state(both, weight)

    def _healing(self, name, original):
        """`make_…_function`, which first of all undoes what a crashed fit left.

        Everything that trains or evaluates goes through one of the two.
        """

        fit = self._fit

        def make_function(*args, **kwargs):
            if fit is None or fit.is_running():
                return original(*args, **kwargs)
            self.restore()
            return getattr(self.model, name)(*args, **kwargs)

        return make_function

    # The functions that Keras has compiled know nothing of the metrics: they are kept
    # and put back. Ours are kept too: if the next fit finds what was put back, the
    # model has not been compiled in between, and ours need not be compiled again.

    def _swap_in(self):
        model = self.model
        self._theirs = (model.train_function, model.test_function)
        if self._left is not None and self._left() is model.train_function:
            model.train_function, model.test_function = self._ours
            return
        self.seen.clear()
        self.why_not = None
        model.train_function = model.test_function = None
        model.make_train_function()

    def _swap_out(self):
        model = self.model
        self._ours = (model.train_function, model.test_function)
        # `compile` in the middle of training has left None, and rightly.
        back = (None, None) if model.train_function is None else self._theirs
        model.train_function, model.test_function = back
        # Weakly: as long as a compiled step is alive, JAX takes it for that of the
        # same model compiled anew with another loss.
        self._left = None if back[0] is None else weakref.ref(back[0])
        self._theirs = (None, None)


def _distinct(step, on_error):
    """`step` as a function that equals no other, and calls `on_error()` if it fails.

    JAX reuses what it has compiled for an equal function, and the bound methods of one
    model are equal, with our metrics or without.
    """

    def own_step(*args, **kwargs):
        try:
            return step(*args, **kwargs)
        except BaseException:
            on_error()
            raise

    return own_step


_PHASES = {True: "train", False: "test"}


def _batch_size(args, kwargs):
    """The weight of a batch in Keras' own mean of the loss."""
    x = args[0] if args else kwargs.get("x")
    others = (*args[1:3], kwargs.get("y"), kwargs.get("y_pred"))
    first = next(leaf for leaf in keras.tree.flatten((x, others)) if leaf is not None)
    return ops.shape(first)[0]
