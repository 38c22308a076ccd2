"""Writes a model folder of Llama architecture as one GGUF file, which llama.cpp and what is built on it can run.

It refuses other architectures, and tokenizers that llama.cpp would split otherwise than we do.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rung.errors import MissingExtra, ModelError
from rung.models.folder import check_model
from rung.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How each layer's tensors are called in GGUF.
_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_OUTER = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_SCRIPT = "convert it with llama.cpp's own script, which knows more kinds"
_GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
_DIGITS = {"type": "Digits", "individual_digits": True}


def quantise(source: Path, file: Path, kind: Literal["q8_0", "q4_k_m"]) -> Path:
    """A quantised copy of a GGUF file, made by llama.cpp itself; the file. ModelError where it refuses."""
    try:
        import llama_cpp
    except ImportError as error:
        raise MissingExtra("quantising GGUF", "gguf") from error
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = {"q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, "q4_k_m": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M}[kind]
    settings.nthread = 1
    part = file.with_name(f"{file.name}.part")
    logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL)  # it tells of every tensor
    failed = llama_cpp.llama_model_quantize(str(source).encode(), str(part).encode(), settings)
    if failed:
        part.unlink(missing_ok=True)
        raise ModelError(f"llama.cpp can't quantise the model to {kind} (code {failed})", "export it as f16")
    os.replace(part, file)
    return file


def write_gguf(folder: Path, file: Path, matrices: Literal["f16", "f32"] = "f16") -> Path:
    """Write the folder's model to a file, matrices in the given type and vectors as float32; the file.

    Source of names and of the permutation: llama.cpp's convert_hf_to_gguf.py. ModelError where it can't be done.
    """
    check_model(folder)
    try:
        from gguf import GGUFWriter
    except ImportError as error:
        raise MissingExtra("writing GGUF", "gguf") from error
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != "llama":
        raise ModelError(f"only models of type llama are written as GGUF, this is {config.get('model_type')}", _SCRIPT)
    part = file.with_name(f"{file.name}.part")
    writer = GGUFWriter(str(part), "llama")
    _write_shape(writer, config)
    writer.add_file_type(1 if matrices == "f16" else 0)
    _write_tokenizer(writer, folder)
    for name, tensor in _tensors(folder, config, matrices):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(part, file)
    return file


def _write_shape(writer: Any, config: dict[str, Json]) -> None:
    size = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    rope = config.get("rope_parameters") or {}
    if rope.get("rope_type", "default") != "default":
        raise ModelError(f"position scaling '{rope['rope_type']}' is not written as GGUF", _SCRIPT)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config.get("num_key_value_heads") or config["num_attention_heads"])
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])


def _write_tokenizer(writer: Any, folder: Path) -> None:
    """Byte-level BPE with its merges, the split before it, special tokens and the chat template."""
    from gguf import TokenType
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    if content["model"].get("type") != "BPE":
        raise ModelError(f"a tokenizer of type {content['model'].get('type')} is not written as GGUF", _SCRIPT)
    size = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    special = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    spelled = {index: token for token, index in tokenizer.get_vocab().items()}
    kinds = [TokenType.CONTROL if i in special else TokenType.NORMAL if i in spelled else TokenType.UNUSED for i in range(size)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_split(content["pre_tokenizer"]))
    writer.add_token_list([spelled.get(index, f"[PAD{index}]") for index in range(size)])
    writer.add_token_types(kinds)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in content["model"]["merges"]])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_add_bos_token(False)  # the chat template writes it
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _split(given: dict[str, Json] | None) -> str:
    """llama.cpp's name for the way text is split before merging."""
    steps = [_known(step) for step in (given or {}).get("pretokenizers", [given] if given else [])]
    if steps == [_DIGITS, _GPT2]:
        return "smollm"
    if steps == [_GPT2]:
        return "gpt-2"
    raise ModelError("llama.cpp has no name for the way this tokenizer splits text", _SCRIPT)


def _known(step: dict[str, Json]) -> dict[str, Json]:
    return {key: step[key] for key in ("type", "add_prefix_space", "use_regex", "individual_digits") if key in step}


def _tensors(folder: Path, config: dict[str, Json], matrices: str) -> list[tuple[str, NDArray[Any]]]:
    import torch
    from safetensors.torch import load_file

    weights = {name: tensor for path in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(path).items()}
    matrix = torch.float16 if matrices == "f16" else torch.float32
    heads = key_heads(config)
    tensors = []
    for name, tensor in weights.items():
        stem, _, kind = name.rpartition(".")
        if stem[-7:] in heads:
            tensor = interleaved(tensor, heads[stem[-7:]])
        tensors.append((f"{gguf_name(stem)}.{kind}", tensor.to(matrix if tensor.dim() > 1 else torch.float32).numpy()))
    return tensors


def key_heads(config: dict[str, Json]) -> dict[str, int]:
    """How many heads the rows of a query's and a key's weight stand for."""
    heads = config["num_attention_heads"]
    return {".q_proj": heads, ".k_proj": config.get("num_key_value_heads") or heads}


def gguf_name(stem: str) -> str:
    """What GGUF calls a tensor or layer of a Llama in transformers."""
    if stem in _OUTER:
        return _OUTER[stem]
    _, _, layer, rest = stem.split(".", 3)  # model.layers.<i>.<rest>
    return f"blk.{layer}.{_LAYER[rest]}"


def interleaved(tensor: Any, heads: int) -> Any:
    """Rotary pairs side by side (as in GGUF) instead of in two halves (as in transformers)."""
    return tensor.reshape(heads, 2, tensor.shape[0] // heads // 2, *tensor.shape[1:]).swapaxes(1, 2).reshape(tensor.shape)
