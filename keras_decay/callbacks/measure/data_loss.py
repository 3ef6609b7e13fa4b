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

import keras

from keras_decay.callbacks.measure import carried, loss_parts
from keras_decay.callbacks.measure import parts as _parts
from keras_decay.callbacks.measure.layers import ByLayer
from keras_decay.callbacks.measure.names import refuse_taken
from keras_decay.callbacks.measure.patch import TEST, TRAIN, Patch
from keras_decay.callbacks.measure.silent import Silent
from keras_decay.ground import backend, schema

ROWS, BATCHES = "rows", "batches"
LAYERS, LAST = "layers", "last"
_METER = "keras_decay_meter"
_PHASES = {"train_step": "train", "test_step": "test"}
_EVALUATE, _READ = "evaluate", "_get_metrics_result_or_logs"


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
        self._fits = []
        self._history = None
        self._patch = Patch(model, self._leave)
        # Whether an evaluation of our own is under way.
        self._measuring = False

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
        return any(one.same_as(fit) for one in self._fits)

    def install(self, fit):
        """Attach the metrics, until `restore` or until this `fit` is left.

        `fit` is a `Training`.
        """
        refuse_taken(self.model, self.names)
        self._fits, self._is_monitored = [], False
        self.join(fit)
        self._attach()

    def join(self, fit):
        """A callback of this `fit` listens."""
        self._fits.append(fit)
        fit.when_left(self.restore)

    def _attach(self):
        model = self.model
        self._history = getattr(model, "history", None)
        methods = {"compute_loss": self._recording(model.compute_loss)}
        for name in _PHASES:
            methods[name] = self._counting(name, getattr(model, name))
        for name in (TRAIN, TEST):
            methods[name] = self._healing(name, getattr(model, name))
        methods[_EVALUATE] = self._marking(model.evaluate)
        methods[_READ] = self._reading(getattr(model, _READ))
        self._detach = carried.attach(model, self._all())
        theirs = self._patch.put(methods)
        if theirs:
            self._seen.clear()
            self._why_not = None
            self._patch.compile(theirs)

    def restore(self):
        """Leave the model as it was found. Safe to call at any time, and twice."""
        if self.on(self.model) is self:
            self._patch.take_back()
            self._detach()
            self.validating, self._evaluating = False, 0

    def _leave(self):
        """An exception ends the `fit`."""
        # Keras puts JAX' state, with ours in it, into the variables after this.
        with contextlib.suppress(ValueError, RuntimeError):
            backend.current().sync(self.model)
        for fit in self._fits:
            fit.leave()

    def begin_epoch(self):
        """Start an epoch of training."""
        self._read, self.validating = {}, False
        if self.on(self.model) is None:
            self._attach()
        for metric in self._all():
            metric.restart()

    @contextlib.contextmanager
    def measuring(self):
        """Measure the evaluations within."""
        if self.on(self.model) is None:
            self._attach()
        self._measuring = True
        try:
            yield
        finally:
            self._measuring = False

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
            self._record(parts, total, loss_parts.batch_size(args, kwargs))
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
            return _parts.unknown(_parts.HIDDEN)
        if "loss" not in logs and self._calls[phase] > 1:
            return _parts.unknown(_parts.REPEATED)
        batches = means[BATCHES].count
        allowed = _parts.tolerance(batches, self._terms, self._dtype)
        return _parts.explaining(candidates, logs, allowed)

    def _marking(self, original):
        """`evaluate`, which starts the means of the evaluation.

        In an epoch that is over, or in a `fit` that an exception has ended after one, a
        caller of `evaluate` gets the model as it was. The next epoch attaches again.
        """

        def evaluate(*args, **kwargs):
            is_fit = kwargs.get("_use_cached_eval_dataset", False)
            if "train" in self._read and not (is_fit or self._measuring):
                self.restore()
                return self.model.evaluate(*args, **kwargs)
            self._evaluating += 1
            try:
                if is_fit:
                    self._meet(getattr(kwargs.get("callbacks"), "callbacks", ()))
                for metric in self._means["test"].values():
                    metric.restart()
                return original(*args, **kwargs)
            except BaseException:
                if is_fit:
                    self._leave()
                raise
            finally:
                self._evaluating = max(self._evaluating - 1, 0)

        return evaluate

    def _meet(self, callbacks):
        """All callbacks of the `fit`, which Keras shows at a validation."""
        monitored = {getattr(one, "monitor", None) for one in callbacks}
        columns = {p + n for p in ("", schema.VALIDATION) for n in schema.PARTS}
        self._is_monitored = bool(monitored & columns)
        for fit in self._fits:
            fit.meet(callbacks)

    def _counting(self, name, step):
        """A step that counts its calls of `compute_loss`.

        It is a function that equals no other: JAX reuses what it has compiled for an
        equal function, and the bound methods of one model are equal, with our metrics
        or without.
        """

        def own_step(*args, **kwargs):
            self._step = _PHASES[name]
            self._calls[self._step] = 0
            try:
                return step(*args, **kwargs)
            finally:
                self._step = None

        return own_step

    def _healing(self, name, original):
        """`make_…_function`, which first of all undoes what a crashed fit left.

        Keras makes a train function first of all, and gives every `fit` a `history`.
        """

        def make_function(*args, **kwargs):
            model = self.model
            is_new_fit = getattr(model, "history", None) is not self._history
            # Without one it is `rebuild` or `compile` in a callback, or us.
            is_further_use = name == TRAIN and model.train_function is not None
            if is_new_fit or is_further_use:
                self.restore()
                return getattr(model, name)(*args, **kwargs)
            if name == TRAIN:
                self._patch.forget_theirs()
            made = original(*args, **kwargs)
            if name == TRAIN:
                self._patch.guard()
            return made

        return make_function
