"""Prints the numbers of `verdict/probability.py` and of the rows' noise.

A logistic regression on the curves of the part "to choose", the older labelled curves
and made ones, which are plateaus and turns under noise of a known size.
"""

import numpy as np
import verdicts_table
import wider_table
from conftest import make_curves
from sklearn.linear_model import LogisticRegression
from wider_data import TO_CHOOSE

from keras_decay.curves.verdict.probability import measures

# How much a curve counts. A made one knows nothing of trainings; the older ones are
# many trainings of a few networks on the same rows.
WEIGHTS = {"new": 1.0, "older": 0.6, "made": 0.04}
STRENGTH = 0.5
SEED = 1000


def examples(runs):
    """The measures of each curve, and whether it overfits."""
    found = []
    for label, curve in runs:
        case = wider_table.case_of(curve)
        if label not in ("diverged", "inconclusive") and case.evidence is not None:
            found.append((measures(case.evidence), label == "overfitting"))
    return found


def made():
    seed = SEED
    for n in (8, 12, 20, 50, 100):
        for shape in ("plateau", "settles", "long plateau", "u"):
            for noise in (0.02, 0.1):
                for correlation in (0, 0.5):
                    for _ in range(3):
                        seed += 1
                        label = "overfitting" if shape == "u" else "good fit"
                        yield label, make_curves(shape, n, noise, correlation, seed)


def older():
    for curves in verdicts_table.labelled().values():
        for one in curves:
            yield one["label"], verdicts_table.columns_of(one)


def newer():
    for one in wider_table.parts()[TO_CHOOSE]:
        yield one["label"][0], one["curve"]


def main():
    kinds = {"new": newer(), "older": older(), "made": made()}
    found = [(kind, *one) for kind, runs in kinds.items() for one in examples(runs)]
    names = list(found[0][1])
    values = np.array([[one[1][name] for name in names] for one in found])
    overfits = np.array([one[2] for one in found])
    weights = np.array([WEIGHTS[one[0]] for one in found])
    centre, scale = values.mean(axis=0), values.std(axis=0)
    model = LogisticRegression(C=STRENGTH, max_iter=1000)
    model.fit((values - centre) / scale, overfits, sample_weight=weights)
    slopes = model.coef_[0] / scale
    print(f"{len(found)} curves, {overfits.sum()} of which overfit")
    print(f"INTERCEPT = {model.intercept_[0] - slopes @ centre:.3f}")
    for name, slope in zip(names, slopes, strict=True):
        print(f"    {name!r}: {slope:.3f},")
    print_spreads()


def print_spreads():
    """The median spread over the rows of a rise, in units of the best loss."""
    found = []
    for one in wider_table.parts()[TO_CHOOSE]:
        truth = wider_table.truth_of(one)
        if one["label"][0] != "diverged" and truth["rise"] > 0:
            found.append([truth[name] / truth["best"] for name in ("rise", "spread")])
    rise, spread = np.array(found).T
    for low, high in ((0, 0.03), (0.03, 0.15), (0.15, 0.5), (0.5, np.inf)):
        inside = (rise >= low) & (rise < high)
        if inside.any():
            middle = [float(np.median(one[inside])) for one in (rise, spread)]
            print(
                f"rise {middle[0]:.3f}: spread {middle[1]:.3f}, {inside.sum()} curves"
            )


if __name__ == "__main__":
    main()
