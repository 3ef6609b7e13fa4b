"""One of the processes of `tf.distribute.MultiWorkerMirroredStrategy`.

Keras 3's own `fit` does not run under this strategy: before it trains it reduces the
first batch over the replicas, and TensorFlow refuses the value. So this is the custom
loop of TensorFlow's guide: `strategy.run`, and the optimizer's `apply` in it.
"""

import sys

import cases
import tensorflow as tf

from keras_decay import LearningCurve

STRATEGY = tf.distribute.MultiWorkerMirroredStrategy()


def fit(model):
    optimizer, weights = model.optimizer, model.trainable_variables
    with STRATEGY.scope():
        optimizer.build(weights)

    def shard(context):
        workers = context.num_input_pipelines
        rows = tf.data.Dataset.from_tensor_slices(cases.data())
        rows = rows.batch(cases.BATCH // workers)
        return rows.shard(workers, context.input_pipeline_id)

    def on_replica(x, y):
        with tf.GradientTape() as tape:
            errors = tf.square(model(x, training=True) - y)
            # The mean over the global batch: the gradients of replicas are summed.
            loss = tf.reduce_sum(errors) / (cases.BATCH * errors.shape[-1])
        optimizer.apply(tape.gradient(loss, weights), weights)

    @tf.function
    def step(x, y):
        STRATEGY.run(on_replica, args=(x, y))

    for x, y in STRATEGY.distribute_datasets_from_function(shard):
        step(x, y)
    optimizer.finalize_variable_values(weights)


def distributed(make):
    with STRATEGY.scope():
        return cases.build(make())


def record(path):
    """Two rows, by the callback's own methods; every worker is given the same file."""
    curve = LearningCurve(path)
    curve.set_model(distributed(cases.CASES["decay"]))
    curve.on_train_begin()
    for epoch in range(2):
        curve.on_epoch_begin(epoch)
        curve.on_epoch_end(epoch, {"loss": 1.0})
    curve.on_train_end()
    return len(curve.rows)


names = ["decay", "prox"]
weights, effect = cases.on_one_device(names)
cases.report(
    replicas=STRATEGY.num_replicas_in_sync,
    differences={
        name: cases.difference(
            cases.train(distributed(cases.CASES[name]), fit), weights[name]
        )
        for name in names
    },
    effect=effect,
    rows=record(sys.argv[1]),
)
