"""The hard form and the soft form meet: every ball has its multiplier λ.

    min loss  subject to  Ω(w) ≤ θ        and        min loss + λ Ω(w)

with Ω(w) = Σw² and Σ|w|. The left is trained under `NormBall`, the right under `L2` and
`L1`. The λ that belongs to a θ is found by bisection on Ω of the soft form's solution.
"""

import numpy as np

from keras_decay.experiments import _double, _linear
from keras_decay.experiments._findings import Recorder, Table

NAME = "constraint"
FIGURES = ("constraint", "constraint-multiplier")
NORMS = ("l2", "l1")
# Radii, in parts of the norm of the unconstrained solution; beyond 1 the ball is idle.
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2)
QUICK_SHARES = (0.2, 0.5, 1.2)
PLANE, PLANE_SHARE = ("bmi", "s6"), 0.4
STEPS = 100
# Above this the two forms have not arrived at one solution.
ROUNDING = 1e-9


def run(*, seed=0, quick=False, progress=None):
    """Trains the hard and the soft form at several radii of two norms.

    Args:
        seed: Of the split, whose training rows are used, and of the initial weights.
        quick: Three radii of each norm instead of eleven.
        progress: Called with (what, done, total) before and after each training.

    Returns:
        The `Findings`. `numbers["all"]` and `numbers["plane"]`, of seven inputs and of
        two, hold for each norm arrays over the radii: `theta`, the `multiplier` found
        by bisection, the `price`, which is the multiplier read off the gradient of the
        loss at the hard form's solution, and the weights `hard` and `soft`, of shape
        (radii, inputs); besides the curve of the soft form, `path_weights` over
        `path_multiplier`.

    Raises:
        TypeError, ValueError: If an argument is none of the above.
    """
    record = Recorder(NAME, seed, quick, progress)
    shares = QUICK_SHARES if quick else SHARES
    problems = {
        "all": (tuple(_linear.INPUTS), shares),
        "plane": (PLANE, (PLANE_SHARE,)),
    }
    numbers = {}
    with _double.precision():
        for done, (name, (inputs, those)) in enumerate(problems.items()):
            what = f"{len(inputs)} inputs, {{}} form"

            def tell(form, what=what, begun=2 * done):
                record.at(what.format(form), begun + (form == "soft"), 4)

            numbers[name] = _both_forms(inputs, those, seed, tell)
    record.at("done", 4, 4)

    def draw_plane():
        from keras_decay.experiments._constraint_figures import draw_plane

        return draw_plane(found)

    def draw_multiplier():
        from keras_decay.experiments._constraint_figures import draw_multiplier

        return draw_multiplier(found)

    found = record.findings(
        tables=[_table(numbers["all"])],
        sentences=_sentences(numbers),
        numbers=numbers,
        drawings=dict(zip(FIGURES, (draw_plane, draw_multiplier), strict=True)),
    )
    return found


