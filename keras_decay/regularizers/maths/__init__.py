"""The mathematics of penalties: functions of tensors, with strengths as arguments.

No file here knows Keras' classes. A strength is a number or a tensor.

- `axes`: which entries form a group.
- `l1_l2_group`: Σ|w|, Σw² and norms of groups, and the closed prox of their sum.
- `separable`: Huber, MCP, SCAD and the log-sum, of each entry.
- `lp`: powers of each entry.
- `heavy_tails`: the Student-t and the horseshoe prior, of each entry.
- `hoyer`: (Σ|w|)²/Σw².
- `spectrum`: functions of the singular values.
- `taut_string`: total variation.
- `dykstra`: the prox of a sum from the prox of each term.
- `scalar_search`: global minimisers of functions of one number.
- `numeric_prox`: the prox of any penalty, from its value.
"""

__all__ = [
    "axes",
    "dykstra",
    "heavy_tails",
    "hoyer",
    "l1_l2_group",
    "lp",
    "numeric_prox",
    "scalar_search",
    "separable",
    "spectrum",
    "taut_string",
]
