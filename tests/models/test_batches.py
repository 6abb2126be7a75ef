import numpy as np
import pytest

from primatrix import ClipSpec, ModelError
from primatrix.models import Model, build_model
from primatrix.models.batches import predict_batches

NANO = ClipSpec(15, 16, 16)
FULL, HALF = ({"device": "cpu", "precision": precision} for precision in ("fp32", "bf16"))


@pytest.fixture(scope="module")
def model() -> Model:
    return build_model("lrcn", species=["a", "b", "c"], spec=NANO)


def draw(clips: int) -> np.ndarray:
    return np.random.default_rng(clips).integers(0, 256, (clips, *NANO.shape), np.uint8)


def test_batches_come_back_one_by_one_in_order(model: Model) -> None:
    x = draw(45)
    parts = list(predict_batches(model, iter([x[:40], x[40:]]), **FULL))
    assert [(p.shape, p.dtype) for p in parts] == [((40, 3), np.float32), ((5, 3), np.float32)]
    np.testing.assert_allclose(np.concatenate(parts), model.probabilities(x), atol=1e-5)


@pytest.mark.parametrize(("where", "tolerance"), [(FULL, 1e-5), (HALF, 4e-3)])
def test_a_clips_answer_hardly_depends_on_its_batch(
    model: Model, where: dict[str, str], tolerance: float
) -> None:
    x = draw(40)
    (whole,) = predict_batches(model, [x], **where)
    for size in (1, 7, 32):
        pieces = [x[i : i + size] for i in range(0, 40, size)]
        split = np.concatenate(list(predict_batches(model, pieces, **where)))
        assert np.abs(split - whole).max() <= tolerance


def test_bf16_stays_near_full_precision(model: Model) -> None:
    x = draw(32)
    (full,), (half,) = (predict_batches(model, [x], **where) for where in (FULL, HALF))
    assert 0 < np.abs(full - half).max() < 0.02


def test_clips_of_another_size_are_refused(model: Model) -> None:
    with pytest.raises(ModelError, match="got clips 2x15x16x16x3"):
        list(predict_batches(model, [np.zeros((2, 15, 16, 16, 3), np.uint8)]))


def test_model_is_left_as_it_was(model: Model) -> None:
    model.network.train()
    list(predict_batches(model, [draw(2)]))
    assert model.network.training
    model.network.eval()


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning:torch")
def test_compiled_prediction_fills_the_last_batch_and_answers_the_same(model: Model) -> None:
    x = draw(35)
    plain = np.concatenate(list(predict_batches(model, [x], **FULL)))
    compiled = np.concatenate(list(predict_batches(model, [x], **FULL, compile="on")))
    np.testing.assert_allclose(compiled, plain, atol=1e-5)
