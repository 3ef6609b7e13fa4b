"""Colours and kinds of lines, the same in every picture of a curve."""

# Okabe and Ito's colours, told apart with every kind of colour vision; their yellow is
# left out, as a thin yellow line cannot be seen on white, and a grey added.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#8a8a8a",
)
# Curves are told apart in print without colour, too.
SOLID, DASHED = "-", (0, (4, 1.6))
STYLES = (SOLID, DASHED, (0, (1, 1.2)), (0, (5, 1.4, 1, 1.4)))
TRAINING, VALIDATION = COLOURS[:2]
INK, FAINT = "#222222", "#5f5f5f"


def colour_and_style(index):
    """How the curve with this number is drawn; 32 of them differ."""
    turn, place = divmod(index, len(COLOURS))
    return COLOURS[place], STYLES[(place + turn) % len(STYLES)]
