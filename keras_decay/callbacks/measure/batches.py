"""A bounded, evenly spaced sample of batch losses."""

from keras_decay.ground import schema


class SampledBatches:
    """Keeps at most `limit` evenly spaced batches of an epoch.

    It begins with every batch. Whenever there would be more than `limit`, every second
    one is dropped, and from then on only every second is looked at, so that neither
    memory nor time grows with the length of an epoch.

    Args:
        limit: How many batches to keep.
    """

    def __init__(self, limit):
        self._limit = limit
        self._stride = 1
        self.begin()

    def begin(self):
        """Start an epoch; the stride of the last one is a good guess."""
        self._seen = 0
        self._kept = []

    def wants_next(self):
        """Whether the batch that has just been trained on is to be kept."""
        self._seen += 1
        return (self._seen - 1) % self._stride == 0

    def keep(self, step, loss):
        """Keep the batch for which `wants_next` was True.

        Args:
            step: Steps that the optimizer has made after it.
            loss: Its data loss and its penalty.
        """
        self._kept.append((step, *loss))
        if len(self._kept) > self._limit:
            self._stride *= 2
            self._kept = self._kept[::2]

    def columns(self):
        """The sample as a dict of lists of one length."""
        names = (schema.STEP, *schema.PARTS)
        return {
            name: [one[place] for one in self._kept] for place, name in enumerate(names)
        }
