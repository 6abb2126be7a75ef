"""primatrix tags the species in camera-trap video.

Importing is silent and light: torch and the codec are loaded when a name that needs them is first used.
"""

import lazy_loader

__version__ = "0.1.0.dev0"  # not released yet

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ = ["__version__", *__all__]
