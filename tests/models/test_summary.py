"""The classic table of layers."""

import re

import polykeras as keras
from polykeras import layers

TUTORIAL = """\
Model: "sequential_1"
_________________________________________________________________
Layer (type)                 Output Shape              Param #   
=================================================================
dense_4 (Dense)              (None, 32)                25120     
_________________________________________________________________
dense_5 (Dense)              (None, 10)                330       
_________________________________________________________________
dense_6 (Dense)              (None, 1)                 11        
=================================================================
Total params: 25,461
Trainable params: 25,461
Non-trainable params: 0
_________________________________________________________________
"""


def lines_of(model, **options):
    lines = []
    model.summary(print_fn=lines.append, **options)
    return lines


def network():
    keras.backend.clear_session()
    names = iter(["dense_4", "dense_5", "dense_6"])
    sizes = [32, 10, 1]
    model = keras.Sequential(name="sequential_1")
    model.add(layers.Dense(32, input_dim=784, activation="sigmoid", name=next(names)))
    for size in sizes[1:]:
        model.add(layers.Dense(size, activation="sigmoid", name=next(names)))
    return model


def test_the_table_is_the_tutorials_to_the_character():
    assert "\n".join(lines_of(network())) + "\n" == TUTORIAL


def test_width_and_columns_can_be_chosen():
    lines = lines_of(network(), line_length=40, positions=[0.5, 0.85, 1.0])
    assert lines[1] == "_" * 40
    assert lines[2] == "Layer (type)        Output Shape  Param "
    assert lines[4] == "dense_4 (Dense)     (None, 32)    25120 "


def test_branches_show_what_they_are_connected_to():
    x = keras.Input((4,), name="x")
    a, b = layers.Dense(2, name="a")(x), layers.Dense(2, name="b")(x)
    model = keras.Model(x, layers.Add(name="sum")([a, b]))
    text = "\n".join(lines_of(model))
    assert "Connected to" in text
    assert re.search(r"sum \(Add\) +\(None, 2\) +0 +a\[0\]\[0\]", text)
    assert re.search(r"^ +b\[0\]\[0\]", text, re.M)


def test_frozen_weights_are_counted_apart_and_marked():
    model = network()
    model.layers[0].trainable = False
    text = "\n".join(lines_of(model, show_trainable=True))
    assert "Trainable params: 341" in text and "Non-trainable params: 25,120" in text
    assert re.search(r"dense_4 \(Dense\).* N *$", text, re.M) and re.search(r"dense_5 \(Dense\).* Y *$", text, re.M)


def test_nested_models_can_be_shown_inside():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="inside")], name="inner")
    model = keras.Sequential([keras.Input((4,)), inner, layers.Dense(1)])
    assert not any("inside" in line for line in lines_of(model))
    assert any(line.startswith("|    inside (Dense)") for line in lines_of(model, expand_nested=True))


def test_layers_without_weights_yet_are_shown_as_unbuilt():
    assert any("unbuilt" in line for line in lines_of(keras.Sequential([layers.Dense(2)])))
