"""Text crosses from the thread that answers to the event loop whole and in order, however the two are interleaved."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rung.serve.running import _putting

PIECES = st.lists(st.tuples(st.text(min_size=1, max_size=4), st.booleans()), max_size=30)  # texts, and whether a moment passes after them


@given(PIECES)
def test_no_piece_is_lost_and_none_overtakes(pieces: list[tuple[str, bool]]) -> None:
    async def crossed() -> list[str]:
        loop, events = asyncio.get_running_loop(), asyncio.Queue[Any]()
        put = _putting(loop, events)

        def speak() -> None:
            for text, pause in pieces:
                put(text)
                if pause:
                    time.sleep(0)

        await loop.run_in_executor(None, speak)
        return [events.get_nowait() for _ in range(events.qsize())]

    heard = asyncio.run(crossed())
    assert "".join(heard) == "".join(text for text, _ in pieces)
    assert len(heard) <= len(pieces)
    assert all(heard)


def test_what_comes_while_the_loop_is_busy_is_one_piece() -> None:
    async def crossed() -> list[str]:
        events = asyncio.Queue[Any]()
        put = _putting(asyncio.get_running_loop(), events)
        for text in "abc":
            put(text)
        first = await events.get()
        put("d")
        return [first, await events.get()]

    assert asyncio.run(crossed()) == ["abc", "d"]