def _both_forms(inputs, shares, seed, tell):
    import keras_decay as kd

    x, y = _linear.standardised(seed, inputs)
    rows, rate = len(x), _linear.best_rate(x)
    x, y = _linear.condensed(x, y)
    balls = [(norm, share) for norm in NORMS for share in shares]
    solutions = {norm: _Soft(x, y[:, 0], norm) for norm in NORMS}
    thetas = {
        norm: _theta(norm, np.array(shares) * _radius(norm, solutions[norm].free))
        for norm in NORMS
    }
    multipliers = {norm: solutions[norm].multipliers(thetas[norm]) for norm in NORMS}

    def trained(heads, seed):
        weights = _linear.Heads(x, y, heads, rate, seed=seed).train(STEPS)[:, :, 0]
        return dict(zip(NORMS, np.split(weights, len(NORMS)), strict=True))

    tell("hard")
    radii = np.concatenate([_as_radius(norm, thetas[norm]) for norm in NORMS])
    hard = trained(
        [
            (kd.NormBall(float(radius), norm), None)
            for (norm, _), radius in zip(balls, radii, strict=True)
        ],
        seed,
    )
    tell("soft")
    penalties = {"l2": kd.L2, "l1": kd.L1}
    strengths = np.concatenate([multipliers[norm] for norm in NORMS])
    soft = trained(
        [
            (None, penalties[norm](float(strength)))
            for (norm, _), strength in zip(balls, strengths, strict=True)
        ],
        # From other initial weights than the hard form: they do not matter.
        seed + 1,
    )
    alphas = {"l2": "ridge_alpha", "l1": "lasso_alpha"}
    return {
        "inputs": list(inputs),
        "rows": rows,
        "curvature": x.T @ x / len(x),
        "free": solutions["l2"].free,
        **{
            norm: {
                "share": np.array(shares),
                "theta": thetas[norm],
                "multiplier": multipliers[norm],
                "price": solutions[norm].price(hard[norm]),
                alphas[norm]: [
                    kd.convert(float(value), norm, alphas[norm], n_samples=rows)
                    for value in multipliers[norm]
                ],
                "hard": hard[norm],
                "soft": soft[norm],
                "distance": _distance(hard[norm], soft[norm]),
                **solutions[norm].path(),
            }
            for norm in NORMS
        },
    }


def _radius(norm, w):
    """‖w‖ of weights of shape (inputs,) or (inputs, solutions)."""
    return np.sqrt((w**2).sum(0)) if norm == "l2" else np.abs(w).sum(0)


def _theta(norm, radius):
    """The bound on Ω in the ball of this radius."""
    return radius**2 if norm == "l2" else radius


def _as_radius(norm, theta):
    return np.sqrt(theta) if norm == "l2" else theta


def _distance(hard, soft):
    """‖hard − soft‖ / ‖hard‖ for each radius."""
    return np.linalg.norm(hard - soft, axis=1) / np.linalg.norm(hard, axis=1)


class _Soft:
    """Solutions of min mean (y − Xw)² + λ Ω(w) for many λ at once, in NumPy.

    Attributes:
        free: That of λ = 0.
        largest: For Σ|w| the λ from which on all weights are zero; for Σw², which has
            none, one at which next to nothing is left.
    """

    def __init__(self, x, y, norm):
        self._x, self._y, self._norm = x, y, norm
        self._rate = _linear.best_rate(x)
        self.free = np.linalg.lstsq(x, y, rcond=None)[0]
        slope = 2 * x.T @ y / len(y)
        # A ball of a hundredth of the unconstrained norm holds the solution.
        self.largest = (
            np.abs(slope).max()
            if norm == "l1"
            else np.linalg.norm(slope) / 2 / (0.01 * np.linalg.norm(self.free))
        )

    def at(self, strengths):
        """The weights, of shape (inputs, strengths)."""
        x, y, rate = self._x, self._y[:, None], self._rate
        if self._norm == "l2":
            values, vectors = np.linalg.eigh(x.T @ x / len(x))
            slope = vectors.T @ (x.T @ y) / len(x)
            return vectors @ (slope / (values[:, None] + strengths))
        w = np.zeros((x.shape[1], len(strengths)))
        for _ in range(2 * STEPS):
            w = w - rate * 2 / len(x) * x.T @ (x @ w - y)
            w = np.sign(w) * np.maximum(np.abs(w) - rate * strengths, 0)
        return w

    def multipliers(self, thetas):
        """λ of each bound by bisection; 0 where the ball holds the free solution."""
        low, high = np.zeros(len(thetas)), np.full(len(thetas), self.largest)
        for _ in range(60):
            middle = (low + high) / 2
            too_large = self.measure(self.at(middle)) > thetas
            low, high = (
                np.where(too_large, middle, low),
                np.where(too_large, high, middle),
            )
        binds = self.measure(self.free) > thetas
        return np.where(binds, (low + high) / 2, 0.0)

    def measure(self, w):
        """Ω(w)."""
        return _theta(self._norm, _radius(self._norm, w))

    def price(self, weights):
        """λ as the gradient at a solution of the hard form has it, for each row.

        The solution is where ∇loss + λ ∇Ω = 0: λ is −w·∇loss/(2w·w) for Σw², and the
        largest |∂loss| for Σ|w|. By as much the loss falls if θ is raised by one.
        """
        w = weights.T
        slope = 2 / len(self._x) * self._x.T @ (self._x @ w - self._y[:, None])
        if self._norm == "l2":
            return -(w * slope).sum(0) / (2 * (w**2).sum(0))
        return np.abs(slope).max(0)

    def path(self):
        """The solutions from next to no penalty up to `largest`."""
        strengths = np.append(0.0, np.geomspace(1e-4, 1, 150)) * self.largest
        w = self.at(strengths)
        return {
            "path_multiplier": strengths,
            "path_theta": self.measure(w),
            "path_weights": w.T,
        }


