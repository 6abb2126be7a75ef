import numpy as np
import torch

from primatrix.optimisers import KerasRMSprop


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
