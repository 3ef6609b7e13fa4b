"""`tf.distribute.MirroredStrategy` on two logical CPUs."""

import sys
from pathlib import Path

import cases
import keras
import tensorflow as tf

import keras_decay as kd

CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    CPU, [tf.config.LogicalDeviceConfiguration()] * 2
)
STRATEGY = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def distributed(make, build=cases.build):
    with STRATEGY.scope():
        return build(make())


def scaled():
    return keras.optimizers.LossScaleOptimizer(cases.prox(), initial_scale=8.0)


class Aggregated(keras.Layer):
    """Kernels for which TensorFlow combines what the replicas assign."""

    def build(self, shape):
        self.kernels = [
            self.add_weight(
                shape=(shape[-1], shape[-1]),
                initializer=keras.initializers.GlorotUniform(seed=seed),
                aggregation=aggregation,
                name=f"kernel_{aggregation}",
            )
            for seed, aggregation in enumerate(("sum", "mean", "only_first_replica"))
        ]

    def call(self, x):
        for kernel in self.kernels:
            x = keras.ops.tanh(x @ kernel)
        return x[:, :4]


def build_aggregated(optimizer):
    model = keras.Sequential([keras.Input((8,)), Aggregated()])
    model.compile(optimizer, "mse")
    return model


def trained_once(model):
    cases.fit(model)
    return model.get_weights()


def aggregated():
    """Our assignments to variables with an aggregation, overwriting included."""
    one = cases.train(build_aggregated(cases.overwriting()))
    many = cases.train(distributed(cases.overwriting, build_aggregated))
    return cases.difference(many, one)


def loss_scaled():
    many = trained_once(distributed(scaled))
    return cases.difference(many, trained_once(cases.build(scaled())))


def resumed(folder):
    """Trained on two replicas, saved, trained on: on one device and on two."""
    file = Path(folder) / "model.keras"
    one = cases.build(cases.adam())
    cases.fit(one)
    expected = trained_once(one)
    model = distributed(cases.adam)
    cases.fit(model)
    model.save(file)
    with STRATEGY.scope():
        again = keras.models.load_model(file)
    results = [trained_once(again), trained_once(keras.models.load_model(file))]
    return max(cases.difference(result, expected) for result in results)


def accumulates(make):
    """Whether an optimizer that accumulates gradients runs at all."""
    try:
        cases.fit(distributed(make))
    except RuntimeError as error:
        assert "merge_call" in str(error)
        return False
    return True


def keras_accumulating():
    return keras.optimizers.SGD(0.05, gradient_accumulation_steps=2)


def refusal(penalty):
    """What is said of decay by rows, of which a replica knows its own alone."""
    inner = keras.optimizers.SGD(0.05)
    touched = kd.TouchedRowsDecay(0.1)
    try:
        cases.fit(
            distributed(
                lambda: kd.DecoupledWeightDecay(inner, touched, penalty=penalty)
            )
        )
    except NotImplementedError as error:
        return str(error)
    return ""


def replicas_agree():
    """Whether both replicas hold the same weights, averages and strengths."""
    model = distributed(cases.prox)
    cases.fit(model)
    variables = [*model.trainable_variables, *model.optimizer.variables]
    for variable in variables:
        copies = STRATEGY.experimental_local_results(variable.value)
        if len(copies) != 2 or cases.difference(copies[:1], copies[1:]) != 0:
            return False
    return True


names = [name for name in cases.CASES if name != "accumulating"]
weights, effect = cases.on_one_device(names)
many = {name: cases.train(distributed(cases.CASES[name])) for name in names}
differences = {name: cases.difference(many[name], weights[name]) for name in names}
differences["aggregated"] = aggregated()
differences["loss_scaled"] = loss_scaled()
differences["resumed"] = resumed(sys.argv[1])
cases.report(
    differences=differences,
    effect=effect,
    replicas_agree=replicas_agree(),
    accumulates=[accumulates(keras_accumulating), accumulates(cases.accumulating)],
    refusals=[refusal(penalty=None), refusal(penalty=kd.L1(0.1))],
)
