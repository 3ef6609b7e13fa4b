"""Where the names of lines stand, so that none lies over another."""


def spread(wanted, distance, height):
    """Places as near as may be to the `wanted` ones, at least `distance` apart.

    Args:
        wanted: Ascending numbers.
        distance: The least distance between two places.
        height: No place lies above it, nor below 0, as long as they fit in between.

    Returns:
        A list of as many ascending numbers.
    """
    groups: list[list[float]] = []  # each the sum of its members' centres, and count
    for place in wanted:
        groups.append([place, 1])
        while len(groups) > 1 and _foot(groups[-1], distance, height) < _head(
            groups[-2], distance, height
        ):
            total, count = groups.pop()
            groups[-1][0] += total
            groups[-1][1] += count
    return [
        _foot(group, distance, height) + (index + 0.5) * distance
        for group in groups
        for index in range(int(group[1]))
    ]


def _foot(group, distance, height):
    """The lower edge of a group, which is as high as its members together."""
    total, count = group
    half = distance * count / 2
    centre = max(min(total / count, height - half), half)
    return centre - half


def _head(group, distance, height):
    return _foot(group, distance, height) + distance * group[1]
