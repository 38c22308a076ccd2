"""Buffers of keys and values, and the blocks kept for prompts that begin alike."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rung.models.keyvalues import Line, Prefixes, Shape, Slots, Step, block_names

SHAPE = Shape(2, 3, 4, torch.float32, torch.device("cpu"))
BLOCK = 16


def filled(rows: int, columns: int) -> Slots:
    slots = Slots(SHAPE)
    slots.grow(rows, columns)
    for number, tensor in enumerate((*slots.keys, *slots.values)):
        tensor.copy_(torch.arange(tensor.numel()).reshape(tensor.shape) + 1000 * number)
    return slots


def test_growing_keeps_what_is_there() -> None:
    slots = filled(2, 8)
    before = [tensor.clone() for tensor in (*slots.keys, *slots.values)]
    slots.grow(4, 16)
    slots.grow(1, 1)
    assert (slots.rows, slots.columns) == (4, 16)
    for old, new in zip(before, (*slots.keys, *slots.values), strict=True):
        assert torch.equal(new[:2, :, :8], old)
        assert not new[2:].any()


def test_a_line_writes_its_row_alone_and_returns_all_it_has() -> None:
    slots = filled(2, 8)
    line = Line(slots, 1, 2)
    keys, values = torch.full((1, 3, 3, 4), -1.0), torch.full((1, 3, 3, 4), -2.0)
    other = slots.keys[0][0].clone()
    all_keys, all_values = line.update(keys, values, 0)
    assert all_keys.shape == all_values.shape == (1, 3, 5, 4)
    assert torch.equal(all_keys[:, :, 2:], keys)
    assert torch.equal(slots.keys[0][0], other)


def test_a_block_pasted_is_a_block_copied() -> None:
    slots = filled(2, 8)
    block, before = slots.copy(0, 0, 4), slots.copy(1, 0, 3)
    slots.paste(1, 3, block)
    assert torch.equal(slots.copy(1, 3, 7), block)
    assert torch.equal(slots.copy(1, 0, 3), before)


def test_a_step_writes_each_row_at_its_own_position() -> None:
    slots = Slots(SHAPE)
    slots.grow(4, 8)
    step = Step(slots, torch.arange(2), torch.tensor([5, 1]), 6)
    keys, _ = step.update(torch.ones(2, 3, 1, 4), torch.ones(2, 3, 1, 4), 1)
    assert keys.shape == (2, 3, 6, 4)
    assert keys[0, 0, :, 0].tolist() == [0, 0, 0, 0, 0, 1]
    assert keys[1, 0, :, 0].tolist() == [0, 1, 0, 0, 0, 0]


def test_moving_a_row_copies_its_columns() -> None:
    slots = filled(3, 8)
    slots.move(2, 0, 5)
    assert torch.equal(slots.values[1][0, :, :5], slots.values[1][2, :, :5])
    assert not torch.equal(slots.values[1][0, :, 5:], slots.values[1][2, :, 5:])


tokens = st.lists(st.integers(0, 3), min_size=1, max_size=3 * BLOCK)


@given(tokens, tokens, tokens)
def test_blocks_have_one_name_exactly_where_prompts_are_alike(common: list[int], first: list[int], second: list[int]) -> None:
    one, two = common + first, common + second
    for number, (a, b) in enumerate(zip(block_names("", one, BLOCK), block_names("", two, BLOCK), strict=False), 1):
        assert (a == b) == (one[: number * BLOCK] == two[: number * BLOCK])
    assert len(list(block_names("", one, BLOCK))) == (len(one) - 1) // BLOCK
    assert not set(block_names("", one, BLOCK)) & set(block_names("other", one, BLOCK))


def test_the_least_recently_used_blocks_leave() -> None:
    block = torch.zeros(10)
    kept = Prefixes(limit=3 * block.nbytes)
    for name in (b"a", b"b", b"c"):
        kept.put(name, block)
    assert kept.get(b"a") is not None
    kept.put(b"d", block)
    assert [name for name in (b"a", b"b", b"c", b"d") if kept.get(name) is not None] == [b"a", b"c", b"d"]
    assert kept.size == 3 * block.nbytes
    kept.put(b"e", torch.zeros(31))
    assert kept.get(b"e") is None, "what is larger than everything is not kept"


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 6), st.integers(1, 80))
def test_kept_blocks_are_the_ones_put_and_lie_in_no_more_than_the_limit(names: list[int], most: int, page: int) -> None:
    kept, told = Prefixes(most * 12, page), dict[int, torch.Tensor]()
    for name in names:
        kept.put(bytes([name]), told.setdefault(name, torch.full((3,), float(name))))
    held = [(name, block) for name in told if (block := kept.get(bytes([name]))) is not None]
    assert all(torch.equal(block, told[name]) for name, block in held)
    assert kept.size == 12 * len(held) <= kept.limit
    assert sum({block.untyped_storage().data_ptr(): block.untyped_storage().nbytes() for _, block in held}.values()) <= kept.limit


@pytest.mark.parametrize("layers", [1, 30])
def test_bytes_of_a_token(layers: int) -> None:
    assert Shape(layers, 8, 64, torch.bfloat16, torch.device("cpu")).token_bytes() == 2 * layers * 8 * 64 * 2
