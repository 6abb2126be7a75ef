import numpy as np
import pytest
import torch

from primatrix import ClipSpec, ModelError
from primatrix.models import build_model, load_model
from primatrix.models.background import fold_pixels
from primatrix.models.batches import predict_batches, predict_frames
from primatrix.models.motion import Motion, MotionOptions, cut_windows, find_windows, halve

SMALL = ClipSpec(6, 32, 40, "rgb")
SPECIES = ["blank", "duiker", "hog"]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def make_clips(spec: ClipSpec, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *spec.shape), np.uint8)


def make_model(spec: ClipSpec = SMALL, **options: object):
    model = build_model("motion", species=SPECIES, spec=spec, **options)
    torch.manual_seed(1)
    for p in model.network.head.parameters():  # so that no part of the head starts at zero
        torch.nn.init.normal_(p, std=0.2)
    return model


def test_layer_rows_name_every_parameter() -> None:
    network = Motion(ClipSpec(30, 64, 64, "rgb"), species_count=24, options=MotionOptions(place=True))
    rows = network.layer_rows()
    assert [shape for _, shape, _ in rows] == [
        (30, 2, 16, 16, 24), (30, 2, 8, 8, 48), (30, 2, 4, 4, 96), (30, 2, 2, 2, 144),
        (32, 32, 12), (16, 16, 24), (8, 8, 48), (4, 4, 72), (24,),
    ]  # fmt: skip
    assert sum(count for *_, count in rows) == sum(p.numel() for p in network.parameters())
    for view, shape in (("window", (30, 16, 16, 24)), ("whole", (30, 32, 32, 24))):
        other = Motion(ClipSpec(30, 64, 64, "rgb"), species_count=24, options=MotionOptions(view=view))
        assert other.layer_rows()[0][1] == shape
    alone = Motion(
        ClipSpec(30, 64, 64, "rgb"), species_count=24, options=MotionOptions(view="none", place=True)
    )
    assert [shape for _, shape, _ in alone.layer_rows()] == [
        (32, 32, 12), (16, 16, 24), (8, 8, 48), (4, 4, 72), (24,),
    ]  # fmt: skip
    assert sum(count for *_, count in alone.layer_rows()) == sum(p.numel() for p in alone.parameters())


@pytest.mark.parametrize(
    "spec",
    [ClipSpec(1, 16, 16), ClipSpec(2, 5, 9, "rgb"), ClipSpec(7, 64, 37), ClipSpec(3, 200, 120, "rgb")],
)
@pytest.mark.parametrize("view", ["whole", "window", "both"])
def test_any_number_of_frames_of_any_size_gets_an_answer_per_frame(spec: ClipSpec, view: str) -> None:
    model = make_model(spec, view=view, place=view == "window")
    clips, frames = model.forward_frames(torch.from_numpy(make_clips(spec)))
    assert (clips.shape, frames.shape) == ((2, 3), (2, spec.frames, 3))
    assert torch.isfinite(clips).all()
    assert torch.isfinite(frames).all()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"appearance": False},
        {"pooling": "logits"},
        {"pooling": "features"},
        {"context_frames": 3, "depth": 0},
        {"view": "window", "place": True},
        {"view": "whole"},
    ],
)
def test_the_clips_answer_is_the_one_without_frames(options: dict) -> None:
    model, x = make_model(**options), make_clips(SMALL, 3)
    assert model.gives_frames
    [plain] = predict_batches(model, [x], device="cpu")
    [(clips, frames)] = predict_frames(model, [x], device="cpu")
    assert np.array_equal(plain, clips)
    assert (frames.dtype, frames.shape) == (np.float32, (3, 6, 3))
    assert frames.min() >= 0
    assert frames.max() <= 1


def test_a_clips_answer_does_not_depend_on_its_batch() -> None:
    model, x = make_model(), make_clips(SMALL, 5)
    full = {"device": "cpu", "precision": "fp32"}
    [(clips, frames)] = predict_frames(model, [x], **full)
    alone = list(predict_frames(model, [x[:1], x[1:5]], **full))
    np.testing.assert_allclose(clips, np.concatenate([c for c, _ in alone]), atol=1e-5)
    np.testing.assert_allclose(frames, np.concatenate([f for _, f in alone]), atol=1e-5)


