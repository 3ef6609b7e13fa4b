"""Penalties on the norms of groups: the group lasso and its sparse form.

Convention of every strength here: the term as written stands in the loss.
"""

import keras

from keras_decay.ground import validation
from keras_decay.regularizers.maths.axes import axis_config, checked_axis
from keras_decay.regularizers.maths.l1_l2_group import PenaltyParts
from keras_decay.regularizers.penalty import OfParts
from keras_decay.regularizers.strengths import plain


@keras.saving.register_keras_serializable(package="keras_decay")
class GroupLasso(OfParts):
    """The group lasso λ Σ_g √|g| ‖w_g‖: whole groups of weights vanish together.

        Ω(w) = λ Σ_g √|g| ‖w_g‖₂
        prox(w, s)_g = w_g · max(1 − sλ√|g| / ‖w_g‖, 0)

    λ is `strength`; a group g is one slice of the weights along `axis`, |g| the number
    of its entries. `axis=-1` makes a group of all that leads to one unit of a `Dense`
    layer or one filter of a `Conv` layer; `axis=0` of all that comes from one input of
    a `Dense` layer. Convention: the term stands in the loss as it is. Under the loss
    mean((y − Xw)²) it equals skglm's `GroupLasso` with weights √|g| and λ = 2·alpha.

    In the loss the gradient is λ√|g| w_g/‖w_g‖, 0 for a group of zeros; only the
    proximal step, in the optimizer, sets groups to exactly zero.

    Args:
        strength: Non-negative number, or a scalar `keras.Variable` or tensor. λ, in
            units of loss per unit of weight.
        axis: An int, or a tuple of ints, each slice along which is a group. Or
            `"input"`, `"output"` or `"head"`, which `kd.regularize` resolves.

    Raises:
        TypeError, ValueError: If an argument is not as described, or when called, if
            the weights have no such axis.

    Example:

    ```python
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(0.1), penalty=kd.GroupLasso(1e-3)
    )
    ```

    Reference: Yuan and Lin, Model Selection and Estimation in Regression with Grouped
    Variables, 2006.
    """

    def __init__(self, strength, axis=-1):
        self.strength = validation.strength("strength", strength)
        self.axis = checked_axis("axis", axis)

    def parts(self):
        return PenaltyParts(groups=((self.axis, self.strength),))

    def get_config(self):
        axis = axis_config(self.axis)
        return {"strength": plain(self.strength), "axis": axis}


@keras.saving.register_keras_serializable(package="keras_decay")
class SparseGroupLasso(OfParts):
    """The sparse group lasso: groups vanish, and single weights in those that stay.

        Ω(w) = λ₁ Σ|w| + λ_g Σ_g √|g| ‖w_g‖₂
        prox = the soft threshold at sλ₁, then the block soft threshold at sλ_g√|g|

    λ₁ is `l1` and λ_g is `group`, in the conventions of `L1` and `GroupLasso`: both
    terms stand in the loss as they are. A group is one slice along `axis`.

    Args:
        l1: Non-negative number, or a scalar `keras.Variable` or tensor. λ₁, in units of
            loss per unit of weight.
        group: The same for λ_g.
        axis: See `GroupLasso`.

    Raises:
        TypeError, ValueError: If an argument is not as described, or when called, if
            the weights have no such axis.

    Example:

    ```python
    keras.layers.Conv2D(8, 3, kernel_regularizer=kd.SparseGroupLasso(1e-4, 1e-3))
    ```

    References: Simon, Friedman, Hastie and Tibshirani, A Sparse-Group Lasso, 2013;
    Scardapane et al., Group Sparse Regularization for Deep Neural Networks,
    arXiv 1607.00485.
    """

    def __init__(self, l1, group, axis=-1):
        self.l1 = validation.strength("l1", l1)
        self.group = validation.strength("group", group)
        self.axis = checked_axis("axis", axis)

    def parts(self):
        return PenaltyParts(self.l1, groups=((self.axis, self.group),))

    def get_config(self):
        axis = axis_config(self.axis)
        return {"l1": plain(self.l1), "group": plain(self.group), "axis": axis}
