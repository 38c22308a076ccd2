"""An extractor is tuned on solved texts, says valid JSON with quotes, and can be named as a model."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rung import models
from rung.errors import ModelError, TuningError
from rung.measure.fields import schema_check
from rung.models.extracting import Extractor, questions
from rung.models.numbered import written
from rung.models.values import mentions
from rung.tuning.extractor import Solved, targets, train_extractor
from rung.tuning.spans import SpanRecipe
from rung.types import Reply, Settings

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "signed": {"type": ["string", "null"], "format": "date", "description": "When was the lease signed?"},
        "notice": {"type": ["string", "null"], "format": "duration", "description": "How much notice must be given?"},
        "pets": {"type": "boolean", "description": "Are pets allowed?"},
    },
    "required": ["signed", "notice", "pets"],
    "additionalProperties": False,
}
FILLER = "The tenant keeps the rooms clean and pays for what is broken. "
RECIPE = SpanRecipe(epochs=3, rate=4e-4, tokens=1024, size=96)


def lease(n: int) -> Solved:
    r = Random(n)
    pets, days = r.random() < 0.5, r.choice((14, 30, 60, 90))
    parts = [f"This lease was signed on {n % 27 + 1} May 2014.", f"Either side may end it upon {days} days of notice."]
    parts += ["The tenant may keep a dog or a cat in the flat."] * pets
    text = (FILLER * 3).join(r.sample(parts, len(parts)))
    at = text.find("The tenant may keep")
    values = {"signed": f"2014-05-{n % 27 + 1:02}", "notice": f"P{days}D", "pets": pets}
    return Solved(str(n), text, values, {"pets": ((at, at + 47),)} if pets else {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("extractor")
    train_extractor([lease(n) for n in range(14)], [lease(n) for n in range(14, 20)], SCHEMA, home, RECIPE)
    return home


@pytest.mark.slow  # it trains
def test_fields_are_found_with_their_quotes(folder: Path) -> None:
    extractor, accepts, right = models.load(f"extractor:{folder}", threads=1), schema_check(SCHEMA), 0
    assert isinstance(extractor, Extractor)
    for solved in [lease(n) for n in range(20, 28)]:
        found = extractor.extract(solved.text)
        assert accepts({one.field: one.value for one in found})
        for one in found:
            if one.end:
                quoted = solved.text[one.start : one.end]
                assert one.value in [value for _, _, value in mentions(SCHEMA["properties"][one.field], quoted)]
        right += sum(one.value == solved.values[one.field] for one in found)
    assert right >= 18  # of 24


@pytest.mark.slow
def test_it_answers_a_prompt_with_json(folder: Path) -> None:
    extractor, text = models.load(f"extractor:{folder}", threads=1), lease(30).text
    asked = [[{"role": "user", "content": content}] for content in (written((), text), written((text, "Nothing."), "Which fields?"))]
    replies = [piece for _, piece in extractor.stream(asked, Settings()) if isinstance(piece, Reply)]  # type: ignore[arg-type]
    assert len(replies) == 2
    assert all(set(json.loads(reply.text)) == {"signed", "notice", "pets"} for reply in replies)


def test_a_value_is_learned_where_the_text_says_it() -> None:
    solved = Solved("1", "Signed on 2 May 2014; ends on 3 May 2015. Signed again on May 2, 2014.", {"signed": "2014-05-02"})
    assert [solved.text[a:b] for a, b in targets(solved, "signed", SCHEMA["properties"]["signed"])] == ["2 May 2014", "May 2, 2014"]
    assert targets(solved, "notice", SCHEMA["properties"]["notice"]) == []


def test_what_can_not_be_learned_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TuningError, match="stands in its text"):
        train_extractor([Solved("1", "Nothing is said.", {"signed": "2014-05-02", "notice": None, "pets": False})], [], SCHEMA, tmp_path)
    with pytest.raises(ModelError, match="nested"):
        questions({"properties": {"lines": {"type": "array"}}})
    with pytest.raises(ModelError, match="no properties"):
        questions({"type": "object"})
    with pytest.raises(ModelError, match="no extractor"):
        models.load(f"extractor:{tmp_path / 'none'}")
