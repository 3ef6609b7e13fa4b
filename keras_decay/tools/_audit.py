"""`audit`: what every variable of a model really undergoes."""

import os

import keras

from keras_decay.ground import validation
from keras_decay.tools._live import audit_live
from keras_decay.tools._plan import Plan


def audit(model, *, steps_per_epoch=None, epochs=None, probe=True):
    """Which decay every variable of a model really undergoes, measured, not believed.

    For each variable: its penalty in the loss, its decay in the optimizer, and what
    follows, with s = c_t λ_t the share of the weight that a step takes away:

        per epoch  1 − (1 − s)^n        half-life  ln 2 / −ln(1 − s)
        planned total  Σ_t c_t λ_t  over the learning-rate schedule from its first step

    Where a weight is decayed toward others, as by `DecayToward`, the share is that of
    its distance to them.

    The settings are not trusted. The model's own optimizer makes a few steps with
    gradients of zero on the model's own variables, once as it is and once with its
    decay off, and the difference is compared with what the settings promise.
    Afterwards weights and the optimizer's state are as before, bit for bit, also after
    an exception; meanwhile there is one more copy of both in memory. An optimizer that
    is not built yet is built, as `fit` would build it, unless it is to remember the
    weights that it is built on; nothing else is changed. Where
    the learning rate is zero at the present step, a step of the schedule is looked at
    where it is not. Weights that are all zero are measured at one. With `probe=False`
    no step is made, and nothing is measured.

    Faults are in `warnings`, each with its remedy: L2 in the loss under an adaptive
    optimizer, or together with decay; decayed biases and normalisation scales; decay
    that rounds away, that the optimizer or a constraint undoes, or that does nothing
    useful over the run (a total below 0.01 or above 100); exclusions that match
    nothing, depend on the backend or are not saved; regularizers assigned too late;
    embeddings whose untouched rows decay.

    Args:
        model: A built `keras.Model`, compiled or not, with any optimizer; or the path
            of a `.keras` file, of which nothing is executed: a file that refers to
            classes beyond Keras' own and this package's is not loaded but read, and its
            variables are listed without having been probed.
        steps_per_epoch: Batches in an epoch, a positive integer, or None if unknown.
        epochs: Epochs of the run from its start, a positive integer, or None.
        probe: Whether to make steps and measure. Without them a large model is audited
            at once: everything comes from reading the settings, the rows say "not
            measured", and faults that only show in a step are not found, such as decay
            that rounds away or that a constraint undoes.

    Returns:
        An `Audit`.

    Raises:
        TypeError, ValueError: If an argument is not as described, the model is not
            built, or the file is no Keras model.
        FileNotFoundError: If there is no such file.

    Example:

    ```python
    report = kd.audit(model, steps_per_epoch=len(x) // 32, epochs=50)
    print(report)
    assert report.ok, [w.code for w in report.warnings]
    ```

    Reference: Loshchilov and Hutter, Decoupled Weight Decay Regularization,
    arXiv 1711.05101; Wang and Aitchison, How to set AdamW's weight decay as you scale
    model and dataset size, arXiv 2405.13698 (timescales).
    """
    plan = Plan(
        _count("steps_per_epoch", steps_per_epoch),
        _count("epochs", epochs),
        validation.boolean("probe", probe),
    )
    if isinstance(model, (str, os.PathLike)):
        from keras_decay.tools._model_file import audit_file

        return audit_file(model, plan)
    if not isinstance(model, keras.Model):
        must = "a keras.Model or the path of a .keras file"
        raise TypeError(validation.received("model", model, must))
    if not model.built or not model.weights:
        must = "built, so that it has variables"
        remedy = "Call `model.build(input_shape)`, or the model on one batch, first."
        raise ValueError(validation.received("model", model, must, remedy))
    return audit_live(model, plan)


def _count(name, value):
    return None if value is None else validation.integer(name, value, minimum=1)
