"""The faults of decay that show when it is measured against what settings promise."""

from keras_decay.ground.arithmetic import HALF
from keras_decay.tools._finding import about
from keras_decay.tools._probe import precision
from keras_decay.tools._rows import NOT_MEASURED


def no_effect(subjects, plan):
    found = []
    hit = [s for s in subjects if s.verdict == "no effect"]
    undone = [s for s in hit if s.variable.constraint is not None]
    rebuilt = [s for s in hit if s not in undone and s.view.rebuilding]
    rounded = [s for s in hit if s not in undone + rebuilt and loses_digits(s)]
    other = [s for s in hit if s not in undone + rebuilt + rounded]
    found += about(
        "constraint-undoes-decay",
        undone,
        "The variable's constraint undoes every decay: measured, the weights are the "
        "same with it and without.",
        "Remove the constraint or the decay.",
    )
    found += rebuilding("decay-has-no-effect", rebuilt, "nothing is decayed")
    found += about(
        "decay-rounds-away",
        rounded,
        "The decay of a step is too small for the precision of the weights "
        f"({', '.join(sorted({s.row['dtype'] for s in rounded}))}) and is rounded "
        "away: measured, no weight changes.",
        "Keep the weights in float32 (dtype policy mixed_bfloat16 or mixed_float16), "
        "or use kd.DecoupledWeightDecay.",
    )
    found += about(
        "decay-has-no-effect",
        other,
        "The settings promise decay, but measured, no weight changes.",
        "Use kd.DecoupledWeightDecay around an optimizer without decay of its own.",
    )
    return found


def less_or_more(subjects, plan):
    found = []
    for verdict, code in (
        ("less than promised", "decay-less-than-promised"),
        ("more than promised", "decay-more-than-promised"),
        ("decays unasked", "decay-unasked"),
    ):
        hit = [s for s in subjects if s.verdict == verdict]
        rebuilt = [s for s in hit if s.view.rebuilding]
        found += rebuilding(code, rebuilt, "decay is about half of what it should be")
        found += about(
            code,
            [s for s in hit if s not in rebuilt],
            f"Measured, the decay is another one than the settings promise: {verdict}.",
            "Compare measured_shrink with promised_shrink in the rows; "
            "kd.DecoupledWeightDecay does what its settings say.",
        )
    return found


def rebuilding_at_late_steps(subjects, plan):
    """ScheduleFreeAdamW: how much is lost depends on the step; 200 steps lose half."""
    hit = [
        s
        for s in subjects
        if s.view is not None
        and s.view.rebuilding
        and s.promise is not None
        and s.verdict not in ("no effect", "less than promised")
    ]
    unknown = [s for s in hit if s.verdict == NOT_MEASURED]
    code = "decay-less-than-promised"
    return [
        *rebuilding(
            code,
            [s for s in hit if s not in unknown],
            "decay is about half of what it should be",
        ),
        *rebuilding(
            code, unknown, "decay is less than it should be, and was not measured"
        ),
    ]


def rebuilding(code, subjects, what):
    """A finding on optimizers that build weights from state they do not decay."""
    names = ", ".join(sorted({s.view.name for s in subjects}))
    return about(
        code,
        subjects,
        f"{names} rebuilds each weight from state of its own that is not decayed: "
        f"{what}.",
        "Use another optimizer, such as Adam in kd.DecoupledWeightDecay.",
    )


def loses_digits(subject):
    """Whether the step's decay lies below the precision of the weights."""
    half = subject.row["dtype"] in HALF
    return half or subject.measurement.promised < precision(subject.row["dtype"])
