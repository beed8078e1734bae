"""The network as the paper draws it, in nothing but the layers of Keras."""

import keras
from keras import layers


def plain_light_sernet(
    n_classes: int, n_frames: int, n_mfcc: int = 40, dropout: float = 0.3
) -> keras.Model:
    """Build three separate paths, each with its own normalisation, activation and pooling."""
    mfcc = keras.Input((n_frames, n_mfcc, 1))
    paths = [_block(mfcc, 32, size, (2, 2), body=1) for size in ((11, 1), (1, 9), (3, 3))]
    hidden = layers.Concatenate()(paths)
    for filters, pool in ((64, (2, 2)), (96, (2, 2)), (128, (2, 1)), (160, (2, 1))):
        hidden = _block(hidden, filters, (3, 3), pool, body=2)
    hidden = _block(hidden, 320, (1, 1), None, body=2)
    hidden = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(hidden))
    model = keras.Model(mfcc, layers.Dense(n_classes, activation="softmax")(hidden))
    compile_model(model)
    return model


def compile_model(model: keras.Model) -> None:
    """Compile for training as the paper does."""
    model.compile(keras.optimizers.Adam(1e-4), "categorical_crossentropy", metrics=["accuracy"])


def _block(
    hidden: keras.KerasTensor,
    filters: int,
    size: tuple[int, int],
    pool: tuple[int, int] | None,
    *,
    body: int,
) -> keras.KerasTensor:
    regularizer = keras.regularizers.L2(1e-6) if body == 2 else None
    hidden = layers.Conv2D(
        filters, size, padding="same", use_bias=body == 1, kernel_regularizer=regularizer
    )(hidden)
    hidden = layers.ReLU()(layers.BatchNormalization()(hidden))
    return layers.AveragePooling2D(pool, padding="same")(hidden) if pool else hidden
