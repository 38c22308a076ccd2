"""An export comes out only if it says in its own runtime what the adapter says; every planted fault is refused and leaves nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from adapters_project import stored
from shop_project import refused, rung

from rung.errors import ConfigError, DataError, ModelError, RungError, TuningError
from rung.models.modelfile import modelfile
from rung.types import Answer, Score
from rung.workspace.agreeing import TOLERANCES, agreement
from rung.workspace.catalogue import exports
from rung.workspace.model_export import NOTE, WRITERS, Format, Quantised, Wanted, export
from rung.workspace.workspace import Workspace, open_workspace

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated", "ignore:Found missing adapter keys")
needs_llama = pytest.mark.skipif(
    find_spec("llama_cpp") is None or find_spec("gguf") is None, reason="llama-cpp-python builds for six minutes: pip install 'rung[gguf]'"
)
Break = Callable[[Path], None]


@pytest.fixture
def made(project: Path) -> tuple[Workspace, Path]:
    ws = open_workspace(project)
    return ws, stored(ws, 3, ("d1.md",))


@pytest.mark.parametrize(
    ("kind", "quantised"),
    [
        ("safetensors", ""),
        ("vllm", ""),
        pytest.param("gguf", "f32", marks=needs_llama),
        pytest.param("gguf", "f16", marks=needs_llama),
        pytest.param("gguf-lora", "f32", marks=needs_llama),
    ],
)
def test_what_comes_out_says_what_the_adapter_says(
    made: tuple[Workspace, Path], tmp_path: Path, kind: Format, quantised: Quantised
) -> None:
    ws, adapter = made
    done = export(ws, adapter.name, tmp_path / "out", kind, quantised)
    assert done.agreement.refused == ()
    assert done.agreement.misread == 0
    assert done.agreement.divergence < 1e-3
    note = json.loads((tmp_path / "out" / NOTE).read_text())
    assert (note["adapter"], note["agreement"]["cases"]) == (adapter.name, 3)
    assert [(one.adapter, one.folder, one.format) for one in exports(ws.home)] == [(adapter.name, str(tmp_path / "out"), kind)]
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("shop",)] == ["out"]
    with pytest.raises(DataError, match="holds something"):
        export(ws, adapter.name, tmp_path / "out", kind, quantised)


def rewritten(file: Path, change: Callable[[str, Any], Any], fields: dict[str, Any]) -> None:
    """The GGUF file with each tensor as `change` has it (None: left out) and some of its fields replaced."""
    import numpy as np
    from gguf import GGUFReader, GGUFValueType, GGUFWriter

    reader, out = GGUFReader(file), file.with_suffix(".broken")
    writer = GGUFWriter(str(out), "llama")
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        kind = field.types[0]
        of = field.types[-1] if kind is GGUFValueType.ARRAY else None
        writer.add_key_value(name, fields.get(name, field.contents()), kind, of)
    for tensor in reader.tensors:
        value = change(tensor.name, np.array(tensor.data))
        if value is not None:
            writer.add_tensor(tensor.name, value, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    out.replace(file)


def as_it_is(name: str, tensor: Any) -> Any:
    return tensor


def other_template(text: str) -> str:
    return text.replace("<|assistant|>", "<|user|>")


def swapped_tokens(tokens: list[str]) -> list[str]:
    """Every letter's token means the next one's."""
    letters = [n for n, token in enumerate(tokens) if len(token) == 1 and token.isalpha()]
    moved = {n: tokens[letters[(place + 1) % len(letters)]] for place, n in enumerate(letters)}
    return [moved.get(n, token) for n, token in enumerate(tokens)]


def gguf_template(folder: Path) -> None:
    file = folder / "model-f32.gguf"
    from gguf import GGUFReader

    field = GGUFReader(file).fields["tokenizer.chat_template"].contents()
    rewritten(file, as_it_is, {"tokenizer.chat_template": other_template(field)})


def gguf_scale(folder: Path) -> None:
    rewritten(folder / "adapter.gguf", as_it_is, {"adapter.lora.alpha": 1.0})


def gguf_merged_scale(folder: Path) -> None:
    rewritten(folder / "model-f32.gguf", lambda name, held: held * 2 if "attn_output" in name else held, {})


def gguf_layer(folder: Path) -> None:
    rewritten(folder / "model-f32.gguf", lambda name, held: None if name.startswith("blk.1.ffn_up") else held, {})


def gguf_lora_layer(folder: Path) -> None:
    rewritten(folder / "adapter.gguf", lambda name, held: None if name.startswith("blk.1.") else held, {})


def gguf_tokens(folder: Path) -> None:
    from gguf import GGUFReader

    file = folder / "model-f32.gguf"
    rewritten(file, as_it_is, {"tokenizer.ggml.tokens": swapped_tokens(GGUFReader(file).fields["tokenizer.ggml.tokens"].contents())})


def gguf_unpermuted(folder: Path) -> None:
    """Keys as transformers has them: the classic that speaks nonsense."""

    def back(name: str, held: Any) -> Any:
        return held.reshape(2, 4, 2, 32).swapaxes(1, 2).reshape(held.shape) if "attn_k.weight" in name else held

    rewritten(folder / "model-f32.gguf", back, {})


def text_file(name: str, change: Callable[[str], str]) -> Break:
    def broken(folder: Path) -> None:
        path = folder / name
        path.write_text(change(path.read_text()))

    return broken


def weights(name: str, change: Callable[[str, Any], Any]) -> Break:
    def broken(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        held = {key: change(key, value) for key, value in load_file(folder / name).items()}
        save_file({key: value.contiguous() for key, value in held.items() if value is not None}, folder / name, {"format": "pt"})

    return broken


def without(part: str) -> Callable[[str, Any], Any]:
    return lambda name, held: None if part in name else held


def scaled(part: str) -> Callable[[str, Any], Any]:
    return lambda name, held: held * 1.5 if part in name else held


def other_scale(text: str) -> str:
    return json.dumps(json.loads(text) | {"lora_alpha": 1})


def other_tokens(text: str) -> str:
    content = json.loads(text)
    vocabulary = content["model"]["vocab"]
    names = sorted(vocabulary, key=vocabulary.get)
    content["model"]["vocab"] = {token: vocabulary[name] for token, name in zip(swapped_tokens(names), names, strict=True)}
    return json.dumps(content)


BROKEN: list[Any] = [
    pytest.param("safetensors", "", text_file("chat_template.jinja", other_template), "other tokens", id="safetensors-template"),
    pytest.param("safetensors", "", weights("model.safetensors", scaled("o_proj")), "diverges", id="safetensors-scale"),
    pytest.param("safetensors", "", weights("model.safetensors", without("layers.1.mlp")), "diverges", id="safetensors-layer"),
    pytest.param("safetensors", "", text_file("tokenizer.json", other_tokens), "other tokens", id="safetensors-tokenizer"),
    pytest.param("vllm", "", text_file("adapter/chat_template.jinja", other_template), "other tokens", id="vllm-template"),
    pytest.param("vllm", "", text_file("adapter/adapter_config.json", other_scale), "diverges", id="vllm-scale"),
    pytest.param("vllm", "", weights("adapter/adapter_model.safetensors", without(".layers.1.")), "diverges", id="vllm-layer"),
    pytest.param("vllm", "", text_file("adapter/tokenizer.json", other_tokens), "other tokens", id="vllm-tokenizer"),
    pytest.param("gguf", "f32", gguf_template, "other tokens", id="gguf-template", marks=needs_llama),
    pytest.param("gguf", "f32", gguf_merged_scale, "diverges", id="gguf-scale", marks=needs_llama),
    pytest.param("gguf", "f32", gguf_layer, "can't load", id="gguf-layer", marks=needs_llama),
    pytest.param("gguf", "f32", gguf_tokens, "other tokens", id="gguf-tokenizer", marks=needs_llama),
    pytest.param("gguf", "f32", gguf_unpermuted, "diverges", id="gguf-keys", marks=needs_llama),
    pytest.param("gguf-lora", "f32", gguf_scale, "diverges", id="lora-scale", marks=needs_llama),
    pytest.param("gguf-lora", "f32", gguf_lora_layer, "diverges", id="lora-layer", marks=needs_llama),
]


@pytest.mark.parametrize(("kind", "quantised", "broken", "says"), BROKEN)
def test_every_broken_export_is_refused_and_leaves_nothing(
    made: tuple[Workspace, Path], tmp_path: Path, kind: Format, quantised: Quantised, broken: Break, says: str
) -> None:
    ws, adapter = made

    def write(wanted: Wanted, folder: Path) -> None:
        WRITERS[kind](wanted, folder)
        broken(folder)

    with pytest.raises((TuningError, ModelError), match=says):
        export(ws, adapter.name, tmp_path / "out", kind, quantised, write=write)
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]
    assert exports(ws.home) == []


def test_a_refusal_shows_the_cases_that_differ(made: tuple[Workspace, Path], tmp_path: Path) -> None:
    ws, adapter = made

    def write(wanted: Wanted, folder: Path) -> None:
        WRITERS["safetensors"](Wanted(wanted.base, stored(ws, 4), "safetensors", ""), folder)

    with pytest.raises(TuningError) as error:
        export(ws, adapter.name, tmp_path / "out", "safetensors", write=write)
    assert "c0: the adapter says " in error.value.message
    assert "% of its answers are the adapter's, at least" in error.value.message


def test_the_command_line_exports_and_refuses(made: tuple[Workspace, Path], tmp_path: Path) -> None:
    ws, adapter = made
    done = rung("export", adapter.name, str(ws.folder), "--to", str(tmp_path / "out"), "--format", "safetensors", "--cases", "2", "--json")
    assert json.loads(done.stdout)["agreement"]["cases"] == 2, done.stderr
    refused(rung("export", adapter.name, str(ws.folder), "--to", str(tmp_path / "out"), "--format", "safetensors"), "holds something")
    refused(
        rung("export", adapter.name, str(ws.folder), "--to", str(tmp_path / "b"), "--format", "vllm", "--quantise", "q8_0"), "only GGUF"
    )


def test_a_number_that_is_none_is_no_agreement() -> None:
    import numpy as np

    from rung.models.runtimes import First
    from rung.types import Case

    case, answer, score = Case("a", "q", "x"), Answer("q", "x"), Score("a", 1.0)
    ours, theirs = First((1, 2), np.zeros(4, np.float32)), First((1, 2), np.array([0, 0, math.nan, 0], np.float32))
    found = agreement([case], [(answer, score)], [(answer, score)], ({"p": ours}, {"p": theirs}), TOLERANCES["q4_k_m"])
    assert "diverges" in found.refused[0]
    assert agreement([case], [(answer, score)], [(answer, score)], ({"p": ours}, {"p": ours}), TOLERANCES["f32"]).refused == ()
    assert "other tokens" in agreement([case], [(answer, score)], [(answer, score)], ({"p": ours}, {}), TOLERANCES["f32"]).refused[0]


def test_ollamas_template_says_what_the_models_own_says(project: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(project / "model"))
    told = modelfile(tokenizer, "model.gguf", "adapter.gguf", 2048)
    assert "FROM ./model.gguf\nADAPTER ./adapter.gguf\n" in told
    assert '{{ if eq .Role "user" }}<|user|>{{ .Content }}<|end|>{{ end }}' in told
    assert 'TEMPLATE """<s>{{ range .Messages }}' in told
    assert '<|assistant|>"""\nPARAMETER stop "<|end|>"' in told
    tokenizer.chat_template = "{% if messages[0]['role'] != 'system' %}Be kind.{% endif %}" + tokenizer.chat_template
    with pytest.raises(RungError, match="Ollama"):
        modelfile(tokenizer, "model.gguf")


def test_only_gguf_is_quantised(made: tuple[Workspace, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only GGUF"):
        export(made[0], made[1].name, tmp_path / "out", "vllm", "q8_0")
