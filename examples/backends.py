"""One script on TensorFlow, JAX and PyTorch: L1 that selects features.

    KERAS_BACKEND=tensorflow python examples/backends.py
    KERAS_BACKEND=jax        python examples/backends.py
    KERAS_BACKEND=torch      python examples/backends.py

A linear model is trained on scikit-learn's diabetes data. Its L1 penalty is not in the
loss: the optimizer applies its proximal step, after which small weights are exactly
zero. What it should find is known: the coefficients of scikit-learn's Lasso.
"""

import keras
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso
from sklearn.preprocessing import scale

import keras_decay as kd

ALPHA = 0.1  # the strength as Lasso counts it: Σ residual²/(2n) + α Σ|w|
EPOCHS = 150

x, y = load_diabetes(return_X_y=True)
names = load_diabetes().feature_names
x, y = scale(x).astype("float32"), scale(y).astype("float32")

model = keras.Sequential(
    [keras.Input((x.shape[1],)), keras.layers.Dense(1, use_bias=False)]
)
# Keras' mean squared error has no factor ½: the same strength is another number.
l1 = kd.convert(ALPHA, "sklearn_lasso", "l1")
# The largest learning rate with which gradient descent is sure to go down.
rate = 1 / np.linalg.eigvalsh(2 * x.T @ x / len(x))[-1]
model.compile(
    kd.DecoupledWeightDecay(keras.optimizers.SGD(float(rate)), penalty=kd.L1(l1)),
    loss="mse",
)
model.fit(x, y, batch_size=len(x), epochs=EPOCHS, verbose=0)

weights = model.get_weights()[0].ravel()
expected = Lasso(alpha=ALPHA, fit_intercept=False, tol=1e-10).fit(x, y).coef_
for name, weight, coefficient in zip(names, weights, expected, strict=True):
    print(f"{name:>4}  {weight:9.6f}  Lasso {coefficient:9.6f}")

backend = keras.backend.backend()
zeros = int((weights == 0).sum())
same = int(((weights == 0) == (expected == 0)).sum())
distance = float(np.abs(weights - expected).max())
print(
    f"On {backend}, {zeros} of {len(weights)} weights are exactly zero, {same} of "
    f"{len(weights)} are zero or not as the Lasso's are, and the largest difference "
    f"from its coefficients is {distance:.0e}."
)
