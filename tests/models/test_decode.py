"""The decoding loop by itself, step by step: who is read when, who leaves, and what happens when something fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import torch

from rung.models import load
from rung.models.decode import Batch, Decoder, Row
from rung.models.local import LocalModel
from rung.models.pieces import Pieces
from rung.types import Reply, Settings

ROOM = 1 << 30


@pytest.fixture(params=[2048, 0], ids=["own", "transformers"])
def decoder(request: pytest.FixtureRequest, model_folder: Path) -> Iterator[Decoder]:
    """Of an engine that nobody else asks; blocks of prompts are kept."""
    model = cast(LocalModel, load(f"local:{model_folder}", packed_mib=request.param, batch=7))
    kept = Decoder(model.engine.decoder.forward, model.engine.decoder.shape, frozenset(), type(model.engine.decoder.prefixes)(ROOM))
    with torch.inference_mode():
        kept.forward.use("")
        yield kept


def row(ids: list[int], gone: list[bool] | None = None, most: int = 5) -> tuple[Row, list[str | Reply | Exception]]:
    sent: list[str | Reply | Exception] = []
    return Row(ids, Settings(max_tokens=most), Pieces(lambda tokens: "x" * len(tokens)), sent.append, lambda: bool(gone)), sent


def replies(sent: list[str | Reply | Exception]) -> list[Reply]:
    return [item for item in sent if isinstance(item, Reply)]


def ended(batch: Batch, limit: int = 1000) -> int:
    """Steps until all is done."""
    return next(number for number in range(1, limit) if not batch.advance())


def test_all_are_answered_whatever_the_room(decoder: Decoder) -> None:
    for most, room in ((1, ROOM), (3, ROOM), (16, ROOM), (16, 1)):
        batch = Batch(decoder, "", most, room)
        rows = [row([1, *range(5, 6 + 13 * number)]) for number in range(9)]
        batch.waiting.extend(one for one, _ in rows)
        ended(batch)
        for one, sent in rows:
            assert [(reply.usage.prompt, reply.usage.completion) for reply in replies(sent)] == [(len(one.ids), 5)]
            assert "".join(item for item in sent if isinstance(item, str)) == "xxxxx"


def test_nobody_waits_for_these_any_more(decoder: Decoder) -> None:
    batch, gone, stay = Batch(decoder, "", 16, ROOM), list[bool](), list[bool]()
    rows = [row([1, *range(5, 10 + number)], gone if number % 2 else stay, most=50) for number in range(8)]
    batch.waiting.extend(one for one, _ in rows)
    while sum(bool(one.tokens) for one, _ in rows) < 4:
        batch.advance()
    gone.append(True)
    assert batch.advance()
    assert all(one.gone() is (number % 2 == 1) for number, (one, _) in enumerate(rows))
    ended(batch)
    assert [len(replies(sent)) for _, sent in rows] == [1, 0] * 4
    stay.append(True)
    batch.waiting.extend(row([1, 2, 3], stay)[0] for _ in range(3))
    assert not batch.advance()


def test_a_prompt_waits_for_the_block_that_another_is_reading(decoder: Decoder) -> None:
    block = decoder.forward.block
    common = [1, *range(5, 4 + 2 * block)]
    rows = [row([*common, *range(300, 310 + number)])[0] for number in range(4)]
    batch = Batch(decoder, "", 16, ROOM)
    batch.waiting.extend(rows)
    ended(batch)
    assert [one.cached for one in rows] == [0, *[2 * block] * 3]


def test_an_error_reaches_the_prompts_that_were_being_read(decoder: Decoder) -> None:
    batch = Batch(decoder, "", 16, ROOM)
    batch.waiting.append(row([1, 2, 1_000_000])[0])  # no such token
    with pytest.raises((IndexError, RuntimeError)):
        batch.advance()
    assert len(batch.everyone()) == 1
