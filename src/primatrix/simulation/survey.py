"""The survey behind a simulated benchmark: which clip shows what, where and when. Tables only, no
pictures."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from primatrix.choices import TestSites
from primatrix.errors import InputError
from primatrix.labels import BENCHMARK_SPECIES, BLANK, MULTI_SPECIES_CLIPS, TRAIN_CLIPS, TRAIN_POSITIVES
from primatrix.records import SIZES_PX
from primatrix.simulation.animals import LOOKS
from primatrix.simulation.sites import make_site

__all__ = ["SimulationSpec", "Survey", "draw_survey", "label_counts"]

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]
LIMITS = (
    ("label_noise", 0.0, 0.5),
    ("odd_length", 0.0, 0.5),
    ("seconds", 1.0, 600.0),
    ("raw_frames_per_second", 1, 120),
    ("raw_height_px", 16, 4096),
    ("raw_width_px", 16, 4096),
)
SURVEY_STREAM, PLACE_STREAM = 105, 106
LETTERS = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", np.uint8)
BLANK_COLUMN = BENCHMARK_SPECIES.index(BLANK)
RARE_ENOUGH_FOR_TWO = 200
EXTRA_LABELS = sum(TRAIN_POSITIVES.values()) - TRAIN_CLIPS
SPELLING = 10
ODD_LENGTHS, ODD_SHARES = (29, 28, 31, 24, 15, 6), (0.5, 0.2, 0.1, 0.1, 0.05, 0.05)
DAMAGES = 5
BLANKS_BY_DAY = 0.75
CLIPS_PER_VISIT = 1.7
SOUTH_WEST, NORTH_EAST = (5.5, -7.4), (6.1, -6.9)  # degrees: the forest of Taï, where such cameras hung
FIRST_DAY = np.datetime64("2015-01-01T00:00:00")
DAYS = 730


@dataclass(frozen=True, slots=True)
class SimulationSpec:
    """All that decides what a simulated benchmark holds.

    `sites` cameras (0: one for about every 60 clips, 8 to 400); `test_sites` "shared" draws test clips from
    all of them, "new" keeps a third of the cameras for testing. `label_noise` is the share of training labels
    that are wrong; `broken` how many files are damaged; `odd_length` the share of clips that have not 30
    frames. Raw clips are `raw_height_px` x `raw_width_px` at `raw_frames_per_second`. All clips last
    `seconds`; nano and micro have 2 frames per second.

    >>> SimulationSpec(train_clips=1000, test_clips=400).site_count
    23
    """

    train_clips: int = 1000
    test_clips: int = 400
    seed: int = 0
    sites: int = 0
    test_sites: TestSites = "shared"
    label_noise: float = 0.02
    broken: int = 0
    odd_length: float = 0.01
    seconds: float = 15.0
    raw_height_px: int = SIZES_PX["raw"][0]
    raw_width_px: int = SIZES_PX["raw"][1]
    raw_frames_per_second: int = 24

    def __post_init__(self) -> None:
        for name in ("train_clips", "test_clips", "sites", "broken", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: got {getattr(self, name)}, wanted 0 or more")
        clips = self.train_clips + self.test_clips
        if not self.broken <= clips or clips < 1:
            raise InputError(
                f"got {clips} clips, {self.broken} broken: wanted 1 clip or more, and no more broken"
            )
        for name, low, high in LIMITS:
            if not low <= getattr(self, name) <= high:
                raise InputError(f"{name}: got {getattr(self, name)}, wanted {low} to {high}")
        for name in ("raw_height_px", "raw_width_px"):
            if getattr(self, name) % 2:
                raise InputError(f"{name}: got {getattr(self, name)}, wanted an even number")
        if self.test_sites not in get_args(TestSites):
            raise InputError(f"test_sites: got {self.test_sites!r}, wanted 'shared' or 'new'")
        if self.test_sites == "new" and self.sites == 1:
            raise InputError("sites: got 1, wanted 2 or more to keep some for testing")

    @property
    def site_count(self) -> int:
        """How many cameras there are."""
        return self.sites or int(np.clip((self.train_clips + self.test_clips) // 60, 8, 400))


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """N clips, those for training first. `shown` and `labelled` (N, 24) are what a clip shows and what the
    crowd said (the same but for label noise); `site`, `event`, `frames` (N,) and `time` (N,) seconds as
    datetime64; `damage` (N,) is 0 for whole files and 1 to 5 for the kinds of damage. `latitude` and `longitude` are
    the sites' (sites,), in degrees."""

    names: list[str]
    train_clips: int
    shown: Flags
    labelled: Flags
    site: Numbers
    event: Numbers
    time: NDArray[np.datetime64]
    frames: Numbers
    damage: Numbers
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]


