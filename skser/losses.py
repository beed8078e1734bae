"""The loss functions of the paper, on integer labels and predicted probabilities."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="skser")
class FocalLoss(keras.losses.Loss):
    """Cross-entropy that gives hard samples more weight: -(1 - p)^gamma log(p).

    Parameters
    ----------
    gamma : float, default=2.0
        How strongly samples that are already predicted well are played down; 0 gives
        cross-entropy.
    name : str, default="focal_loss"
        Name of the loss.

    References
    ----------
    T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017, equation 4.
    """

    def __init__(self, gamma: float = 2.0, name: str = "focal_loss"):
        super().__init__(name=name)
        self.gamma = gamma

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Return the loss of each sample.

        Parameters
        ----------
        y_true : tensor of int of shape (n_samples,) or (n_samples, 1)
            Labels.
        y_pred : tensor of shape (n_samples, n_classes)
            Predicted probabilities.

        Returns
        -------
        loss : tensor of shape (n_samples,)
            The loss.
        """
        n_classes = y_pred.shape[-1]
        true_class = ops.one_hot(ops.reshape(y_true, (-1,)), n_classes, dtype=y_pred.dtype)
        epsilon = keras.config.epsilon()  # at 0 the logarithm, at 1 the power has no gradient
        p = ops.clip(ops.sum(true_class * y_pred, axis=-1), epsilon, 1 - epsilon)
        return -ops.power(1 - p, self.gamma) * ops.log(p)

    def get_config(self) -> dict:
        """Return what the loss is rebuilt from.

        Returns
        -------
        config : dict
            The parameters.
        """
        return {"gamma": self.gamma, "name": self.name}


def make_loss(loss: str, gamma: float) -> keras.losses.Loss:
    """Return a loss by the name that `LightSERNetClassifier` gives it.

    Parameters
    ----------
    loss : {"cross_entropy", "focal"}
        Name of the loss.
    gamma : float
        Parameter of the focal loss.

    Returns
    -------
    loss : keras.losses.Loss
        The loss, for integer labels.
    """
    if loss == "focal":
        return FocalLoss(gamma)
    return keras.losses.SparseCategoricalCrossentropy()
