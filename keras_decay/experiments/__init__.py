"""The experiments: each runs from the command line, or from a notebook.

One file per experiment, with a `run` that returns a result and draws it.
"""

# command: what it shows. The module has the same name, with underscores. Nothing is
# imported here, so that the command line can list them at once.
COMMANDS = {
    "equivalence": "L2 is weight decay under plain SGD, and nowhere else",
    "sparsity": "L1 selects features by a proximal step, not in the loss",
    "high-dimensional": "what decay removes where there are more inputs than samples",
    "logistic": "logistic regression with λ/(2m) Σw² is scikit-learn's",
    "constraint": "a norm held within a ball, and the penalty that does the same",
    "prior": "MAP estimates under Gaussian and Laplace priors are L2 and L1",
    "decoupling": "does decoupling free the best decay from the learning rate?",
    "which-decay": "nine forms of decay, each tuned: which are better?",
}

# Seeds have 32 bits in Keras and NumPy, and an experiment takes several in a row.
LARGEST_SEED = 2**32 - 1000
