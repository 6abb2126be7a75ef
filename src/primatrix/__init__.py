"""primatrix tags the species in camera-trap video.

Importing is silent and light: torch and the codec are loaded when a name that needs them is first used.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "Calibration": "trust.calibration",
    "OperatingPoint": "trust.calibration",
    "Dataset": "data.dataset",
    "decode_clip": "video.decode",
    "choose_device": "models.devices",
    "describe_device": "models.devices",
    "write_clip": "video.encode",
    "DecodeError": "errors",
    "InputError": "errors",
    "ModelError": "errors",
    "PrimatrixError": "errors",
    "StoreError": "errors",
    "Evaluation": "trust.evaluation",
    "evaluate": "trust.evaluation",
    "find_videos": "video.files",
    "fit_calibration": "trust.fit",
    "read_keras_weights": "models.keras_weights",
    "Labels": "labels.table",
    "count_species": "labels.table",
    "read_labels": "labels.table",
    "aggregated_log_loss": "measures.log_loss",
    "class_frequencies": "measures.log_loss",
    "constant_predictions": "measures.log_loss",
    "species_log_losses": "measures.log_loss",
    "Model": "models",
    "Ensemble": "models",
    "build_model": "models",
    "list_models": "models",
    "load_model": "models",
    "Promise": "trust.points",
    "predict_batches": "models.batches",
    "predict": "models.batches",
    "ReportSpec": "report",
    "write_report": "report",
    "predict_benchmark": "models.batches",
    "predict_folder": "tagging.folder",
    "Results": "results.results",
    "FoldRun": "training.folds",
    "stack_folds": "training.folds",
    "train_folds": "training.folds",
    "ExportOptions": "interchange.formats",
    "check_export": "interchange.formats",
    "export_results": "interchange.formats",
    "read_export": "interchange.formats",
    "read_taxonomy": "interchange.taxonomy",
    "TagSpec": "tagging.gather",
    "TimeSpec": "footage.times",
    "fit_neighbours": "tagging.neighbours",
    "find_sightings": "tagging.sightings",
    "find_events": "footage.events",
    "read_deployments": "footage.places",
    "History": "training.recipe",
    "TrainSpec": "training.recipe",
    "Augmentation": "training.augmentation",
    "Sampling": "data.draws",
    "Clip": "records",
    "ClipSpec": "records",
    "Failure": "records",
    "Video": "records",
    "score_predictions": "trust.score",
    "SimulationSpec": "simulation",
    "simulate": "simulation",
    "BENCHMARK_SPECIES": "labels.species",
    "split_folds": "labels.splits",
    "Store": "data.store",
    "train": "training.loop",
    "decode_clips": "video.pool",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'primatrix' has no attribute {name!r}")
    return getattr(import_module(f"primatrix.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
