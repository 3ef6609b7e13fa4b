"""Looks at the models of a search before anything is trained."""

from keras_decay.search._building import build_model, first_rows
from keras_decay.search._reach import Reach
from keras_decay.search._sharing import Sharing
from keras_decay.search._traits import Traits

# Models whose variables are looked at: two of one candidate, and one of another.
LOOKED_AT = 3


class Inspection:
    """Checks that `build` makes models of their own, which its parameters change.

    Args:
        job: The `Job`.
        seed: The seed that models are built with.
    """

    def __init__(self, job, seed):
        self._job, self._seed = job, seed
        self._sharing, self._reach = Sharing(), Reach(job.candidates)
        self._count = 0

    @property
    def is_done(self):
        """Whether more models would tell nothing new."""
        return self._reach.is_settled and self._count >= LOOKED_AT

    def see(self, candidate, model):
        """Look at a candidate's model, compiled, built and not trained.

        Raises:
            ValueError: If it shares with an earlier one what training changes.
        """
        variables = []
        if not self.is_done:
            traits = Traits(model)
            variables = traits.variables
            self._reach.see(candidate, traits.digest)
        self._count += 1
        self._sharing.check(self._job.candidates[candidate], model, variables)

    def build(self, candidate):
        """Build a candidate's model, look at it and return it."""
        x = first_rows(self._job.data.x, 1)
        params = self._job.candidates[candidate]
        model = build_model(self._job.build, params, self._seed, x)
        self.see(candidate, model)
        return model

    def check(self):
        """Say which parameters change nothing, now that all candidates were seen."""
        self._reach.check()
