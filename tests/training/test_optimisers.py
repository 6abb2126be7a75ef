import math

import numpy as np
import pytest
import torch

from primatrix.training.optimisers import (
    NEWTON_SCHULZ,
    KerasRMSprop,
    Muon,
    build_optimiser,
    orthogonalise,
    set_learning_rate,
)


def test_steps_follow_the_formula_with_epsilon_inside_the_root() -> None:
    rng = np.random.default_rng(0)
    weights = [torch.nn.Parameter(torch.from_numpy(rng.normal(size=shape))) for shape in ((3, 4), (5,))]
    expected = [w.detach().numpy().copy() for w in weights]
    velocities = [np.zeros_like(w) for w in expected]
    optimiser = KerasRMSprop(weights, learning_rate=0.01)
    for _ in range(4):
        for i, weight in enumerate(weights):
            gradient = rng.normal(size=tuple(weight.shape)) * 1e-4  # small, so that epsilon counts
            weight.grad = torch.from_numpy(gradient)
            velocities[i] = 0.9 * velocities[i] + 0.1 * gradient**2
            expected[i] -= 0.01 * gradient / np.sqrt(velocities[i] + 1e-7)
        optimiser.step()
    for weight, want in zip(weights, expected, strict=True):
        np.testing.assert_allclose(weight.detach().numpy(), want, rtol=1e-12)


def test_weights_without_a_gradient_stay() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    KerasRMSprop([weight]).step()
    assert weight.tolist() == [1.0, 1.0]


def test_muon_moves_a_kernel_by_its_gradients_singular_vectors_alone() -> None:
    rng = np.random.default_rng(0)
    left, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    right, _ = np.linalg.qr(rng.normal(size=(18, 6)))
    gradient = torch.from_numpy(left @ np.diag([9.0, 3, 1, 0.5, 0.3, 0.2]) @ right.T).float().view(6, 2, 3, 3)
    kernel = torch.nn.Parameter(torch.zeros(6, 2, 3, 3))
    kernel.grad = gradient
    Muon([kernel], lr=0.1, weight_decay=0.0).step()
    inner = torch.from_numpy(left.T).float() @ kernel.detach().flatten(1) @ torch.from_numpy(right).float()
    values = -inner.diagonal() / 0.1
    assert ((values > 0.6) & (values < 1.3)).all()
    assert (inner - inner.diagonal().diag()).abs().max() < 1e-3


def test_muon_leaves_everything_but_kernels_to_adamw() -> None:
    torch.manual_seed(0)
    starts = [torch.randn(4, 3), torch.randn(5)]
    found = []
    for name in ("muon", "adamw"):
        weights = [torch.nn.Parameter(start.clone()) for start in starts]
        optimiser = build_optimiser(name, weights, learning_rate=0.01, weight_decay=0.1)
        for _ in range(3):
            for weight in weights:
                weight.grad = weight.detach() * 2
            optimiser.step()
        found.append([weight.detach() for weight in weights])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_kernels_go_at_ten_times_the_learning_rate() -> None:
    weights = [torch.nn.Parameter(torch.zeros(2, 2, 3, 3)), torch.nn.Parameter(torch.zeros(3))]
    optimiser = build_optimiser("muon", weights, learning_rate=0.01)
    set_learning_rate(optimiser, 0.02)
    assert [group["lr"] for group in optimiser.param_groups] == [0.2, 0.02]


def test_a_tall_matrix_is_made_orthogonal_too() -> None:
    values = torch.linalg.svdvals(
        orthogonalise(torch.from_numpy(np.random.default_rng(1).normal(size=(40, 8))))
    )
    assert ((values > 0.6) & (values < 1.3)).all()


@pytest.mark.parametrize("shape", [(24, 270), (30, 7), (5, 5)])
@pytest.mark.parametrize("smallest", [1.0, 1e-5])
def test_orthogonalising_is_newton_schulz_step_by_step(shape: tuple[int, int], smallest: float) -> None:
    a, b, c = NEWTON_SCHULZ
    random = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(random, full_matrices=False)
    matrix = left @ torch.diag(torch.logspace(0, math.log10(smallest), min(shape))) @ right
    x = matrix.double() / matrix.double().norm()
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    torch.testing.assert_close(orthogonalise(matrix).double(), x, rtol=0, atol=2e-3)
