"""primatrix tags the species in camera-trap video.

Importing is silent and light: torch and the codec are loaded when a name that needs them is first used.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "Clip": "records",
    "ClipSpec": "records",
    "Failure": "records",
    "Video": "records",
    "DecodeError": "errors",
    "InputError": "errors",
    "ModelError": "errors",
    "PrimatrixError": "errors",
    "StoreError": "errors",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'primatrix' has no attribute {name!r}")
    return getattr(import_module(f"primatrix.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
