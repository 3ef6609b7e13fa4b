"""Penalties are priors: Gaussian and Laplace MAP estimates are L2 and L1.

With normal noise of variance s², −log p(w | data) is n/(2s²) · (mean squared error +
λ Ω(w)) up to a constant: Ω = Σw² with λ = s²/(nσ²) for weights from N(0, σ²), and
Ω = Σ|w| with λ = 2s²/(nb) for weights from the Laplace distribution of scale b.

The patients are the diabetes set's, 40 at a time, so that a prior has a say. Besides
the real targets there are some drawn from a known prior, to see what a wrong one costs.
"""

from typing import NamedTuple

import numpy as np

from keras_decay.experiments import _double, _linear
from keras_decay.experiments._findings import Recorder, Table

NAME = "prior"
FIGURES = ("prior", "prior-scale")
FAMILIES = ("gaussian", "laplace")
PATIENTS = 40
# Scales in parts of the one that the simulated weights are drawn with.
TIMES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16)
QUICK_TIMES = (1 / 8, 1, 8)
STEPS, QUICK_STEPS = 400, 300
# The one-weight models: a weak input and a strong one, priors of one deviation.
ALONE, DEVIATION = ("age", "bmi"), 0.15
# Above this prior and penalty are not one and the same.
ROUNDING = 1e-10


class Samples(NamedTuple):
    """Regressions with their own patients, one along the last axis of y.

    Attributes:
        x: Inputs, (patients, regressions, inputs).
        y: Targets, (patients, regressions).
        truth: The weights behind the targets, (inputs, regressions); NaN if real.
        chosen: The rows of the patients, (regressions, patients).
    """

    x: np.ndarray
    y: np.ndarray
    truth: np.ndarray
    chosen: np.ndarray


def run(*, seed=0, quick=False, progress=None):
    """Trains MAP estimates under priors of several scales, and under L2 and L1.

    Args:
        seed: Of the split, the samples of patients, the simulated weights and noise,
            and the initial weights.
        quick: Three scales instead of nine, and fewer samples.
        progress: Called with (what, done, total) before and after each training.

    Returns:
        The `Findings`. `numbers` holds for each of "gaussian" and "laplace" arrays over
        the scales: the `scale`, the `strength` λ of L2 or L1 that it is, the weights
        `map` trained under the prior and `penalised` under that penalty (scales,
        inputs, samples), the error `simulated` on targets drawn from a known prior and
        `real` on the real ones (scales, samples), both on the patients not trained on.
        `numbers["alone"]` holds posterior densities of models with a single weight.

    Raises:
        TypeError, ValueError: If an argument is none of the above.
    """
    record = Recorder(NAME, seed, quick, progress)
    times = QUICK_TIMES if quick else TIMES
    counts = (20, 60) if quick else (100, 300)
    steps = QUICK_STEPS if quick else STEPS
    with _double.precision():
        x, y = _linear.standardised(seed)
        free = np.linalg.lstsq(x, y[:, 0], rcond=None)[0]
        noise = float(((y[:, 0] - x @ free) ** 2).sum() / (len(x) - len(free)))
        # As large as the weights that the real data have.
        typical = {
            "gaussian": float(np.sqrt((free**2).mean())),
            "laplace": float(np.abs(free).mean()),
        }
        rng = np.random.default_rng(seed)
        samples = _samples(x, y, noise, typical, counts, rng)
        scales = {f: np.array(times) * typical[f] for f in FAMILIES}
        record.at("seven weights, at several scales", 0, 2)
        trained = _trained(samples, scales, noise, steps, seed)
        record.at("one weight", 1, 2)
        alone = _alone(seed, samples.chosen[0])
    record.at("done", 2, 2)
    numbers = {
        "inputs": list(_linear.INPUTS),
        "patients": PATIENTS,
        "others": len(x) - PATIENTS,
        "noise_variance": noise,
        "typical": typical,
        "times": np.array(times),
        "samples": samples._asdict(),
        **{
            family: {
                "scale": scales[family],
                "strength": np.array(
                    [strength(family, s, noise, PATIENTS) for s in scales[family]]
                ),
                **trained[family],
                **_errors(family, trained[family]["map"], samples, counts, x, y),
            }
            for family in FAMILIES
        },
        "alone": alone,
    }

    def draw_densities():
        from keras_decay.experiments._prior_figures import draw_densities

        return draw_densities(found)

    def draw_scales():
        from keras_decay.experiments._prior_figures import draw_scales

        return draw_scales(found)

    found = record.findings(
        tables=[_table(numbers)],
        sentences=_sentences(numbers),
        numbers=numbers,
        drawings=dict(zip(FIGURES, (draw_densities, draw_scales), strict=True)),
    )
    return found


def prior(family, scale, noise, patients):
    """The penalty beside mean squared error whose minimum is the MAP estimate."""
    import keras_decay as kd

    # Mean squared error is a negative log-likelihood times 2s².
    kinds = {"gaussian": kd.GaussianPrior, "laplace": kd.LaplacePrior}
    return 2 * noise * kinds[family](float(scale), patients)


