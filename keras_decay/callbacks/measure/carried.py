"""Metrics in JAX's state of training that `model.metrics` does not list.

On TensorFlow and PyTorch a metric keeps its own state. Keras' training on JAX hands the
variables of all listed metrics through every step, those of the metrics within a metric
among them.
"""

import keras


def attach(model, hidden):
    """Let a listed metric of `model` carry the variables of the metrics `hidden`.

    Returns:
        A function that takes them away again.
    """
    if keras.backend.backend() == "jax":
        wanted = {id(one) for metric in hidden for one in metric.variables}
        for host in _hosts(model):
            host._metrics.extend(hidden)
            if wanted <= {id(one) for one in host.variables}:
                return lambda: _remove(host, hidden)
            _remove(host, hidden)
    return lambda: None


def is_carried(variable):
    """Whether what is assigned to `variable` now outlives the step."""
    if keras.backend.backend() != "jax":
        return True
    with keras.StatelessScope() as scope:
        outer = scope.original_scope
    return outer is not None and outer.get_current_value(variable) is not None


def _hosts(model):
    """The listed metrics, Keras' own tracker of the loss first.

    A mean resets its own two variables alone. Other metrics may reset all that they
    carry.
    """
    listed = list(model.metrics)
    own = getattr(model, "_loss_tracker", None)
    means = [one for one in listed if isinstance(one, keras.metrics.Mean)]
    return [one for one in listed if one is own] + means + listed


def _remove(host, hidden):
    ours = set(map(id, hidden))
    host._metrics[:] = [one for one in host._metrics if id(one) not in ours]
