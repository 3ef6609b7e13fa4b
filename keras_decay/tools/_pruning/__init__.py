"""What `prune` and `sparsity` know of a network: its graph, its units, its constants.

`_graph` reads which layer feeds which, `_features` says what a layer does to the units
that pass it, `_kernels` how units meet the weights of the next layer, `_flow` follows
them through the model and decides which can go, `_rebuild` makes the smaller model.
"""
