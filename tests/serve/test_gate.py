"""However many come, wait, leave, or are late: no more are let in than there are places, and every place comes back."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from rung.serve.gate import Gate
from rung.serve.refusals import Refusal

VISITS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from(["stays", "leaves", "late", "cancelled"])), max_size=14)


@given(VISITS, st.integers(1, 3), st.integers(0, 3))
def test_places_come_back(visits: list[tuple[int, int, str]], at_once: int, queue: int) -> None:
    refused: list[int] = []

    async def visit(gate: Gate, wait: int, stay: int, how: str) -> None:
        await asyncio.sleep(wait / 1000)
        left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if how == "leaves":
            asyncio.get_running_loop().call_later(0.001, left.cancel)
        try:
            since = await gate.enter(left, 0.001 if how == "late" else 10)
        except Refusal as refusal:
            refused.append(refusal.status)
            return
        try:
            assert gate.running <= at_once
            assert gate.waiting <= queue
            await asyncio.sleep(stay / 1000)
        finally:
            gate.leave(since)

    async def all_of_them() -> None:
        gate = Gate(at_once, queue)
        tasks = [asyncio.create_task(visit(gate, *one)) for one in visits]
        for task, (wait, stay, how) in zip(tasks, visits, strict=True):
            if how == "cancelled":
                asyncio.get_running_loop().call_later((wait + stay / 2) / 1000, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() or task.exception() is None for task in tasks)
        assert (gate.running, gate.waiting) == (0, 0)
        left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for _ in range(at_once):
            await gate.enter(left, 1)
        assert gate.free.locked()

    asyncio.run(all_of_them())
    assert set(refused) <= {429, 499, 504}


def test_who_is_refused_is_told_when_to_come_again() -> None:
    async def full() -> Refusal:
        gate = Gate(1, 0)
        left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await gate.enter(left, 1)
        try:
            await gate.enter(left, 1)
        except Refusal as refusal:
            return refusal
        raise AssertionError("it was let in")

    refusal = asyncio.run(full())
    assert refusal.status == 429
    assert refusal.retry_after