def test_the_order_of_frames_does_not_matter_without_context() -> None:
    x = make_clips(ClipSpec(5, 32, 32))  # of 5 frames all count for the background
    order = [3, 0, 4, 2, 1]
    model = make_model(ClipSpec(5, 32, 32))
    clips, frames = (v.detach() for v in model.forward_frames(torch.from_numpy(x)))
    shuffled, moved = (v.detach() for v in model.forward_frames(torch.from_numpy(x[:, order])))
    torch.testing.assert_close(clips, shuffled, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(frames[:, order], moved, atol=1e-4, rtol=1e-4)


def test_without_appearance_the_place_itself_is_not_seen() -> None:
    model = make_model(appearance=False)
    x = make_clips(SMALL) // 2
    brighter = x + np.random.default_rng(1).integers(0, 100, (1, 1, 32, 40, 3), np.uint8)
    one, two = (model.forward(torch.from_numpy(clips)).detach() for clips in (x, brighter))
    torch.testing.assert_close(one, two, atol=1e-3, rtol=1e-3)
    with_it = make_model()
    one, two = (with_it.forward(torch.from_numpy(clips)).detach() for clips in (x, brighter))
    assert (one - two).abs().max() > 0.05


@pytest.mark.parametrize("spec", [ClipSpec(1, 16, 16), ClipSpec(7, 64, 37), ClipSpec(3, 200, 120, "rgb")])
def test_of_the_place_alone_there_is_an_answer_for_the_clip_but_not_per_frame(spec: ClipSpec) -> None:
    model = make_model(spec, view="none", place=True)
    x = make_clips(spec)
    assert not model.gives_frames
    [p] = predict_batches(model, [x], device="cpu")
    assert p.shape == (2, 3)
    assert np.isfinite(p).all()
    with pytest.raises(ModelError, match="motion: got asked for an answer per frame with view 'none'"):
        model.forward_frames(torch.from_numpy(x))


def test_the_place_shows_what_stands_still_in_any_light() -> None:
    model = make_model(appearance=False, place=True)
    empty = np.repeat(make_clips(SMALL)[:, :1] // 2, SMALL.frames, axis=1)
    filled = empty.copy()
    filled[:, :, 8:24, 8:24] = 120  # from the first frame to the last, so that nothing moves
    with torch.no_grad():
        places = [model.network.make_input(torch.from_numpy(x))[1] for x in (empty, filled, filled * 2)]
    other, brighter = ((places[1] - place).abs().mean() for place in (places[0], places[2]))
    assert other > 0.05
    assert brighter < 0.3 * other


def test_a_window_lies_where_most_is_new() -> None:
    novelty = torch.zeros(2, 3, 16, 24, 4)
    novelty[0, 1, 12:15, 3:6] = 1
    novelty[1, 2, 7, 23, 2] = 1
    corners = find_windows(novelty.amax(-1))
    assert corners[:, 0, 1].tolist() == [8, 0]
    assert corners[1, 1, 2] == 12
    cut = cut_windows(novelty, corners)
    assert cut.shape == (2, 3, 8, 12, 4)
    assert cut.sum() == novelty.sum()
    rows = torch.arange(16.0).view(1, 1, 16, 1, 1).expand(2, 3, 16, 24, 1)
    assert cut_windows(rows, corners)[0, 1, :, 0, 0].tolist() == list(range(8, 16))


@pytest.mark.parametrize("side_px", [1, 2, 4])
def test_half_the_size_is_the_mean_of_four_pixels_folded_as_before(side_px: int) -> None:
    x = torch.from_numpy(np.random.default_rng(0).random((2, 3, 16, 24, 3)))
    means = x.unflatten(3, (12, 2)).unflatten(2, (8, 2)).mean((3, 5))
    halved = halve(fold_pixels(x, side_px=side_px), side_px=side_px)
    torch.testing.assert_close(halved, fold_pixels(means, side_px=side_px))


def test_an_animal_seen_for_one_frame_is_among_those_trained_on() -> None:
    x = np.full((1, 12, 32, 40, 3), 90, np.uint8)
    x[0, 7, 8:16, 8:16] = 200
    network = make_model(ClipSpec(12, 32, 40, "rgb"), training_frames=4).network.train()
    moving, _ = network.make_input(torch.from_numpy(x))
    assert (moving[0, :, 0, ..., 0].abs().amax((1, 2)) > 1).any()


def test_training_draws_frames_from_torchs_state_and_eval_draws_none() -> None:
    model, x = make_model(training_frames=2), torch.from_numpy(make_clips(SMALL))
    assert torch.equal(model.forward(x), model.forward(x))
    network = model.network.train()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        clips, frames = network.forward_frames(x)
        torch.manual_seed(3)
        again, _ = network.forward_frames(x)
    assert frames.shape == (2, 2, 3)
    assert torch.equal(clips, again)


def test_same_seed_gives_the_same_weights_and_a_saved_model_the_same_answers(tmp_path) -> None:
    one, two = (build_model("motion", species=SPECIES, spec=SMALL, seed=4) for _ in range(2))
    x = make_clips(SMALL)
    assert np.array_equal(one.probabilities(x), two.probabilities(x))
    one.save(tmp_path)
    back = load_model(tmp_path)
    assert back.options == one.options
    assert np.array_equal(back.probabilities(x), one.probabilities(x))


def learn(model, x: np.ndarray, y: np.ndarray, *, steps: int) -> None:
    network = model.network.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(steps):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                network(torch.from_numpy(x)), torch.from_numpy(y)
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    network.eval()


def test_what_stands_in_the_scene_is_learnt_and_told_elsewhere_in_darker_light() -> None:
    spec, rng = ClipSpec(6, 32, 32), np.random.default_rng(0)
    x = np.repeat(rng.integers(20, 200, (96, 1, 32, 32, 1), np.uint8), 6, axis=1)
    y = np.zeros((96, 2), np.float32)
    y[::2, 0], y[1::2, 1] = 1, 1
    x[1::2, :, 8:20, 10:22] = 110  # every second clip has a grey square in it that never moves
    model = build_model("motion", species=["empty", "square"], spec=spec, width=8, view="none", place=True)
    learn(model, x[:64], y[:64], steps=60)
    full = {"device": "cpu", "precision": "fp32"}
    by_day, at_dusk = predict_batches(model, [x[64:], x[64:] // 2], **full)
    assert ((by_day[:, 1] > 0.5) == (y[64:, 1] > 0)).all()
    assert ((at_dusk[:, 1] > 0.5) == (y[64:, 1] > 0)).mean() > 0.85


def test_a_thing_that_moves_is_learnt_and_its_frames_found() -> None:
    spec, rng = ClipSpec(6, 32, 32), np.random.default_rng(0)
    x = np.repeat(rng.integers(40, 200, (32, 1, 32, 32, 1), np.uint8), 6, axis=1)
    y = np.zeros((32, 2), np.float32)
    y[::2, 0], y[1::2, 1] = 1, 1  # every second clip has a bright square in its frame number 2
    x[1::2, 2, 8:20, 10:22] = 250
    model = build_model(
        "motion", species=["blank", "square"], spec=spec, width=8, appearance=False, place=False
    )
    learn(model, x, y, steps=25)
    [(clips, frames)] = predict_frames(model, [x[:8]], device="cpu", precision="fp32")
    assert ((clips[:, 1] > 0.5) == (y[:8, 1] > 0)).all()
    assert (frames[1::2, :, 1].argmax(1) == 2).all()


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("width", 0, "motion: width: got 0, wanted 1 or more"),
        ("training_frames", 0, "motion: training_frames: got 0, wanted 1 or more"),
        ("depth", -1, "motion: depth: got -1, wanted 0 or more"),
        ("dropout", 1.0, "dropout: got 1.0, wanted 0 to below 1"),
        ("context_frames", 0, "context_frames: got 0, wanted 1 or more"),
        ("view", "all", "motion: view: got 'all', wanted one of whole, window, both, none"),
        ("view", "none", "motion: view: got 'none' without place, wanted place=True with it"),
        ("pooling", "last", "pooling: got 'last', wanted one of logits, features, both"),
    ],
)
def test_options_out_of_range_are_refused(option: str, value: object, wanted: str) -> None:
    with pytest.raises(ModelError, match=wanted):
        build_model("motion", species=["a"], spec=SMALL, **{option: value})


def test_a_model_without_frames_says_so() -> None:
    model = build_model("lrcn", species=["a"], spec=ClipSpec(15, 16, 16))
    with pytest.raises(ModelError, match="lrcn: got asked for an answer per frame"):
        next(predict_frames(model, [np.zeros((1, 15, 16, 16, 1), np.uint8)]))
