"""Writes an adapter for other runtimes, and lets nothing out that does not say what the adapter says.

The files are written beside the folder they are meant for, loaded in their own runtime, asked the held-out cases, and take
the folder's name only when they agree. It refuses a folder that holds something already.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rung.errors import ConfigError, DataError, TuningError
from rung.types import Case
from rung.workspace import labels
from rung.workspace import workspace as w
from rung.workspace.agreeing import TOLERANCES, Agreement, agreement
from rung.workspace.catalogue import catalogue, exported
from rung.workspace.workspace import Progress, Workspace, silent

if TYPE_CHECKING:
    from rung.models.runtimes import LlamaCpp, Transformers

Format = Literal["safetensors", "gguf", "gguf-lora", "vllm"]
Quantised = Literal["", "f32", "f16", "q8_0", "q4_k_m"]
FORMATS: tuple[Format, ...] = ("safetensors", "gguf", "gguf-lora", "vllm")
NOTE = "rung-export.json"


@dataclass(frozen=True)
class Wanted:
    """What is to be written, from what."""

    base: Path
    adapter: Path
    format: Format
    quantised: Quantised  # of GGUF's weights; "" for f16

    @property
    def numbers(self) -> str:
        """The name of the tolerance: how exact the weights are that come out."""
        if self.format in ("gguf", "gguf-lora"):
            return self.quantised or "f16"
        return "f32" if self.format == "vllm" else _numbers_of(self.base)


@dataclass(frozen=True)
class Exported:
    """A finished export."""

    folder: str
    adapter: str
    format: str
    files: dict[str, str]  # name → sha256
    agreement: Agreement


Writer = Callable[[Wanted, Path], None]


def export(
    ws: Workspace,
    name: str,
    to: Path,
    format: Format,
    quantised: Quantised = "",
    rung: str = "",
    most: int = 0,
    progress: Progress = silent,
    write: Writer | None = None,
) -> Exported:
    """Write, load, ask, compare; `most` bounds the cases that are asked, 0 asks all.

    TuningError with the differing cases where it is refused: then `to` is as it was. `write` puts the files into a folder.
    """
    from rung.models import base_folder

    if quantised and not format.startswith("gguf"):
        raise ConfigError(f"only GGUF is quantised, not {format}", "choose --format gguf or gguf-lora, or leave --quantise away")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise DataError(f"{to} holds something already", "name a new folder")
    adapter = labels.servable(ws, name)
    wanted = Wanted(base_folder(ws.config.model.name, ws.folder), adapter, format, quantised)
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        progress("write", 0, 1)
        (write or WRITERS[format])(wanted, part)
        progress("write", 1, 1)
        cases = w.cases(ws)[: most or None]
        found = compared(ws, wanted, part, rung or labels.trained_rung(adapter), cases, progress)
        if found.refused:
            raise TuningError(_told(to, found), "nothing was written; try --quantise f16, or look at how the files were made")
        return _finish(ws, wanted, part, to, found)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def compared(ws: Workspace, wanted: Wanted, folder: Path, rung: str, cases: Sequence[Case], progress: Progress = silent) -> Agreement:
    """The exported files in their own runtime against the adapter in ours, on the same cases."""
    from rung.approach.approach import answer_all
    from rung.measure.score import score
    from rung.models.local import LocalModel
    from rung.models.runtimes import Alongside, Traced
    from rung.workspace.promoting import approach

    ours = w.base_model(ws, wanted.adapter)
    if not isinstance(ours, LocalModel):
        raise ConfigError("only a model on this machine can be exported", "tune a bundled:, local: or hf: model")
    theirs, task = opened(wanted, folder), w.task(ws, w.cases(ws))
    ready = approach(ws, rung, ours)
    sides, firsts = [], []
    for what, model in (("adapter", Traced(ours)), ("export", Alongside(ours, theirs))):
        answers = {}
        for number, answer in answer_all(replace(ready, model=model), [case.question for case in cases]):
            answers[number] = answer
            progress(f"ask the {what}", len(answers), len(cases))
        sides.append([(answers[n], score(task, case, answers[n])) for n, case in enumerate(cases)])
        firsts.append(model.firsts)
    return agreement(cases, sides[0], sides[1], (firsts[0], firsts[1]), TOLERANCES[wanted.numbers])


def opened(wanted: Wanted, folder: Path) -> LlamaCpp | Transformers:
    """The files in the runtime they were made for; ModelError where it does not load them."""
    from rung.models.runtimes import open_llama_cpp, open_transformers

    if wanted.format == "gguf":
        return open_llama_cpp(folder / f"model-{wanted.numbers}.gguf")
    if wanted.format == "gguf-lora":
        return open_llama_cpp(folder / f"base-{wanted.numbers}.gguf", folder / "adapter.gguf")
    return open_transformers(folder) if wanted.format == "safetensors" else open_transformers(wanted.base, folder / "adapter")


def _safetensors(wanted: Wanted, folder: Path) -> None:
    from rung.models.merge import write_merged

    write_merged(wanted.base, wanted.adapter, folder)


def _gguf(wanted: Wanted, folder: Path) -> None:
    _weights(wanted, wanted.adapter, folder / f"model-{wanted.numbers}.gguf")
    _beside(wanted, folder, f"model-{wanted.numbers}.gguf")


def _gguf_lora(wanted: Wanted, folder: Path) -> None:
    from rung.models.gguf_lora import write_gguf_lora

    _weights(wanted, None, folder / f"base-{wanted.numbers}.gguf")
    write_gguf_lora(wanted.adapter, wanted.base, folder / "adapter.gguf")
    _beside(wanted, folder, f"base-{wanted.numbers}.gguf", "adapter.gguf")


def _weights(wanted: Wanted, adapter: Path | None, file: Path) -> None:
    """The base as GGUF, with the adapter in its weights if given. Quantised from float32: rounding once is enough."""
    from rung.models.gguf import quantise, write_gguf
    from rung.models.merge import write_merged

    merged, whole = file.with_suffix(".merged"), file.with_suffix(".f32")
    write_merged(wanted.base, adapter, merged, "f32")
    if wanted.numbers in ("f16", "f32"):
        write_gguf(merged, file, "f16" if wanted.numbers == "f16" else "f32")
    else:
        quantise(write_gguf(merged, whole, "f32"), file, "q8_0" if wanted.numbers == "q8_0" else "q4_k_m")
        whole.unlink()
    shutil.rmtree(merged)


def _beside(wanted: Wanted, folder: Path, file: str, adapter: str = "") -> None:
    from transformers import AutoTokenizer

    from rung.models.modelfile import modelfile

    tokenizer = AutoTokenizer.from_pretrained(str(wanted.base))
    window = json.loads((wanted.base / "config.json").read_text(encoding="utf-8"))["max_position_embeddings"]
    (folder / "chat_template.jinja").write_text(tokenizer.chat_template, encoding="utf-8")
    (folder / "Modelfile").write_text(modelfile(tokenizer, file, adapter, window), encoding="utf-8")


def _vllm(wanted: Wanted, folder: Path) -> None:
    """vLLM's layout: the adapter in peft's format, with the tokenizer and template of its base, and how to start it."""
    place = folder / "adapter"
    place.mkdir()
    for file in ("adapter_model.safetensors",):
        shutil.copy(wanted.adapter / file, place / file)
    for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"):
        if (wanted.base / file).is_file():
            shutil.copy(wanted.base / file, place / file)
    settings = json.loads((wanted.adapter / "adapter_config.json").read_text(encoding="utf-8"))
    named = settings | {"base_model_name_or_path": str(wanted.base)}
    (place / "adapter_config.json").write_text(json.dumps(named, indent=2), encoding="utf-8")
    rank = next(one for one in (8, 16, 32, 64, 128, 256, 320, 512) if one >= settings["r"])  # the ranks that vLLM takes
    command = f"vllm serve {wanted.base} --enable-lora --max-lora-rank {rank} --lora-modules {wanted.adapter.name}=adapter"
    (folder / "serve.sh").write_text(f'#!/bin/sh\ncd "$(dirname "$0")" && exec {command} "$@"\n', encoding="utf-8")


WRITERS: dict[str, Writer] = {"safetensors": _safetensors, "gguf": _gguf, "gguf-lora": _gguf_lora, "vllm": _vllm}


def _numbers_of(base: Path) -> str:
    from rung.models.merge import base_weights

    kind = str(next(iter(base_weights(base).values())).dtype)
    return {"torch.bfloat16": "bf16", "torch.float16": "f16"}.get(kind, "f32")


def _finish(ws: Workspace, wanted: Wanted, part: Path, to: Path, found: Agreement) -> Exported:
    from rung.tuning.adapters import sums

    numbers = asdict(found)
    note = {"adapter": wanted.adapter.name, "format": wanted.format, "numbers": wanted.numbers, "agreement": numbers}
    (part / NOTE).write_text(json.dumps(note, indent=1, ensure_ascii=False), encoding="utf-8")
    files = sums(part)
    exported(catalogue(ws), wanted.adapter.name, str(to.resolve()), wanted.format, files, {**numbers, "differing": []})
    if to.exists():
        to.rmdir()
    os.replace(part, to)
    return Exported(str(to), wanted.adapter.name, wanted.format, files, found)


def _told(to: Path, found: Agreement) -> str:
    shown = "".join(f"\n  {one.case}: the adapter says {one.adapter!r}, the export {one.export!r}" for one in found.differing)
    return f"the export to {to} is refused: {'; '.join(found.refused)}{shown}"
