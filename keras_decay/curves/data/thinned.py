"""A growing curve in a bounded number of rows, for pictures while training runs."""

from keras_decay.curves.data import columns
from keras_decay.ground import schema

COLUMNS = (
    schema.EPOCH,
    *schema.LOSSES,
    schema.REEVALUATED + schema.LOSS,
    schema.REEVALUATED + schema.DATA_LOSS,
)
# More than a picture of the usual width can show.
LIMIT = 400


class Thinned:
    """Rows with the losses alone, each the mean over some neighbouring epochs.

    Up to `LIMIT` epochs they are the epochs themselves; whenever there would be more,
    neighbours are merged. So epoch 10,000 costs what epoch 10 does, and the picture of
    both too. A loss that is not finite stays visible: so is its mean.
    """

    def __init__(self):
        self._whole = []
        self._open = []
        self._every = 1

    def add(self, row):
        """Take the row of the next epoch."""
        self._open.append(
            {
                column: float(row[column])
                for column in COLUMNS
                if columns.is_number(row.get(column))
            }
        )
        if len(self._open) == self._every:
            self._whole.append(_mean(self._open))
            self._open = []
        if len(self._whole) == LIMIT:
            pairs = zip(self._whole[::2], self._whole[1::2], strict=True)
            self._whole = [_mean(pair) for pair in pairs]
            self._every *= 2

    def rows(self):
        """The curve so far, in at most `LIMIT` rows."""
        return [*self._whole, _mean(self._open)] if self._open else list(self._whole)


def _mean(rows):
    means = {}
    for column in COLUMNS:
        values = [row[column] for row in rows if column in row]
        if values:
            means[column] = sum(values) / len(values)
    return means
