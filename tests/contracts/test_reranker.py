"""What every reranker promises, on a random cross-encoder: one score for each text, the same in any company; and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from cross_encoder import cross_encoder

from rung.approach.source import Search
from rung.errors import ConfigError, KnowledgeError
from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.knowledge import open_knowledge, search, sync
from rung.knowledge.read import read_document
from rung.knowledge.rerankers import Reranker, load, reranked

TEXTS = ["Leave lasts ten weeks.", "", "The crane costs 900 euros.", "x " * 3000, "Leave lasts ten weeks."]


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> Reranker:
    return load(f"hf:{cross_encoder(tmp_path_factory.mktemp('cross'))}")


def test_one_score_for_each_text_in_any_company(reranker: Reranker) -> None:
    scores = reranker.scores("How long is leave?", TEXTS)
    assert len(scores) == len(TEXTS)
    assert scores == [reranker.scores("How long is leave?", [text])[0] for text in TEXTS]
    assert scores[0] == scores[-1]
    assert len(set(scores)) == 4
    assert reranker.scores("How long is leave?", []) == []
    assert reranker.scores("What costs the crane?", TEXTS) != scores


def test_the_source_brings_the_best_of_what_it_read(reranker: Reranker, tmp_path: Path) -> None:
    knowledge = open_knowledge(tmp_path, Hashing(), "exact")
    sync(knowledge, [read_document(f"# Part {n}\n\nPart {n} costs {n * 7} euros a day.".encode(), f"{n}.md") for n in range(12)])
    plain, again = Search(knowledge, 3), Search(knowledge, 3, reranker=reranker, read=8)
    assert plain.id != again.id
    assert reranker.id in again.id
    hits = search(knowledge, "cost of part 7", 8)
    found = again.find("cost of part 7").hits
    assert found == tuple(reranked(reranker, "cost of part 7", hits)[:3])
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert {hit.passage.id for hit in found} <= {hit.passage.id for hit in hits}
    assert all(hits[hit.legs["search"] - 1].passage == hit.passage for hit in found)


def test_unknown_names_and_unfit_weights_are_refused(tmp_path: Path) -> None:
    for spec in ("", "hf:", "magic:x"):
        with pytest.raises(ConfigError, match="names no reranker"):
            load(spec)
    with pytest.raises(KnowledgeError, match="2 scores a pair"):
        load(f"hf:{cross_encoder(tmp_path / 'two', 2)}")
    (tmp_path / "none").mkdir()
    with pytest.raises(KnowledgeError, match="holds no safetensors"):
        load(f"hf:{tmp_path / 'none'}")


def test_the_id_is_of_the_weights(reranker: Reranker, tmp_path: Path) -> None:
    again = cross_encoder(tmp_path)
    assert load(f"hf:{again}").id == reranker.id
