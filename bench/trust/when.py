"""How well a model says when, and whether long clips are better walked in windows, on simulated minutes.

    python bench/trust/when.py runs/motion --clips 120

Each clip is drawn twice, with its animals and without: where the two differ, an animal is in the picture. Half of the
clips are blank. Cameras are those of another seed than the training clips', so new to the model.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import primatrix as pm
from primatrix.labels import BENCHMARK_SPECIES, BLANK
from primatrix.measures import aggregated_log_loss
from primatrix.models import Model, choose_processor
from primatrix.records import Video
from primatrix.simulation import ClipPlan, SimulationSpec, draw_clip, draw_survey, make_visible_scene
from primatrix.tagging import answer_windows, combine_windows
from primatrix.video import Walk, describe_video, walk_videos

SEED = 4242
SECONDS, RATE = 60.0, 2
SEEN_LEVELS, SEEN_PIXELS = 10, 4  # of a 64x64 picture: a change that a viewer could see


def draw_footage(
    folder: Path, *, clips: int
) -> tuple[NDArray[np.float64], list[NDArray[np.bool_]], list[Video]]:
    """Labels (N, 24), whether an animal is in the picture per frame, and the videos, a minute each."""
    survey = draw_survey(SimulationSpec(train_clips=4000, test_clips=0, seed=SEED, seconds=SECONDS))
    blank = survey.shown[:, BENCHMARK_SPECIES.index(BLANK)]
    rows = np.sort(np.r_[np.flatnonzero(blank)[: clips // 2], np.flatnonzero(~blank)[: clips // 2]])
    visible, videos = [], []
    minutes = survey.time.astype("datetime64[m]").astype(int) % 1440
    for row in rows:
        names = np.array(BENCHMARK_SPECIES)[survey.shown[row]]
        species = tuple(name for name in names.tolist() if name != BLANK)
        plan = ClipPlan(int(row), species, int(survey.site[row]), int(survey.event[row]), int(minutes[row]))
        scene = make_visible_scene(plan, seed=SEED, seconds=SECONDS)
        size = {"height_px": 64, "width_px": 64, "frames": int(SECONDS * RATE), "frames_per_second": RATE}
        pictures = np.stack(list(draw_clip(scene, **size)))
        empty = np.stack(list(draw_clip(replace(scene, actors=()), **size)))
        change = np.abs(pictures.astype(int) - empty).max(axis=-1) > SEEN_LEVELS
        visible.append(change.sum(axis=(1, 2)) >= SEEN_PIXELS)
        path = folder / f"{row:06d}.mp4"
        pm.write_clip(path, pictures, frames_per_second=RATE, quantiser=scene.site.quantiser)
        videos.append(describe_video(path))
    return survey.shown[rows].astype(float), visible, videos


def ask(
    model: Model, videos: list[Video], *, window_seconds: float
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Per clip: its windows' probabilities (W, S), the frames' (F, S) and their seconds (F,)."""
    walks = [
        walk
        for walk in walk_videos(videos, model.spec, window_seconds=window_seconds)
        if isinstance(walk, Walk)
    ]
    batches = (walk.frames for walk in walks)
    answers = answer_windows(model, batches, processor=choose_processor(), clips=len(walks))
    return [
        (w, f.reshape(-1, f.shape[-1]), walk.pts_seconds.ravel())
        for walk, (w, f) in zip(walks, answers, strict=True)
    ]


def score_when(model: Model, found: list, visible: list[NDArray[np.bool_]]) -> None:
    """Whether the frame with the surest animal shows one, against a frame taken at random; frames ranked in clips."""
    animal = [i for i, name in enumerate(model.species) if name != BLANK]
    hits, chances, ranks = [], [], []
    for (_, frames, seconds), seen in zip(found, visible, strict=True):
        here = seen[np.minimum(np.round(seconds * RATE).astype(int), len(seen) - 1)]
        if not here.any() or here.all():
            continue
        score = frames[:, animal].max(axis=1)
        hits.append(here[score.argmax()])
        chances.append(here.mean())
        above = score[here][:, None] - score[~here][None, :]
        ranks.append((above > 0).mean() + 0.5 * (above == 0).mean())
    print(f"when: {len(hits)} clips with an animal in some frames; the surest frame shows it in {np.mean(hits):.1%}, "
          f"a random one in {np.mean(chances):.1%}; frames ranked right in {np.mean(ranks):.1%} of pairs")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--clips", type=int, default=120)
    arguments = parser.parse_args()
    model = pm.load_model(arguments.model)
    with tempfile.TemporaryDirectory() as name:
        labels, visible, videos = draw_footage(Path(name), clips=arguments.clips)
        walked = ask(model, videos, window_seconds=15.0)
        squeezed = ask(model, videos, window_seconds=SECONDS)
    score_when(model, walked, visible)
    blank = BENCHMARK_SPECIES.index(BLANK)

    def noisy_or(windows: np.ndarray) -> np.ndarray:
        combined = 1 - np.prod(1 - windows, axis=0)
        combined[blank] = np.prod(windows[:, blank])
        return combined

    ways = {
        "squeezed into one window": np.stack([windows[0] for windows, _, _ in squeezed]),
        "windows, highest": np.stack(
            [combine_windows(windows, species=model.species) for windows, _, _ in walked]
        ),
        "windows, 1 - prod(1 - p)": np.stack([noisy_or(windows) for windows, _, _ in walked]),
        "windows, mean": np.stack([windows.mean(axis=0) for windows, _, _ in walked]),
    }
    for way, chances in ways.items():
        loss = aggregated_log_loss(labels, chances, eps=1e-6)
        is_blank = labels[:, blank] == 1
        pairs = chances[is_blank, blank][:, None] - chances[~is_blank, blank][None, :]
        auc = (pairs > 0).mean() + 0.5 * (pairs == 0).mean()
        print(f"{way:<26} log loss {loss:.4f}   blank told from animal (AUC) {auc:.3f}")


if __name__ == "__main__":
    main()
