"""Naming a model: every way to get it wrong has one sentence and a hint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import save_random_adapter, save_random_model

from rung.errors import ModelError
from rung.models import bundled, load
from rung.models.cores import free_cores
from rung.models.folder import adapter_hash, model_hash
from rung.models.local import LocalModel


def refused(spec: str, adapter: Path | None = None, **options: object) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load(spec, adapter, **options)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


def copy(folder: Path, target: Path) -> Path:
    return Path(shutil.copytree(folder, target))


@given(st.text(max_size=20).filter(lambda text: text.partition(":")[0] not in ("bundled", "extractor", "local", "hf", "endpoint")))
def test_a_spec_of_no_known_kind(spec: str) -> None:
    assert "local:<name>" in refused(spec).hint


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in refused(f"local:{tmp_path / 'nowhere'}").message


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_that_lacks_a_file(model_folder: Path, tmp_path: Path, missing: str) -> None:
    folder = copy(model_folder, tmp_path / "model")
    (folder / missing).unlink()
    assert missing.replace("model.", "*.") in refused(f"local:{folder}").message


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickled_weights_are_never_opened(model_folder: Path, tmp_path: Path, name: str) -> None:
    folder = copy(model_folder, tmp_path / "model")
    (folder / "model.safetensors").rename(folder / name)
    error = refused(f"local:{folder}")
    assert "pickle" in error.message
    assert "safetensors" in error.hint


def test_code_in_a_model_folder_is_never_run(model_folder: Path, tmp_path: Path) -> None:
    folder = copy(model_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModelForCausalLM": "code.Model"}}))
    assert "code of its own" in refused(f"local:{folder}").message


@pytest.mark.parametrize(
    ("name", "content"), [("config.json", "{"), ("config.json", "[]"), ("model.safetensors", "x"), ("tokenizer.json", "{}")]
)
def test_damaged_files(model_folder: Path, tmp_path: Path, name: str, content: str) -> None:
    folder = copy(model_folder, tmp_path / "model")
    (folder / name).write_text(content)
    refused(f"local:{folder}")


def test_unknown_options_name_the_nearest(model_folder: Path) -> None:
    assert "did you mean 'threads'?" in refused(f"local:{model_folder}", tread=2).hint
    assert "did you mean 'concurrency'?" in refused("endpoint:m@http://127.0.0.1:1/v1", concurency=2).hint
    assert "'batch'" in refused(f"local:{model_folder}", batch="many").message
    assert "'batch'" in refused(f"local:{model_folder}", batch=True).message


def test_adapters_that_are_none_or_do_not_fit(model_folder: Path, adapter_folders: tuple[Path, Path], tmp_path: Path) -> None:
    spec = f"local:{model_folder}"
    assert "no adapter" in refused(spec, tmp_path).message
    other = copy(adapter_folders[0], tmp_path / "other")
    config = json.loads((other / "adapter_config.json").read_text())
    wrongs: tuple[tuple[str, object, str], ...] = (
        ("r", 8, "does not fit"),
        ("peft_type", "IA3", "IA3"),
        ("use_dora", True, "one of the matrices"),
    )
    for key, value, sentence in wrongs:
        (other / "adapter_config.json").write_text(json.dumps(config | {key: value}))
        assert sentence in refused(spec, other).message
    (other / "adapter_config.json").write_text(json.dumps(config))
    (other / "adapter_model.safetensors").write_bytes(b"damaged")
    assert "damaged" in refused(spec, other).message
    larger = save_random_model(tmp_path / "larger", layers=3)
    assert "layers.2" in refused(spec, save_random_adapter(larger, tmp_path / "of-larger")).message
    assert "server" in refused("endpoint:m@http://127.0.0.1:1/v1", adapter_folders[0]).hint


@pytest.mark.parametrize("spec", ["endpoint:model", "endpoint:model@example", "endpoint:@http://x/v1", "endpoint:m@http://x:port/v1"])
def test_an_endpoint_without_an_address(spec: str) -> None:
    assert "endpoint:<model>@http" in refused(spec).hint


def test_a_repository_that_is_not_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "local:<folder>" in refused("hf:nobody/no-such-model").hint
    assert "no name" in refused("hf:../../etc").message


def test_a_bundled_model_that_was_not_shipped() -> None:
    assert "bundled:nonesuch" in refused("bundled:nonesuch").message or "nonesuch" in refused("bundled:nonesuch").message
    refused("bundled:../models")


def test_the_bundled_model_is_a_local_one() -> None:
    if not (Path(bundled.__file__).parent / "tiny" / "config.json").is_file():
        pytest.skip("this copy ships no weights")
    model = load("bundled:tiny")
    assert isinstance(model, LocalModel)
    assert model.count([{"role": "user", "content": "Who?"}]) > 3


def test_a_model_is_named_by_what_changes_its_words(model_folder: Path, tmp_path: Path) -> None:
    folder = copy(model_folder, tmp_path / "elsewhere")
    assert model_hash(folder) == model_hash(model_folder)
    (folder / "README.md").write_text("irrelevant")
    assert model_hash(folder) == model_hash(model_folder)
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert model_hash(folder) != model_hash(model_folder)


def test_an_adapter_is_named_by_its_content(adapter_folders: tuple[Path, Path], tmp_path: Path) -> None:
    one, two = adapter_folders
    other = copy(one, tmp_path / "other")
    config = json.loads((other / "adapter_config.json").read_text())
    config["target_modules"] = config["target_modules"][::-1]
    (other / "adapter_config.json").write_text(json.dumps(config))
    assert adapter_hash(other) == adapter_hash(one) != adapter_hash(two)


def test_there_is_always_a_free_core() -> None:
    assert free_cores(0.02) >= 1
