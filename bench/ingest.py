"""Passages to a searchable index with the same MiniLM weights: ours against LlamaIndex, LangChain with Chroma, and Haystack.

All get the same texts, each a passage, on the same cores, in turns. Ours also cuts, indexes the words and commits to the disk.
A peer that is not installed is named and left out; it refuses to call a race won where no peer ran.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rung.knowledge import embedders
from rung.knowledge.embedders.minilm import MiniLM
from rung.knowledge.knowledge import open_knowledge, sync
from rung.knowledge.read import read_document

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "scifact" / "corpus.jsonl.gz"
OURS = ("ours", "our encoder alone")
WORDS = 90  # of a passage: about 130 tokens, so that nobody cuts it

Ingest = Callable[[Sequence[str]], int]  # texts in, passages held out


def run(small: bool = False) -> dict[str, object]:
    """Passages a second of each; ours over the fastest peer as `ratio`, and over our encoder alone as `encoder_share`."""
    if not DATA.is_file():
        print(f"skipped: the development data is not at {DATA}")
        return {"skipped": True}
    texts = _passages(200 if small else 10_000)
    embedder = embedders.load("minilm")
    assert isinstance(embedder, MiniLM)
    systems: dict[str, Ingest] = {OURS[0]: lambda part: _ours(embedder, part), OURS[1]: lambda part: len(embedder.embed(part))}
    makers = {"LlamaIndex": _llamaindex, "LangChain + Chroma": _langchain, "Haystack": _haystack}
    for name, make in makers.items():
        try:
            systems[name] = make(embedder.folder)
        except ModuleNotFoundError as error:
            print(f"{name} left out: {error}")
    rates, busy = _raced(systems, texts)
    print(f"{'system':<24}{'passages/s':>12}")
    for name, rate in rates.items():
        print(f"{name:<24}{rate:>12.1f}")
    peers = {name: rate for name, rate in rates.items() if name in makers}
    figures = {f"{name.split()[0].lower()}_per_second": round(rate, 2) for name, rate in peers.items()}
    share = round(rates[OURS[0]] / rates[OURS[1]], 3)
    told = figures | {
        "passages_per_second": round(rates["ours"], 2),
        "encoder_share": share,
        "encoder_share_processor": round(busy[OURS[0]] / busy[OURS[1]], 3),  # the same by processor time, which other load leaves alone
        "passages": len(texts),
        "cores": embedder.threads,
    }
    return told | ({"ratio": round(rates["ours"] / max(peers.values()), 3)} if peers else {})


def _passages(count: int) -> list[str]:
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        words = [word for row in map(json.loads, file) for word in row["text"].split()]
    return [" ".join(words[WORDS * n : WORDS * (n + 1)]) for n in range(min(count, len(words) // WORDS))]


def _raced(systems: dict[str, Ingest], texts: Sequence[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Texts a second of each, and a second of processor time, after a short round that warms up.

    Ours and the encoder run before the peers and in reverse order after them: a load that comes or goes weighs on both alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    busy: dict[str, list[float]] = {name: [] for name in systems}
    for ingest in systems.values():
        ingest(texts[:32])
    peers = list(systems)[2:]
    for name in (*OURS, *peers, *reversed(OURS)):
        started, worked = time.perf_counter(), time.process_time()
        held = systems[name](texts)
        seconds[name].append(time.perf_counter() - started)
        busy[name].append(time.process_time() - worked)
        if held < len(texts):  # a text of more tokens than the encoder reads is two passages of ours; peers cut it off
            raise SystemExit(f"{name} holds {held} of {len(texts)} passages")
        print(f"{name}: {seconds[name][-1]:.1f} s, {busy[name][-1]:.1f} s of processor time", flush=True)
    rates, worked_rates = ({name: len(texts) * len(taken) / sum(taken) for name, taken in of.items()} for of in (seconds, busy))
    return rates, worked_rates


def _ours(embedder: MiniLM, texts: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        knowledge = open_knowledge(Path(folder), embedder, passage_tokens=embedder.limit - 2)
        sync(knowledge, [read_document(text.encode(), f"{number}.txt") for number, text in enumerate(texts)])
        return sum(1 for _ in knowledge.passages())


def _encoder(folder: Path) -> Any:
    """The weights as the peers run them: sentence-transformers, fp32, mean pooling."""
    from sentence_transformers import SentenceTransformer, models

    transformer = models.Transformer(str(folder), max_seq_length=256)
    return SentenceTransformer(modules=[transformer, models.Pooling(384, "mean"), models.Normalize()], device="cpu")


def _llamaindex(folder: Path) -> Ingest:
    from llama_index.core import VectorStoreIndex
    from llama_index.core.embeddings import BaseEmbedding
    from llama_index.core.schema import TextNode

    encoder = _encoder(folder)

    class MiniLMEmbedding(BaseEmbedding):  # type: ignore[misc]
        def _get_text_embeddings(self, texts: list[str]) -> Any:
            return encoder.encode(texts, batch_size=32).tolist()

        def _get_text_embedding(self, text: str) -> Any:
            return self._get_text_embeddings([text])[0]

        def _get_query_embedding(self, query: str) -> Any:
            return self._get_text_embeddings([query])[0]

        async def _aget_query_embedding(self, query: str) -> Any:
            return self._get_query_embedding(query)

    model = MiniLMEmbedding(embed_batch_size=32)
    return lambda texts: len(VectorStoreIndex([TextNode(text=text) for text in texts], embed_model=model).index_struct.nodes_dict)


def _langchain(folder: Path) -> Ingest:
    from langchain_chroma import Chroma
    from langchain_core.embeddings import Embeddings

    encoder = _encoder(folder)

    class MiniLMEmbeddings(Embeddings):  # type: ignore[misc]
        def embed_documents(self, texts: list[str]) -> Any:
            return encoder.encode(texts, batch_size=32).tolist()

        def embed_query(self, text: str) -> Any:
            return self.embed_documents([text])[0]

    def ingest(texts: Sequence[str]) -> int:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
            store = Chroma(embedding_function=MiniLMEmbeddings(), persist_directory=place)
            for at in range(0, len(texts), 5000):  # Chroma takes no more at once
                store.add_texts(list(texts[at : at + 5000]))
            return int(store._collection.count())

    return ingest


def _haystack(folder: Path) -> Ingest:
    from haystack import Document
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    encoder = _encoder(folder)

    def ingest(texts: Sequence[str]) -> int:
        store = InMemoryDocumentStore()
        vectors = encoder.encode(list(texts), batch_size=32).tolist()
        store.write_documents([Document(content=text, embedding=vector) for text, vector in zip(texts, vectors, strict=True)])
        return int(store.count_documents())

    return ingest
