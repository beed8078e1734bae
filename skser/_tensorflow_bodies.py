"""The network in training, computed in fewer operations than its layers would take.

Both Bodies keep their images in the order (height, n_samples, width, n_channels), in which rows
of all utterances follow one another, so that shifting or tiling them along time copies little.
"""

from collections.abc import Callable
from functools import cache, partial

import keras
import numpy as np
import tensorflow as tf

# Minimal filtering F(4, 3): four neighbouring outputs of a kernel of three taps from six products,
# where they would take twelve. The products are of linear combinations of the six inputs and of the
# three taps, and the outputs are linear combinations of the products.
_INPUTS = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_TAPS = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
_OUTPUTS = np.array(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
)


def predict_in_training(network: keras.Model, mfcc: tf.Tensor) -> tf.Tensor:
    """Return what the network predicts in training, and let its normalisations learn.

    Parameters
    ----------
    network : keras.Model
        The network.
    mfcc : Tensor of shape (n_samples, n_frames, n_mfcc)
        A batch.

    Returns
    -------
    probabilities : Tensor of shape (n_samples, n_classes)
        One row an utterance.

    References
    ----------
    A. Lavin, S. Gray: "Fast algorithms for convolutional neural networks", CVPR 2016.
    """
    hidden = train_body_1(network, mfcc)
    # A shorter number does not have the digits that the combinations of inputs cancel.
    filtered = hidden.dtype == tf.float32
    if not filtered:
        hidden = tf.transpose(hidden, (1, 0, 2, 3))
    names = [layer.name for layer in network.layers]
    for layer in network.layers[names.index("body_1_pooling") + 1 :]:
        hidden = _train_layer(layer, hidden) if filtered else layer(hidden, training=True)
    return hidden


def _train_layer(layer: keras.layers.Layer, hidden: tf.Tensor) -> tf.Tensor:
    match layer:
        case keras.layers.Conv2D(kernel_size=(3, 3)):
            return convolve(hidden, tf.convert_to_tensor(layer.kernel))
        case keras.layers.AveragePooling2D():
            return _pool(hidden, layer.pool_size)
        case keras.layers.GlobalAveragePooling2D():
            return tf.reduce_mean(hidden, (0, 2))
        case _:
            return layer(hidden, training=True)


