"""What to try next, by the verdict and by what the rows tell of the training."""

from keras_decay.curves.data import columns

# The penalty's share of the whole loss from which it is what training works on.
RULING = 0.5


def suggestion(verdict, rows, best_epoch, is_enough=False):
    """One sentence in the library's own terms.

    `is_enough` says that there were evaluations enough to judge.
    """
    share = _penalty_share(rows)
    if verdict == "overfitting":
        how = (
            "an L2 or a weight_decay three times as strong"
            if share
            else "kd.regularize(model, [('kernel', kd.L2(1e-3))]), or weight_decay in "
            "kd.DecoupledWeightDecay"
        )
        return (
            f"decay more: {how}; or stop near epoch {best_epoch}: "
            "kd.StopOnOverfit(curve)"
        )
    if verdict == "underfitting":
        if share is not None and share > RULING:
            return (
                f"decay less: the penalty is {100 * share:.0f} % of the whole loss; "
                "try a tenth of its strength"
            )
        return (
            "decay less, or train a larger network at another learning rate; "
            "kd.audit(model) shows what decay every variable undergoes"
        )
    if verdict == "inconclusive" and is_enough:
        return (
            "more validation rows or a few more epochs would tell; look again before "
            "the decay is changed"
        )
    return _OTHERS[verdict]


_OTHERS = {
    "improving": "train for more epochs, with the decay as it is",
    "good fit": "keep this decay; more of it is worth a try if the gap matters",
    "diverged": "lower the learning rate to a tenth, or clip gradients (clipnorm=1.0); "
    "the decay need not change",
    "inconclusive": "give `fit` validation data and at least 5 epochs with it, and "
    "look again before the decay is changed",
}


def _penalty_share(rows):
    """The penalty as a share of the whole training loss at the end, or None."""
    penalty = columns.series(rows, "penalty").values
    loss = columns.series(rows, "loss").values
    if not len(penalty) or not len(loss) or not 0 < penalty[-1] <= loss[-1]:
        return None
    return float(penalty[-1] / loss[-1])