def _table(numbers):
    rows = []
    for norm, name in (("l2", "Σw² ≤ θ"), ("l1", "Σ|w| ≤ θ")):
        one = numbers[norm]
        rows += [
            (
                name,
                float(one["theta"][k]),
                float(one["multiplier"][k]),
                float(one["price"][k]),
                float(one["distance"][k]),
                int((one["hard"][k] == 0).sum()),
            )
            for k in range(len(one["theta"]))
        ]
    return Table(
        columns=("ball", "θ", "λ, bisection", "λ, gradient", "distance", "zeros"),
        rows=tuple(rows),
        note="λ, gradient: the multiplier read off the gradient of the loss at the\n"
        "solution under NormBall; distance: ‖w hard − w soft‖ / ‖w hard‖, in float64;\n"
        "zeros: weights that are exactly zero in the hard form",
    )


def farthest(numbers):
    """The largest distance between the two forms, over all radii and norms."""
    return max(
        float(part[n]["distance"].max()) for part in numbers.values() for n in NORMS
    )


def _sentences(numbers):
    every, plane = numbers["all"], numbers["plane"]
    apart, count = farthest(numbers), len(every["l2"]["theta"])
    verdict = "they meet" if apart < ROUNDING else "they do not meet"
    lines = [
        f"At {count} radii of each norm, weights trained under NormBall and under the "
        f"penalty with the multiplier's λ are at most {apart:.1g} of their size apart: "
        f"{verdict}.",
    ]
    for norm, name in (("l2", "Σw²"), ("l1", "Σ|w|")):
        one = every[norm]
        falls = bool(np.all(np.diff(one["multiplier"]) <= 0))
        bounds, values = one["theta"], one["multiplier"]
        lines.append(
            f"{name}: as θ grows from {bounds[0]:.3g} to {bounds[-1]:.3g} the "
            f"multiplier {'falls' if falls else 'goes'} from {values[0]:.3g} to "
            f"{values[-1]:.3g}; the gradient at the hard form's solution gives the "
            f"same to {np.abs(one['price'] - values).max():.1g}."
        )
    zeros = {n: (every[n]["hard"][0] == 0, every[n]["soft"][0] == 0) for n in NORMS}
    same = "the same in both forms" if np.array_equal(*zeros["l1"]) else "not the same"
    lines.append(
        f"In the smallest ball of Σ|w| {zeros['l1'][0].sum()} of "
        f"{len(every['inputs'])} weights are exactly zero, {same}; in that of Σw² "
        f"{zeros['l2'][0].sum() or 'none'}."
    )
    first, second = PLANE
    corner = plane["l1"]["hard"][0]
    where = (
        f"a corner of the diamond, where {second if corner[1] == 0 else first} is "
        "dropped"
        if np.any(corner == 0)
        else "an edge of the diamond, where nothing is dropped"
    )
    lines.append(
        f"With {first} and {second} alone, and {PLANE_SHARE:.0%} of the unconstrained "
        f"norm, the contours meet the ball of Σ|w| at {where}."
    )
    return lines
