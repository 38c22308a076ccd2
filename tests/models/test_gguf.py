"""A model written as GGUF and served by llama.cpp says what our own engine says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from rung.errors import ModelError
from rung.models import load
from rung.models.bundled import folder
from rung.models.endpoint import EndpointModel
from rung.models.gguf import write_gguf
from rung.types import Message, Reply, Settings

pytest.importorskip("gguf", reason="the extra 'gguf' is not installed")

PROMPTS: list[list[Message]] = [
    [{"role": "user", "content": "Who approves a purchase above 5,000 euros?"}],
    [{"role": "system", "content": "Answer in one word."}, {"role": "user", "content": "What does the Skerry sensor cost in 2024?"}],
    [
        {"role": "system", "content": "Answer the question from the passages. Cite the passage number in brackets."},
        {
            "role": "user",
            "content": "[1] The Morrow filter costs 412 euros.\n\n[2] Ferries leave at 7:15.\n\nQuestion: What does the filter cost?",
        },
    ],
    [{"role": "user", "content": "Größe, café 🙂\n\n\tand  spaces?"}],
]


@pytest.fixture(scope="module", params=["random", "bundled"])
def served(request: pytest.FixtureRequest, model_folder: Path) -> Path:
    """Random weights, and those that the package ships."""
    return model_folder if request.param == "random" else folder("tiny")


@pytest.fixture(scope="module")
def server(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base url of llama-cpp-python's own server."""
    if find_spec("llama_cpp") is None:
        pytest.skip("llama-cpp-python[server] is not installed")
    file = write_gguf(served, tmp_path_factory.mktemp("gguf") / "tiny.gguf", "f32")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(file), "--model_alias", "tiny", "--n_ctx", "512"]
    command += ["--n_threads", "1", "--type_k", "0", "--type_v", "0"]  # keys and values in float32, as ours
    with open(file.with_suffix(".log"), "wb") as log:
        running = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        _wait_for(f"http://127.0.0.1:{port}/v1/models", running, file.with_suffix(".log"))
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        running.terminate()
        running.wait(20)


def _wait_for(url: str, running: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert running.poll() is None, log.read_text()
        try:
            httpx.get(url).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_the_file_holds_the_models_numbers(model_folder: Path, tmp_path: Path) -> None:
    import numpy as np
    from gguf import GGUFReader
    from safetensors.numpy import load_file

    file = write_gguf(model_folder, tmp_path / "tiny.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.gguf"]
    held = {tensor.name: tensor.data for tensor in GGUFReader(file).tensors}
    weights = load_file(model_folder / "model.safetensors")
    assert len(held) == len(weights)
    assert np.array_equal(held["token_embd.weight"], weights["model.embed_tokens.weight"].astype(np.float16))
    assert np.array_equal(held["blk.1.ffn_down.weight"], weights["model.layers.1.mlp.down_proj.weight"].astype(np.float16))
    query, ours = held["blk.0.attn_q.weight"], weights["model.layers.0.self_attn.q_proj.weight"].astype(np.float16)
    assert np.array_equal(query[:8:2], ours[:4]), "the first halves of a head's rotary pairs"
    assert np.array_equal(query[1:8:2], ours[4:8])


def test_what_llama_cpp_would_read_otherwise_is_refused(model_folder: Path, tmp_path: Path) -> None:
    import json
    import shutil

    folder = Path(shutil.copytree(model_folder, tmp_path / "model"))
    content: dict[str, Any] = json.loads((folder / "tokenizer.json").read_text())
    content["pre_tokenizer"] = {"type": "Whitespace"}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="splits text"):
        write_gguf(folder, tmp_path / "tiny.gguf")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "qwen2"}))
    with pytest.raises(ModelError, match="qwen2"):
        write_gguf(folder, tmp_path / "tiny.gguf")


@pytest.mark.slow
def test_llama_cpp_says_what_we_say(server: str, served: Path) -> None:
    settings = Settings(max_tokens=24)
    ours = {number: item for number, item in load(f"local:{served}").stream(PROMPTS, settings) if isinstance(item, Reply)}
    # That server answers one request at a time, breaks off the one it is at when another comes, and by default punishes
    # repetition even when asked for the likeliest token.
    model = cast(EndpointModel, load(f"endpoint:tiny@{server}", concurrency=1, extra={"repeat_penalty": 1.0}))
    pieces: dict[int, list[str]] = {number: [] for number in ours}
    theirs: dict[int, Reply] = {}
    for number, item in model.stream(PROMPTS, settings):
        if isinstance(item, Reply):
            theirs[number] = item
        else:
            pieces[number].append(item)
    model.client.clear()
    for number in ours:
        assert theirs[number].text == "".join(pieces[number]) == ours[number].text
        assert len(pieces[number]) > 1 or ours[number].usage.completion <= 2
        assert theirs[number].finish == ours[number].finish
        assert theirs[number].usage.completion > 0


@pytest.mark.slow
def test_llama_cpp_counts_what_we_count(server: str, served: Path) -> None:
    local = load(f"local:{served}")
    for prompt in PROMPTS:
        body = {"model": "tiny", "messages": prompt, "max_tokens": 1, "temperature": 0}
        usage = httpx.post(f"{server}/chat/completions", json=body, timeout=60).json()["usage"]
        assert usage["prompt_tokens"] == local.count(prompt)
