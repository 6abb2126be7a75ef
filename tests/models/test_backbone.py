import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from primatrix import ClipSpec, ModelError
from primatrix.models import build_model, load_model
from primatrix.models.batches import predict_batches, predict_frames
from primatrix.models.hub import keep_known
from primatrix.records import Progress
from primatrix.training import TrainSpec, train

transformers = pytest.importorskip("transformers")
SPEC = ClipSpec(4, 24, 40, "rgb")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny vision transformer with weights from a seed, saved as the hub's models are."""
    folder = tmp_path_factory.mktemp("vit")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.ViTModel(config).save_pretrained(folder)
    facts = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}
    (folder / "preprocessor_config.json").write_text(json.dumps(facts))
    return folder


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resnet")
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"
    )
    torch.manual_seed(0)
    transformers.ResNetModel(config).save_pretrained(folder)
    return folder


def make_clips(spec: ClipSpec = SPEC, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *spec.shape), np.uint8)


def make_model(folder: Path, spec: ClipSpec = SPEC, **options: object):
    return build_model("backbone", species=["blank", "hog"], spec=spec, pretrained=str(folder), **options)


@pytest.mark.parametrize("kind", ["vit", "resnet"])
@pytest.mark.parametrize("spec", [SPEC, ClipSpec(3, 16, 16)])
def test_any_vision_model_answers_per_clip_and_frame(
    kind: str, spec: ClipSpec, request: pytest.FixtureRequest
) -> None:
    model, x = make_model(request.getfixturevalue(kind), spec), make_clips(spec, 3)
    full = {"device": "cpu", "precision": "fp32"}
    [plain] = predict_batches(model, [x], **full)
    [(clips, frames)] = predict_frames(model, [x], **full)
    assert np.array_equal(plain, clips)
    assert frames.shape == (3, spec.frames, 2)
    [(alone, _)] = predict_frames(model, [x[1:2]], **full)
    np.testing.assert_allclose(alone[0], clips[1], atol=1e-5)
    assert sum(count for *_, count in model.network.layer_rows()) == sum(
        p.numel() for p in model.network.parameters()
    )


def test_weights_size_and_colours_are_those_of_the_folder(vit: Path) -> None:
    model = make_model(vit)
    original = transformers.ViTModel.from_pretrained(vit).eval()
    assert model.options["side_px"] == 32
    assert (model.options["mean"], model.options["spread"]) == ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    square = make_clips(ClipSpec(4, 32, 32, "rgb"))
    pixels = torch.from_numpy(square).flatten(0, 1).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        expected = original(pixel_values=(pixels - 0.5) / 0.25).last_hidden_state.mean(1)
        seen = model.network.see((pixels - 0.5) / 0.25)
    torch.testing.assert_close(seen, expected)


def test_a_saved_model_needs_no_hub_and_no_folder(vit: Path, tmp_path: Path) -> None:
    model, x = make_model(vit, unfrozen_stages=1), make_clips()
    model.save(tmp_path / "saved")
    hidden = vit.rename(vit.with_name("gone"))
    try:
        back = load_model(tmp_path / "saved")
    finally:
        hidden.rename(vit)
    assert back.options == model.options
    assert np.array_equal(back.probabilities(x), model.probabilities(x))
    assert {p.suffix for p in (tmp_path / "saved").iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize(("stages", "blocks"), [(0, 0), (1, 1), (2, 2), (3, 3), (9, 3)])
def test_the_last_stages_learn_and_the_rest_stays(vit: Path, stages: int, blocks: int) -> None:
    network = make_model(vit, unfrozen_stages=stages, training_frames=2).network.train()
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    learning = [p for p in network.parameters() if p.requires_grad]
    torch.nn.init.normal_(network.head.clip.weight)
    before["head.clip.weight"] = network.head.clip.weight.detach().clone()
    network(torch.from_numpy(make_clips())).sum().backward()
    torch.optim.SGD(learning, lr=0.1).step()
    moved = {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}
    found = (re.search(r"^body\..*layers?\.(\d+)\.", name) for name in moved)
    layers = {match[1] for match in found if match}
    assert layers == {str(i) for i in range(3 - blocks, 3)}
    assert ("body.embeddings.cls_token" in moved) == (stages >= 3)
    assert "head.frame.weight" in moved
    network.unfreeze(0)
    assert not network.learns


def test_in_training_the_body_drops_nothing_out(resnet: Path) -> None:
    network = make_model(resnet).network.train()
    statistics = [b.clone() for b in network.body.buffers()]
    network(torch.from_numpy(make_clips()))
    assert all(torch.equal(a, b) for a, b in zip(statistics, network.body.buffers(), strict=True))


def test_pickled_weights_are_refused(vit: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((vit / "config.json").read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be read as a model with safetensors weights"):
        make_model(tmp_path)


def test_without_the_extra_the_error_names_it(vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelError, match=r"run pip install 'primatrix\[pretrained\]'"):
        make_model(vit)


def test_what_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="wanted pretrained=NAME") as error:
        build_model("backbone", species=["a"], spec=SPEC)
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match="cannot be read as a model") as error:
        make_model(tmp_path)
    assert "\n" not in str(error.value)


def test_a_model_of_words_is_refused(tmp_path: Path) -> None:
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, vocab_size=10
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="got a BertModel, which does not take pictures"):
        make_model(tmp_path)


