"""The loss functions of the paper, on how much an utterance belongs to each class."""

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
        y_true : tensor of shape (n_samples, n_classes)
            How much each sample belongs to each class: 1 and 0, or shares.
        y_pred : tensor of shape (n_samples, n_classes)
            Predicted probabilities.

        Returns
        -------
        loss : tensor of shape (n_samples,)
            The loss.
        """
        epsilon = keras.config.epsilon()  # at 0 the logarithm, at 1 the power has no gradient
        p = ops.clip(y_pred, epsilon, 1 - epsilon)
        of_class = -ops.power(1 - p, self.gamma) * ops.log(p)
        return ops.sum(ops.cast(y_true, p.dtype) * of_class, axis=-1)

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
        The loss, for targets of shape (n_samples, n_classes).
    """
    if loss == "focal":
        return FocalLoss(gamma)
    return keras.losses.CategoricalCrossentropy()
