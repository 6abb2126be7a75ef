"""Broken files, as memory cards hold them: empty, cut short, noise, sound without picture, or no video at
all."""

from pathlib import Path

import numpy as np

from primatrix.video import write_tone

__all__ = ["DAMAGES", "damage_file"]

DAMAGES = ("whole", "empty", "truncated", "random bytes", "audio only", "text")
"""Kinds of damage, by the number that `Survey.damage` holds."""


def damage_file(path: Path, kind: str, *, seed: tuple[int, ...]) -> None:
    """Spoil a whole clip file in one of the ways of DAMAGES.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "clip.mp4"
    ...     _ = path.write_bytes(b"abcdef")
    ...     damage_file(path, "truncated", seed=(0,))
    ...     path.read_bytes()
    b'abc'
    """
    if kind == "audio only":
        write_tone(path)
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "random bytes":
        path.write_bytes(np.random.default_rng(seed).bytes(max(1000, path.stat().st_size)))
    elif kind in ("empty", "text"):
        path.write_bytes(b"" if kind == "empty" else b"This is not a video.\n")
