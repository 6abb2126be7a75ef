"""The clips that every model gets wrong: a table of them, and a picture to look at.

    python bench/learn/hard_clips.py --truth data/test_labels.csv --clips data/micro --out hard \\
        bench/work/ladder/motion/predictions.csv bench/work/ladder/conv3d/predictions.csv

A clip is as hard as its loss (summed over species) is for the model that does best on it. Of the hardest, nine
frames each become a row of `hard.png`, the frame with most change marked; `hard.csv` lists the hardest 5 %. The
last lines say by what the misses can be told: how much of the picture changes, whether by night, which species.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

import primatrix as pm
from primatrix.video import decode_clip

SPEC = pm.ClipSpec(15, 64, 64, "rgb")
SHOWN, ENLARGED, TEXT_PX = 9, 2, 330
LEVELS = 12  # of 255: a change that is more than noise


def read_losses(paths: list[Path], truth: pd.DataFrame) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Loss per clip (rows) and model (columns), and the answers."""
    answers = [pd.read_csv(path, index_col=0)[truth.columns].loc[truth.index] for path in paths]
    losses = {}
    for path, answer in zip(paths, answers, strict=True):
        p = answer.to_numpy().clip(1e-6, 1 - 1e-6)
        y = truth.to_numpy()
        losses[path.parent.name] = -(y * np.log(p) + (1 - y) * np.log1p(-p)).sum(axis=1)
    return pd.DataFrame(losses, index=truth.index), answers


def measure_clip(frames: np.ndarray) -> tuple[float, bool, np.ndarray]:
    """Share of the picture (%) that changes most in a frame, whether it is grey, and the change per frame."""
    still = np.median(frames, axis=0)
    changed = (np.abs(frames - still).max(axis=-1) > LEVELS).mean(axis=(1, 2))
    grey = float(np.ptp(frames.astype(int), axis=-1).mean()) < 4
    return 100 * float(changed.max()), grey, changed


def draw_row(frames: np.ndarray, changed: np.ndarray, text: str) -> Image.Image:
    side = SPEC.height_px * ENLARGED
    row = Image.new("RGB", (side * SHOWN + TEXT_PX, side), "white")
    draw = ImageDraw.Draw(row)
    for place, number in enumerate(np.linspace(0, len(frames) - 1, SHOWN).round().astype(int)):
        row.paste(
            Image.fromarray(frames[number]).resize((side, side), Image.Resampling.NEAREST), (place * side, 0)
        )
        if changed[number] == changed.max():
            draw.rectangle((place * side, 0, (place + 1) * side - 1, side - 1), outline="red")
    draw.multiline_text((side * SHOWN + 6, 6), text, fill="black")
    return row


def describe(name: str, truth: pd.DataFrame, answers: list[pd.DataFrame], models: list[str]) -> str:
    """Truth and each model's two likeliest answers."""
    lines = [f"{name}: {', '.join(truth.columns[truth.loc[name] == 1])}"]
    for model, answer in zip(models, answers, strict=True):
        best = answer.loc[name].nlargest(2)
        lines.append(f"{model}: " + ", ".join(f"{s} {p:.2f}" for s, p in best.items()))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("predictions", type=Path, nargs="+")
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True, help="the folder of the clips themselves")
    parser.add_argument("--out", type=Path, required=True, help="without an ending")
    parser.add_argument("--count", type=int, default=12, help="of rows in the picture")
    options = parser.parse_args()
    truth = pd.read_csv(options.truth, index_col="filename")
    losses, answers = read_losses(options.predictions, truth)
    hardness = losses.min(axis=1).sort_values(ascending=False)
    share = hardness.iloc[: len(hardness) // 20].sum() / hardness.sum()
    print(f"the hardest 5 % of clips hold {share:.0%} of the loss that even the best model of each clip has")
    rows, facts = [], []
    for place, name in enumerate(hardness.index[: max(options.count, len(hardness) // 20)]):
        frames = decode_clip(options.clips / name, SPEC).frames
        share, grey, changed = measure_clip(frames)
        shown = ", ".join(truth.columns[truth.loc[name] == 1])
        facts.append(
            {"filename": name, "shown": shown, "loss": hardness[name], "changed_percent": share, "grey": grey}
        )
        if place < options.count:
            rows.append(draw_row(frames, changed, describe(name, truth, answers, list(losses.columns))))
    table = pd.DataFrame(facts)
    table.to_csv(options.out.with_suffix(".csv"), index=False)
    sheet = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)))
    for place, row in enumerate(rows):
        sheet.paste(row, (0, place * row.height))
    sheet.save(options.out.with_suffix(".png"))
    print(table["shown"].value_counts().head(8).to_string())
    median, by_night = table["changed_percent"].median(), table["grey"].mean()
    print(f"changed at most: median {median:.2f} % of the picture; by night {by_night:.0%}")


if __name__ == "__main__":
    main()
