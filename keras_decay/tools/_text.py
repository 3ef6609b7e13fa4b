"""The audit as text: a table that fits the terminal, and the warnings below it."""

import textwrap

from keras_decay.ground import tables

# Title, key, and what `tables.Column` calls `most` and `rank`.
FIELDS = (
    ("shape", "shape", 16, 6),
    ("dtype", "dtype", 8, 8),
    ("role", "role", 18, 9),
    ("in the loss", "penalty", 14, 0),
    ("decay λ", "decay", 16, 0),
    ("coupling", "coupling", 24, 7),
    ("rate ×", "rate_factor", 7, 2),
    ("per step", "shrink_per_step", 9, 1),
    ("per epoch", "shrink_per_epoch", 9, 5),
    ("half-life", "half_life_steps", 9, 4),
    ("total", "planned_total", 7, 3),
    ("probe", "probe", 18, 2),
)
NOTE = (
    "per step, per epoch: share of the weight taken away; half-life in steps; "
    "total: Σ c_t λ_t over the plan; probe: measured against the settings"
)
NOTE_ON_TOWARD = "; Toward: share of the distance to the reference"
# Columns of numbers, by the beginning of their keys; the last line is of `sparsity`.
NUMBERS = (
    *("shrink", "half", "planned", "rate"),
    *("entries", "zeros", "fraction", "nans", "units", "dead", "unused"),
)
SHOWN = 4  # paths named in a warning


def render(audit, width):
    """The text of an `Audit` within `width` columns."""
    width = max(60, width)
    lines = [f"{name}: {value}" for name, value in audit.header.items()]
    blocks = ["\n".join(wrapped(line, width) for line in lines)]
    trained = [row for row in audit.rows if row["trainable"] is not False]
    if trained:
        blocks.append(table(trained, width))
    rest = len(audit.rows) - len(trained)
    if rest:
        blocks.append(f"and {rest} variables that are not trained, hence not decayed")
    if any(row["shrink_per_step"] is not None for row in trained):
        is_toward = any((row["decay"] or "").startswith("Toward") for row in trained)
        blocks.append(wrapped(NOTE + NOTE_ON_TOWARD * is_toward, width))
    blocks.append(
        f"Warnings: {len(audit.warnings)}" if audit.warnings else "No warnings."
    )
    blocks += [warning_text(warning, width) for warning in audit.warnings]
    return "\n\n".join(block for block in blocks if block)


def table(rows, width, fields=FIELDS, first_title="variable"):
    """The rows, in as many columns as there is space for and something to say."""
    cells = {key: [cell(key, row[key]) for row in rows] for _, key, _, _ in fields}
    fields = [field for field in fields if says_something(field[1], cells[field[1]])]
    columns = [tables.Column(first_title)]
    columns += [
        tables.Column(title, key.startswith(NUMBERS), most, rank)
        for title, key, most, rank in fields
    ]
    texts = [
        [row["path"], *(cells[key][i] for _, key, _, _ in fields)]
        for i, row in enumerate(rows)
    ]
    return tables.text_table(columns, texts, width)


def says_something(key, texts):
    """Whether a column tells rows apart, or tells anything at all."""
    if key == "dtype":
        return len(set(texts)) > 1 or texts[0] != "float32"
    if key == "coupling":
        return set(texts) - {"", "learning_rate"}
    return any(texts)


def cell(key, value):
    """A value in a few characters."""
    if value is None:
        return ""
    if key == "rate_factor":
        return "" if value == 1 else f"{value:.3g}"
    if key == "shape":
        return "×".join(map(str, value)) or "scalar"
    if key == "penalty":
        return value.split(" (keras")[0] if value.count("(keras") == 1 else value
    if key == "half_life_steps":
        return count(value)
    if isinstance(value, float):
        return f"{value:.2g}"
    return str(value)


def count(value):
    """A number of steps: 950, 17k, 3.2M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            short = value / size
            return f"{short:.0f}{unit}" if short >= 9.95 else f"{short:.1f}{unit}"
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


def warning_text(warning, width):
    """A warning: its code, the sentence, the variables, the remedy."""
    paths = list(warning.paths[:SHOWN])
    if len(warning.paths) > SHOWN:
        paths.append(f"and {len(warning.paths) - SHOWN} more")
    parts = [warning.sentence, "Variables: " + ", ".join(paths), "→ " + warning.remedy]
    indented = [wrapped(part, width, "  ") for part in parts]
    return "\n".join([f"! {warning.code}", *indented])


def wrapped(text, width, indent=""):
    return textwrap.fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent or "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
