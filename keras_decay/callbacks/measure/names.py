"""Names of our columns, which no metric of a model may have."""

import keras

from keras_decay.ground import schema


def refuse_taken(model, wanted):
    """Refuse a metric of the user's that our columns would overwrite in the logs."""
    taken = set()
    for metric in model.metrics:
        taken.add(metric.name)
        taken.update(one.name for one in getattr(metric, "metrics", ()))
        # Compiled metrics have no names yet before TensorFlow's first step.
        for given in keras.tree.flatten(getattr(metric, "_user_metrics", None)):
            name = given if isinstance(given, str) else getattr(given, "name", None)
            taken.add(name or getattr(given, "__name__", None))
    outputs = getattr(model, "output_names", None) or ()
    if len(outputs) > 1:
        taken.update(f"{output}_loss" for output in outputs)
    for name in (*wanted, *schema.RESERVED):
        if name in taken:
            raise ValueError(
                f"The model already reports something named {name!r}, under which "
                "LearningCurve records something else. Rename the metric or output."
            )
