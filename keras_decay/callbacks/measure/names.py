"""The names in a row that are ours, and that no metric of a model may bear."""

import keras

from keras_decay.ground import schema


def refuse_taken(model, wanted):
    """A metric of the user's with one of our names would be overwritten in the logs."""
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
