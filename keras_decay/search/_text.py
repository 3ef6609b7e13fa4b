"""A table of candidates as plain text."""

import numpy as np

SHOWN = 12


def text_table(titles, rows, best=(), mark="*"):
    """The rows under their titles, numbers to the right; `best` rows are marked."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    lines = ["  ".join(t.rjust(w) for t, w in zip(titles, widths, strict=True))]
    lines.append("  ".join("─" * width for width in widths))
    for i, row in enumerate(cells):
        line = "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True))
        lines.append(f"{line} {mark}" if i in best else line)
    return "\n".join(lines)


def mean_and_sd(values):
    """The mean of some numbers, with their standard deviation if there are several."""
    values = np.asarray(values, "float64")
    if np.isnan(values).all():
        return "NaN"
    if len(values) == 1:
        return f"{values[0]:.4g}"
    return f"{values.mean():.4g} ± {values.std(ddof=1):.2g}"


def _cell(value):
    if isinstance(value, str):
        return value
    if value is None:
        return "-"
    is_float = isinstance(value, float) and not isinstance(value, bool)
    return f"{value:.4g}" if is_float else str(value)[:24]
