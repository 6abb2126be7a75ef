"""One still picture to pixels: upright, 8 bit, whole; a picture that ends early is refused, not filled with grey."""

import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from primatrix.choices import Stage
from primatrix.errors import DecodeError
from primatrix.video.dates import parse_date
from primatrix.video.reading import may_pass

__all__ = ["Still", "find_still_time", "open_still", "read_still"]

Still = Image.Image
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")
WIDE_MODES = ("I", "F")  # 32 bits per pixel: nobody knows which value is white
# What Pillow's readers raise on damaged files: they parse with struct and indices.
DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError, OverflowError,
    ZeroDivisionError, Image.DecompressionBombError,
)  # fmt: skip


def open_still(path: str | Path) -> Still:
    """The picture, its header read and its pixels not yet. Raises DecodeError (stage "open").

    >>> open_still("nothing.jpg")
    Traceback (most recent call last):
    primatrix.errors.DecodeError: nothing.jpg: not readable as a picture: No such file or directory
    """
    try:
        with warnings.catch_warnings():
            # On large pictures and odd metadata: nothing to be done about them.
            warnings.simplefilter("ignore")
            return Image.open(path, formats=FORMATS)
    except UnidentifiedImageError:
        reason = "no jpeg, png, tiff or webp"
        stage: Stage = "open"
    except DAMAGE as error:
        reason, stage = _say(error), "read" if may_pass(error) else "open"
    raise DecodeError(f"{path}: not readable as a picture: {reason}", stage=stage)


def read_still(path: str | Path) -> NDArray[np.uint8]:
    """The upright picture as RGB (H, W, 3); the first one of a file that holds several.

    Raises DecodeError with its stage: "open", or "decode" where the picture ends early or is damaged.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.png")
    >>> Image.new("RGB", (4, 2), "white").save(path)
    >>> read_still(path).shape
    (2, 4, 3)
    """
    with open_still(path) as picture, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if picture.mode in WIDE_MODES:
            raise DecodeError(
                f"{path}: got {picture.mode} pixels of 32 bits, wanted 8 or 16; save it anew with 8 bits"
            )
        try:
            picture.load()
            upright = _make_narrow(ImageOps.exif_transpose(picture))
            return np.asarray(upright.convert("RGB"))
        except DAMAGE as error:
            stage: Stage = "read" if may_pass(error) else "decode"
            raise DecodeError(f"{path}: damaged or cut short: {_say(error)}", stage=stage) from error


def find_still_time(picture: Still) -> datetime | None:
    """When the picture was taken, by its EXIF, with a time zone only where it names one."""
    try:
        tags = picture.getexif().get_ifd(ExifTags.IFD.Exif)
        time = str(tags[ExifTags.Base.DateTimeOriginal]).strip("\0 ")
        return parse_date(time + str(tags.get(ExifTags.Base.OffsetTimeOriginal, "")))
    except DAMAGE:
        return None


def _make_narrow(picture: Still) -> Still:
    """A 16-bit grey picture to 8 bits: Pillow itself would cut every value off at 255."""
    if not picture.mode.startswith("I;16"):
        return picture
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))


def _say(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(reason.split()) or type(error).__name__
