"""What can go wrong, as exceptions that each read as one line: what was got, what was wanted, what to do.

PrimatrixError
├── InputError     a folder, table or option that cannot be used      (command line: exit 2)
├── DecodeError    one clip that cannot be decoded; becomes a Failure (command line: exit 1)
├── StoreError     the store on disk cannot be used                   (command line: exit 2)
└── ModelError     a model that does not fit the data or the file     (command line: exit 2)
"""

from primatrix.choices import Stage

__all__ = ["DecodeError", "InputError", "ModelError", "PrimatrixError", "StoreError"]


class PrimatrixError(Exception):
    """Base of every error primatrix raises on purpose."""


class InputError(PrimatrixError):
    """A folder, file, table or option is not what was wanted."""


class DecodeError(PrimatrixError):
    """One clip could not be turned into frames.

    `stage` says how far it came: "read" where the disk or a permission failed rather than the file, then "open",
    "probe", "decode", "convert"; "write" where a clip made from it could not be written.
    """

    def __init__(self, message: str, *, stage: Stage = "decode") -> None:
        super().__init__(message)  # the message alone, or the error could not be unpickled
        self.stage = stage


class StoreError(PrimatrixError):
    """The store of decoded clips cannot be read or written."""


class ModelError(PrimatrixError):
    """A model does not fit the data it was given, or its file is not a model."""
