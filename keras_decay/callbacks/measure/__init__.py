"""What is measured of a training: its losses apart from the penalty, rates, norms.

- `batches`: a sample of the losses of single batches.
- `epoch`: one epoch, and the row that it makes.
- `loss_parts`: `compute_loss` split into the data's loss and the penalty.
- `metering`: the meter that listens to a model.
- `record`: steps, rates, decay and norms of a model.
- `reevaluation`: the training data evaluated like validation.
"""

__all__ = ["batches", "epoch", "loss_parts", "metering", "record", "reevaluation"]
