"""How often "lose at most 5 %" fails: 500 calibration sets each from populations whose truth is known.

Draws clips that are alike within a site (share of the variance between sites: 0, 0.2, 0.5), certifies a threshold by
each unit and compares what it truly loses, at new sites, with what was promised. Prints a table, draws a figure.

    python bench/trust/promises.py --out docs/promises.svg
"""

import argparse
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import norm

from primatrix.choices import Unit
from primatrix.trust import certify_cut

SETS, CLIPS_PER_SITE, MAX_LOSS, CONFIDENCE = 500, 20, 0.05, 0.9
COLOURS = {"clips": "#0072B2", "sites": "#E69F00", "sites in the mean": "#009E73"}


def true_losses(unit: Unit, *, sites: int, between: float, seed: int) -> np.ndarray:
    """The share of all animals at all sites that each set's threshold loses, (500,); NaN without a threshold."""
    rng = np.random.default_rng(seed)
    losses = []
    for _ in range(SETS):
        means = np.sqrt(between) * rng.normal(size=(sites, 1))
        scores = (means + np.sqrt(1 - between) * rng.normal(size=(sites, CLIPS_PER_SITE))).ravel()
        cut = certify_cut(scores, max_loss=MAX_LOSS, confidence=CONFIDENCE, unit=unit,
                          sites=np.repeat(np.arange(sites), CLIPS_PER_SITE))  # fmt: skip
        losses.append(np.nan if cut is None else norm.sf(cut))
    return np.array(losses)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("promises.svg"))
    out = parser.parse_args().out
    settings = [(sites, between) for between in (0.0, 0.2, 0.5) for sites in (20, 50, 200)]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    rows = []
    for ax, unit in zip(figure.subplots(1, 3, sharey=True), get_args(Unit), strict=True):
        losses = [true_losses(unit, sites=s, between=b, seed=i) for i, (s, b) in enumerate(settings)]
        for (sites, between), loss in zip(settings, losses, strict=True):
            some = loss[np.isfinite(loss)]
            rows.append({"unit": unit, "between sites": between, "sites": sites, "thresholds": len(some),
                         "mean loss": some.mean() if len(some) else np.nan,
                         "failed": (loss > MAX_LOSS).mean()})  # fmt: skip
        ax.axhline(100 * MAX_LOSS, color="#8A8A8A", lw=1)
        drawn = [
            (i, 100 * loss[np.isfinite(loss)]) for i, loss in enumerate(losses) if np.isfinite(loss).any()
        ]
        ax.boxplot([loss for _, loss in drawn], positions=[i for i, _ in drawn], whis=(10, 90), showfliers=False,
                   widths=0.6, medianprops={"color": COLOURS[unit], "lw": 2})  # fmt: skip
        ax.set_xticks(range(len(settings)), [f"{s}" for s, _ in settings], fontsize=8)
        ax.set_xlim(-0.6, len(settings) - 0.4)
        for edge in (2.5, 5.5):
            ax.axvline(edge, color="#CCCCCC", lw=0.8)
        ax.set_title(f"promise over {unit}", fontsize=10)
        ax.set_xlabel("sites; between sites: 0, 20, 50 % of variance", fontsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("animals truly lost, %\n(whiskers: 10 to 90 % of 500 sets)")
    figure.savefig(out, dpi=150, metadata={"Date": None} if out.suffix == ".svg" else None)
    print(pd.DataFrame(rows).round(4).to_string(index=False))


if __name__ == "__main__":
    main()
