"""What only TensorFlow can do: fused kernels, one graph for all shapes, threads.

Keras traces its graphs anew for each new shape, which takes longer than a short training.
"""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable(package="skser")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation over the last axis of images, in one kernel each way.

    It has the variables and, to rounding, the results of the Keras layer, whose separate
    operations take about a third of a training step on a processor.
    """

    def build(self, input_shape: tuple) -> None:
        """Make the variables.

        Parameters
        ----------
        input_shape : tuple
            Shape of a batch.

        Raises
        ------
        ValueError
            If the layer was given options that the kernel does not have.
        """
        super().build(input_shape)
        if self.axis not in (-1, 3) or not (self.scale and self.center):
            raise ValueError(
                "FusedBatchNormalization normalises the last axis, with scale and centre; take "
                "keras.layers.BatchNormalization for anything else."
            )

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Normalise a batch.

        Parameters
        ----------
        inputs : Tensor of shape (n_samples, height, width, n_channels)
            The batch.
        training : bool, optional
            Whether to use and learn the statistics of the batch.

        Returns
        -------
        outputs : Tensor of shape (n_samples, height, width, n_channels)
            The normalised batch.
        """
        learn = bool(training) and self.trainable
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=() if learn else self.moving_mean,
            variance=() if learn else self.moving_variance,
            epsilon=self.epsilon,
            is_training=learn,
        )
        if learn:
            n = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], variance.dtype)
            # The kernel divides by n - 1, Keras by n.
            self._learn(mean, variance * tf.maximum(n - 1, 1) / n)
        return outputs

    def _learn(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + value * (1 - self.momentum))


def forward(network: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the network's prediction as one graph for utterances of all lengths and numbers.

    Parameters
    ----------
    network : keras.Model
        The network.

    Returns
    -------
    predict : callable
        From MFCCs of shape (n_samples, n_frames, n_mfcc) to probabilities.
    """
    if not hasattr(network, "_skser_forward"):
        signature = [tf.TensorSpec(network.input_shape, tf.float32)]
        graph = tf.function(lambda mfcc: network(mfcc, training=False), signature)
        network._skser_forward = graph.get_concrete_function()  # freed with the network
    return lambda mfcc: network._skser_forward(tf.convert_to_tensor(mfcc))


def train_step(network: keras.Model) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Return one step of training as one graph for utterances of all lengths and numbers.

    Parameters
    ----------
    network : keras.Model
        The compiled network.

    Returns
    -------
    step : callable
        From MFCCs, targets of shape (n_samples, n_classes) and weights of a batch to its loss and
        its accuracy.
    """
    if not hasattr(network, "_skser_train_step"):
        network.optimizer.build(network.trainable_variables)
        front = keras.Model(network.input, network.get_layer("one_channel").input)
        body_2_and_head = keras.Model(network.get_layer("body_1_pooling").output, network.output)
        signature = [
            tf.TensorSpec(network.input_shape, tf.float32),
            tf.TensorSpec((None, network.output_shape[-1]), tf.float32),
            tf.TensorSpec((None,), tf.float32),
        ]

        def step(mfcc: tf.Tensor, target: tf.Tensor, weight: tf.Tensor) -> tuple[tf.Tensor, ...]:
            with tf.GradientTape() as tape:
                predicted = body_2_and_head(_train_body_1(network, front(mfcc)), training=True)
                loss = network.compute_loss(mfcc, target, predicted, weight)
            gradients = tape.gradient(
                loss,
                [variable.value for variable in network.trainable_variables],
                # of the biases in Body I, which normalisation takes away
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
            network.optimizer.apply(gradients, network.trainable_variables)
            right = tf.argmax(predicted, axis=-1) == tf.argmax(target, axis=-1)
            return loss, tf.reduce_mean(tf.cast(right, tf.float32))

        network._skser_train_step = tf.function(step, signature).get_concrete_function()
    return lambda *batch: network._skser_train_step(*map(tf.convert_to_tensor, batch))


def _train_body_1(network: keras.Model, mfcc: tf.Tensor) -> tf.Tensor:
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
            tf.nn.relu(tf.matmul(quarter, tf.cast(folded, dtype), transpose_a=True))
            for quarter in quarters
        ]
    )
    n_inside = tf.add_n(inside)[..., tf.newaxis]
    pooled = tf.reshape(pooled, (*tf.unstack(tf.shape(n_inside)[:3]), folded.shape[-1]))
    # At the edge of an odd number of frames or coefficients fewer than four are averaged.
    return tf.cond(tf.reduce_all(n_inside == 4), lambda: pooled, lambda: pooled * (4 / n_inside))


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

    Each of the four has the shape (n_taps + 1, n_samples * n_pooled); the last row is 1, or 0
    at the positions that pooling adds to an odd number of frames or coefficients, where all is
    0. Those rows are also returned, in the shape (n_samples, n_pooled_frames, n_pooled_mfcc).
    """
    height, width = size
    n, n_frames, n_mfcc = tf.unstack(tf.shape(mfcc))
    rows, columns = (n_frames + 1) // 2, (n_mfcc + 1) // 2
    odd = [n_frames % 2, n_mfcc % 2]
    margins = [(size[axis] // 2, size[axis] // 2 + odd[axis]) for axis in (0, 1)]
    images = tf.pad(tf.stack([mfcc, tf.ones_like(mfcc)]), [(0, 0), (0, 0), *margins])
    # Every other row and column by itself, so that all that follows are contiguous slices.
    images = tf.reshape(images, (2, n, rows + height // 2, 2, columns + width // 2, 2))
    images = tf.transpose(images, (0, 3, 5, 1, 2, 4))

    def _see(image: int, row: int, column: int) -> tf.Tensor:
        top, left = row // 2, column // 2
        half = images[image, row % 2, column % 2]
        return half[:, top : top + rows, left : left + columns]

    quarters, insides = [], []
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        inside = _see(1, height // 2 + down, width // 2 + right)
        offsets = [divmod(tap, width) for tap in taps]
        seen = tf.stack([*(_see(0, row + down, col + right) for row, col in offsets), inside])
        seen = tf.cond(sum(odd) > 0, partial(tf.multiply, seen, inside), partial(tf.identity, seen))
        quarters.append(tf.reshape(seen, (len(taps) + 1, -1)))
        insides.append(inside)
    return quarters, insides


def set_threads(n_threads: int) -> None:
    """Set how many threads TensorFlow computes with; it must not have started yet.

    Parameters
    ----------
    n_threads : int
        Number of threads, shared by the operations of this process.

    Raises
    ------
    RuntimeError
        If TensorFlow has already started its threads.
    """
    tf.config.threading.set_intra_op_parallelism_threads(n_threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def count_flops(network: keras.Model) -> int:
    """Count the floating-point operations of a forward pass with TensorFlow's profiler.

    Parameters
    ----------
    network : keras.Model
        The network, with an input whose shape is fixed. The profiler knows no operations of
        fused kernels.

    Returns
    -------
    n_operations : int
        A multiplication and an addition count as two.
    """
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    signature = tf.TensorSpec(network.input_shape, tf.float32)
    graph = tf.function(lambda mfcc: network(mfcc, training=False)).get_concrete_function(signature)
    frozen = convert_variables_to_constants_v2(graph).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # the profiler calls what TensorFlow itself calls deprecated
    try:
        return tf.compat.v1.profiler.profile(frozen, options=options).total_float_ops
    finally:
        logger.setLevel(level)
