"""primatrix tags the species in camera-trap video.

Importing is silent and light: torch and the codec are loaded when a name that needs them is first used.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "Calibration": "calibration",
    "OperatingPoint": "calibration",
    "Dataset": "dataset",
    "decode_clip": "decode",
    "choose_device": "devices",
    "describe_device": "devices",
    "write_clip": "encode",
    "DecodeError": "errors",
    "InputError": "errors",
    "ModelError": "errors",
    "PrimatrixError": "errors",
    "StoreError": "errors",
    "Evaluation": "evaluation",
    "evaluate": "evaluation",
    "find_videos": "files",
    "fit_calibration": "fitting",
    "read_keras_weights": "keras_weights",
    "Labels": "labels",
    "count_species": "labels",
    "read_labels": "labels",
    "aggregated_log_loss": "metrics",
    "class_frequencies": "metrics",
    "constant_predictions": "metrics",
    "species_log_losses": "metrics",
    "Model": "models",
    "Ensemble": "models",
    "build_model": "models",
    "list_models": "models",
    "load_model": "models",
    "Promise": "operating",
    "predict_batches": "prediction",
    "predict": "prediction",
    "ReportSpec": "report",
    "write_report": "report",
    "predict_benchmark": "prediction",
    "predict_folder": "tagging",
    "Results": "results",
    "FoldRun": "folds",
    "stack_folds": "folds",
    "train_folds": "folds",
    "ExportOptions": "interchange",
    "check_export": "interchange",
    "export_results": "interchange",
    "read_export": "interchange",
    "read_taxonomy": "taxonomy",
    "TagSpec": "findings",
    "TimeSpec": "times",
    "fit_neighbours": "neighbours",
    "find_sightings": "sightings",
    "find_events": "events",
    "read_deployments": "sites",
    "History": "recipe",
    "TrainSpec": "recipe",
    "Augmentation": "augmentation",
    "Sampling": "sampler",
    "Clip": "records",
    "ClipSpec": "records",
    "Failure": "records",
    "Video": "records",
    "score_predictions": "scoring",
    "SimulationSpec": "simulation",
    "simulate": "simulation",
    "BENCHMARK_SPECIES": "species",
    "split_folds": "splits",
    "Store": "store",
    "train": "training",
    "decode_clips": "workers",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'primatrix' has no attribute {name!r}")
    return getattr(import_module(f"primatrix.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
