"""What only TensorFlow can do: fused kernels, threads, a count of operations."""

import keras
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


def has_gpu() -> bool:
    """Tell whether TensorFlow computes on a GPU.

    Returns
    -------
    has_gpu : bool
        Whether there is one that it can use.
    """
    return bool(tf.config.get_visible_devices("GPU"))


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
