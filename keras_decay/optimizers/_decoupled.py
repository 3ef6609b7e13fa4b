"""`DecoupledWeightDecay`: decay around any Keras optimizer."""

import warnings

import keras
import numpy as np
from keras import ops

from keras_decay import _backend, _validation
from keras_decay.optimizers import _saving
from keras_decay.optimizers._average import ema_settings, update_averages
from keras_decay.optimizers._compile import CompiledSteps, plain_settings
from keras_decay.optimizers._couplings import base_rate
from keras_decay.optimizers._couplings import coupling as check_coupling
from keras_decay.optimizers._inner import check_inner
from keras_decay.optimizers._memory import Memory
from keras_decay.optimizers._plan import make_plan, variable_path
from keras_decay.optimizers._step import Target, inner_step_and_decay
from keras_decay.regularizers._base import HALF
from keras_decay.regularizers._state import OPTIMIZER, claim


@keras.saving.register_keras_serializable(package="keras_decay")
class DecoupledWeightDecay(keras.optimizers.Optimizer):
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
    bias, gamma, beta, scale, offset, alpha or moving_…. `rules` decide otherwise; they
    are matched once, when the optimizer is first built, and the outcome is saved with
    it, since Keras renames many layers on loading.

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
        rules: A list of `(path regex, strength)` or `(path regex, strength, coupling)`,
            with a strength as in `weight_decay`, or a `Penalty`, or None to spare the
            variables. The first rule whose regex is found (`re.search`) in a
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
            `weight_decay`, `penalty` and `rules` is given, or, when first built, a rule
            matches no variable.

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
        # The base class wants a rate of its own; ours is the wrapped optimizer's.
        super().__init__(learning_rate=0.0, name=name, **ema)
        # Nor does what it has made so far, a rate and a count of the steps, belong to
        # the state that JAX hands through every step, which takes time in small models.
        self._unused = len(self._variables)
        self.optimizer = optimizer
        self.coupling = check_coupling("coupling", coupling)
        self.cautious = _validation.boolean("cautious", cautious)
        if jit_compile != "auto":
            jit_compile = _validation.boolean("jit_compile", jit_compile)
        self.jit_compile = jit_compile
        self._compiled_steps = CompiledSteps()
        self._plan = make_plan(
            weight_decay, penalty, rules, self.coupling, self._add_scalar
        )
        self._strengths_are_fixed = all(
            decay.strength is None or decay.strength.is_variable
            for decay in self._plan.decays
        )
        for variable in self._plan.strength_variables:
            self._track(variable)
        for argument, decay in self._plan.named_decays():
            decay.form.check(argument, optimizer)
        self._memory = Memory(self.add_variable)
        self._to_load = None
        self.base_learning_rate = base_rate(
            optimizer, base_learning_rate, {d.coupling for d in self._plan.decays}
        )

    def _add_scalar(self, value, name):
        floatx = keras.config.floatx()
        dtype = "float32" if floatx in HALF else floatx
        variable = self.add_variable(
            shape=(),
            dtype=dtype,
            aggregation="only_first_replica",
            name=name.replace("[", "_").replace("]", ""),
        )
        # An initializer would round to float32 on TensorFlow, also under float64.
        variable.assign(np.asarray(value, dtype))
        return variable

    def _track(self, variable):
        if all(variable is not known for known in self._variables):
            self._track_variable(variable)

    def build(self, variables):
        if self.built:
            return
        variables = list(variables)
        self._plan.match(variables)
        strengths = self._plan.strength_variables + self._plan.penalty_variables
        claim(strengths, OPTIMIZER, self)
        super().build(variables)
        with _backend.current().eager():
            for index, variable in enumerate(variables):
                decay = self._plan.decay_of(index)
                if decay is not None:
                    path = variable_path(variable)
                    self._memory.build(index, variable, path, decay)
        if self.use_ema:
            self._ema_count = self.add_variable(shape=(), dtype="int", name="ema_count")
            averages = self._model_variables_moving_average
            self._average_residuals = [self._memory.residual(v) for v in averages]
        if not self.optimizer.built:
            self.optimizer.build(variables)
        if self._to_load is not None:
            stored, self._to_load = self._to_load, None
            try:
                self.load_own_variables(stored)
            except ValueError as error:
                # Loaded weights may come from a training with other settings, which
                # shall not stop this one. Keras does the same for its optimizers.
                warnings.warn(f"{error} It starts afresh.", stacklevel=2)

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
        if not self.built:
            with keras.name_scope(self.name):
                self.build(variables)
        self._check_variables_are_known(variables)
        if self._memory.incomplete:
            raise RuntimeError(
                "`reference` must be loaded before the first step: this optimizer was "
                "made from a config, which holds no arrays. Load its variables, or "
                "construct it with the arrays."
            )
        if self._should_compile(grads):
            inner = self.optimizer
            settings = (id(inner.learning_rate), self.cautious, plain_settings(inner))
            self._compiled_steps.run(
                self._step, grads, variables, self._get_variable_index, settings
            )
        else:
            self._step(grads, variables)

    def _should_compile(self, grads):
        if self.jit_compile is False:
            return False
        # A Python callable would be evaluated once, when the update is compiled.
        fixed = self._strengths_are_fixed and isinstance(
            self.optimizer.learning_rate, keras.Variable
        )
        return _backend.current().can_compile(grads, fixed, self.jit_compile)

    def _step(self, grads, variables):
        with _backend.current().no_grad():
            is_real = inner_step_and_decay(
                self.optimizer,
                grads,
                variables,
                self._targets(grads, variables),
                self.base_learning_rate,
                self.cautious,
            )
            if self.use_ema:
                update_averages(
                    self._trainable_variables,
                    self._model_variables_moving_average,
                    self._average_residuals,
                    self._ema_count,
                    self.ema_momentum,
                    self.ema_overwrite_frequency,
                    self.optimizer.iterations,
                    is_real,
                )

    def finalize_variable_values(self, var_list):
        """Put the moving averages in the weights' place, as `fit` does at its end."""
        if not self.use_ema:
            return
        averages = self._model_variables_moving_average
        for variable in var_list:  # not all of them where layers have been frozen
            average = averages[self._get_variable_index(variable)]
            if average is not None and _backend.current().has_value(average):
                # A copy: JAX reuses the memory of weights and averages at the next
                # step, and one array in both places would be reused twice.
                variable.assign(ops.copy(average))

    def _targets(self, grads, variables):
        """The variables that a step with these gradients decays."""
        targets = []
        for grad, variable in zip(grads, variables, strict=True):
            # float8 scales are overwritten with their "gradients", not trained.
            if grad is None or getattr(variable, "overwrite_with_gradient", False):
                continue
            index = self._get_variable_index(variable)
            decay = self._plan.decay_of(index)
            if decay is not None:
                targets.append(Target(variable, grad, decay, self._memory.of(index)))
        return targets

    @property
    def learning_rate(self):
        """The wrapped optimizer's learning rate η_t; it can be set."""
        return self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.optimizer.learning_rate = learning_rate

    @property
    def iterations(self):
        """The number of steps that the wrapped optimizer has made."""
        return self.optimizer.iterations

    @property
    def weight_decay(self):
        """λ as a variable, schedule or callable; None if only penalties or rules act.

        Setting a number changes λ from the next step on.
        """
        strength = self._default_strength()
        return None if strength is None else strength.source

    @weight_decay.setter
    def weight_decay(self, value):
        if "_plan" not in self.__dict__:
            return  # the base class' constructor sets it before ours has one
        strength = self._default_strength()
        if strength is None:
            raise ValueError(
                "`weight_decay` cannot be set on an optimizer that was constructed "
                f"without one. Received: weight_decay={value!r}"
            )
        strength.set(value)

    def _default_strength(self):
        plan = self.__dict__.get("_plan")
        return plan.default.strength if plan and plan.default else None

    @property
    def loss_scale_factor(self):
        """The wrapped optimizer's loss scale factor."""
        inner = self.__dict__.get("optimizer")
        return inner and inner.loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value):
        if "optimizer" in self.__dict__:
            self.optimizer.loss_scale_factor = value

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Refused, because it would not be saved: use `rules`."""
        raise ValueError(
            "DecoupledWeightDecay spares variables by `rules`, which are saved with "
            "the model: rules=[('path regex', None)]. Received: "
            f"var_list={var_list!r}, var_names={var_names!r}"
        )

    def save_own_variables(self, store):
        # Keras saves the wrapped optimizer by itself, since it is an attribute.
        if self.built:
            _saving.save(self._named_variables(), store)
        elif any(decay.form.holds_arrays() for decay in self._plan.decays):
            raise ValueError(
                "`reference` cannot be saved before the optimizer is built, since its "
                "arrays are saved as the optimizer's variables. Call "
                "`optimizer.build(model.trainable_variables)` first."
            )

    def load_own_variables(self, store):
        if not store.keys():
            return  # it was saved before training: the config says it all
        if not self.built:
            # As when weights are loaded before the first `fit`.
            names = list(store.keys())
            self._to_load = {name: np.asarray(store[name]) for name in names}
            return
        _saving.load(self._named_variables(), store, self.name)
        self._memory.incomplete = False

    def _named_variables(self):
        return _saving.named_variables(self._variables, self._plan, self._memory)

    def set_weights(self, weights):
        weights = list(weights)
        if len(weights) != len(self.variables):
            raise ValueError(
                f"`weights` must have one array for each of the {len(self.variables)} "
                f"variables of the optimizer. Received: {len(weights)} arrays"
            )
        for variable, weight in zip(self.variables, weights, strict=True):
            variable.assign(weight)
        self._memory.incomplete = False

    def get_config(self):
        return _saving.to_config(self)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return _saving.from_config(cls, config, custom_objects)
