"""The layers of a model, and who holds which variable."""

import keras
from keras import layers

from keras_decay.models import all_layers, held, layers_of, owners_by_id, unique


class Keeper(layers.Layer):
    """Holds a layer and a variable where Keras does not look for them."""

    def __init__(self):
        super().__init__()
        self.given = [(self.add_weight(name="inside"),)]
        self.dense = layers.Dense(2)
        object.__setattr__(self, "hidden", {"dense": layers.Dense(3)})


def nested():
    inner = keras.Sequential([keras.Input((2, 4)), layers.Dense(3, name="inner")])
    attention = layers.MultiHeadAttention(1, 2)
    x = keras.Input((2, 4))
    model = keras.Model(x, inner(attention(x, x)))
    return model, inner, attention


def test_layers_that_keras_tracks_are_found_within_others():
    model, inner, attention = nested()
    found = layers_of(model)
    assert found[0] is model
    assert len(unique(found)) == len(found)
    for layer in (inner, inner.layers[0], attention, attention.query_dense):
        assert any(layer is one for one in found)
    assert layers_of(model, itself=False) == found[1:]
    assert layers_of(inner.layers[0], itself=False) == []


def test_children_are_only_what_a_layer_holds_itself():
    model, inner, _ = nested()
    children = layers_of(model, itself=False, nested=False)
    assert any(inner is one for one in children)
    assert not any(inner.layers[0] is one for one in children)


def test_all_layers_has_those_that_keras_does_not_track():
    keeper = Keeper()
    hidden = keeper.hidden["dense"]
    assert not any(hidden is one for one in layers_of(keeper))
    found = all_layers(keeper)
    assert found[0] is keeper
    assert {id(layer) for layer in found} == {
        id(layer) for layer in (keeper, keeper.dense, hidden)
    }


def test_all_layers_has_what_keras_tracks():
    model, *_ = nested()
    tracked = {id(layer) for layer in layers_of(model)}
    assert tracked <= {id(layer) for layer in all_layers(model)}


def test_held_names_the_attribute():
    keeper = Keeper()
    pairs = [(name, id(thing)) for name, thing in held(keeper)]
    assert ("given", id(keeper.given[0][0])) in pairs
    assert ("hidden", id(keeper.hidden["dense"])) in pairs


def test_a_shared_variable_has_each_owner_once():
    table = layers.Embedding(5, 3)
    table.build()
    head = layers.Dense(5)
    head.table, head.again = table.embeddings, [table.embeddings]
    outer = layers.Layer()
    outer.parts = [table, head]
    owners = owners_by_id(outer)[id(table.embeddings)]
    assert len(owners) == 2
    assert {id(owner) for owner in owners} == {id(table), id(head)}


def test_unique_goes_by_identity():
    one, other = keras.Variable([1.0]), keras.Variable([1.0])
    found = unique([one, other, one])
    assert [id(v) for v in found] == [id(one), id(other)]