def draw_survey(spec: SimulationSpec) -> Survey:
    """Draw the tables of a simulated benchmark. 291,615 clips take about a second.

    >>> survey = draw_survey(SimulationSpec(train_clips=300, test_clips=100))
    >>> survey.labelled.shape, int(survey.labelled[:300].sum(axis=0).min())
    ((400, 24), 2)
    """
    rng = np.random.default_rng([spec.seed, SURVEY_STREAM])
    counts = label_counts(spec.train_clips)
    train = draw_labels(counts, spec.train_clips, rng)
    like = (counts, spec.train_clips) if spec.train_clips else (label_counts(TRAIN_CLIPS), TRAIN_CLIPS)
    test = draw_labels(scale_counts(*like, clips=spec.test_clips), spec.test_clips, rng)
    shown = np.concatenate([train, test])
    labelled = shown.copy()
    labelled[: spec.train_clips] = mistake_labels(train, spec.label_noise, rng)
    site = draw_sites(shown, spec, rng)
    event, time = draw_times(shown, site, rng)
    latitude, longitude = draw_places(spec)
    return Survey(
        names=draw_names(len(shown), rng),
        train_clips=spec.train_clips,
        shown=shown,
        labelled=labelled,
        site=site,
        event=event,
        time=time,
        frames=draw_lengths(len(shown), spec, rng),
        damage=draw_damage(len(shown), spec.broken, rng),
        latitude=latitude,
        longitude=longitude,
    )


def label_counts(clips: int) -> Numbers:
    """Positives per species (24,) of `clips` training clips: the benchmark's, in proportion.

    At the benchmark's own size they are its own; from 200 clips up every species has at least two.

    >>> int(label_counts(204_130)[BENCHMARK_SPECIES.index("lion")])
    2
    """
    counts = np.array([TRAIN_POSITIVES[name] for name in BENCHMARK_SPECIES])
    return scale_counts(counts, TRAIN_CLIPS, clips=clips, least=2 if clips >= RARE_ENOUGH_FOR_TWO else 0)


