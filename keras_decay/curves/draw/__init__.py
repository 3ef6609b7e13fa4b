"""Pictures of curves: files of matplotlib, SVG for notebooks, text for terminals.

- `drawing`: one curve on matplotlib's axes.
- `overlay`: `plot_curves`, several curves on the same axes.
- `figure`: figures made without pyplot, and their files.
- `picture`: what is shown while training runs, free of any format.
- `svg`: a picture as SVG.
- `text_plot`: a picture in characters.
- `heat_map`: a number for each pair of settings.
- `validation_curve`: a score against one setting.
"""

__all__ = [
    "drawing",
    "figure",
    "heat_map",
    "overlay",
    "picture",
    "svg",
    "text_plot",
    "validation_curve",
]
