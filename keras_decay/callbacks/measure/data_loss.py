"""Measures the loss apart from the penalty while Keras trains and evaluates.

Subtracting the penalty from the loss afterwards is wrong: the loss of an epoch is a
mean over batches, each at its own weights. So the model itself must tell, batch by
batch, and `compute_loss` is where it adds the two. From `install` to `restore` a model
has a `compute_loss` of our own on this one instance, which feeds metrics that the
model does not list: the model's own code may walk `model.metrics`, update all and reset
all. They are read where Keras reads those of the model.
That is this library's one exception to "no monkey-patching".
"""

import contextlib
import weakref

import keras
from keras import ops

from keras_decay.callbacks.measure import carried, loss_parts
from keras_decay.callbacks.measure import parts as _parts
from keras_decay.callbacks.measure.layers import ByLayer
from keras_decay.callbacks.measure.names import refuse_taken
from keras_decay.callbacks.measure.silent import Silent
from keras_decay.ground import schema

ROWS, BATCHES = "rows", "batches"
LAYERS, LAST = "layers", "last"
HIDDEN = (
    "on JAX nothing of the callback's is part of the training state: the model "
    "overrides `metrics` so that there is no metric to carry it, or its own train_step "
    "or test_step calls compute_loss where no metric can be updated"
)
REPEATED = (
    "the model's own train_step or test_step calls compute_loss more than once in a "
    "step, and logs no loss to check the sum by"
)
_METER = "keras_decay_meter"
_PHASES = {"train_step": "train", "test_step": "test"}
_MAKERS = ("make_train_function", "make_test_function")
_EVALUATE, _READ = "evaluate", "_get_metrics_result_or_logs"
_PATCHED = ("compute_loss", *_PHASES, *_MAKERS, _EVALUATE, _READ)


