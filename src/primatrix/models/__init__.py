"""Models by name, one file per architecture."""

from primatrix.models.ensemble import Ensemble
from primatrix.models.model import Model, build_model, list_models, load_model, load_weights

__all__ = ["Ensemble", "Model", "build_model", "list_models", "load_model", "load_weights"]
