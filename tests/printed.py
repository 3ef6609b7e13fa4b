"""The lines of what a program has written, as a terminal shows them."""

import re
import unicodedata

WIDTH = 80
# A code that colours, moves or clears: to a reader it is no character.
CODE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_78=>])"
)


def width_of(line):
    """The columns that a line takes: two for a wide character, none for an accent."""
    columns = 0
    for character in line:
        if character == "\t":
            columns += 8 - columns % 8
        elif unicodedata.combining(character) or unicodedata.category(character) in (
            "Cf",
            "Mn",
            "Me",
            "Cc",
        ):
            continue
        else:
            columns += 1 + (unicodedata.east_asian_width(character) in "WF")
    return columns


def lines_of(text):
    """The lines of a text; a carriage return begins one too."""
    return re.split(r"[\r\n]", CODE.sub("", text))


def too_wide(text, width=WIDTH):
    """The lines of a text that pass so many columns."""
    return [line for line in lines_of(text) if width_of(line) > width]
