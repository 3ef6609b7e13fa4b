"""The meter of losses of a `fit`, shared by its curves."""

from keras_decay.callbacks.measure.data_loss import DataLossMeter


def installed_meter(model, fit, last, settings):
    """The `DataLossMeter` that listens to the model in this `fit`.

    Args:
        model: The model.
        fit: The `Training`.
        last: The meter of an earlier `fit`, which is used again if it suits; or None.
        settings: Whether to record the penalty, and whether single batches.

    Raises:
        ValueError: If another callback of this `fit` has one with other settings.
    """
    present = DataLossMeter.on(model)
    if present is not None and present.belongs_to(fit):
        # A second LearningCurve in the same fit: both listen to one meter.
        if not present.suits(model, *settings):
            raise ValueError(
                "Two LearningCurves in one `fit` must agree on `track_penalty`, "
                "and on whether there is a `track_batches`."
            )
        present.join(fit)
        return present
    if present is not None:
        present.restore()
    if last is None or not last.suits(model, *settings):
        last = DataLossMeter(model, *settings)
    last.install(fit)
    return last
