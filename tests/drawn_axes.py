"""The ticks of a drawn figure: where they are, and what stands at them."""

from itertools import product

import numpy as np
from matplotlib.axes import Axes


def unlabelled(figure):
    """The axes of coordinates with ticks of which fewer than two have a label.

    A tick without a label counts where its partner has one: in the same row, or in the
    same column, on an axis of the same limits and scale. Ticks that are names need one
    label alone, as there may be a single name.
    """
    shown = [ax for ax in figure.findobj(Axes) if ax.get_visible() and ax.axison]
    found = []
    for axes, name in product(shown, "xy"):
        if not _has_ticks(axis_of(axes, name)):
            continue
        partners = [other for other in shown if are_partners(axes, other, name)]
        labels = max((labels_of(axis_of(o, name)) for o in partners), key=len)
        if len(labels) < 2 and not any(map(is_name, labels)):
            at = axes.get_title() or axes.get_title(loc="left") or axes.get_ylabel()
            found.append(f"the {name} axis of {at!r} has labels {labels}")
    return found


def axis_of(axes, name):
    """The x or the y axis of axes."""
    return axes.xaxis if name == "x" else axes.yaxis


def _has_ticks(axis):
    places = [*axis.get_majorticklocs(), *axis.get_minorticklocs()]
    return axis.get_visible() and len(places) > 0


def labels_of(axis):
    """The labels that stand at an axis that has been drawn."""
    low, high = sorted(axis.get_transform().transform(axis.get_view_interval()))
    edge = 1e-9 * (high - low)
    return [
        label.get_text()
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if low - edge <= axis.get_transform().transform(tick.get_loc()) <= high + edge
        for label in (tick.label1, tick.label2)
        if label.get_visible() and label.get_text().strip()
    ]


def is_name(label):
    """Whether a label says what a tick is, rather than how much."""
    plain = label.replace("mathdefault", "").replace("times", "")
    return sum(letter.isalpha() for letter in plain) > 1


def are_partners(axes, other, name):
    """Whether labels of `other`, or its own, can be read as those of `axes`."""
    if axes is other:
        return True
    one, two = axes.get_position(), other.get_position()
    spans = [
        (box.y0, box.y1) if name == "y" else (box.x0, box.x1) for box in (one, two)
    ]
    a, b = axis_of(axes, name), axis_of(other, name)
    return (
        np.allclose(*spans, atol=1e-3)
        and a.get_scale() == b.get_scale()
        and np.allclose(a.get_view_interval(), b.get_view_interval())
    )
