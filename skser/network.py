"""The LIGHT-SERNET graph in plain Keras: Body I, Body II, Head; nothing else."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from ._paths import PATHS

_BatchNormalization: type[layers.Layer] = layers.BatchNormalization
if keras.backend.backend() == "tensorflow":
    from ._tensorflow import FusedBatchNormalization

    _BatchNormalization = FusedBatchNormalization

_BODY_1_FILTERS = 96
# Filters, kernel size and pooling of each local feature learning block of Body II.
_BODY_2 = ((64, 3, (2, 2)), (96, 3, (2, 2)), (128, 3, (2, 1)), (160, 3, (2, 1)), (320, 1, None))
# The dtype policy of both Bodies by the precision that they compute in; variables are float32.
_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


@keras.saving.register_keras_serializable(package="skser")
class Standardization(layers.Layer):
    """Subtracts a mean from each coefficient and divides it by a scale, as variables of a network.

    They are 0 and 1 until `set_weights([mean, scale])`.
    """

    def build(self, input_shape: tuple) -> None:
        """Make the variables.

        Parameters
        ----------
        input_shape : tuple
            Shape of a batch; its last axis is that of the coefficients.
        """
        shape = input_shape[-1:]
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="mean")
        self.scale = self.add_weight(shape=shape, initializer="ones", trainable=False, name="scale")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Standardise a batch.

        Parameters
        ----------
        inputs : tensor of shape (n_samples, n_frames, n_mfcc)
            MFCCs.

        Returns
        -------
        outputs : tensor of shape (n_samples, n_frames, n_mfcc)
            Standardised MFCCs.
        """
        return (inputs - self.mean) / self.scale


def build_light_sernet(
    n_classes: int,
    *,
    n_mfcc: int = 40,
    paths: Sequence[str] = tuple(PATHS),
    dropout: float = 0.3,
    l2: float = 1e-6,
    precision: str = "float32",
    standardize: bool = False,
    batch_norm_momentum: float = 0.99,
    seed: int = 0,
) -> keras.Model:
    """Build the network, for utterances of any number of frames.

    Parameters
    ----------
    n_classes : int
        Number of emotions.
    n_mfcc : int, default=40
        Number of coefficients a frame.
    paths : sequence of {"temporal", "spectral", "spectro-temporal"}
        The parallel convolutions of Body I. Together they have 96 filters, however many they are.
    dropout : float, default=0.3
        Share of the 320 features that is dropped in training before the Head.
    l2 : float, default=1e-6
        L2 penalty on the kernels of Body II.
    precision : {"float32", "bfloat16"}, default="float32"
        Number format that both Bodies compute in. All variables and the Head are float32.
    standardize : bool, default=False
        Whether a `Standardization` comes before Body I; it needs to be given its mean and scale.
    batch_norm_momentum : float, default=0.99
        Share that the moving averages of the normalisations keep at each step.
    seed : int, default=0
        Seed of the initial weights and of the dropout.

    Returns
    -------
    network : keras.Model
        From (n_samples, n_frames, n_mfcc) to probabilities of shape (n_samples, n_classes); not
        compiled.

    Notes
    -----
    One normalisation, activation and pooling behind the concatenation of the paths computes what
    one behind each path does, since all of them act on each channel by itself; it reads and
    writes the memory fewer times.

    References
    ----------
    A. Aftab et al., "LIGHT-SERNET", ICASSP 2022, sections 2.2 to 2.4 and figure 1.
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(len(paths) + len(_BODY_2) + 2))

    def _next_initializer() -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=int(next(seeds)))

    policy = keras.DTypePolicy(_POLICIES[precision])
    mfcc = keras.Input((None, n_mfcc), name="mfcc", dtype="float32")
    hidden = Standardization(name="standardization", dtype="float32")(mfcc) if standardize else mfcc
    hidden = layers.Reshape((-1, n_mfcc, 1), name="one_channel", dtype=policy)(hidden)
    parallel = [
        layers.Conv2D(
            _BODY_1_FILTERS // len(paths),
            PATHS[path],
            padding="same",
            kernel_initializer=_next_initializer(),
            dtype=policy,
            name=f"body_1_{path}",
        )(hidden)
        for path in paths
    ]
    if len(paths) > 1:
        hidden = layers.Concatenate(name="body_1", dtype=policy)(parallel)
    else:
        hidden = parallel[0]
    hidden = _normalize_and_pool(hidden, (2, 2), "body_1", policy, batch_norm_momentum)
    for block, (filters, kernel_size, pool_size) in enumerate(_BODY_2, start=1):
        name = f"body_2_{block}"
        hidden = layers.Conv2D(
            filters,
            kernel_size,
            padding="same",
            use_bias=False,
            kernel_initializer=_next_initializer(),
            kernel_regularizer=keras.regularizers.L2(float(l2)),  # Keras takes no np.float32
            dtype=policy,
            name=name,
        )(hidden)
        hidden = _normalize_and_pool(hidden, pool_size, name, policy, batch_norm_momentum)
    hidden = layers.Dropout(dropout, seed=int(next(seeds)), name="dropout", dtype="float32")(hidden)
    probabilities = layers.Dense(
        n_classes,
        activation="softmax",
        kernel_initializer=_next_initializer(),
        dtype="float32",
        name="emotion",
    )(hidden)
    return keras.Model(mfcc, probabilities, name="light_sernet")


def _normalize_and_pool(
    hidden: keras.KerasTensor,
    pool_size: tuple[int, int] | None,
    name: str,
    policy: keras.DTypePolicy,
    momentum: float,
) -> keras.KerasTensor:
    """Apply batch normalisation, ReLU and average pooling (over everything if no size is given)."""
    hidden = _BatchNormalization(momentum=momentum, name=f"{name}_normalization", dtype=policy)(
        hidden
    )
    hidden = layers.ReLU(name=f"{name}_relu", dtype=policy)(hidden)
    if pool_size is None:
        return layers.GlobalAveragePooling2D(name=f"{name}_pooling", dtype=policy)(hidden)
    return layers.AveragePooling2D(pool_size, padding="same", name=f"{name}_pooling", dtype=policy)(
        hidden
    )