class Noise:
    """Batch number i follows from i alone."""

    num_batches, num_val_batches = 2, 1

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        i = 0
        while True:
            rng = np.random.default_rng(i)
            yield (
                rng.integers(0, 256, (2, *SPEC.shape), np.uint8),
                rng.integers(0, 2, (2, 2)).astype(np.float32),
            )
            i += 1

    val_batches = batches


class StopError(Exception):
    pass


def test_blocks_thaw_epoch_by_epoch_and_a_stopped_run_goes_on(vit: Path, tmp_path: Path) -> None:
    recipe = TrainSpec(
        epochs=3, steps_per_epoch=2, device="cpu", precision="fp32", optimiser="adamw", learning_rate=0.01,
        checkpoint_steps=1,
    )  # fmt: skip
    options = {"unfreeze_per_epoch": 1, "training_frames": 2}
    whole = make_model(vit, **options)
    before = {name: p.detach().clone() for name, p in whole.network.named_parameters()}
    seen: list[set[str]] = []

    def look(progress: Progress) -> None:
        if progress.done % 2 == 0:
            moved = [name for name, p in whole.network.named_parameters() if not torch.equal(p, before[name])]
            found = (re.search(r"^body\..*layers?\.(\d+)\.", name) for name in moved)
            seen.append({match[1] for match in found if match})

    train(whole, Noise(), spec=recipe, on_progress=look)
    assert seen == [set(), {"2"}, {"1", "2"}]

    for step in (1, 3, 6):

        def stop(progress: Progress, step: int = step) -> None:
            if progress.done == step:
                raise StopError

        with pytest.raises(StopError):
            train(make_model(vit, **options), Noise(), spec=recipe, folder=tmp_path, on_progress=stop)
    again = make_model(vit, **options)
    train(again, Noise(), spec=recipe, folder=tmp_path)
    weights = again.network.state_dict()
    assert all(torch.equal(weights[name], w) for name, w in whole.network.state_dict().items())


def test_a_body_without_blocks_learns_as_a_whole(vit: Path) -> None:
    network = make_model(vit).network
    network.body = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    network.unfreeze(1)
    assert all(p.requires_grad for p in network.body.parameters())
    network.unfreeze(0)
    assert not network.learns


CODE = {
    "attn_implementation": "someone/kernel", "_attn_implementation": "someone/kernel", "experts_implementation": "x/y",
    "_attn_implementation_internal": "someone/kernel", "auto_map": {"AutoModel": "someone/repo--model.Model"},
    "quantization_config": {"quant_method": "x"}, "kernel_config": {"x": "someone/kernel"}, "unheard_of": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CODE))
def test_a_config_that_names_code_to_fetch_is_used_without_that(name: str, vit: Path, tmp_path: Path) -> None:
    model = make_model(vit)
    model.save(tmp_path)
    facts = json.loads((tmp_path / "model.json").read_text())
    facts["options"]["config"][name] = CODE[name]
    (tmp_path / "model.json").write_text(json.dumps(facts))
    loaded = load_model(tmp_path)
    config = loaded.network.body.config
    assert config._attn_implementation in ("sdpa", "eager")
    assert getattr(config, name, None) != CODE[name]
    np.testing.assert_array_equal(loaded.probabilities(make_clips()), model.probabilities(make_clips()))


def test_a_folder_of_pretrained_weights_that_names_code_is_used_without_that(
    vit: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(vit, tmp_path / "vit")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "attn_implementation": "someone/kernel"}))
    model = make_model(folder)
    assert model.network.body.config._attn_implementation in ("sdpa", "eager")
    assert "attn_implementation" not in model.options["config"]
    np.testing.assert_array_equal(
        model.probabilities(make_clips()), make_model(vit).probabilities(make_clips())
    )


def test_a_config_within_a_config_is_cleaned_too() -> None:
    inner = {"model_type": "vit", "hidden_size": 16, "attn_implementation": "someone/kernel"}
    outer = {"model_type": "dpt", "backbone_config": inner, "backbone": "someone/weights", "hidden_size": 8,
             "id2label": {"0": "hog"}, "neck_ignore_stages": [1]}  # fmt: skip
    assert keep_known(outer, transformers) == {
        "model_type": "dpt", "backbone_config": {"model_type": "vit", "hidden_size": 16}, "hidden_size": 8,
        "id2label": {"0": "hog"}, "neck_ignore_stages": [1],
    }  # fmt: skip
