"""Looks at a model or adapter folder before anything is loaded from it: is all there, is it safe, and what is it called.

It refuses pickled weights and code shipped with a model, since loading either runs what a stranger wrote.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TypeGuard

from rung.errors import ModelError

NAMING = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
_FORMAT = "a model folder in the transformers format holds config.json, *.safetensors and tokenizer.json"
BLOCKED = "blocked.json"  # a file in a folder of what was trained: it may not be served any more
_hashes: dict[tuple[str, int, int], str] = {}


def check_model(folder: Path) -> None:
    """Raise ModelError where the folder can't be a model that `local` may load."""
    if not folder.is_dir():
        raise ModelError(f"there is no model folder at {folder}", _FORMAT)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} holds no config.json", _FORMAT)
    _check_weights(folder)
    if not (folder / "tokenizer.json").is_file():
        raise ModelError(f"{folder} holds no tokenizer.json", "save the fast tokenizer there too: tokenizer.save_pretrained(folder)")
    if "auto_map" in _json(folder / "config.json"):
        hint = "use a model whose architecture transformers knows"
        raise ModelError(f"{folder} wants to run code of its own (auto_map in config.json)", hint)


def check_adapter(folder: Path) -> None:
    """Raise ModelError where the folder can't be an adapter in the format of peft."""
    if not (folder / "adapter_config.json").is_file():
        raise ModelError(f"there is no adapter at {folder}", "an adapter folder holds adapter_config.json and adapter_model.safetensors")
    refuse_blocked(folder, "adapter", "train another, or roll its label back to an earlier one")
    _check_weights(folder)


def refuse_blocked(folder: Path, what: str, hint: str) -> None:
    """Raise ModelError where the folder may not be served any more."""
    if (folder / BLOCKED).exists():
        raise ModelError(f"the {what} {folder.name} is blocked: {_json(folder / BLOCKED).get('why', '')}", hint)


def _check_weights(folder: Path) -> None:
    if any(folder.glob("*.safetensors")):
        return
    pickled = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(pattern))
    if pickled:
        raise ModelError(
            f"{folder} holds its weights as {pickled[0]}, a pickle, which can run any code when it is loaded",
            "convert it to safetensors: model.save_pretrained(folder) with a version of transformers from 5 on",
        )
    raise ModelError(f"{folder} holds no *.safetensors", "the weights are missing: copy or download the whole folder")


def model_hash(folder: Path) -> str:
    """64 hex digits over config, tokenizer, chat template and weights."""
    return _hash([folder / name for name in NAMING] + sorted(folder.glob("*.safetensors")))


def adapter_hash(folder: Path) -> str:
    """64 hex digits over an adapter's configuration and weights; its place and name don't count."""
    settings = {name: sorted(value) if _names(value) else value for name, value in _json(folder / "adapter_config.json").items()}
    whole = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())  # peft writes its sets in any order
    return hashlib.sha256(f"{whole.hexdigest()} {_hash(sorted(folder.glob('*.safetensors')))}".encode()).hexdigest()


def _names(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _hash(paths: list[Path]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        if path.is_file():
            whole.update(f"{path.name} {_file_hash(path)}\n".encode())
    return whole.hexdigest()


def _file_hash(path: Path) -> str:
    """Remembered by path, size and time of change, since weights can be many gigabytes."""
    stat = path.stat()
    key = (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
    if key not in _hashes:
        with path.open("rb") as file:
            _hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _hashes[key]


def _json(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}", "the folder is damaged: copy or download it again") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is not a JSON object", "the folder is damaged: copy or download it again")
    return content