class DataLossMeter:
    """The parts of a model's loss, averaged as Keras averages the loss.

    Keras weights a batch by its rows. A train_step of the user's may weight all batches
    alike, as Keras' guides do: both means are kept, and the logged loss tells which of
    them it is.

    Args:
        model: A compiled Keras model.
        penalty: Whether to record the penalty too: True, False or `"layers"`.
        batches: Whether to know the losses of the last batch too.

    Attributes:
        names: The columns that are recorded.
        validating: Whether the evaluation under way is the validation of this `fit`.
    """

    def __init__(self, model, penalty, batches=False):
        self.model = model
        self.settings = (penalty, bool(batches))
        self.names = schema.PARTS if penalty else schema.PARTS[:1]
        self.validating = False
        self._by_layer = ByLayer(model) if penalty == "layers" else None
        # Variables of a model under tf.distribute must be created in its scope.
        strategy = getattr(model, "distribute_strategy", None)
        with contextlib.nullcontext() if strategy is None else strategy.scope():
            self._means = {
                phase: {
                    kind: Silent(kind, len(schema.PARTS)) for kind in (ROWS, BATCHES)
                }
                for phase in _PHASES.values()
            }
            self._further = {}
            if self._by_layer is not None:
                size = len(self._by_layer.names)
                self._further[LAYERS] = Silent("penalties", size)
            if batches:
                self._further[LAST] = Silent("last_batch", len(schema.PARTS), last=True)
        # In which phases, "train" and "test", the model has computed its loss.
        self._seen = set()
        # The reason, where the parts of the loss cannot be told apart.
        self._why_not = None
        self._is_penalised = self._is_monitored = False
        self._terms, self._dtype = 1, None
        self._calls = dict.fromkeys(self._means, 0)
        self._evaluating = 0
        # The phase of the step that is being traced or run.
        self._step = None
        self._read = {}
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
        refuse_taken(model, self.names)
        recording = self._recording(model.compute_loss)
        self._fit = fit
        monitored = {getattr(one, "monitor", None) for one in fit.callbacks}
        self._is_monitored = bool(
            monitored & {p + n for p in _PREFIXES for n in schema.PARTS}
        )
        self._before = {
            name: vars(model)[name] for name in _PATCHED if name in vars(model)
        }
        self._detach = carried.attach(model, self._all())
        model.compute_loss = recording
        for name in _PHASES:
            setattr(model, name, self._counting(name, getattr(model, name)))
        for name in _MAKERS:
            setattr(model, name, self._healing(name, getattr(model, name)))
        setattr(model, _EVALUATE, self._marking(model.evaluate))
        setattr(model, _READ, self._reading(getattr(model, _READ)))
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
        self._detach()
        self.validating, self._evaluating = False, 0
        self._swap_out()

    def begin_epoch(self):
        """Start an epoch of training."""
        self._read, self.validating = {}, False
        for metric in self._all():
            metric.restart()

    def parts(self, phase):
        """The `Parts` of the loss that Keras has read last in this phase.

        Args:
            phase: "train", or "test" for evaluations.
        """
        if phase in self._read:
            return self._read[phase]
        return _parts.unknown(self._why_not or _parts.NOT_CALLED)

    def layers(self):
        """The present mean penalty of every layer, or None if it is unknown."""
        if self._by_layer is None:
            return None
        means = self._further[LAYERS].means()
        return None if means is None else self._by_layer.named(means)

    def last_batch(self):
        """The data loss and the penalty of the last batch, or None if unknown."""
        metric = self._further.get(LAST)
        return metric and metric.means()

    def _all(self):
        means = [one for phase in self._means.values() for one in phase.values()]
        return [*means, *self._further.values()]

    def _phase(self):
        return "test" if self._evaluating else "train"

    def _recording(self, original):
        parts_of = loss_parts.splitter(self.model, original)

        def compute_loss(*args, **kwargs):
            total, parts = parts_of(*args, **kwargs)
            if isinstance(parts, str):
                self._why_not = parts
                return total
            self._record(parts, total, _batch_size(args, kwargs))
            return total

        setattr(compute_loss, _METER, self)
        return compute_loss

    def _record(self, parts, total, weight):
        """Update the metrics with one batch; traced."""
        phase = self._step or self._phase()
        self._seen.add(phase)
        self._calls[phase] += 1
        self._is_penalised = self._is_penalised or bool(parts["terms"])
        self._terms = max(self._terms, len(parts["terms"]) + 1)
        self._dtype = keras.backend.standardize_dtype(total.dtype)
        means = self._means[phase]
        if not carried.is_carried(means[ROWS].variables[0]):
            # Assigned now, a value of this step would stay in the variable.
            return
        both = [parts[name] for name in schema.PARTS]
        means[ROWS].update_state(both, weight)
        means[BATCHES].update_state(both, 1)
        if phase != "train":
            return
        if self._by_layer is not None:
            sums = self._by_layer.sums(parts["terms"])
            if sums is not None:
                self._further[LAYERS].update_state(sums, weight)
        if LAST in self._further:
            self._further[LAST].update_state(both, weight)

    def _reading(self, original):
        """`_get_metrics_result_or_logs`, where Keras reads the metrics of an epoch."""

        def result_or_logs(logs):
            logs = original(logs)
            if not isinstance(logs, dict):
                return logs
            parts = self._read[self._phase()] = self._explain(logs)
            is_ours = not self._evaluating or self.validating
            if not is_ours or not (self._is_penalised or self._is_monitored):
                return logs
            ours = {name: parts.values[name] for name in self.names}
            told = {k: v for k, v in ours.items() if v is not None and k not in logs}
            return {**logs, **told}

        return result_or_logs

    def _explain(self, logs):
        """The `Parts` of a logged loss."""
        phase = self._phase()
        if self._why_not is not None:
            return _parts.unknown(self._why_not)
        if phase not in self._seen:
            return _parts.unknown(_parts.NOT_CALLED)
        means = self._means[phase]
        candidates = [metric.means() for metric in means.values()]
        if None in candidates:
            return _parts.unknown(HIDDEN)
        if "loss" not in logs and self._calls[phase] > 1:
            return _parts.unknown(REPEATED)
        batches = means[BATCHES].count
        allowed = _parts.tolerance(batches, self._terms, self._dtype)
        return _parts.explaining(candidates, logs, allowed)

    def _marking(self, original):
        """`evaluate`, which starts the means of the evaluation."""

        def evaluate(*args, **kwargs):
            self._evaluating += 1
            for metric in self._means["test"].values():
                metric.restart()
            try:
                return original(*args, **kwargs)
            finally:
                self._evaluating = max(self._evaluating - 1, 0)

        return evaluate

    def _counting(self, name, step):
        """A step that counts its calls of `compute_loss`, and cleans up if it fails.

        It is a function that equals no other: JAX reuses what it has compiled for an
        equal function, and the bound methods of one model are equal, with our metrics
        or without.
        """

        def own_step(*args, **kwargs):
            self._step = _PHASES[name]
            self._calls[self._step] = 0
            try:
                return step(*args, **kwargs)
            except BaseException:
                self.restore()
                raise
            finally:
                self._step = None

        return own_step

    def _healing(self, name, original):
        """`make_…_function`, which first of all undoes what a crashed fit left.

        Everything that trains or evaluates goes through one of the two.
        """

        fit = self._fit

        def make_function(*args, **kwargs):
            if fit is None or fit.is_running():
                if self.model.train_function is None:
                    # `rebuild` in a callback: what Keras had compiled must not run on.
                    self._theirs = self._ours = (None, None)
                return original(*args, **kwargs)
            self.restore()
            return getattr(self.model, name)(*args, **kwargs)

        return make_function

    # The functions that Keras has compiled know nothing of the metrics: they are kept
    # and put back. Ours are kept too: if the next fit finds what was put back, the
    # model has not been compiled in between, and ours need not be compiled again.

    def _swap_in(self):
        model = self.model
        theirs = self._theirs = (model.train_function, model.test_function)
        if self._left is not None and self._left() is model.train_function:
            model.train_function, model.test_function = self._ours
            return
        self._seen.clear()
        self._why_not = None
        model.train_function = model.test_function = None
        model.make_train_function()
        self._theirs = theirs

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


_PREFIXES = ("", schema.VALIDATION)


def _batch_size(args, kwargs):
    """The weight of a batch in Keras' own mean of the loss."""
    x = args[0] if args else kwargs.get("x")
    others = (*args[1:3], kwargs.get("y"), kwargs.get("y_pred"))
    first = next(leaf for leaf in keras.tree.flatten((x, others)) if leaf is not None)
    return ops.shape(first)[0]
