"""All that `audit` knows of `DecoupledWeightDecay`."""

import contextlib

import numpy as np
from keras import ops

from keras_decay.ground import backend
from keras_decay.ground.arithmetic import computable
from keras_decay.optimizers import (
    PLAIN,
    Circumstances,
    DecayToward,
    DecoupledWeightDecay,
    Origin,
    TargetNormDecay,
    coupling_factor,
)
from keras_decay.tools._keras_view import KerasView, assigned
from keras_decay.tools._penalties import elastic_net, short
from keras_decay.tools._promise import Promise, as_numpy, number

# The forms whose pull without gradients depends on nothing that changes by steps.
STEADY = (DecayToward, TargetNormDecay)


class WrapperView(KerasView):
    """A `DecoupledWeightDecay`; see `KerasView`."""

    bakes_strength = False
    carries_rounding = True

    def __init__(self, optimizer):
        super().__init__(optimizer.optimizer)
        self.optimizer = optimizer
        self.name = f"DecoupledWeightDecay({self.name})"
        self.cautious = optimizer.cautious
        self.jit_compile = optimizer.jit_compile
        self.fixed = not callable(self.schedule) and optimizer._plan.has_fixed_strengths

    def decays(self):
        return True

    def unusable(self):
        return None

    def promise(self, variable, rate):
        optimizer = self.optimizer
        index = self._index_of(variable)
        decay = optimizer._plan.decay_of(index)
        if decay is None or (decay.form is None and decay.penalty is None):
            return None
        base = optimizer.base_learning_rate
        form = None if decay.form is PLAIN else decay.form
        strength, penalty = decay.strength, decay.penalty

        def c(step):
            return coupling_factor(decay.coupling, rate(step), base, decay.rate_factor)

        def strength_at(step):
            step = ops.convert_to_tensor(step, dtype=optimizer.iterations.dtype)
            return 0.0 if strength is None else number(strength.at(step))

        def share(step):
            left = 1 - c(step) * strength_at(step)
            return 1 - left / (1 + 2 * c(step) * (l2 or 0.0))

        def expected(w, step):
            taken = np.float64(c(step) * strength_at(step))
            if form is not None:
                memory = optimizer._memory.of(index)
                w = _pulled(form, w, taken, memory, variable)
            else:
                w = (1 - taken) * w
            if penalty is None:
                return w
            prox = penalty.prox(ops.convert_to_tensor(w, dtype=variable.dtype), c(step))
            return as_numpy(prox)

        l1, l2 = (0.0, 0.0) if penalty is None else elastic_net(penalty)
        now = number(self.inner.iterations)
        names = [] if form is None else [type(form).__name__.replace("Decay", "")]
        names += [] if strength is None else [f"{strength_at(now):g}"]
        texts = [" ".join(names)] if names else []
        texts += [] if penalty is None else [f"{short(penalty)} (prox)"]
        # A penalty pulls toward zero, and not toward the reference.
        toward = isinstance(form, DecayToward) and penalty is None
        simple = toward or (form is None and l1 == 0)
        return Promise(
            key=(id(optimizer), decay),
            strength=None if strength is None else strength_at(now),
            text=" + ".join(texts),
            coupling=decay.coupling + (", cautious" if self.cautious else ""),
            share=share if simple else None,
            expected=expected if form is None or isinstance(form, STEADY) else None,
            center=as_numpy(optimizer._memory.of(index)["reference"])
            if isinstance(form, DecayToward)
            else None,
        )

    def rate_factor(self, variable):
        decay = self.optimizer._plan.decay_of(self._index_of(variable))
        return 1.0 if decay is None else decay.rate_factor

    def _index_of(self, variable):
        known = self.optimizer._trainable_variables
        return next(i for i, v in enumerate(known) if v is variable)

    def is_excluded(self, variable):
        return False

    def exclusion_patterns(self):
        return []

    def misplaced_rules(self):
        """The variables that are decided otherwise than by the rules' patterns."""
        variables = self.optimizer._trainable_variables
        return [variables[index] for index in self.optimizer._plan.deviations()]

    def control_step(self, grads, variables):
        """One call of the wrapped optimizer alone, at the rates that rules give."""
        native = backend.current()
        factors = [self.rate_factor(variable) for variable in variables]
        before = [
            None if factor == 1 else native.snapshot(variable)
            for variable, factor in zip(variables, factors, strict=True)
        ]
        self.inner.apply(grads, variables)
        for variable, factor, start in zip(variables, factors, before, strict=True):
            if factor != 1:
                moved = ops.convert_to_tensor(variable) - start
                native.assign(variable, start + factor * moved)

    @contextlib.contextmanager
    def undisturbed(self):
        # A compiled step would keep the changed settings for ever.
        changed = {"jit_compile": False, "ema_overwrite_frequency": None}
        with assigned(self.optimizer, **changed):
            yield

    @contextlib.contextmanager
    def without_decay(self):
        yield


def _pulled(form, w, fraction, memory, variable):
    """What a form makes of the weight `w` in a step without a gradient."""
    tensor = ops.convert_to_tensor(w, dtype=computable(variable).dtype)
    values = {name: ops.convert_to_tensor(slot) for name, slot in memory.items()}
    still = Circumstances(step=0, grad=ops.zeros_like(tensor))
    pull = form.pull(tensor, ops.cast(fraction, tensor.dtype), values, still)
    return as_numpy(tensor - pull.rate * pull.direction)


def takes_initial(optimizer):
    """Whether a `DecoupledWeightDecay` remembers the weights that it is built on."""
    return is_wrapper(optimizer) and Origin.WEIGHTS in optimizer._plan.origins


def check_rules(optimizer):
    """Raise the error about a rule that matches nothing, or that cannot act."""
    if is_wrapper(optimizer):
        optimizer._plan.check()


def is_wrapper(optimizer):
    """Whether the optimizer is a `DecoupledWeightDecay`."""
    return isinstance(optimizer, DecoupledWeightDecay)


def view_of(optimizer):
    """The view of an optimizer that is neither loss scaling nor a MultiOptimizer."""
    return WrapperView(optimizer) if is_wrapper(optimizer) else KerasView(optimizer)
