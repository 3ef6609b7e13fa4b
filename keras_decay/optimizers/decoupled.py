"""`DecoupledWeightDecay`: decay around any Keras optimizer."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_decay.ground import backend, validation
from keras_decay.optimizers import building
from keras_decay.optimizers.inner import check_inner, check_rates
from keras_decay.optimizers.rebuilding import Rebuilds
from keras_decay.optimizers.rules import make_plan
from keras_decay.optimizers.saving import from_config, state, to_config
from keras_decay.optimizers.settings import AVERAGE, InnerSettings, ema_settings
from keras_decay.optimizers.step import (
    CompiledSteps,
    inner_step_and_decay,
    plain_settings,
    targets_among,
)
from keras_decay.optimizers.strength import base_rate, check_coupling
from keras_decay.regularizers import OPTIMIZER, claim


@keras.saving.register_keras_serializable(package="keras_decay")
class DecoupledWeightDecay(InnerSettings, Rebuilds, keras.optimizers.Optimizer):
    """Weight decay apart from the loss, around any Keras optimizer.

    With w the weight before the step, u the displacement that the wrapped optimizer
    makes and η_t its learning rate, one step is

        w ← w − u − c_t λ_t w              `weight_decay=λ`
        w ← prox_{c_t Ω}(w − u)            `penalty=Ω`
        w ← prox_{c_t Ω}(w − u − c_t λ_t w)    both

    where c_t is given by `coupling`: η_t for `"learning_rate"` (PyTorch's and Keras'
    AdamW), η_t/η_0 for `"schedule"` (the paper's own form), 1 for `"independent"`,
    η_t²/η_0 for `"corrected"` (AdamC). Afterwards the variable's constraint is applied
    once more, and then the moving average.

    Convention of λ: "decoupled", the fraction of the weight that is taken away per step
    is c_t λ. Under plain SGD it equals `L2(λ/2)` in the loss; under Adam no L2 term
    equals it. Under momentum β the decay acts once per step, whereas a penalty in the
    loss acts 1/(1 − β) times as strongly in the long run.

    Decayed by default: every trainable variable of rank 2 or more whose name is not
    bias, gamma, beta, scale, offset, alpha or moving_…. `rules` decide otherwise. They
    are matched when the optimizer is first built, and the outcome is saved with its
    state, since Keras renames many layers on loading. The config holds no outcome:
    `from_config(get_config())` is a fresh optimizer for any model.

    Loading restores the whole state, or none of it with one warning that says what has
    changed, such as the variables of a layer that was frozen after training. An
    optimizer without variables, as of a frozen model, keeps what it has loaded until it
    is built on some.

    Settings of the wrapped optimizer (`learning_rate`, `clipnorm`, `momentum`, …) can
    be read and set on the wrapper, and act inside it.

    Args:
        optimizer: The Keras optimizer to wrap. It must have no decay and no moving
            average of its own. It is built and used, but otherwise left as it is.
        weight_decay: λ, a non-negative number, a scalar `keras.Variable`, a
            `LearningRateSchedule` or a callable of the step (of the real step, where
            gradients accumulate). A number can be changed during training:
            `optimizer.weight_decay = 0.1` acts from the next step on. (On JAX from the
            next epoch on; a callback that sets it within an epoch calls
            `model.jax_state_sync()` before.) Also a form of decay: `DecayToward`,
            `TargetNormDecay`, `ConstrainedDecay`, `StableDecay`, `TouchedRowsDecay`.
            Keras loads a lambda from a file with safe_mode=False only.
        penalty: A `Penalty` Ω, applied by its proximal step: `L1` then sets weights to
            exactly zero.
        coupling: `"learning_rate"`, `"schedule"`, `"independent"` or `"corrected"`.
        cautious: Decay by λ only the entries where u·w ≥ 0, that is, where the step
            does not already push the weight away from zero. The penalty is unaffected.
        rules: A list of `(path regex, strength)`, `(path regex, strength, coupling)` or
            `Rule`, with a strength as in `weight_decay`, or a `Penalty`, or None to
            spare the variables. The first rule whose regex is found (`re.search`) in a
            variable's path decides for it.
        base_learning_rate: η_0, a positive number. By default the learning rate at
            construction; to be given if that is a schedule and the coupling needs it.
        jit_compile: Whether the update is compiled by itself: on TensorFlow with XLA,
            on PyTorch with `torch.compile` if there is a C++ compiler. True does so
            where it is possible: not inside a distribution strategy, with sparse
            gradients, or when run eagerly with a callable learning rate. `"auto"` does
            so where it also pays: for large variables, on PyTorch on CPUs only. No
            effect on JAX, where Keras compiles the whole step.
        use_ema: Whether to keep a moving average of the weights after decay.
        ema_momentum: Its momentum, in [0, 1].
        ema_overwrite_frequency: Every how many steps the weights are replaced by the
            average, a positive integer; None for at the end of `fit` only.
        name: The optimizer's name.

    Raises:
        TypeError, ValueError: If an argument is not as described, none of
            `weight_decay`, `penalty` and `rules` is given, or a rule matches no
            variable, at the first step at the latest. (On loading that is a warning.)

    Example:

    ```python
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.Adam(1e-3),
        weight_decay=0.1,
        rules=[("embedding", None), ("head/kernel", kd.L1(1e-4))],
    )
    model.compile(optimizer, loss="mse")
    ```

    References: Loshchilov and Hutter, Decoupled Weight Decay Regularization,
    arXiv 1711.05101; Zhuang et al., Understanding AdamW through Proximal Methods and
    Scale-Freeness, arXiv 2202.00089; Defazio, arXiv 2506.02285 (corrected); Chen et
    al., Cautious Weight Decay, arXiv 2510.12402.
    """

    def __init__(
        self,
        optimizer,
        weight_decay=None,
        *,
        penalty=None,
        coupling="learning_rate",
        cautious=False,
        rules=None,
        base_learning_rate=None,
        jit_compile="auto",
        use_ema=False,
        ema_momentum=0.99,
        ema_overwrite_frequency=None,
        name=None,
    ):
        check_inner(optimizer, DecoupledWeightDecay)
        ema = ema_settings(use_ema, ema_momentum, ema_overwrite_frequency)
        # The base class wants a learning rate. This one is never used: the wrapped
        # optimizer's is.
        super().__init__(learning_rate=0.0, name=name, **ema)
        # Its variables, that rate and a count of steps, are no part of the state: JAX
        # would hand them through every step, which takes time in small models.
        self._unused = len(self._variables)
        self.optimizer = optimizer
        self.coupling = check_coupling("coupling", coupling)
        self.cautious = validation.boolean("cautious", cautious)
        if jit_compile != "auto":
            jit_compile = validation.boolean("jit_compile", jit_compile)
        self.jit_compile = jit_compile
        self._plan = make_plan(weight_decay, penalty, rules, self.coupling)
        check_rates(optimizer, self._plan.named_rates())
        building.track_strengths(self)
        for argument, form in self._plan.named_forms():
            form.check(argument, optimizer)
        self.base_learning_rate = base_rate(
            optimizer, base_learning_rate, {d.coupling for d in self._plan.decays}
        )
        made_in_build: Any = None
        self._memory = self._averages = self._compiled_steps = made_in_build
        self._loading = building.Loading()

    def build(self, variables):
        """Match the rules to these variables, and make what is kept for each of them.

        An optimizer without variables, as of a frozen model, remains to be built.
        """
        variables = list(variables)
        if self.built:
            return
        if not variables:
            self._loading.was_frozen = True
            return
        self._plan.match(variables)
        if not self._loading.may_match:
            self._plan.check()
        strengths = self._plan.strength_variables + self._plan.penalty_variables
        claim(strengths, OPTIMIZER, self)
        if self._loading.arrays is None:
            self._add_variables(variables)
            return
        # In a program that is being traced new variables could not be set.
        with backend.current().eager():
            self._add_variables(variables)
            state.load_late(self)

    def _add_variables(self, variables):
        self._is_building = True
        try:
            super().build(variables)
        finally:
            self._is_building = False
        building.add_memory(self)
        self._compiled_steps = CompiledSteps()
        if not self.optimizer.built:
            self.optimizer.build(variables)

    @property
    def variables(self):
        known = self._variables[self._unused :] + self.optimizer.variables
        return known + [
            variable
            for variable in self._plan.penalty_variables
            if all(variable is not other for other in known)
        ]

    def apply(self, grads, trainable_variables=None):
        """Update the variables: the wrapped optimizer's step, then decay.

        Args:
            grads: A list of gradients, one for each variable; None for none.
            trainable_variables: The variables; by default those that the optimizer was
                built with.
        """
        grads = list(grads)
        if trainable_variables is None:
            if not self.built:
                raise ValueError(
                    "`trainable_variables` must be given unless the optimizer is "
                    "built. Call `optimizer.build(trainable_variables)` first."
                )
            trainable_variables = self._trainable_variables
        variables = list(trainable_variables)
        if len(grads) != len(variables):
            raise ValueError(
                "`grads` must have one gradient for each variable. Received: "
                f"{len(grads)} gradients for {len(variables)} variables"
            )
        if not grads:
            return
        grads = [_as_tensor(g, v) for g, v in zip(grads, variables, strict=True)]
        if not self.built:
            with keras.name_scope(self.name):
                self.build(variables)
        self._plan.check()
        self._check_variables_are_known(variables)
        if self._memory.incomplete:
            raise RuntimeError(
                "`reference` must be loaded before the first step: this optimizer was "
                "made from a config, which holds no arrays. Load its variables, or "
                "construct it with the arrays."
            )
        if self._should_compile(grads):
            inner = self.optimizer
            average = [getattr(self, name) for name in AVERAGE]
            rate = id(inner.learning_rate)
            settings = (rate, self.cautious, *average, plain_settings(inner))
            self._compiled_steps.run(
                self._step, grads, variables, self._get_variable_index, settings
            )
        else:
            self._step(grads, variables)

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        """As `apply`, for tensors: returns them as they are after the step.

        Args:
            optimizer_variables: Values for `variables`.
            grads: A list of gradients, one for each variable.
            trainable_variables: Values for the variables that the optimizer was built
                with, or for those of them that are still trainable.

        Returns:
            The variables' new values and the optimizer's.
        """
        if not trainable_variables:
            return trainable_variables, optimizer_variables
        variables = [v for v in self._trainable_variables if v.trainable]
        shapes = [tuple(variable.shape) for variable in variables]
        if len(variables) == len(self._trainable_variables) or shapes != [
            tuple(value.shape) for value in trainable_variables
        ]:
            return super().stateless_apply(
                optimizer_variables, grads, trainable_variables
            )
        # Layers were frozen since, and the optimizer goes on with the others.
        both = [*variables, *self.variables]
        values = [*trainable_variables, *optimizer_variables]
        mapping = list(zip(both, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            self.apply(grads, variables)
        values = [scope.get_current_value(variable) for variable in both]
        return values[: len(variables)], values[len(variables) :]

    def _should_compile(self, grads):
        if self.jit_compile is False:
            return False
        # A Python callable would be evaluated once, when the update is compiled.
        rate = self.optimizer.learning_rate
        fixed = self._plan.has_fixed_strengths and isinstance(rate, keras.Variable)
        return backend.current().can_compile(grads, fixed, self.jit_compile)

    def _step(self, grads, variables):
        with backend.current().no_grad():
            index_of = self._get_variable_index
            is_real = inner_step_and_decay(
                self.optimizer,
                grads,
                variables,
                targets_among(variables, grads, index_of, self._plan, self._memory),
                self.base_learning_rate,
                self.cautious,
            )
            if self.use_ema:
                self._averages.update(
                    variables,
                    self.ema_momentum,
                    self.ema_overwrite_frequency,
                    self.optimizer.iterations,
                    is_real,
                )

    def finalize_variable_values(self, var_list):
        """Put the moving averages in the weights' place, as `fit` does at its end."""
        if self.use_ema and self.built:
            self._averages.put_into(var_list, self._get_variable_index)

    def __dir__(self):
        # Keras saves and loads by itself the optimizers among the attributes listed
        # here. The wrapped one is saved with the wrapper, so that both are restored or
        # neither is; in files of version 0.1 it stands by itself.
        hidden = set() if self._loading.keras_loads_inner else {"optimizer"}
        return [name for name in super().__dir__() if name not in hidden]

    def save_own_variables(self, store):
        state.save(self, store)

    def load_own_variables(self, store):
        state.load(self, store)

    def set_weights(self, weights):
        """Set the optimizer's variables, in the order of `variables`.

        An optimizer that is not built yet keeps the arrays until it is, as when Keras
        loads a file of the old format `.h5`.

        Args:
            weights: A list of arrays, one for each variable.
        """
        state.load_list(self, weights)

    def get_config(self):
        return to_config(self)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return from_config(cls, config, custom_objects)


def _as_tensor(grad, variable):
    """A gradient that is a NumPy array or a list as a tensor, others as they are."""
    if isinstance(grad, (np.ndarray, np.generic, list, tuple, float, int)):
        return ops.convert_to_tensor(grad, dtype=variable.dtype)
    return grad
