"""Environments for software that cannot live in ours, made once below bench/work/ (apt: ffmpeg)."""

import shutil
import subprocess
import sys
from pathlib import Path

WORK = Path(__file__).resolve().parents[1] / "work"


def make_environment(name: str, packages: list[str]) -> Path:
    """Path of the python of a virtual environment that holds `packages`."""
    folder = WORK / name
    python = folder / "bin" / "python"
    done = folder / "done"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        done.write_text("\n".join(packages))
    return python


def original_benchmark() -> Path:
    """What the walk-through used: scikit-video needs numpy < 1.24 and the ffmpeg program; Keras 3 on torch."""
    if shutil.which("ffmpeg") is None:
        sys.exit("the ffmpeg program is missing: apt-get install ffmpeg")
    packages = ["numpy<1.24", "scipy<1.12", "scikit-video==1.1.11", "torch==2.13.0", "keras>=3.5,<4"]
    return make_environment("original", packages)


def decoders() -> Path:
    """Libraries that read frames from videos: OpenCV, decord2, torchcodec (with the torch it was built for)."""
    return make_environment(
        "decoders", ["numpy", "opencv-python-headless", "decord2", "torch==2.13.0", "torchcodec"]
    )
