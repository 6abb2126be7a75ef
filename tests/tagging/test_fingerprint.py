import numpy as np
import pandas as pd
import pytest

from primatrix.models import Model, Processor, build_model
from primatrix.records import ClipSpec
from primatrix.tagging.fingerprint import fingerprint_model, fingerprint_walk
from primatrix.trust import fit_calibration

SPECIES = ["blank", "duiker", "hog"]
CPU = Processor("cpu", "fp32")


def make_model() -> Model:
    return build_model("lrcn", species=SPECIES, spec=ClipSpec(15, 16, 16))


@pytest.fixture
def model() -> Model:
    return make_model()


def test_the_fingerprint_knows_weights_species_and_device(model: Model) -> None:
    assert fingerprint_model(model, CPU) == fingerprint_model(make_model(), CPU)
    others = [
        build_model("lrcn", species=["blank", "hog", "duiker"], spec=model.spec),
        build_model("lrcn", species=SPECIES, spec=ClipSpec(15, 16, 16, sampler="keyframes")),
        build_model("lrcn", species=SPECIES, spec=model.spec, seed=1),
    ]
    digests = {fingerprint_model(other, CPU) for other in others} | {
        fingerprint_model(model, Processor("cpu", "bf16"))
    }
    assert len(digests | {fingerprint_model(model, CPU)}) == 5


def test_one_weight_changed_by_the_least_makes_another_fingerprint(model: Model) -> None:
    before = fingerprint_model(model, CPU)
    weight = model.network.state_dict()["head.weight"]
    weight[0, 0] = np.nextafter(weight[0, 0].item(), 1e9, dtype=np.float32).item()
    assert fingerprint_model(model, CPU) != before


def test_a_calibration_and_the_length_of_windows_decide_answers_too(model: Model) -> None:
    plain, walked = fingerprint_model(model, CPU), fingerprint_walk(model, CPU)
    assert plain != walked
    model.clip_seconds = 7.5
    assert fingerprint_model(model, CPU) == plain  # of a benchmark's clip: no windows
    assert fingerprint_walk(model, CPU) != walked
    names = [f"{i}.mp4" for i in range(60)]
    labels = pd.DataFrame(np.eye(3)[np.arange(60) % 3], index=names, columns=SPECIES)
    model.calibration = fit_calibration(labels=labels, predictions=labels * 0.8 + 0.1, source="validation")
    assert fingerprint_model(model, CPU) != plain
