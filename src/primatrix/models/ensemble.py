"""Several models as one: their probabilities averaged, or stacked by what is the same in any order of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from primatrix.disk import combine_digests
from primatrix.errors import ModelError
from primatrix.models.checkpoint import digest_tensors, write_model_folder
from primatrix.models.devices import Processor
from primatrix.models.features import Features
from primatrix.models.model import Model
from primatrix.models.network import LayerRow, Network, count_parameters

__all__ = [
    "STATISTICS",
    "Ensemble",
    "EnsembleNetwork",
    "combine_families",
    "describe_family",
]

# Of one family of models (the folds of one recipe), per clip and species, all as logits.
STATISTICS = ("clip", "frame mean", "frame max", "frame min", "frame 25 %", "frame 50 %", "frame 75 %")
LEAST = 1e-6  # of a probability, so that its logit stays finite


@dataclass(frozen=True, slots=True)
class EnsembleOptions:
    """An ensemble has nothing to set; its members have."""


class EnsembleNetwork(Network):
    """Families of networks (folds of one recipe), whose probabilities are averaged within and over families.

    `stack` (S, statistics + 3) turns the order-free statistics of all families into one logit per species.
    """

    options_type = EnsembleOptions
    stack: Tensor | None

    def __init__(self, families: Sequence[Sequence[Network]], *, stack: Tensor | None = None) -> None:
        super().__init__()
        self.spec, self.options = families[0][0].spec, EnsembleOptions()
        self.families = tuple(tuple(family) for family in families)
        self.members = nn.ModuleList(member for family in families for member in family)
        self.register_buffer("stack", stack)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """What all members take."""
        return self.families[0][0].input_shape

    def make_features(self, processor: Processor | None = None) -> Features | None:
        """What turns clips into what all members take."""
        return self.families[0][0].make_features(processor)

    @property
    def gives_frames(self) -> bool:  # type: ignore[override]  # it depends on the members
        """Whether all members answer for each frame."""
        return all(member.gives_frames for family in self.families for member in family)

    def forward(self, x: Tensor) -> Tensor:
        """Clips (B, T, H, W, C), pixels 0-255 -> logits (B, S)."""
        return self.answer(x, frames=False)[0]

    def forward_frames(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Clips (B, T, H, W, C) -> clip logits (B, S), logits of the members' mean frame probabilities (B, T, S)."""
        if not self.gives_frames:
            return super().forward_frames(x)
        logits, frames = self.answer(x, frames=True)
        assert frames is not None  # as was asked for
        return logits, frames

    def answer(self, x: Tensor, *, frames: bool) -> tuple[Tensor, Tensor | None]:
        """Clip logits (B, S) and, where wanted, frame logits (B, T, S)."""
        wanted = frames or self.stack is not None
        answers = [average_family(family, x, frames=wanted) for family in self.families]
        mean_frames = None
        if frames:
            mean_frames = to_logit(torch.stack([f for _, f in answers if f is not None]).mean(dim=0))
        if self.stack is None:
            return to_logit(torch.stack([clip for clip, _ in answers]).mean(dim=0)), mean_frames
        statistics = combine_families(torch.stack([describe_family(*answer) for answer in answers]))
        return apply_stack(statistics, self.stack), mean_frames

    def layer_rows(self) -> list[LayerRow]:
        """A row per member."""
        return [
            (f"family {i} member {j} ({type(member).__name__})", (), count_parameters(member))
            for i, family in enumerate(self.families)
            for j, member in enumerate(family)
        ]


def average_family(family: Sequence[Network], x: Tensor, *, frames: bool) -> tuple[Tensor, Tensor | None]:
    """Mean probabilities of a family's members, per clip (B, S) and, where all give them, per frame (B, T, S)."""
    if not (frames and all(member.gives_frames for member in family)):
        return torch.stack([member(x).float().sigmoid() for member in family]).mean(dim=0), None
    pairs = [member.forward_frames(x) for member in family]
    clips, per_frame = (
        torch.stack([part.float().sigmoid() for part in parts]) for parts in zip(*pairs, strict=True)
    )
    return clips.mean(dim=0), per_frame.mean(dim=0)