def convolve(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolve images with a kernel of 3x3 in half as many multiplications.

    Parameters
    ----------
    images : Tensor of shape (height, n_samples, width, n_channels)
        The images, as if in zeros.
    kernel : Tensor of shape (3, 3, n_channels, n_filters)
        The kernel.

    Returns
    -------
    convolved : Tensor of shape (height, n_samples, width, n_filters)
        Images of the same size.
    """
    height, n, width, n_channels = tf.unstack(tf.shape(images))
    n_tiles = (height + 3) // 4
    padded = tf.pad(images, ((1, 4 * n_tiles + 3 - height), (0, 0), (0, 0), (0, 0)))
    rows = tf.unstack(tf.reshape(padded, (n_tiles + 1, 4, n, width, images.shape[-1])), axis=1)
    size = (n_tiles, n, width, n_channels)
    # tf.slice, for its gradient is faster than that of rows[:-1]
    seen = [
        *(tf.slice(row, (0, 0, 0, 0), size) for row in rows),
        *(tf.slice(row, (1, 0, 0, 0), size) for row in rows[:2]),
    ]
    inputs, taps = _combine(_INPUTS, seen), _combine(_TAPS, tf.split(kernel, 3))
    products = [
        tf.nn.conv2d(*pair, 1, "SAME")
        for pair in zip(tf.unstack(inputs), tf.unstack(taps), strict=True)
    ]
    convolved = tf.transpose(_combine(_OUTPUTS, products), (1, 0, 2, 3, 4))
    convolved = tf.reshape(convolved, (4 * n_tiles, n, width, kernel.shape[-1]))
    return tf.slice(convolved, (0, 0, 0, 0), (height, -1, -1, -1))


def _combine(matrix: np.ndarray, parts: list[tf.Tensor]) -> tf.Tensor:
    """Return linear combinations of tensors of one shape, one along the first axis each.

    As a product: sums of several tensors are added up in an order that depends on which of them
    is free first, so that a seeded training would not repeat exactly.
    """
    stacked = tf.stack(parts)
    flat = tf.reshape(stacked, (len(parts), -1))
    combined = tf.matmul(tf.constant(matrix, stacked.dtype), flat)
    return tf.reshape(combined, (len(matrix), *tf.unstack(tf.shape(stacked)[1:])))


def _pool(images: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Average images over windows of some height and width; those at the edge may be smaller."""
    if size[1] > 1:
        images = tf.nn.avg_pool2d(images, (1, size[1]), (1, size[1]), "SAME")
    height, n, width, _ = tf.unstack(tf.shape(images))
    one_image = tf.reshape(images, (1, height, n * width, images.shape[-1]))
    pooled = tf.nn.avg_pool2d(one_image, (size[0], 1), (size[0], 1), "SAME")
    return tf.reshape(pooled, (-1, n, width, images.shape[-1]))


def train_body_1(network: keras.Model, mfcc: tf.Tensor) -> tf.Tensor:
    """Return what Body I gives in training, and let its normalisation learn.

    Its convolutions have one channel to see, so the covariance of the few coefficients around
    each position gives the mean and the variance of every filter before any filter is computed.
    The normalisation then becomes part of the kernels, and neither it nor its gradient has to
    pass over the 96 channels of every position, which takes longer than the convolutions.
    """
    normalization = network.get_layer("body_1_normalization")
    convolutions = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D) and layer.name.startswith("body_1_")
    ]
    size = tuple(np.max([layer.kernel_size for layer in convolutions], axis=0).tolist())
    kernel, taps = _joint_kernel(convolutions, size)
    dtype = normalization.compute_dtype
    quarters, inside = _quarters(tf.cast(mfcc, dtype), size, taps)

    exact = [tf.cast(quarter, tf.float32) for quarter in quarters]
    moments = tf.add_n([tf.matmul(quarter, quarter, transpose_b=True) for quarter in exact])
    moments /= moments[-1, -1]  # the number of positions
    tap_mean = moments[-1:, :-1]
    covariance = moments[:-1, :-1] - tf.matmul(tap_mean, tap_mean, transpose_a=True)
    mean = tf.matmul(tap_mean, kernel)
    variance = tf.nn.relu(tf.reduce_sum(kernel * tf.matmul(covariance, kernel), axis=0))
    normalization._learn(mean[0] + tf.concat([c.bias for c in convolutions], 0), variance)

    # The normalisation takes away each filter's mean and the bias of its convolution with it.
    scale = normalization.gamma * tf.math.rsqrt(variance + normalization.epsilon)
    folded = tf.concat([kernel * scale, normalization.beta - mean * scale], axis=0) / 4
    pooled = tf.add_n(
        # each with a cast of its own, so that gradients are added up in float32
        [
            rectify(tf.matmul(quarter, tf.cast(folded, dtype), transpose_a=True))
            for quarter in quarters
        ]
    )
    n_inside = tf.add_n(inside)[..., tf.newaxis]
    pooled = tf.reshape(pooled, (*tf.unstack(tf.shape(n_inside)[:3]), folded.shape[-1]))
    # At the edge of an odd number of frames or coefficients fewer than four are averaged. And what
    # is not a number has to reach the loss, which is how a training that diverges is known.
    finite = tf.reduce_all(tf.math.is_finite(folded))
    four = tf.where(finite, tf.constant(4, dtype), tf.constant(np.nan, dtype))
    usual = tf.reduce_all(n_inside == four)
    return tf.cond(usual, lambda: pooled, lambda: pooled * (four / n_inside))


