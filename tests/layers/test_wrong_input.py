"""What does not fit is refused in the same words on every backend; what is empty gives what is documented."""

from __future__ import annotations

import re

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers
from polykeras.core import trees
from tests.layers.layer_table import CASES


def ones(*shape):
    return np.ones(shape, "float32")


def twice(layer, *inputs):
    """Call a layer with one input after another."""
    for x in inputs:
        layer(x)


WRONG = {
    # rank
    "Conv2D of a sequence": (lambda: layers.Conv2D(3, 2)(ones(2, 5, 4)), "an input with 4 axes"),
    "LSTM of vectors": (lambda: layers.LSTM(3)(ones(2, 4)), "an input with 3 axes"),
    "MaxPooling2D of a sequence": (lambda: layers.MaxPooling2D()(ones(2, 5, 4)), "an input with 4 axes"),
    "global pooling of images": (lambda: layers.GlobalAveragePooling1D()(ones(2, 5, 4, 3)), "with 3 axes"),
    "UpSampling2D of vectors": (lambda: layers.UpSampling2D()(ones(2, 3)), "an input with 4 axes"),
    "RepeatVector of a sequence": (lambda: layers.RepeatVector(2)(ones(2, 3, 4)), "an input with 2 axes"),
    "Permute of images": (lambda: layers.Permute((2, 1))(ones(2, 3, 4, 5)), "an input with 3 axes"),
    "axis 3 of vectors": (lambda: layers.BatchNormalization(axis=3)(ones(2, 5)), "axis 3 of the input to exist"),
    # channels
    "Conv1D of other channels": (lambda: twice(layers.Conv1D(3, 2), ones(2, 5, 4), ones(2, 5, 3)), "to have size 4"),
    "Dense of other features": (lambda: twice(layers.Dense(3), ones(2, 4), ones(2, 3)), "to have size 4"),
    "LSTM of other features": (lambda: twice(layers.LSTM(3), ones(2, 5, 4), ones(2, 5, 3)), "to have size 4"),
    "BatchNormalization": (lambda: twice(layers.BatchNormalization(), ones(2, 4), ones(2, 3)), "to have size 4"),
    "unknown features": (lambda: layers.Dense(3)(keras.Input((None,))), r"known size.*Give the size in Input"),
    "unknown channels": (lambda: layers.Conv1D(3, 2)(keras.Input((5, None))), r"known size.*Give the size in Input"),
    "unknown size, flattened": (lambda: layers.Dense(3)(layers.Flatten()(keras.Input((None, 4)))), "known size"),
    # windows
    "kernel above input": (lambda: layers.Conv1D(3, 7)(ones(2, 5, 4)), r"windows that cover \(7,\) to fit into"),
    "dilated kernel above input": (lambda: layers.Conv1D(3, 3, dilation_rate=3)(ones(2, 5, 4)), r"cover \(7,\)"),
    "depthwise kernel above input": (lambda: layers.DepthwiseConv2D(7)(ones(2, 5, 6, 4)), r"cover \(7, 7\) to fit"),
    "separable kernel above input": (lambda: layers.SeparableConv1D(2, 7)(ones(2, 5, 4)), "windows that cover"),
    "local kernel above input": (lambda: layers.LocallyConnected1D(2, 7)(ones(2, 5, 4)), "no smaller than kernel_size"),
    "recurrent kernel above input": (lambda: layers.ConvLSTM1D(2, 7)(ones(2, 3, 5, 4)), "windows that cover"),
    "pool above input": (lambda: layers.MaxPooling1D(7)(ones(2, 5, 4)), "windows that cover"),
    "mean pool above input": (lambda: layers.AveragePooling2D(7)(ones(2, 5, 5, 4)), "windows that cover"),
    "cropping above input": (lambda: layers.Cropping1D(3)(ones(2, 5, 4)), "cropping to leave a part of axis 1"),
    # sizes
    "negative units": (lambda: layers.Dense(-1), "units to be an int, at least 1"),
    "fractional units": (lambda: layers.Dense(2.5), "units to be an int, at least 1"),
    "no units": (lambda: layers.LSTM(0), "units to be an int, at least 1"),
    "negative filters": (lambda: layers.Conv2D(-3, 2), "filters to be an int, at least 1"),
    "no filters": (lambda: layers.Conv2DTranspose(0, 2), "filters to be an int, at least 1"),
    "negative kernel": (lambda: layers.Conv2D(3, (2, -1)), "kernel_size to be an int, or 2 ints, of at least 1"),
    "negative pool": (lambda: layers.MaxPooling2D(-2), "pool_size to be an int, or 2 ints, of at least 1"),
    "no strides": (lambda: layers.MaxPooling2D(2, strides=0), "strides to be an int, or 2 ints, of at least 1"),
    "negative padding": (lambda: layers.ZeroPadding1D(-1), "padding to be an int, or 2 ints, of at least 0"),
    "negative vocabulary": (lambda: layers.Embedding(-5, 2), "input_dim to be an int, at least 1"),
    "no heads": (lambda: layers.MultiHeadAttention(0, 2), "num_heads to be an int, at least 1"),
    "rate above 1": (lambda: layers.Dropout(1.5), "rate to be a number from 0 to 1"),
    "strides and dilation": (lambda: layers.Conv2D(3, 2, strides=2, dilation_rate=2), "strides or dilation_rate of 1"),
    "both, depthwise": (lambda: layers.DepthwiseConv2D(2, strides=2, dilation_rate=2), "strides or dilation_rate of 1"),
    "groups and filters": (lambda: layers.Conv1D(4, 2, groups=3)(ones(2, 5, 6)), "groups=3 to divide filters"),
    "groups and channels": (
        lambda: layers.Conv1D(6, 2, groups=3)(ones(2, 5, 4)),
        "groups=3 to divide the input channels",
    ),
    "groups to normalize": (
        lambda: layers.GroupNormalization(3)(ones(2, 5, 4)),
        "groups=3 to divide the number of channels",
    ),
    "groups of heads": (lambda: layers.GroupQueryAttention(3, 4, 3), "num_key_value_heads to divide"),
    "another number of values": (lambda: layers.Reshape((5,))(ones(2, 4)), "target_shape to hold the 4 values"),
    # names
    "data_format": (lambda: layers.Conv2D(3, 2, data_format="channel_last"), "data_format to be one of"),
    "padding": (lambda: layers.Conv2D(3, 2, padding="causal"), "padding to be one of"),
    "activation": (lambda: layers.Dense(3, activation="rellu"), "Received: 'rellu'. Did you mean 'relu'"),
    "activation layer": (lambda: layers.Activation("sofmax"), "Did you mean 'softmax'"),
    "initializer": (lambda: layers.Dense(3, kernel_initializer="glorot_unform"), "Did you mean 'glorot_uniform'"),
    "strings for numbers": (lambda: layers.Dense(3)(np.array([["a", "b"]])), r"(?s)numbers.*strings.*StringLookup"),
    # several inputs
    "sizes to add": (lambda: layers.Add()([ones(2, 3), ones(2, 4)]), r"equal sizes.*\[\(2, 3\), \(2, 4\)\]"),
    "sizes to add later": (
        lambda: twice(layers.Multiply(), [ones(2, 3)] * 2, [ones(2, 3), ones(2, 4)]),
        r"equal sizes.*\[\(2, 3\), \(2, 4\)\]",
    ),
    "one input to add": (lambda: layers.Add()(ones(2, 3)), "a list of inputs"),
    "three inputs to subtract": (lambda: layers.Subtract()([ones(2, 3)] * 3), "2 inputs"),
    "sizes to join": (lambda: layers.Concatenate()([ones(2, 3, 4), ones(2, 5, 4)]), "shapes differ only along axis -1"),
    "ranks to join": (lambda: layers.Concatenate()([ones(2, 3, 4), ones(2, 4)]), "shapes differ only along axis -1"),
    "sizes to multiply": (lambda: layers.Dot(1)([ones(2, 3), ones(2, 4)]), "equal sizes along axes 1"),
    "examples to attend to": (
        lambda: layers.MultiHeadAttention(2, 3)(ones(2, 5, 4), ones(3, 5, 4)),
        "query, value and key of the same batch size",
    ),
    "one array to attend to": (lambda: layers.Attention()(ones(2, 3, 4)), r"an array of shape \(2, 3, 4\)"),
    "two inputs of one": (lambda: layers.Dense(3)([ones(2, 3)] * 2), r"1 input\(s\). Received: 2"),
    # nothing
    "LSTM of no steps": (lambda: layers.LSTM(3)(ones(2, 0, 4)), "sequences with at least one time step"),
    "Bidirectional of no steps": (lambda: layers.Bidirectional(layers.GRU(3))(ones(2, 0, 4)), "at least one time step"),
    "ConvLSTM1D of no steps": (lambda: layers.ConvLSTM1D(2, 2)(ones(2, 0, 5, 4)), "at least one time step"),
    "Conv1D of no steps": (lambda: layers.Conv1D(3, 2)(ones(2, 0, 4)), r"windows that cover \(2,\) to fit into"),
    "padded Conv1D of no steps": (lambda: layers.Conv1D(3, 2, padding="same")(ones(2, 0, 4)), "at least as large"),
    "largest of no steps": (lambda: layers.GlobalMaxPooling1D()(ones(2, 0, 4)), "max of no entries"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_is_refused_in_the_same_words(backend, what):
    call, words = WRONG[what]
    with pytest.raises(ValueError, match=f"Expected .*{words}" if "(?s)" not in words else words):
        call()


@pytest.mark.parametrize("index", [7, 5, -1])
def test_an_index_out_of_range_is_an_index_error(backend, index):
    with pytest.raises(IndexError, match=re.escape(f"Expected integers from 0 to 4. Received: {index}.")):
        layers.Embedding(5, 2)(np.array([[1, index]]))


def test_pooling_and_attention_over_nothing_give_what_is_documented(backend):
    nothing = ones(2, 0, 4)
    assert np.isnan(keras.ops.convert_to_numpy(layers.GlobalAveragePooling1D()(nothing))).all()
    found = layers.Attention()([ones(2, 3, 4), nothing])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(found), np.zeros((2, 3, 4)))
    assert tuple(layers.TimeDistributed(layers.Dense(3))(nothing).shape) == (2, 0, 3)


#: Layers whose kernels are an engine's own, which may have ideas of their own about nothing.
KERNELS = (
    "Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv1D", "LocallyConnected1D", "LSTM",
    "GRU", "ConvLSTM1D", "MaxPooling2D", "AveragePooling1D", "GlobalMaxPooling2D", "AdaptiveMaxPooling1D", "Dense",
    "Embedding", "BatchNormalization", "LayerNormalization", "MultiHeadAttention", "Attention", "Resizing",
)  # fmt: skip


def assert_no_rows(case):
    of_two, of_none = (
        trees.leaves(case.make()(*trees.map(lambda x: x[:rows], case.inputs())))  # noqa: B023
        for rows in (2, 0)
    )
    assert [tuple(y.shape) for y in of_none] == [(0, *y.shape[1:]) for y in of_two]


@pytest.mark.parametrize("case", [case for case in CASES if case.name in KERNELS], ids=lambda case: case.name)
def test_an_empty_batch_gives_no_rows_on_any_engine(backend, case):
    assert_no_rows(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_empty_batch_gives_no_rows(case):
    assert_no_rows(case)
