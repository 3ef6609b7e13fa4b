"""The arms of the diabetes experiment: one network, regularised in different ways.

Nothing here imports Keras until a model is built, so that the command line can list
the arms at once.
"""

from dataclasses import dataclass

LEARNING_RATE = 1e-3
LAYERS = 6
UNITS = 128


@dataclass(frozen=True)
class Arm:
    """One way to regularise the network.

    Args:
        name: What it is called on the command line and in files.
        title: What it is called in the figure.
        l2: λ of `L2` on every kernel, in Keras' convention (loss + λ Σw²).
        l1: λ of `L1` on every kernel, likewise (loss + λ Σ|w|).
        weight_decay: λ of the decoupled AdamW (w ← w − ηλw each step, η = 1e-3).
        dropout: The share of units dropped after every hidden layer.
        patience: Training stops after so many epochs without a lower validation loss,
            and the weights of the lowest are restored; None for all epochs.
        remark: A sentence that the result must not be read without.
    """

    name: str
    title: str
    l2: float = 0.0
    l1: float = 0.0
    weight_decay: float = 0.0
    dropout: float = 0.0
    patience: int | None = None
    remark: str = ""

    def build(self, inputs):
        """The compiled model, not yet trained, for `inputs` columns."""
        import keras

        from keras_decay.optimizers import AdamW
        from keras_decay.regularizers import L1, L2

        def penalty():
            if self.l2:
                return L2(self.l2)
            return L1(self.l1) if self.l1 else None

        # All kernels are made before any dropout layer: both draw their seeds from
        # Python's generator, and arms of one seed are to start from equal weights.
        dense = [
            keras.layers.Dense(units, activation, kernel_regularizer=regularizer)
            for units, activation, regularizer in (
                (units, activation, penalty())
                for units, activation in [(UNITS, "relu")] * LAYERS + [(1, None)]
            )
        ]
        layers = [keras.Input((inputs,))]
        for layer in dense[:-1]:
            layers.append(layer)
            if self.dropout:
                layers.append(keras.layers.Dropout(self.dropout))
        model = keras.Sequential([*layers, dense[-1]])
        optimizer = (
            AdamW(LEARNING_RATE, self.weight_decay)
            if self.weight_decay
            else keras.optimizers.Adam(LEARNING_RATE)
        )
        model.compile(optimizer, loss="mse")
        return model


ARMS = {
    arm.name: arm
    for arm in (
        Arm("none", "no penalty"),
        Arm(
            "l2-article",
            "L2, λ = 1e-5",
            l2=1e-5,
            remark="λ = 1e-5, the article's strength, is too weak to matter here.",
        ),
        Arm("l2", "L2, λ = 0.01", l2=1e-2),
        Arm("adamw", "AdamW, λ = 10", weight_decay=10.0),
        Arm("dropout", "dropout 0.3", dropout=0.3),
        Arm(
            "article",
            "L2 1e-5 + dropout 0.3",
            l2=1e-5,
            dropout=0.3,
            remark="The article's script ran L2 1e-5 together with dropout 0.3: "
            "its improvement is the dropout's, see the arms l2-article and dropout.",
        ),
        Arm("l1", "L1, λ = 1e-3", l1=1e-3),
        Arm("l2-dropout", "L2 0.01 + dropout 0.3", l2=1e-2, dropout=0.3),
        Arm(
            "early-stop",
            "early stopping",
            patience=20,
            remark="Its validation error is the one it was chosen by, and so looks "
            "better than it is; the test error does not.",
        ),
        Arm(
            "tuned",
            "L2, λ tuned",
            l2=1e-2,
            remark="λ is the choice of a search on training rows alone.",
        ),
    )
}

DEFAULT_ARMS = ("none", "l2-article", "l2", "adamw")
QUICK_ARMS = ("none", "l2")
EPOCHS, QUICK_EPOCHS = 100, 20
