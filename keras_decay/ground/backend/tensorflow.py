"""TensorFlow's side of the interface described in `keras_decay.ground.backend`."""

import contextlib
import math

import keras
import tensorflow as tf

from keras_decay.ground.backend import jacobi

no_grad = contextlib.nullcontext
kept_randomness = contextlib.nullcontext
wide = contextlib.nullcontext
# A scope in which variables are read and set at once, also while a function is traced.
eager = tf.init_scope

# From this mean number of entries of a variable on, a program of XLA is faster than
# TensorFlow's own operations. Starting it costs about as much as ten operations.
WORTH_COMPILING = 2**14


def snapshot(variable):
    """The value of `variable` now, unaffected by later assignments."""
    return tf.convert_to_tensor(variable)


read = snapshot


def has_value(variable):
    """Whether `variable` can be read: always."""
    del variable
    return True


def subtract(variable, amount):
    """Take `amount` from `variable`."""
    assign(variable, variable - amount)


def sync(model):
    """Put the state of a `fit` that is running into the model's variables: it is."""
    del model


def untrack(optimizer, variables):
    """Take variables out of those that an optimizer tracks.

    A list that TensorFlow has seen something taken from cannot be saved in a
    `tf.train.Checkpoint` any more, so a new one is put in its place.
    """
    for variable in variables:
        optimizer._untrack_variable(variable)
    # As in Keras' constructor: first the list, and then the tracker that fills it.
    tracker = vars(optimizer).pop("_tracker")
    optimizer._variables = list(optimizer._variables)
    is_variable, _ = tracker.config["variables"]
    tracker.config["variables"] = (is_variable, optimizer._variables)
    vars(optimizer)["_tracker"] = tracker


def is_chief(model):
    """Whether this process is the first of those that train `model` together."""
    strategy = getattr(model, "distribute_strategy", None)
    resolver = getattr(strategy, "cluster_resolver", None)
    if resolver is None or resolver.task_type is None:
        return True
    if resolver.task_type == "worker":
        roles = resolver.cluster_spec().as_dict()
        return resolver.task_id == 0 and not {"chief", "master"} & set(roles)
    return resolver.task_type in ("chief", "master")


def is_baked(value):
    """Whether a function is being traced in which `value` would be a constant.

    Never: a traced function reads a variable anew whenever it runs.
    """
    del value
    return False


def compiled(function):
    """`function` compiled with XLA; its variables must exist already."""
    return tf.function(function, jit_compile=True, autograph=False)


def is_tracing():
    """Whether a function is being traced into a program."""
    return not tf.executing_eagerly()


def can_compile(tensors, fixed, wanted):
    """Whether XLA can compile an update from these gradients, here and now.

    Args:
        tensors: The gradients.
        fixed: Whether the update reads variables only and calls no Python function
            that gives another value at every step. It does not matter while a function
            is traced: Keras calls the Python function only once then.
        wanted: True, or `"auto"` for only where it pays, on variables of some size.
    """
    tensors = [tensor for tensor in tensors if tensor is not None]
    return (
        not tf.distribute.has_strategy()
        and (fixed or not tf.executing_eagerly())
        and not any(isinstance(tensor, tf.IndexedSlices) for tensor in tensors)
        and (wanted is True or _mean_size(tensors) >= WORTH_COMPILING)
    )


def _mean_size(tensors):
    sizes = [tensor.shape.num_elements() for tensor in tensors]
    # A gradient whose size is unknown while tracing counts as large.
    return sum(WORTH_COMPILING if s is None else s for s in sizes) / max(len(sizes), 1)


def uncompiled(function, variables):
    """`function` itself: its operations are not compiled one by one."""
    del variables
    return function


def as_decayed(fraction):
    """The fraction of a weight that decay takes away, as it is."""
    return fraction


