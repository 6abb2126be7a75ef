from math import log
from pathlib import Path

import pytest
import torch
from torch import Tensor

from primatrix import ClipSpec, ModelError
from primatrix.disk import digest_weights
from primatrix.models.ensemble import STATISTICS, Ensemble, EnsembleNetwork, combine_families, describe_family
from primatrix.models.model import Model
from primatrix.models.network import Network
from primatrix.models.registry import build_model, load_model

SPEC = ClipSpec(2, 16, 16)
CLIPS = torch.zeros(1, *SPEC.shape)


class Sure(Network):
    """Gives the same probability for every clip, and others for its two frames where it is told so."""

    def __init__(self, clip: float, frames: tuple[float, float] | None = None) -> None:
        super().__init__()
        self.spec = SPEC
        self.clip, self.frames = torch.tensor([[clip]]), frames

    @property
    def gives_frames(self) -> bool:
        return self.frames is not None

    def forward(self, x: Tensor) -> Tensor:
        return torch.logit(self.clip).expand(len(x), 1)

    def forward_frames(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self(x), torch.logit(torch.tensor(self.frames)).view(1, 2, 1).expand(len(x), 2, 1)


def make_model() -> Model:
    return build_model("lrcn", species=["duiker", "hog"], spec=SPEC, input_scale=1 / 255)


def test_probabilities_are_averaged_within_families_and_then_over_them() -> None:
    network = EnsembleNetwork([[Sure(0.9), Sure(0.5), Sure(0.1)], [Sure(0.7)]])
    assert network(CLIPS).sigmoid().item() == pytest.approx((0.5 + 0.7) / 2)


def test_frames_are_averaged_where_every_member_has_them() -> None:
    network = EnsembleNetwork([[Sure(0.9, (0.2, 0.8)), Sure(0.5, (0.4, 0.6))], [Sure(0.1, (0.9, 0.1))]])
    assert network.gives_frames
    clip, frames = network.forward_frames(CLIPS)
    assert clip.sigmoid().item() == pytest.approx((0.7 + 0.1) / 2)
    assert frames.sigmoid().flatten().tolist() == pytest.approx([(0.3 + 0.9) / 2, (0.7 + 0.1) / 2])
    mixed = EnsembleNetwork([[Sure(0.9, (0.2, 0.8)), Sure(0.5)]])
    assert not mixed.gives_frames
    with pytest.raises(ModelError, match="got asked for an answer per frame"):
        mixed.forward_frames(CLIPS)


def test_sure_members_leave_a_finite_logit() -> None:
    assert EnsembleNetwork([[Sure(1.0)]])(CLIPS).item() == pytest.approx(log(1e6), abs=0.1)
    assert EnsembleNetwork([[Sure(0.0)]])(CLIPS).item() == pytest.approx(-log(1e6), abs=0.1)


def test_a_familys_statistics_are_those_of_its_frames_in_any_order() -> None:
    clip, frames = torch.tensor([[0.6]]), torch.tensor([0.5, 0.1, 0.3, 0.2, 0.4]).view(1, 5, 1)
    found = describe_family(clip, frames).sigmoid().flatten().tolist()
    assert len(STATISTICS) == 7
    assert found == pytest.approx([0.6, 0.3, 0.5, 0.1, 0.2, 0.3, 0.4])
    assert torch.equal(describe_family(clip, frames.flip(1)), describe_family(clip, frames))
    assert describe_family(clip, None).sigmoid().flatten().tolist() == pytest.approx([0.6] * 7)


def test_families_add_their_mean_and_the_extremes_of_their_clips_in_any_order() -> None:
    families = torch.tensor([[1.0, 2, 3, 4, 5, 6, 7], [3.0, 0, 1, 0, 1, 0, 1]]).view(2, 1, 1, 7)
    assert combine_families(families).flatten().tolist() == [2, 1, 2, 2, 3, 3, 4, 3, 1]
    assert torch.equal(combine_families(families.flip(0)), combine_families(families))


def test_a_stack_weighs_each_species_statistics_by_itself() -> None:
    stack = torch.zeros(1, 10)
    stack[0, 0], stack[0, 7], stack[0, 9] = 0.5, 0.25, -1.0  # the clip's mean, the largest, the bias
    network = EnsembleNetwork([[Sure(0.9)], [Sure(0.5)]], stack=stack)
    mean, largest = log(9) / 2, log(9)
    assert network(CLIPS).item() == pytest.approx(0.5 * mean + 0.25 * largest - 1.0, abs=1e-5)


def test_members_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    for species, spec in ((["hog", "duiker"], SPEC), (["duiker", "hog"], ClipSpec(3, 16, 16))):
        other = build_model("lrcn", species=species, spec=spec)
        with pytest.raises(ModelError, match="members for other species or clips"):
            Ensemble([[make_model(), other]])
    with pytest.raises(ModelError, match="got no members"):
        Ensemble([])
    with pytest.raises(ModelError, match="wanted one or more in every family"):
        Ensemble([[make_model()], []])
    ensemble = Ensemble([[make_model()]])
    ensemble.save_around(tmp_path, members=[["../outside"]])
    with pytest.raises(ModelError, match=r"got member '../outside', wanted a folder below this one"):
        load_model(tmp_path)
    ensemble.save_around(tmp_path, members=[["gone"]])
    with pytest.raises(ModelError, match="gone: no such folder"):
        load_model(tmp_path)


def test_an_ensemble_takes_the_first_length_of_clips_that_a_member_knows_and_stands_ready() -> None:
    first, second = make_model(), make_model()
    second.clip_seconds = 15.0
    ensemble = Ensemble([[first], [second]])
    assert (ensemble.clip_seconds, ensemble.name, ensemble.options) == (15.0, "ensemble", {})
    assert not ensemble.network.training
    assert [name for name, _, _ in ensemble.network.layer_rows()] == [
        "family 0 member 0 (Lrcn)", "family 1 member 0 (Lrcn)"]  # fmt: skip


def test_an_ensembles_weights_have_the_same_digest_saved_and_loaded_and_another_with_another_stack(
    tmp_path: Path,
) -> None:
    members = [
        build_model("lrcn", species=["a", "b"], spec=ClipSpec(2, 16, 16), seed=seed) for seed in (0, 1)
    ]
    plain, stacked = Ensemble([members]), Ensemble([members], stack=torch.ones(2, len(STATISTICS) + 3))
    assert len({plain.digest, stacked.digest, members[0].digest, members[1].digest}) == 4
    for name, model in (("plain", plain), ("stacked", stacked), ("one", members[0])):
        model.save(tmp_path / name)
        assert digest_weights(tmp_path / name) == model.digest == load_model(tmp_path / name).digest


def test_members_are_saved_in_folders_of_their_own(tmp_path: Path) -> None:
    Ensemble([[make_model(), make_model()], [make_model()]]).save(tmp_path)
    assert sorted(path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("model.json")) == [
        ".", "family0/member0", "family0/member1", "family1/member0"]  # fmt: skip
    back = load_model(tmp_path)
    assert isinstance(back, Ensemble)
    assert [len(family) for family in back.families] == [2, 1]
