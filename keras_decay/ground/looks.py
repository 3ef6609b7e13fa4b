"""What figures look like: colours, kinds of lines, and labels that do not overlap.

This module needs no matplotlib, so that pictures drawn by other means share it.
"""

import math

# Okabe and Ito's colours, told apart with every kind of colour vision; their yellow is
# left out, as a thin yellow line cannot be seen on white, and a grey added.
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
AMBER, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#000000", "#8a8a8a"
COLOURS = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY, BLACK, GREY)
TRAINING, VALIDATION = BLUE, ORANGE
# Four more, from Paul Tol's muted colours, for figures of more than eight lines.
WINE, INDIGO, OLIVE, TEAL = "#882255", "#332288", "#999933", "#44AA99"
# Text, text of less weight, the lines of the axes, and the grid.
INK, FAINT, FRAME, GRID = "#222222", "#5f5f5f", "#b0b0b0", "#e8e8e8"
# Curves are told apart in print without colour, too.
SOLID, DASHED = "-", (0, (4, 1.6))
STYLES = (SOLID, DASHED, (0, (1, 1.2)), (0, (5, 1.4, 1, 1.4)))


def colour_and_style(index):
    """How the curve with this number is drawn; 32 of them differ."""
    turn, place = divmod(index, len(COLOURS))
    return COLOURS[place], STYLES[(place + turn) % len(STYLES)]


def spread(wanted, distance, low=-math.inf, high=math.inf):
    """Places for labels, as near as may be to the `wanted` ones and none over another.

    Labels that would overlap form a group, which is centred on the mean of their
    wanted places; groups that would overlap are merged.

    Args:
        wanted: Numbers, in any order.
        distance: The least distance between two places: the size of a label.
        low, high: Limits within which all labels lie as a whole, as long as they fit.

    Returns:
        A list of numbers, in the order of `wanted`.
    """
    groups: list[list[int]] = []

    def centre(group):
        half = distance * len(group) / 2
        mean = sum(wanted[index] for index in group) / len(group)
        return max(min(mean, high - half), low + half)

    def edge(group, side):
        return centre(group) + side * distance * len(group) / 2

    for index in sorted(range(len(wanted)), key=lambda index: wanted[index]):
        groups.append([index])
        while len(groups) > 1 and edge(groups[-1], -1) < edge(groups[-2], 1):
            groups[-2:] = [groups[-2] + groups[-1]]
    places = [0.0] * len(wanted)
    for group in groups:
        for position, index in enumerate(group):
            places[index] = centre(group) + (position - (len(group) - 1) / 2) * distance
    return places