def strength(family, scale, noise, patients):
    """λ of `L2`, or of `L1`, that is this prior."""
    import keras_decay as kd

    if family == "laplace":
        return 2 * noise / (patients * float(scale))
    return kd.convert(
        float(scale),
        "gaussian_prior_scale",
        "l2",
        n_samples=patients,
        noise_variance=noise,
    )


def _penalty(family, value):
    import keras_decay as kd

    return {"gaussian": kd.L2, "laplace": kd.L1}[family](value)


def _samples(x, y, noise, typical, counts, rng):
    """Real regressions, then simulated ones from either prior."""
    real, simulated = counts
    total = real + 2 * simulated
    chosen = np.stack([rng.permutation(len(x))[:PATIENTS] for _ in range(total)])
    shape = (x.shape[1], simulated)
    truth = np.concatenate(
        [
            np.full((x.shape[1], real), np.nan),
            rng.normal(0, typical["gaussian"], shape),
            rng.laplace(0, typical["laplace"], shape),
        ],
        axis=1,
    )
    inputs = np.swapaxes(x[chosen], 0, 1)
    drawn = np.einsum("pri,ir->pr", inputs, truth)
    drawn = drawn + rng.normal(0, np.sqrt(noise), drawn.shape)
    targets = np.where(np.isnan(truth[0]), y[chosen.T, 0], drawn)
    return Samples(inputs, targets, truth, chosen)


def _condensed(samples):
    """As many rows as inputs for each regression, with the same gradients."""
    parts = [
        _linear.condensed(samples.x[:, r], samples.y[:, r])
        for r in range(samples.y.shape[1])
    ]
    return [np.stack(part, axis=1) for part in zip(*parts, strict=True)]


def _rate(x):
    """The learning rate that is best for the worst of the regressions."""
    curvatures = 2 * np.linalg.eigvalsh(np.einsum("pri,prj->rij", x, x) / len(x))
    return float(2 / (curvatures.min() + curvatures.max()))


def _trained(samples, scales, noise, steps, seed):
    """The weights under each prior, and under the penalty that it is."""
    x, y = _condensed(samples)
    cases = [(family, scale) for family in FAMILIES for scale in scales[family]]
    priors = [prior(f, scale, noise, PATIENTS) for f, scale in cases]
    strengths = [strength(f, scale, noise, PATIENTS) for f, scale in cases]
    penalties = [
        _penalty(f, value) for (f, _), value in zip(cases, strengths, strict=True)
    ]
    heads = [(None, penalty) for penalty in priors + penalties]
    weights = _linear.Heads(x, y, heads, _rate(x), seed=seed).train(steps)
    parts = np.split(weights, 2 * len(FAMILIES))
    return {
        family: {"map": parts[k], "penalised": parts[k + len(FAMILIES)]}
        for k, family in enumerate(FAMILIES)
    }


def _errors(family, weights, samples, counts, x, y):
    """Squared errors on the patients that a regression was not trained on."""
    real, simulated = counts
    first = real + FAMILIES.index(family) * simulated
    others = np.ones((len(x), len(samples.chosen)), bool)
    np.put_along_axis(others, samples.chosen.T, False, axis=0)

    def mean(errors, which):
        return (errors * others[:, which]).sum(1) / others[:, which].sum(0)

    own = slice(first, first + simulated)
    predictions = np.einsum("pi,sir->spr", x, weights)
    return {
        "real": mean((y - predictions[:, :, :real]) ** 2, slice(0, real)),
        # What the noise adds is the same at every scale.
        "simulated": mean(
            (x @ samples.truth[:, own] - predictions[:, :, own]) ** 2, own
        ),
    }


def _alone(seed, chosen):
    """Densities of a model's only weight, and where training ends."""
    results = {}
    for name in ALONE:
        x, y = _linear.standardised(seed, (name,))
        slope = float((x * y).mean())
        noise = float(((y - slope * x) ** 2).sum() / (len(x) - 1))
        x, y = x[chosen], y[chosen]
        scales = {"gaussian": DEVIATION, "laplace": DEVIATION / np.sqrt(2)}
        heads = [(None, prior(f, scales[f], noise, PATIENTS)) for f in FAMILIES]
        # A single curvature: the first step arrives.
        rate = _linear.best_rate(x)
        rows, targets = _linear.condensed(x, y)
        ends = _linear.Heads(rows, targets, heads, rate, seed=seed).train(20)
        grid = np.linspace(-0.5, 1.1, 3201)
        likelihood = -PATIENTS * ((y - x * grid) ** 2).mean(axis=0) / (2 * noise)
        priors = {
            "gaussian": -(grid**2) / (2 * scales["gaussian"] ** 2),
            "laplace": -np.abs(grid) / scales["laplace"],
        }
        results[name] = {
            "noise_variance": noise,
            "free": float((x * y).sum() / (x**2).sum()),
            "grid": grid,
            "likelihood": _density(likelihood, grid),
            **{
                family: {
                    "scale": float(scales[family]),
                    "strength": strength(family, scales[family], noise, PATIENTS),
                    "prior": _density(priors[family], grid),
                    "posterior": _density(likelihood + priors[family], grid),
                    "map": float(ends[k, 0, 0]),
                }
                for k, family in enumerate(FAMILIES)
            },
        }
    return results


