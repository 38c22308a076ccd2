"""Which engine speaks: the project's own model, or a vLLM that is asked to load our adapters. It refuses to load weights twice.

vLLM's API: https://docs.vllm.ai/en/stable/features/lora.html#dynamically-serving-lora-adapters
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from urllib3.exceptions import HTTPError

from rung.errors import ConfigError, EndpointError
from rung.workspace import workspace as w
from rung.workspace.privacy import remote
from rung.workspace.workspace import Workspace

if TYPE_CHECKING:
    from rung.models.endpoint import EndpointModel
    from rung.types import ChatModel

KEPT = 8  # adapters that the engine holds for us; the one asked for longest ago goes first


def loader(ws: Workspace, adapter: Path | None) -> tuple[ChatModel, Callable[[Workspace, Path], ChatModel]]:
    """The base model (with the adapter that the configuration names), and a function that puts another adapter on it."""
    spec = ws.config.serve.engine
    if not spec:
        return w.base_model(ws, adapter), w.base_model
    if not spec.startswith("endpoint:"):
        raise ConfigError(f"the engine '{spec}' is no endpoint", "write endpoint:<model>@<url> under [serve], or leave it out")
    if ws.config.limits.private and remote(spec):
        sentence = f"the project is private, and the engine '{spec}' may be on another machine"
        raise ConfigError(sentence, "choose one on this machine, or take private out of [limits]")
    from rung.models.endpoint import open_endpoint

    base = open_endpoint(spec.partition(":")[2], None, **ws.config.serve.engine_options)
    engine = Engine(base, ws.config.serve.adapters_at)
    return (engine.with_adapter(ws, adapter) if adapter else base), engine.with_adapter


@dataclass
class Engine:
    """A server of the base model, and the adapters that it loaded for us. Mutable: it remembers which."""

    base: EndpointModel
    adapters_at: str
    loaded: dict[str, None] = field(default_factory=dict)  # the one asked for last stands last
    lock: Lock = field(default_factory=Lock, repr=False)

    def with_adapter(self, ws: Workspace, folder: Path) -> ChatModel:
        """The base with this adapter, which the server has loaded then. EndpointError where it did not."""
        name = folder.name
        path = f"{self.adapters_at.rstrip('/')}/{name}" if self.adapters_at else str(folder.absolute())
        with self.lock:
            self._asked("load_lora_adapter", {"lora_name": name, "lora_path": path})
            self.loaded.pop(name, None)
            self.loaded[name] = None
            for old in list(self.loaded)[:-KEPT]:
                self._asked("unload_lora_adapter", {"lora_name": old})
                del self.loaded[old]
        return replace(self.base, name=name, adapter=name)

    def _asked(self, what: str, body: dict[str, str]) -> None:
        from rung.models.endpoint import headers

        told = {**self.base.client.headers, **headers(self.base)}
        try:
            said = self.base.client.request("POST", f"{self.base.url}/{what}", json=body, headers=told)
        except HTTPError as error:
            raise EndpointError(f"{self.base.url} can't be asked to {what} ({type(error).__name__})", "is the engine running?") from None
        done = said.status < 300 or b"already" in said.data or (what.startswith("unload") and said.status in (400, 404))
        if not done:
            hint = "start vLLM with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, and name adapters_at as it sees the folder"
            raise EndpointError(f"{self.base.url} refused to {what} {body['lora_name']} ({said.status})", hint)
