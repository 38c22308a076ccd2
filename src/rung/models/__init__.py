"""Chat models behind one protocol, named by a spec such as `bundled:tiny`; refuses names it doesn't know.

| spec | model |
|---|---|
| `bundled:tiny` | the small one that ships with the package |
| `bundled:reader` | a reader that quotes from passages or says that they don't answer |
| `extractor:<folder>` | a reader tuned to fill the fields of a JSON Schema |
| `local:<folder>` | a folder in the transformers format |
| `hf:<owner>/<name>` | a Hugging Face repository |
| `endpoint:<model>@<base url>` | any OpenAI-compatible server |
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rung.errors import ModelError

if TYPE_CHECKING:
    from rung.types import ChatModel

READER = "bundled:reader"
_KINDS = {
    "bundled": "rung.models.bundled:open_bundled",
    "extractor": "rung.models.extracting:open_extractor",
    "local": "rung.models.local:open_local",
    "hf": "rung.models.hub:open_hub",
    "endpoint": "rung.models.endpoint:open_endpoint",
}


def load(spec: str, adapter: Path | None = None, **options: object) -> ChatModel:
    """The model that a spec names, with a LoRA adapter's folder on top if given. Options are those of the kind.

    ModelError where the spec, the path, the adapter or an option is wrong.
    """
    kind, _, name = spec.partition(":")
    if kind not in _KINDS or not name:
        raise ModelError(f"{spec!r} names no model", f"write one of {', '.join(f'{known}:<name>' for known in _KINDS)}")
    module, function = _KINDS[kind].split(":")
    opener = getattr(import_module(module), function)
    return cast("ChatModel", opener(Path(name).expanduser() if kind == "local" else name, adapter, **options))


def base_folder(spec: str, root: Path = Path()) -> Path:
    """The folder of a spec's weights; a relative `local:` folder is below `root`. ModelError for an endpoint."""
    kind, _, name = spec.partition(":")
    if reads_only(spec) or kind == "extractor":
        raise ModelError(f"{spec} can't be tuned", "choose bundled:tiny, a local: or an hf: model for the tuned rungs")
    if kind == "bundled":
        from rung.models.bundled import folder

        return folder(name)
    if kind == "hf":
        from rung.models.hub import snapshot

        return snapshot(name)
    if kind == "local":
        return root / Path(name).expanduser()
    raise ModelError(f"'{spec}' has no weights on this machine", "tune a bundled:, local: or hf: model")


def reads_only(spec: str) -> bool:
    """Whether the model quotes from passages and does nothing else, so that it needs some and learns none."""
    return spec == READER


def on_this_machine(spec: str) -> bool:
    """Whether the weights of a spec are at hand, or would have to be fetched or asked for elsewhere."""
    kind, _, name = spec.partition(":")
    if kind == "hf":
        from rung.models.hub import cached

        return cached(name)
    return kind in ("bundled", "extractor", "local")
