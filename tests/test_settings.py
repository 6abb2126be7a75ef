from pathlib import Path

import pytest

from primatrix.data import Sampling
from primatrix.errors import InputError
from primatrix.settings import change_settings, read_settings
from primatrix.training import Augmentation, TrainSpec


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_yaml_over_the_recommended_settings_changes_only_what_it_names(tmp_path: Path) -> None:
    text = "epochs: 3\nlearning_rate: 1\naugmentation:\n  crop: 0.1\nsampling: {threshold: 0.05}\npatience: null\n"
    spec = TrainSpec.for_model("motion", **read_settings(write(tmp_path / "t.yaml", text)))
    recommended = TrainSpec.for_model("motion")
    assert (spec.epochs, spec.learning_rate, spec.patience) == (3, 1, None)
    assert spec.sampling == Sampling(threshold=0.05)
    assert (spec.optimiser, spec.ema) == ("muon", recommended.ema)
    assert spec.augmentation is not None
    assert recommended.augmentation is not None
    assert (spec.augmentation.crop, spec.augmentation.flip) == (0.1, recommended.augmentation.flip)
    assert change_settings(TrainSpec(), spec.to_dict(), source="model.json") == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", "train: got setting epoch, wanted one of epochs, steps_per_epoch"),
        ("augmentation: {flop: 1}", "train: augmentation: got setting flop, wanted one of flip, crop"),
        ("augmentation: {flip: 2}", "flip: got 2, wanted 0 to 1"),
        ("augmentation: strong", "augmentation: got 'strong', wanted Augmentation or none"),
        ("epochs: 2.5", "epochs: got 2.5, wanted a whole number"),
        ("epochs: yes", "epochs: got True, wanted a whole number"),
        ("learning_rate: .nan", "learning_rate: got nan, wanted a finite number"),
        ("optimiser: sgd", "optimiser: got 'sgd', wanted one of rmsprop, adamw, muon"),
        ("dry_run: 1", "dry_run: got 1, wanted true or false"),
        ("ema: 1.0", "ema: got 1.0, wanted 0 to below 1"),
        ("warmup: 500", "warmup: got 500, wanted 0 to below 1"),
        ("sampling: {threshold: 500}", "threshold: got 500, wanted 0 to 1"),
        ("weight_decay: 0.1", "weight_decay: got 0.1 with rmsprop, wanted optimiser adamw or muon"),
        ("- epochs", "got list, wanted one `name: value` per line"),
        ("3: 4", "got dict, wanted one `name: value` per line"),
        ("epochs: [", "not YAML"),
    ],
)
def test_yaml_that_cannot_be_used_gets_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        TrainSpec.for_model("lrcn", **read_settings(write(tmp_path / "t.yaml", text)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"t\.yaml: no such file; wanted YAML settings"):
        read_settings(tmp_path / "t.yaml")


def test_defaults_are_the_benchmarks_and_unknown_architectures_get_them() -> None:
    assert TrainSpec.for_model("lrcn") == TrainSpec.for_model("one of my own") == TrainSpec()
    assert (TrainSpec().optimiser, TrainSpec().schedule, TrainSpec().augmentation) == (
        "rmsprop",
        "constant",
        None,
    )
    for name, optimiser in (("motion", "muon"), ("backbone", "adamw")):
        spec = TrainSpec.for_model(name)
        assert (spec.optimiser, spec.schedule) == (optimiser, "cosine")
        assert isinstance(spec.augmentation, Augmentation)
