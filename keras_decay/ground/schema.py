"""The columns of a learning curve's row.

| column | holds |
|---|---|
| `epoch` | the number of the epoch, from 0 |
| `step` | steps that the optimizer had made at the epoch's end |
| `loss` | the mean loss of the epoch, penalty included |
| `data_loss` | the same without the penalty |
| `penalty` | the mean penalty |
| a metric's name | the metric |
| `val_…` | a loss or metric on the validation data |
| `train_…` | a loss or metric, evaluated again on the training data |
| `data_loss_note` | why the parts of the loss are not known |
| `learning_rate` | the learning rate |
| `decay` | what decay takes of a weight in a step, a number or one for each rule |
| `seconds` | the duration of the epoch |
| `penalties` | the penalty by layer |
| `norms`, `zeros` | by weight: the L2 norm, the share of exact zeros |
| `batches` | a sample of the epoch's batches, a dict of lists |
| `restart` | True where training was restarted |
"""

EPOCH, STEP, SECONDS = "epoch", "step", "seconds"
LOSS, DATA_LOSS, PENALTY = "loss", "data_loss", "penalty"
LEARNING_RATE, DECAY = "learning_rate", "decay"
PENALTIES, NORMS, ZEROS = "penalties", "norms", "zeros"
BATCHES, RESTART = "batches", "restart"
NOTE = "data_loss_note"
# Before the name of a loss or metric.
VALIDATION, REEVALUATED = "val_", "train_"

# A loss comes apart into these.
PARTS = (DATA_LOSS, PENALTY)
VAL_LOSS, VAL_DATA_LOSS = VALIDATION + LOSS, VALIDATION + DATA_LOSS
# What a verdict may be passed on.
LOSSES = (LOSS, VAL_LOSS, DATA_LOSS, VAL_DATA_LOSS)
# Where a row stands.
PLACES = (EPOCH, STEP)
# Measured at the epoch's end, as validation is; other training values are means over
# the epoch.
AT_THE_END = (LEARNING_RATE, SECONDS)
# A dict of numbers, which becomes a column for each of its keys in a table.
NESTED = (DECAY, PENALTIES, NORMS, ZEROS)
# All that is neither a loss nor a metric; no metric of a model may bear such a name.
RESERVED = (
    *(EPOCH, STEP, SECONDS, LEARNING_RATE, DECAY),
    *(NORMS, ZEROS, PENALTIES, BATCHES, RESTART),
)
