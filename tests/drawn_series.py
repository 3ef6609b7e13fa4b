"""The series of axes: what is drawn of data, and how it looks.

Lines, points, bands, bars and maps are series. Straight lines and grounds of `axvline`,
`axhspan` and the like are guides, and are none.
"""

from typing import NamedTuple

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.contour import ContourSet
from matplotlib.lines import Line2D

DASHES = {"-": "solid", "--": "dashed", ":": "dotted", "-.": "dash-dotted"}


class Series(NamedTuple):
    """What is drawn of data, and how it looks.

    Attributes:
        colour: Red, green and blue, or the map's name and limits.
        style: A kind of line or of points, or the sign of a marker.
        points: Its points in pixels, (n, 2).
    """

    colour: tuple
    style: str
    points: np.ndarray


def series_of(axes):
    """The `Series` of axes that have been drawn."""
    found = [_of_line(line) for line in axes.lines if _is_data(line, axes)]
    for collection in axes.collections:
        if collection.get_visible():
            found += _of_collection(collection)
    for patch in axes.patches:
        if patch.get_visible() and patch.get_data_transform() is axes.transData:
            corners = patch.get_window_extent().corners()
            found.append(Series(to_rgb(patch.get_facecolor()), "bars", corners))
    for image in axes.images:
        found.append(Series(scale_of(image), "map", np.zeros((0, 2))))
    lines = {s.colour for s in found if s.style != "band"}
    # A band about a line of its own colour is the line's.
    found = [s for s in found if s.style != "band" or s.colour not in lines]
    return [s for s in found if not any(_is_halo(s, other) for other in found)]


def _is_halo(series, other):
    """Whether a series is there to set off another, in white beneath it."""
    return (
        series.colour == (1.0, 1.0, 1.0) != other.colour
        and series.style == other.style
        and np.array_equal(series.points, other.points)
    )


def _is_data(line, axes):
    """Whether a line is drawn of data, and can be seen."""
    points = np.asarray(line.get_xydata(), float)
    return (
        line.get_visible()
        and line.get_transform() is axes.transData
        and bool(np.isfinite(points).all(axis=1).any())
        and (_style(line) is not None)
    )


def _of_line(line):
    points = line.get_transform().transform(np.asarray(line.get_xydata(), float))
    return Series(_colour(line), _style(line), points)


def _style(line):
    """The kind of a line, or of its points where they are not joined."""
    if line.get_linestyle() not in ("None", "none", "", " ") and line.get_linewidth():
        count = np.isfinite(line.get_xydata()).all(axis=1).sum()
        if count > 1 or line.get_marker() in ("None", None, ""):
            return _dashes(line)
    marker = line.get_marker()
    if marker in ("None", "none", None, "", " ") or not line.get_markersize():
        return None
    if marker in ("o", "."):
        return "rings" if _is_hollow(line) else "dots"
    return str(marker)


def _dashes(line):
    """The kind of a line, by its name or by the lengths of its dashes."""
    style = line.get_linestyle()
    dashes = getattr(line, "_unscaled_dash_pattern", (0, None))[1]
    if dashes is None:
        return DASHES.get(style, "solid")
    if len(dashes) > 2:
        return "dash-dotted"
    return "dotted" if dashes[0] <= 2 else "dashed"


def _is_hollow(line):
    face = line.get_markerfacecolor()
    return isinstance(face, str) and face.lower() in ("none", "white", "w")


def _colour(line):
    """The colour by which a line, or its points, are told from others."""
    if _style(line) in DASHES.values():
        return to_rgb(line.get_color())
    edge = _is_hollow(line) or line.get_marker() in ("|", "_", "x", "+")
    return to_rgb(line.get_markeredgecolor() if edge else line.get_markerfacecolor())


def _of_collection(collection):
    """The series of a collection: one for each of its colours."""
    if isinstance(collection, ContourSet):
        style = "labelled" if _has_labels(collection) else "contours"
        colours = collection.get_edgecolor()
    elif collection.get_array() is not None:
        return [Series(scale_of(collection), "map", np.zeros((0, 2)))]
    elif isinstance(collection, LineCollection):
        style, colours = "solid", collection.get_edgecolor()
    elif isinstance(collection, PolyCollection):
        style, colours = "band", collection.get_facecolor()
    else:
        style, colours = "dots", collection.get_facecolor()
        if not len(colours):
            style, colours = "rings", collection.get_edgecolor()
    if not any(len(path.vertices) for path in collection.get_paths()):
        return []
    if isinstance(collection, LineCollection) and collection.get_segments():
        ends = np.concatenate(collection.get_segments())
        points = collection.get_transform().transform(ends)
    else:
        points = collection.get_offset_transform().transform(collection.get_offsets())
    different = {to_rgb(colour) for colour in colours}
    return [Series(colour, style, np.asarray(points)) for colour in sorted(different)]


def _has_labels(contours):
    """Whether `clabel` has written the levels on the lines."""
    return bool(getattr(contours, "labelTexts", ()))


def scale_of(mappable):
    """The name and the limits of a map's colours."""
    return (mappable.get_cmap().name, *map(float, mappable.get_clim()))


def looks_of(handle):
    """The (colour, style) of an entry of a legend: of its line, and of its points."""
    if isinstance(handle, Line2D):
        points = Line2D([0], [0])
        points.update_from(handle)
        points.set_linestyle("none")
        return [(_colour(part), _style(part)) for part in (handle, points)]
    lines = isinstance(handle, LineCollection)
    colours = handle.get_edgecolor() if lines else handle.get_facecolor()
    colours = [to_rgb(colour) for colour in np.atleast_2d(colours)]
    return [(colour, "solid" if lines else "band") for colour in colours]
