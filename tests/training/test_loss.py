import numpy as np
import torch

from primatrix.training.loss import LossMean, clip_loss

LOGITS = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
Y = torch.tensor([[1.0, 0.0], [0.0, 1.0]])


def by_hand(target: np.ndarray) -> float:
    p = 1 / (1 + np.exp(-LOGITS.numpy().astype(np.float64)))
    return float(-(target * np.log(p) + (1 - target) * np.log1p(-p)).mean())


def test_plain_loss_is_the_mean_over_clips_and_species() -> None:
    np.testing.assert_allclose(clip_loss(Y, LOGITS), by_hand(Y.numpy()), rtol=1e-6)


def test_smoothing_draws_labels_towards_a_half_and_bootstrapping_towards_the_model() -> None:
    y, p = Y.numpy(), LOGITS.sigmoid().numpy()
    np.testing.assert_allclose(clip_loss(Y, LOGITS, smoothing=0.1), by_hand(0.9 * y + 0.05), rtol=1e-6)
    np.testing.assert_allclose(clip_loss(Y, LOGITS, bootstrap=0.3), by_hand(0.7 * y + 0.3 * p), rtol=1e-6)


def test_a_label_pulls_less_by_the_share_that_is_bootstrapped_and_is_no_gradient_itself() -> None:
    gradients = []
    for bootstrap in (0.0, 0.25):
        logits = LOGITS.clone().requires_grad_()
        clip_loss(Y, logits, bootstrap=bootstrap).backward()
        gradients.append(logits.grad)
    torch.testing.assert_close(gradients[1], 0.75 * gradients[0])


def test_the_running_mean_is_read_one_behind() -> None:
    losses = LossMean()
    for value, clips in ((1.0, 1), (4.0, 3)):
        losses.add(torch.tensor(value), clips=clips)
    assert losses.mean(wait=False) == 1.0
    assert losses.mean(wait=True) == 3.25