def scale_counts(counts: Numbers, total: int, *, clips: int, least: int = 0) -> Numbers:
    """Positives (24,) counted over `total` clips brought to `clips` clips, by largest remainder."""
    scaled = np.zeros_like(counts)
    blanks = round(clips * int(counts[BLANK_COLUMN]) / total)
    animals = clips - blanks
    extra = round((int(counts.sum()) - total) * clips / total)
    labels = animals + min(max(extra, 1), animals // 2)
    weights = counts.astype(float)
    weights[BLANK_COLUMN] = 0
    if animals == 0 or not weights.any():
        scaled[BLANK_COLUMN] = clips
        return scaled
    exact = weights / weights.sum() * labels
    scaled[:] = np.where(weights > 0, np.maximum(np.floor(exact), least), 0)
    missing = labels - int(scaled.sum())
    scaled[np.argsort(np.floor(exact) - exact, kind="stable")[: max(missing, 0)]] += 1
    for _ in range(-missing):  # room for the rare comes from the commonest: a few dozen steps at most
        scaled[np.argmax(scaled)] -= 1
    scaled[BLANK_COLUMN] = blanks
    return scaled


def draw_labels(counts: Numbers, clips: int, rng: np.random.Generator) -> Flags:
    """A table (clips, 24) with these counts: blanks alone, and a few clips with two species or three."""
    animals = clips - int(counts[BLANK_COLUMN])
    kinds = np.arange(len(counts))
    labels = rng.permutation(np.repeat(kinds, np.where(kinds == BLANK_COLUMN, 0, counts)))
    first, extra = labels[:animals], labels[animals:]
    several = round(len(extra) * MULTI_SPECIES_CLIPS / EXTRA_LABELS)
    chosen = rng.permutation(animals)[:several]
    single = np.ones(animals, np.bool_)
    single[chosen] = False
    for row, species in zip(chosen.tolist(), extra.tolist(), strict=False):
        if first[row] == species:  # two of one species are one label: change places with a clip of one
            other = rng.choice(np.flatnonzero(single & (first != species)))
            first[row], first[other] = first[other], first[row]
    table = np.zeros((clips, len(counts)), np.bool_)
    table[np.arange(animals), first] = True
    table[animals:, BLANK_COLUMN] = True
    table[chosen, extra[:several]] = True
    for species in extra[several:].tolist():
        table[rng.choice(chosen[~table[chosen, species]]), species] = True
    return table[rng.permutation(clips)]


def mistake_labels(shown: Flags, share: float, rng: np.random.Generator) -> Flags:
    """The crowd's labels: in `share` of the clips those of another clip, so that every count stays the same.

    Most mistakes take an animal for a blank or a blank for an animal, the others one species for another.
    """
    labelled = shown.copy()
    wrong = round(share * len(shown))
    blank = rng.permutation(np.flatnonzero(shown[:, BLANK_COLUMN]))
    animal = rng.permutation(np.flatnonzero(~shown[:, BLANK_COLUMN]))
    pairs = min(round(0.35 * wrong), len(blank), len(animal))
    labelled[blank[:pairs]] = shown[animal[:pairs]]
    labelled[animal[:pairs]] = shown[blank[:pairs]]
    others = animal[pairs : pairs + wrong - 2 * pairs]
    others = others[np.argsort(shown[others].argmax(axis=1), kind="stable")]
    labelled[others] = shown[
        np.roll(others, len(others) // 2)
    ]  # no species has half of them: each row changes
    return labelled


def draw_sites(shown: Flags, spec: SimulationSpec, rng: np.random.Generator) -> Numbers:
    """A camera for each clip (N,): each has its own mix of species (Dirichlet) and some are busier."""
    sites = np.arange(spec.site_count)
    open_country = np.array([make_site(spec.seed, int(site)).open_country for site in sites])
    busy = rng.gamma(2.0, 0.5, len(sites))
    first = shown.argmax(axis=1)
    training = np.arange(len(shown)) < spec.train_clips
    kept = len(sites) - max(1, len(sites) // 3) if spec.test_sites == "new" else len(sites)
    chosen = np.zeros(len(shown), np.int64)
    for column, name in enumerate(BENCHMARK_SPECIES):
        weight = busy * rng.gamma(4.0, 0.25, len(sites))
        if name != BLANK:
            liking = np.mean([look.open_country for look in LOOKS[name]])
            weight = weight * np.exp(-1.5 * (open_country - liking) ** 2)
        for part, allowed in ((training, sites < kept), (~training, sites >= (kept % len(sites)))):
            rows = np.flatnonzero(part & (first == column))
            share = weight * allowed
            chosen[rows] = rng.choice(sites, len(rows), p=share / share.sum())
    return chosen


def draw_times(
    shown: Flags, site: Numbers, rng: np.random.Generator
) -> tuple[Numbers, NDArray[np.datetime64]]:
    """Visit and time of each clip (N,): an animal that stays trips its camera again a minute later."""
    first = shown.argmax(axis=1)
    order = np.lexsort((rng.random(len(first)), first, site))
    new = np.ones(len(first), np.bool_)
    same = (site[order][1:] == site[order][:-1]) & (first[order][1:] == first[order][:-1])
    new[1:] = ~same | (first[order][1:] == BLANK_COLUMN) | (rng.random(len(first) - 1) < 1 / CLIPS_PER_VISIT)
    visit = np.cumsum(new) - 1
    starts = np.flatnonzero(new)
    by_day = np.array(
        [BLANKS_BY_DAY if n == BLANK else np.mean([look.day for look in LOOKS[n]]) for n in BENCHMARK_SPECIES]
    )
    day = rng.random(len(starts)) < by_day[first[order][starts]]
    hour = np.where(day, 6 + 12 * rng.beta(1.3, 1.3, len(starts)), 18 + 12 * rng.random(len(starts)))
    begin = rng.integers(DAYS, size=len(starts)) * 86_400 + (hour * 3600).astype(np.int64)
    later = (np.arange(len(first)) - starts[visit]) * 60 + rng.integers(0, 25, len(first))
    event, time = np.empty_like(site), np.empty(len(first), "datetime64[s]")
    event[order] = visit
    time[order] = FIRST_DAY + (begin[visit] + later).astype("timedelta64[s]")
    return event, time


def draw_places(spec: SimulationSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitude and longitude of each camera (sites,), to a metre; from a stream of their own."""
    rng = np.random.default_rng([spec.seed, PLACE_STREAM])
    latitude, longitude = rng.uniform(SOUTH_WEST, NORTH_EAST, (spec.site_count, 2)).round(5).T
    return latitude, longitude


def draw_names(clips: int, rng: np.random.Generator) -> list[str]:
    """Distinct file names of ten letters and digits, as the benchmark has."""
    names: list[str] = []
    known: set[str] = set()
    while len(names) < clips:
        rows = LETTERS[rng.integers(0, len(LETTERS), (clips - len(names), SPELLING))]
        for name in rows.copy().view(f"S{SPELLING}")[:, 0].astype(str).tolist():
            if name.lower() not in known:  # some file systems do not tell upper from lower case
                known.add(name.lower())
                names.append(f"{name}.mp4")
    return names


def draw_lengths(clips: int, spec: SimulationSpec, rng: np.random.Generator) -> Numbers:
    """Frames of each clip at 2 per second (N,): 30 for 15 s, now and then fewer or one more."""
    usual = max(1, round(2 * spec.seconds))
    odd = np.maximum(1, np.round(np.array(ODD_LENGTHS) * usual / 30).astype(np.int64))
    return np.where(rng.random(clips) < spec.odd_length, rng.choice(odd, clips, p=ODD_SHARES), usual)


def draw_damage(clips: int, broken: int, rng: np.random.Generator) -> Numbers:
    """0 for whole files; `broken` of them get kinds 1 to 5 in turn (N,)."""
    damage = np.zeros(clips, np.int64)
    damage[rng.permutation(clips)[:broken]] = 1 + np.arange(broken) % DAMAGES
    return damage