def assign(variable, value):
    """Set `variable` to `value`, on each replica to the value computed there.

    Every replica has computed the same value, from gradients that are summed already.
    A variable without an aggregation, as Keras makes it, sets its own copy. One with an
    aggregation would combine the values once more: `"sum"` would double the weight on
    two replicas, and `"mean"` would send every weight through the network.
    """
    native = _native(variable)
    context = tf.distribute.get_replica_context()
    if (
        context is None
        or not tf.distribute.has_strategy()
        or native.aggregation == tf.VariableAggregation.NONE
    ):
        variable.assign(value)
        return

    def update(strategy, values):
        strategy.extended.update(
            native, lambda copy, own: copy.assign(own), args=(values,), group=False
        )

    context.merge_call(update, args=(value,))


def rounded(x, dtype):
    """A float32 tensor rounded to a half-precision `dtype`.

    XLA drops a cast to half precision and back, unless bit casts stand in between.
    """
    return tf.bitcast(tf.bitcast(tf.cast(x, dtype), tf.uint16), dtype)


def sparse_rows(grad):
    """The rows where a sparse gradient is not zero, each once; None for a dense one."""
    _refuse_replicas()
    return _held(grad) if isinstance(grad, tf.IndexedSlices) else None


def touched_rows(grad, size):
    """Which of the `size` rows have a gradient that is not zero, as booleans."""
    _refuse_replicas()
    if isinstance(grad, tf.IndexedSlices):
        rows = _held(grad)
        here = tf.ones_like(rows, dtype=tf.bool)
        nothing = tf.zeros([size], tf.bool)
        return tf.tensor_scatter_nd_update(nothing, rows[:, None], here)
    return tf.reduce_any(_flat(grad, size) != 0, axis=1)


def gather_rows(variable, rows):
    """Some rows of a variable."""
    return tf.gather(_native(variable), rows)


def scatter_rows(variable, rows, value):
    """Set some rows of a variable, each once."""
    _native(variable).scatter_update(tf.IndexedSlices(value, rows))


def _native(variable):
    return variable.value if isinstance(variable, keras.Variable) else variable


def _held(grad):
    rows, positions = tf.unique(grad.indices)
    sums = tf.math.unsorted_segment_sum(grad.values, positions, tf.size(rows))
    return tf.boolean_mask(rows, tf.reduce_any(_flat(sums, tf.size(rows)) != 0, axis=1))


def _flat(rows, size):
    # Not −1, which is ambiguous where there are no rows.
    return tf.reshape(rows, (size, math.prod(rows.shape[1:])))


def _refuse_replicas():
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if replicas > 1:
        raise NotImplementedError(
            "TouchedRowsDecay is not possible under a tf.distribute strategy of "
            f"several replicas, here {replicas}: each knows the rows of its own part "
            "of the batch only. Give the table a number as its strength, which decays "
            "every row, or None to spare it; or train on one device."
        )


def feed(train, validation, batch_size):
    """Small arrays as arguments of `fit`, shuffled anew in every epoch.

    Given arrays, Keras builds a new pipeline in each epoch. That takes several times as
    long as the training of a small network, and after `keras.utils.set_random_seed` the
    rows have the same order in every epoch.

    Args:
        train, validation: Pairs (x, y) of arrays.
        batch_size: Of training; validation is one batch.
    """
    rows = tf.data.Dataset.from_tensor_slices(train)
    return {
        "x": rows.shuffle(len(train[0])).batch(batch_size),
        "shuffle": False,
        "validation_data": tf.data.Dataset.from_tensors(validation),
    }


def gradient(function, w):
    """The gradient of a scalar function at the tensor `w`."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(w)
        value = function(w)
    return tape.gradient(value, w, unconnected_gradients="zero")


def gpus():
    """The names of the GPUs that the backend can use."""
    names = []
    for device in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        names.append(details.get("device_name", device.name))
    return names


def svd(a):
    """U, σ, Vᵀ of a matrix with entries of about 1.

    Inside a program it is computed by `jacobi`, which XLA runs fast.
    """
    if tf.executing_eagerly() or None in a.shape:
        s, u, v = tf.linalg.svd(a, full_matrices=False)
        return u, s, tf.linalg.adjoint(v)
    return jacobi.svd(a)


def largest_by(number, values, count):
    """For each number below `count` the largest of the values that have it."""
    return tf.math.unsorted_segment_max(values, number, count)


def running_sums(x):
    """The sums of the first, the first two, … entries along the last axis."""
    return tf.cumsum(x, axis=-1)