def rectify(values: tf.Tensor) -> tf.Tensor:
    """Return values with 0 in place of the negative ones.

    TensorFlow computes with bfloat16 one number at a time. As an integer of as many bits a number
    has the same sign, so the greater of it and 0 takes a quarter of the time.

    Parameters
    ----------
    values : Tensor, dtype float32 or bfloat16
        The values. In bfloat16 one that is not a number may become 0.

    Returns
    -------
    rectified : Tensor
        Of the same shape and dtype.
    """
    return _rectify_as_integers(values) if values.dtype == tf.bfloat16 else tf.nn.relu(values)


@tf.custom_gradient
def _rectify_as_integers(values: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    integers = tf.maximum(tf.bitcast(values, tf.int16), tf.zeros((), tf.int16))
    rectified = tf.bitcast(integers, values.dtype)
    return rectified, lambda gradient: tf.raw_ops.ReluGrad(gradients=gradient, features=rectified)


def _joint_kernel(
    convolutions: list[keras.layers.Conv2D], size: tuple[int, int]
) -> tuple[tf.Tensor, list[int]]:
    """Return the kernels as one of shape (n_taps, n_filters), and which taps of `size` those are.

    A tap that no convolution has is left out.
    """
    height, width = size
    used = np.zeros(size, bool)
    kernels = []
    for layer in convolutions:
        above, left = (height - layer.kernel_size[0]) // 2, (width - layer.kernel_size[1]) // 2
        used[above : height - above, left : width - left] = True
        kernel = tf.convert_to_tensor(layer.kernel)[:, :, 0]
        kernels.append(tf.pad(kernel, ((above, above), (left, left), (0, 0))))
    taps = np.flatnonzero(used)
    joint = tf.reshape(tf.concat(kernels, axis=-1), (height * width, -1))
    return tf.gather(joint, taps), taps.tolist()


def _quarters(
    mfcc: tf.Tensor, size: tuple[int, int], taps: list[int]
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Return what the kernel sees at each of the four positions that are pooled together.

    Each of the four has the shape (n_taps + 1, n_pooled * n_samples); the last row is 1, or 0
    at the positions that pooling adds to an odd number of frames or coefficients, where all is
    0. Those rows are also returned, in the shape (n_pooled_frames, n_samples, n_pooled_mfcc).
    """
    height, width = size
    n, n_frames, n_mfcc = tf.unstack(tf.shape(mfcc))
    rows, columns = (n_frames + 1) // 2, (n_mfcc + 1) // 2
    odd = [n_frames % 2, n_mfcc % 2]
    margins = [(size[axis] // 2, size[axis] // 2 + odd[axis]) for axis in (0, 1)]
    images = tf.pad(tf.stack([mfcc, tf.ones_like(mfcc)]), [(0, 0), (0, 0), *margins])
    # Every other row and column by itself, so that all that follows are contiguous slices.
    images = tf.reshape(images, (2, n, rows + height // 2, 2, columns + width // 2, 2))
    images = tf.transpose(images, (0, 3, 5, 2, 1, 4))

    @cache
    def _see_columns(image: int, odd_rows: int, column: int) -> tf.Tensor:
        left = column // 2
        return images[image, odd_rows, column % 2, :, :, left : left + columns]

    def _see(image: int, row: int, column: int) -> tf.Tensor:
        top = row // 2
        return _see_columns(image, row % 2, column)[top : top + rows]

    quarters, insides = [], []
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        inside = _see(1, height // 2 + down, width // 2 + right)
        offsets = [divmod(tap, width) for tap in taps]
        seen = tf.stack([*(_see(0, row + down, col + right) for row, col in offsets), inside])
        seen = tf.cond(sum(odd) > 0, partial(tf.multiply, seen, inside), partial(tf.identity, seen))
        quarters.append(tf.reshape(seen, (len(taps) + 1, -1)))
        insides.append(inside)
    return quarters, insides
