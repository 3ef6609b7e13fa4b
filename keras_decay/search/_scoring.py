"""Scores of what was held out, from predictions that were made long before."""

from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples

from keras_decay.ground import validation
from keras_decay.search._building import length

DATA_LOSS = "score"  # what the only score is called


class Predicted(BaseEstimator):
    """Stands for a trained model before scorers: it knows its predictions already.

    Args:
        outputs: The model's outputs for the rows that scorers will ask for.
        targets: `Classes` or `Numbers`.
    """

    def __init__(self, outputs=None, targets=None):
        self.outputs = outputs
        self.targets = targets

    @property
    def classes_(self):
        """The labels, if it is a classifier."""
        if self.targets.classes is None:
            raise AttributeError("It is no classifier.")
        return self.targets.classes

    def predict(self, X):
        """Labels or numbers."""
        self._check(X)
        return self.targets.labels(self.outputs)

    @available_if(lambda self: self.targets.classes is not None)
    def predict_proba(self, X):
        """The probability of each class."""
        self._check(X)
        return self.targets.probabilities(self.outputs)

    def fit(self, X, y=None):
        """There is nothing to do."""
        return self

    def __sklearn_tags__(self):
        return with_type(super().__sklearn_tags__(), self.targets.classes is not None)

    def _check(self, X):
        rows = length(X) if isinstance(X, (dict, list)) else _num_samples(X)
        if rows != length(self.outputs):
            raise ValueError(
                "`scoring` must ask for predictions of the rows that it is given, all "
                f"of them: only these have been made. Received: {rows} rows in place "
                f"of {length(self.outputs)}"
            )


def with_type(tags, is_classifier):
    """scikit-learn's tags of an estimator, for a classifier or a regressor."""
    tags.estimator_type = "classifier" if is_classifier else "regressor"
    tags.classifier_tags = ClassifierTags() if is_classifier else None
    tags.regressor_tags = None if is_classifier else RegressorTags()
    tags.target_tags.required = True
    return tags


def scorers_of(scoring):
    """The scorers by name; None stands for minus the data loss.

    Args:
        scoring: None, a name, a callable; or a list of names or a dict of callables
            and names, of which each is a score.

    Returns:
        A dict, and whether there may be several.
    """
    if scoring is None:
        return {DATA_LOSS: None}, False
    if isinstance(scoring, (list, tuple, set)):
        names = list(scoring)
        must = "a list of different names of scores"
        if not names or not all(isinstance(n, str) for n in names):
            raise ValueError(validation.received("scoring", scoring, must))
        return {name: _scorer(name) for name in names}, True
    if isinstance(scoring, dict):
        if not scoring:
            must = "a dict with at least one score"
            raise ValueError(validation.received("scoring", scoring, must))
        return {name: _scorer(one) for name, one in scoring.items()}, True
    return {DATA_LOSS: _scorer(scoring)}, False


def score(scorer, predicted, x, y):
    """What a scorer says, as a plain number."""
    value = scorer(predicted, x, y)
    if not validation.is_number(value):
        must = "a function of (estimator, X, y) that returns a number"
        raise ValueError(
            f"`scoring` must be {must}. Received: one that returned {value!r}"
        )
    return float(value)


def _scorer(scoring):
    if isinstance(scoring, str):
        return get_scorer(scoring)
    if not callable(scoring):
        must = "None, a name that scikit-learn knows, a callable, a list or a dict"
        raise TypeError(validation.received("scoring", scoring, must))
    return scoring