def describe_family(clip: Tensor, frames: Tensor | None) -> Tensor:
    """Probabilities per clip (B, S) and frame (B, T, S) -> STATISTICS (B, S, 7) as logits, free of frame order.

    Without frames all are the clip's.

    >>> describe_family(torch.full((2, 3), 0.5), torch.rand(2, 4, 3)).shape
    torch.Size([2, 3, 7])
    """
    pool = clip[:, None] if frames is None else frames
    quantiles = torch.quantile(pool, pool.new_tensor([0.25, 0.5, 0.75]), dim=1)
    parts = [clip, pool.mean(dim=1), pool.amax(dim=1), pool.amin(dim=1), *quantiles]
    return to_logit(torch.stack(parts, dim=-1))


def combine_families(statistics: Tensor) -> Tensor:
    """STATISTICS of families (F, B, S, 7) -> (B, S, 9), free of their order: means, largest and least clip logit."""
    clips = statistics[..., 0]
    extremes = torch.stack([clips.amax(dim=0), clips.amin(dim=0)], dim=-1)
    return torch.cat([statistics.mean(dim=0), extremes], dim=-1)


def apply_stack(statistics: Tensor, stack: Tensor) -> Tensor:
    """Statistics (B, S, 9) weighed by each species' own weights and bias (S, 10) -> logits (B, S)."""
    return (statistics * stack[:, :-1]).sum(dim=-1) + stack[:, -1]


def to_logit(p: Tensor) -> Tensor:
    """The logit of probabilities, at most 13.8 from 0."""
    return torch.logit(p.float(), eps=LEAST)


def looks_alike(one: Model, other: Model) -> bool:
    """Whether two models look through the same encoder, or both at pixels."""
    names = ("encoder", "digest")
    looked = [[model.options.get(name) if model.network.input_shape != model.spec.shape else None for name in names]
              for model in (one, other)]  # fmt: skip
    return looked[0] == looked[1]


class Ensemble(Model):
    """Models for the same species and clips, predicting as one; saved as a folder that holds theirs."""

    def __init__(self, families: Sequence[Sequence[Model]], *, stack: Tensor | None = None) -> None:
        members = [member for family in families for member in family]
        if not members or not all(families):
            raise ModelError("ensemble: got no members, wanted one or more in every family")
        first = members[0]
        for member in members:
            if (member.species, member.spec) != (first.species, first.spec) or not looks_alike(member, first):
                raise ModelError(
                    f"ensemble: got members for other species or clips ({member.name} after {first.name}); "
                    "wanted the same species in the same order, the same ClipSpec and encoder"
                )
        network = EnsembleNetwork([[m.network for m in family] for family in families], stack=stack)
        super().__init__("ensemble", species=first.species, spec=first.spec, network=network.eval())
        self.families, self.stack = tuple(tuple(family) for family in families), stack
        self.clip_seconds = next((m.clip_seconds for m in members if m.clip_seconds), None)

    @property
    def title(self) -> str:
        """What it is, in two or three words."""
        return f"Ensemble of {sum(map(len, self.families))} models"

    @property
    def digest(self) -> str:
        """Which weights it has: those of its members and of its stack."""
        own = digest_tensors({} if self.stack is None else {"stack": self.stack})
        return combine_digests(own, [[member.digest for member in family] for family in self.families])

    def save(self, folder: Path | str) -> None:
        """Write every member into a folder of its own, then what holds them together."""
        names = [
            [f"family{i}/member{j}" for j in range(len(family))] for i, family in enumerate(self.families)
        ]
        for family, places in zip(self.families, names, strict=True):
            for member, place in zip(family, places, strict=True):
                member.save(Path(folder) / place)
        self.save_around(folder, members=names)

    def save_around(self, folder: Path | str, *, members: Sequence[Sequence[str]]) -> None:
        """Write what holds members together that lie in `folder` already, under these names."""
        facts = {**self.describe(), "members": [list(family) for family in members]}
        write_model_folder(folder, weights={} if self.stack is None else {"stack": self.stack}, facts=facts)
