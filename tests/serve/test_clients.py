"""The clients that people use talk to the server unchanged: LangChain, `llm`, and OpenAI's for Node, each in a process of its own.

They bring many packages along, so `make clients` installs them apart from the tests' own: an environment beside the interpreter's
packages, from the pinned versions in `tests/clients`. What could not be installed there is skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving_project import Served, served, write_project

from rung.workspace.keys import add_key
from rung.workspace.store import open_store
from rung.workspace.workspace import open_workspace

CLIENTS = Path(sys.prefix) / "clients"
PYTHON = str(CLIENTS / "bin" / "python")
LANGCHAIN = """
import sys
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
url, key = sys.argv[1:]
chat = ChatOpenAI(model="rag", base_url=url, api_key=key, temperature=0)
said = chat.invoke("What does the pump cost?")
assert said.content == "310 euros [1]", said
assert said.usage_metadata["total_tokens"] > 0
assert "".join(piece.content for piece in chat.stream("What does the gear cost?")) == "40 euros [1]"
new = ChatOpenAI(model="rag", base_url=url, api_key=key, use_responses_api=True).invoke("What does the valve cost?")
assert new.text == "55 euros [1]", new
vectors = OpenAIEmbeddings(model="hashing-256", base_url=url, api_key=key, check_embedding_ctx_length=False).embed_documents(["a", "b"])
assert len(vectors) == 2 and vectors[0] != vectors[1]
"""
NODE = """
import OpenAI from "openai";
const [url, key] = process.argv.slice(2);
const client = new OpenAI({ baseURL: url, apiKey: key, maxRetries: 0 });
const check = (one, two) => { if (one !== two) throw new Error(`${one} is not ${two}`); };
const said = await client.chat.completions.create({ model: "rag", messages: [{ role: "user", content: "What does the pump cost?" }] });
check(said.choices[0].message.content, "310 euros [1]");
check(said.rung.passages[0].document, "pump.md");
let text = "";
const messages = [{ role: "user", content: "What does the gear cost?" }];
for await (const chunk of await client.chat.completions.create({ model: "rag", stream: true, messages }))
  text += chunk.choices[0]?.delta?.content ?? "";
check(text, "40 euros [1]");
const streamed = client.responses.stream({ model: "rag", input: "What does the valve cost?" });
check((await streamed.finalResponse()).output_text, "55 euros [1]");
check((await client.models.list()).data.map((one) => one.id).join(), "long-context,rag,hashing-256");
const refused = await client.chat.completions.create({ model: "none", messages }).catch((error) => error);
check(refused.status, 404);
check(refused.code, "model_not_found");
"""


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    pushes = 'folder = "docs"\n[[knowledge.sources]]\nkind = "push"\nname = "crm"\npath = "pushed"\nlargest_mb = 1\n'
    folder = write_project(tmp_path_factory.mktemp("shop"), more=pushes)
    store = open_store(open_workspace(folder))
    _, text = add_key(store, "clients", role="editor")
    store.close()
    return folder, text


@pytest.fixture(scope="module")
def server(key: tuple[Path, str]) -> Iterator[Served]:
    with served(*key) as running:
        yield running


def needs(module: str) -> None:
    if not Path(PYTHON).exists() or subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, check=False).returncode:
        pytest.skip(f"{module} is not installed in {CLIENTS}: make clients")


def ran(*command: str, folder: Path, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=240, env=kept | {"HOME": str(folder)} | environment
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_langchain(server: Served, key: tuple[Path, str], tmp_path: Path) -> None:
    needs("langchain_openai")
    ran(PYTHON, "-c", LANGCHAIN, f"{server.url}/v1", key[1], folder=tmp_path)


def test_llm(server: Served, key: tuple[Path, str], tmp_path: Path) -> None:
    needs("llm")
    lines = ["- model_id: shop", "  model_name: rag", f"  api_base: {server.url}/v1", "  api_key_name: shop"]
    (tmp_path / "extra-openai-models.yaml").write_text("\n".join(lines) + "\n")
    told = {"LLM_USER_PATH": str(tmp_path)}
    for more in ([], ["--no-stream"]):
        said = ran(PYTHON, "-m", "llm", "-m", "shop", "--key", key[1], *more, "What does the pump cost?", folder=tmp_path, **told)
        assert said.strip() == "310 euros [1]"


def test_node(server: Served, key: tuple[Path, str], tmp_path: Path) -> None:
    if not shutil.which("node"):
        pytest.skip("Node.js is not installed")
    if not (CLIENTS / "node_modules" / "openai").is_dir():
        pytest.skip(f"the client for Node is not installed in {CLIENTS}: make clients")
    script = tmp_path / "client.mjs"
    script.write_text(NODE)
    (tmp_path / "node_modules").symlink_to(CLIENTS / "node_modules")
    ran("node", str(script), f"{server.url}/v1", key[1], folder=tmp_path)


def test_schemathesis_finds_no_fault(server: Served, key: tuple[Path, str], tmp_path: Path) -> None:
    needs("schemathesis")
    command = [PYTHON, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", "-H", f"Authorization: Bearer {key[1]}"]
    command += ["--checks", "not_a_server_error,content_type_conformance,response_schema_conformance,status_code_conformance"]
    ran(*command, "--max-examples", os.environ.get("RUNG_EXAMPLES", "40"), "--seed", "1", "--no-color", folder=tmp_path)
