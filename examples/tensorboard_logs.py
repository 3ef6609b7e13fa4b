"""TensorBoard beside the learning curve, and a verdict read back from its files.

    python examples/tensorboard_logs.py [FOLDER]

`LearningCurve(tensorboard=FOLDER)` writes every number that it records, the loss on the
data apart from the penalty among them, which Keras' own callback has in one sum. Look
at it with `tensorboard --logdir FOLDER`. What is in the files can be judged later, by
another program: here by `kd.diagnose`. No TensorFlow is needed on other backends.
"""

import sys
import tempfile
from pathlib import Path

import keras
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_decay as kd

EPOCHS = 40
folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())

keras.utils.set_random_seed(0)
x, y = load_diabetes(return_X_y=True)
x, y = scale(x), scale(y)

layers = [
    keras.layers.Dense(128, "relu", kernel_regularizer=kd.L2(1e-4)),
    keras.layers.Dense(128, "relu", kernel_regularizer=kd.L2(1e-4)),
    keras.layers.Dense(1),
]
model = keras.Sequential(layers)
model.compile("adam", "mse")
curve = kd.LearningCurve(tensorboard=folder, live=False)
model.fit(x, y, validation_split=0.25, epochs=EPOCHS, verbose=0, callbacks=[curve])


def scalars(part):
    """Every curve in a folder of TensorBoard's, as lists by name."""
    events = EventAccumulator(str(folder / part)).Reload()
    return {
        tag: [event.value for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


training, validation = scalars("train"), scalars("validation")
print(f"In {folder}/train: {', '.join(sorted(training))}")
rows = [
    {"epoch": epoch, "data_loss": train, "val_data_loss": val}
    for epoch, (train, val) in enumerate(
        zip(training["data_loss"], validation["data_loss"], strict=True)
    )
]
verdict = kd.diagnose(rows)
print(verdict)

share = training["penalty"][-1] / training["loss"][-1]
agreement = "the same" if str(verdict) == str(curve.diagnose()) else "not the same"
print(
    f"{len(rows)} epochs were read back from TensorBoard's files, with {agreement} "
    f"verdict as the recorded curve's: {verdict.verdict}; at the end the penalty was "
    f"{share:.0%} of what Keras calls the training loss."
)
