import torch

from primatrix.models.training_frames import choose_frames, draw_frames, draw_places, take_frames


def test_places_are_evenly_spread_from_a_start_of_each_clips_own() -> None:
    torch.manual_seed(0)
    places = draw_places(50, frames=30, count=6)
    assert places.shape == (50, 6)
    assert (places.diff(dim=1) == 5).all()
    assert set(places[:, 0].tolist()) == {0, 1, 2, 3, 4}
    uneven = draw_places(50, frames=7, count=3)
    assert set(uneven.diff(dim=1).flatten().tolist()) == {2, 3}
    assert uneven.max() == 6


def test_more_places_than_frames_repeat_them_in_order() -> None:
    places = draw_places(4, frames=2, count=5)
    assert (places.diff(dim=1) >= 0).all()
    assert set(places.flatten().tolist()) == {0, 1}


def test_what_is_drawn_follows_from_torchs_state() -> None:
    torch.manual_seed(3)
    first, second = draw_places(8, frames=30, count=4), draw_places(8, frames=30, count=4)
    torch.manual_seed(3)
    assert torch.equal(draw_places(8, frames=30, count=4), first)
    assert not torch.equal(first, second)


def test_frames_are_taken_from_each_clip_with_all_their_pixels() -> None:
    x = torch.arange(2 * 5 * 4 * 4 * 3).view(2, 5, 4, 4, 3)
    taken = take_frames(x, torch.tensor([[4, 0, 0], [1, 2, 3]]))
    assert taken.shape == (2, 3, 4, 4, 3)
    assert torch.equal(taken[0, 0], x[0, 4])
    assert torch.equal(taken[1], x[1, 1:4])
    torch.manual_seed(0)
    drawn = draw_frames(x, count=5)
    assert torch.equal(drawn, x)  # as many as there are: each once


def test_half_of_the_chosen_frames_are_the_busiest_of_equal_stretches() -> None:
    activity = torch.zeros(2, 12)
    activity[0, [2, 5, 8]] = torch.tensor([1.0, 9.0, 3.0])
    activity[1, [0, 11]] = 1.0
    places = choose_frames(activity, count=6)  # three even ones, one of each third
    assert places[:, 3:].tolist() == [[2, 5, 8], [0, 4, 11]]
    assert (places[:, :3].diff(dim=1) == 4).all()


def test_an_odd_count_has_one_even_frame_more_and_a_single_one_is_even() -> None:
    activity = torch.zeros(1, 12)
    activity[0, 7] = 1
    places = choose_frames(activity, count=5)
    assert places.shape == (1, 5)
    assert places[0, 3:].tolist() == [0, 7]
    assert choose_frames(activity, count=1).shape == (1, 1)


def test_frames_after_the_last_whole_stretch_are_not_looked_through() -> None:
    activity = torch.zeros(1, 7)
    activity[0, 6] = 1
    assert choose_frames(activity, count=4)[0, 2:].tolist() == [0, 3]
