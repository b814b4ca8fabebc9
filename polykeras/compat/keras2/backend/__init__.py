"""``keras.backend``: global settings, and the functions of Keras 2 for tensors, written on ``polykeras.ops``.

>>> from polykeras import backend as K
>>> K.get_value(K.mean(K.constant([[1, 2], [3, 4]]), axis=0))
array([2., 3.], dtype=float32)
"""

# ruff: noqa: F401

from __future__ import annotations

import sys

from polykeras import config
from polykeras.compat.keras2.backend.control import (
    foldl,
    foldr,
    function,
    gradients,
    in_test_phase,
    in_train_phase,
    map_fn,
    rnn,
    stop_gradient,
    switch,
)
from polykeras.compat.keras2.backend.math import (
    abs,
    all,
    any,
    argmax,
    argmin,
    batch_dot,
    bias_add,
    clip,
    cos,
    cumprod,
    cumsum,
    dot,
    equal,
    exp,
    greater,
    greater_equal,
    in_top_k,
    l2_normalize,
    less,
    less_equal,
    log,
    logsumexp,
    max,
    maximum,
    mean,
    min,
    minimum,
    not_equal,
    pow,
    prod,
    round,
    sign,
    sin,
    sqrt,
    square,
    std,
    sum,
    var,
)
from polykeras.compat.keras2.backend.neural import (
    batch_normalization,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    ctc_batch_cost,
    ctc_decode,
    ctc_label_dense_to_sparse,
    dropout,
    elu,
    hard_sigmoid,
    normalize_batch_in_training,
    relu,
    sigmoid,
    softmax,
    softplus,
    softsign,
    sparse_categorical_crossentropy,
    tanh,
)
from polykeras.compat.keras2.backend.session import (
    backend,
    clear_session,
    control_dependencies,
    eager,
    get_session,
    image_dim_ordering,
    is_float_dtype,
    is_int_dtype,
    is_keras_tensor,
    is_placeholder,
    is_symbolic,
    is_tensor,
    is_variable,
    learning_phase,
    manual_variable_initialization,
    normalize_data_format,
    reset_uids,
    set_image_dim_ordering,
    set_learning_phase,
    set_session,
    symbolic,
    v1_variable_initialization,
)
from polykeras.compat.keras2.backend.sizes import shape
from polykeras.compat.keras2.backend.tensors import (
    SparseTensor,
    arange,
    batch_flatten,
    batch_get_value,
    batch_set_value,
    cast,
    cast_to_floatx,
    concatenate,
    constant,
    count_params,
    dtype,
    eval,
    expand_dims,
    eye,
    flatten,
    gather,
    get_value,
    get_variable_shape,
    identity,
    int_shape,
    is_sparse,
    moving_average_update,
    ndim,
    one_hot,
    ones,
    ones_like,
    permute_dimensions,
    placeholder,
    print_tensor,
    random_bernoulli,
    random_binomial,
    random_normal,
    random_normal_variable,
    random_uniform,
    random_uniform_variable,
    repeat,
    repeat_elements,
    reshape,
    reverse,
    set_value,
    size,
    slice,
    squeeze,
    stack,
    tile,
    to_dense,
    transpose,
    truncated_normal,
    update,
    update_add,
    update_sub,
    variable,
    zeros,
    zeros_like,
)
from polykeras.compat.keras2.backend.windows import (
    conv1d,
    conv2d,
    conv2d_transpose,
    conv3d,
    conv3d_transpose,
    depthwise_conv2d,
    local_conv1d,
    local_conv2d,
    pool2d,
    pool3d,
    resize_images,
    resize_volumes,
    separable_conv1d,
    separable_conv2d,
    spatial_2d_padding,
    spatial_3d_padding,
    temporal_padding,
)
from polykeras.config import (
    epsilon,
    floatx,
    image_data_format,
    set_image_data_format,
)
from polykeras.core.dtypes import result_type
from polykeras.core.dtypes import standardize as standardize_dtype
from polykeras.core.graph import KerasTensor
from polykeras.core.naming import uid as get_uid
from polykeras.core.renamed import also_named
from polykeras.core.scopes import name_scope
from polykeras.core.seeds import SeedGenerator
from polykeras.core.variables import Variable

set_epsilon = also_named(e="value")(config.set_epsilon)
set_floatx = also_named(floatx="value")(config.set_floatx)

#: The module of that name in Keras 1 and 2.
tensorflow_backend = sys.modules[__name__]
