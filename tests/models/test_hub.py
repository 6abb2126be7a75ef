"""Vision models of Hugging Face as encoders: real ones of transformers, tiny and with weights from a seed.

The hub itself cannot be reached where tests run: its cache is made by hand as the hub's own program lays it out, and
fetching copies from a folder.
"""

import json
import shutil
from pathlib import Path

import huggingface_hub
import pytest
import torch
import transformers

from primatrix.errors import ModelError
from primatrix.models.encoders import fetch_encoder, load_encoder
from primatrix.models.hub import find_folder

CARD = "---\nlicense: apache-2.0\ntags:\n- vision\n---\n# A tiny model\n"


@pytest.fixture
def vit(tmp_path: Path) -> Path:
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.ViTModel(config).save_pretrained(tmp_path / "vit")
    facts = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}
    (tmp_path / "vit" / "preprocessor_config.json").write_text(json.dumps(facts))
    (tmp_path / "vit" / "README.md").write_text(CARD)
    return tmp_path / "vit"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache and the user's configuration, both empty."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PRIMATRIX_CONFIG", str(tmp_path / "configuration"))
    return tmp_path / "cache"


def put(folder: Path, cache: Path, *, revision: str = "a" * 40) -> Path:
    """Lay a model into the cache as owner/tiny, as the hub's own program does."""
    place = cache / "models--owner--tiny"
    (place / "refs").mkdir(parents=True, exist_ok=True)
    (place / "refs" / "main").write_text(revision)
    return Path(shutil.copytree(folder, place / "snapshots" / revision))


def make_pictures(side_px: int) -> torch.Tensor:
    return torch.randint(0, 256, (3, side_px, side_px, 3), generator=torch.Generator().manual_seed(1)).to(
        torch.uint8
    )


def test_features_of_a_transformer_are_the_mean_of_its_tokens(vit: Path) -> None:
    encoder = load_encoder(str(vit))
    assert (encoder.facts.side_px, encoder.facts.features, encoder.facts.kind) == (32, 16, "hub")
    assert (encoder.facts.licence, encoder.facts.mean, encoder.facts.spread) == (
        "apache-2.0", (127.5, 127.5, 127.5), (63.75, 63.75, 63.75),
    )  # fmt: skip
    x = make_pictures(32)
    prepared = (x.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
    with torch.no_grad():
        expected = (
            transformers.ViTModel.from_pretrained(vit).eval()(pixel_values=prepared).last_hidden_state.mean(1)
        )
    torch.testing.assert_close(encoder(x), expected, rtol=1e-4, atol=1e-4)


def test_features_of_a_convolutional_network_are_the_mean_of_its_map(tmp_path: Path) -> None:
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"
    )
    torch.manual_seed(0)
    transformers.ResNetModel(config).save_pretrained(tmp_path)
    encoder = load_encoder(str(tmp_path))
    assert (encoder.facts.side_px, encoder.facts.features, encoder.facts.licence) == (224, 16, "unknown")
    x = make_pictures(224)
    mean, spread = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    prepared = (x.permute(0, 3, 1, 2).float() / 255 - mean) / spread
    with torch.no_grad():
        expected = (
            transformers.ResNetModel.from_pretrained(tmp_path).eval()(pixel_values=prepared).last_hidden_state
        )
    torch.testing.assert_close(encoder(x), expected.mean((2, 3)), rtol=1e-4, atol=1e-4)


def test_a_name_on_the_hub_is_what_its_cache_holds(vit: Path, cache: Path) -> None:
    with pytest.raises(
        ModelError, match=r"owner/tiny: no such folder, and not fetched .* encoders --fetch owner/tiny"
    ):
        load_encoder("owner/tiny")
    lying = put(vit, cache)
    assert (
        find_folder("owner/tiny")
        == find_folder("owner/tiny@main")
        == find_folder(f"owner/tiny@{'a' * 40}")
        == lying
    )
    assert load_encoder("owner/tiny").facts.digest == load_encoder(str(vit)).facts.digest
    with pytest.raises(ModelError, match="not fetched"):
        load_encoder("owner/tiny@v2")


def test_what_was_fetched_first_is_what_is_taken_later(
    vit: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = huggingface_hub.snapshot_download

    def snapshot_download(name: str, *, local_files_only: bool, **options: object) -> str:
        if not local_files_only and not (cache / "models--owner--tiny").exists():
            put(vit, cache)
        return real(name, local_files_only=True, **options)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    facts = fetch_encoder("owner/tiny")
    pins = json.loads((cache.parent / "configuration" / "encoders.json").read_text())
    assert pins == {"owner/tiny": facts.digest}
    assert fetch_encoder("owner/tiny") == facts
    transformers.ViTModel(transformers.ViTConfig.from_pretrained(vit)).save_pretrained(vit)
    put(vit, cache, revision="b" * 40)
    for take in (load_encoder, fetch_encoder):
        with pytest.raises(
            ModelError, match=r"encoder owner/tiny: got weights .*, wanted .*, as when they were first"
        ):
            take("owner/tiny")
    (cache.parent / "configuration" / "encoders.json").write_text('{"owner/tiny": 1}')
    with pytest.raises(ModelError, match=r"encoders.json: got no names with digests; delete it"):
        load_encoder("owner/tiny")


def test_a_hub_that_cannot_be_reached_is_one_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot_download(name: str, **_: object) -> str:
        raise OSError(f"{name}: no connection\nand more")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(
        ModelError, match=r"owner/tiny: cannot be fetched from the Hugging Face hub \(.*connection\)$"
    ):
        fetch_encoder("owner/tiny")
    assert not cache.exists()


def test_a_model_of_words_is_no_encoder(tmp_path: Path) -> None:
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, vocab_size=10
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="takes no pictures of 224x224"):
        load_encoder(str(tmp_path))


def test_a_preprocessing_that_is_no_number_per_colour_is_refused(vit: Path) -> None:
    (vit / "preprocessor_config.json").write_text('{"image_mean": [0.5]}')
    with pytest.raises(
        ModelError, match=r"preprocessor_config.json: got \[0.5\], wanted a number per colour"
    ):
        load_encoder(str(vit))