def _density(logarithm, grid):
    """The density on `grid`, of area 1 there."""
    values = np.exp(logarithm - logarithm.max())
    return values / (values.sum() * (grid[1] - grid[0]))


def costs(numbers, family):
    """What a wrong scale costs on simulated targets, compared draw by draw.

    Returns:
        For each scale the mean error over that of the true scale, and by how many
        standard errors the two differ; 1 and 0 for the true scale itself.
    """
    errors = numbers[family]["simulated"]
    right = errors[list(numbers["times"]).index(1)]
    more = errors - right
    deviation = more.std(axis=1, ddof=1) / np.sqrt(errors.shape[1])
    significance = more.mean(axis=1) / np.where(deviation > 0, deviation, np.inf)
    return errors.mean(axis=1) / right.mean(), significance


def apart(numbers):
    """The largest |w| by which a prior and its penalty differ, over all trainings."""
    return max(
        float(np.abs(numbers[f]["map"] - numbers[f]["penalised"]).max())
        for f in FAMILIES
    )


def _table(numbers):
    rows = []
    for family, name in (("gaussian", "N(0, σ²)"), ("laplace", "Laplace(b)")):
        one = numbers[family]
        rows += [
            (
                name,
                float(one["scale"][k]),
                f"{'L2' if family == 'gaussian' else 'L1'}({one['strength'][k]:.3g})",
                float(np.abs(one["map"][k] - one["penalised"][k]).max()),
                float(one["simulated"][k].mean()),
                float(one["real"][k].mean()),
            )
            for k in range(len(one["scale"]))
        ]
    real, simulated = (numbers["gaussian"][n].shape[1] for n in ("real", "simulated"))
    return Table(
        columns=("prior", "σ, b", "penalty", "apart", "simulated", "real"),
        rows=tuple(rows),
        note="apart: the largest difference of a weight under prior and penalty, in\n"
        f"float64; simulated: squared error against the truth, mean of {simulated}\n"
        f"draws from the prior of σ = {numbers['typical']['gaussian']:.3g}, b = "
        f"{numbers['typical']['laplace']:.3g}; real: mean squared error,\n"
        f"mean of {real} samples; both on the patients not among the {PATIENTS}",
    )


def _sentences(numbers):
    most, alone = apart(numbers), numbers["alone"]
    count = sum(numbers[f]["map"][:, 0].size for f in FAMILIES)
    verdict = "one and the same" if most < ROUNDING else "not the same"
    lines = [
        f"Under GaussianPrior and L2, and LaplacePrior and L1, with λ converted, "
        f"{count} regressions end at most {most:.1g} apart: {verdict}."
    ]
    for name in ALONE:
        one = alone[name]
        ends = {f: one[f]["map"] for f in FAMILIES}
        modes = [
            one["grid"][np.argmax(one[family]["posterior"])] for family in FAMILIES
        ]
        off = max(abs(m - ends[f]) for m, f in zip(modes, FAMILIES, strict=True))
        zero = "exactly 0" if ends["laplace"] == 0 else f"{ends['laplace']:.3f}"
        lines.append(
            f"The weight of {name} alone is {one['free']:.3f} by least squares, "
            f"{ends['gaussian']:.3f} under the Gaussian prior and {zero} under the "
            f"Laplace prior: the modes of the posteriors, to {max(off, 1e-4):.1g}."
        )
    for family in FAMILIES:
        ratio, significance = costs(numbers, family)
        parts = [
            f"a scale {_times(numbers['times'][k])} costs {ratio[k] - 1:+.0%}"
            f"{'' if abs(significance[k]) > 2 else ' (within the noise)'}"
            for k in (0, -1)
        ]
        best = numbers["times"][np.argmin(ratio)]
        where = "at the true scale" if best == 1 else f"at a scale {_times(best)}"
        lines.append(
            f"Of weights drawn from a {family.capitalize()} prior the error of the MAP "
            f"estimate is lowest {where}; {', '.join(parts)}."
        )
    best = {f: int(np.argmin(numbers[f]["real"].mean(axis=1))) for f in FAMILIES}
    g, b = (numbers[f]["scale"][best[f]] for f in FAMILIES)
    lines.append(
        f"On the real targets the lowest error is at σ = {g:.3g} and b = {b:.3g}, of "
        f"the scales tried; the weights of all patients together have σ = "
        f"{numbers['typical']['gaussian']:.3g} and b = "
        f"{numbers['typical']['laplace']:.3g}."
    )
    return lines


def _times(factor):
    if factor == 1:
        return "that is right"
    if factor < 1:
        return f"{1 / factor:g} times too small"
    return f"{factor:g} times too large"
