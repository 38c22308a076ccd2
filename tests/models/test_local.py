"""The engine on this machine: the same tokens as transformers and peft, whoever else is answered meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from tiny_model import save_random_model

from rung.errors import ModelError
from rung.models import load
from rung.models.local import LocalModel
from rung.models.template import encode_prompt
from rung.types import Message, Reply, Settings

LONG = "The Skerry sensor costs 49 euros a month. " * 40
GREEDY = Settings(max_tokens=24)


def prompt(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


PROMPTS = [prompt(f"Question {number}: {'who approves what? ' * (number % 7)}") for number in range(21)]


def local(folder: Path, adapter: Path | None = None, **options: object) -> LocalModel:
    return cast(LocalModel, load(f"local:{folder}", adapter, **options))


def replies(model: LocalModel, prompts: list[list[Message]], settings: Settings = GREEDY) -> list[Reply]:
    done = {number: item for number, item in model.stream(prompts, settings) if isinstance(item, Reply)}
    return [done[number] for number in range(len(prompts))]


def said(model: LocalModel, prompts: list[list[Message]], settings: Settings = GREEDY) -> list[str]:
    return [reply.text for reply in replies(model, prompts, settings)]


def generated(folder: Path, adapter: Path | None, prompts: list[list[Message]]) -> list[str]:
    """What transformers' own loop says, one prompt at a time."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    if adapter:
        model = PeftModel.from_pretrained(model, str(adapter))
    texts = []
    for one in prompts:
        ids = torch.tensor([encode_prompt(tokenizer, one)])
        out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=GREEDY.max_tokens, do_sample=False)
        texts.append(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))
    return texts


both_forwards = pytest.mark.parametrize("packed_mib", [2048, 0])  # our own, and transformers'


@both_forwards
def test_greedy_is_what_transformers_generates(model_folder: Path, packed_mib: int) -> None:
    prompts = [*PROMPTS[:6], prompt(LONG)]
    assert said(local(model_folder, packed_mib=packed_mib), prompts) == generated(model_folder, None, prompts)


@both_forwards
@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft reads a name that transformers will drop
def test_adapters_are_what_peft_makes_of_them_in_any_order(model_folder: Path, adapter_folders: tuple[Path, Path], packed_mib: int) -> None:
    one, two = adapter_folders
    expected = {folder: generated(model_folder, folder, PROMPTS[:4]) for folder in (None, one, two)}
    assert len({tuple(texts) for texts in expected.values()}) == 3
    for order in ((two, None, one), (one, two, None, one)):
        for folder in order:
            assert said(local(model_folder, folder, packed_mib=packed_mib), PROMPTS[:4]) == expected[folder]


def test_one_engine_holds_the_base_for_all_adapters(model_folder: Path, adapter_folders: tuple[Path, Path]) -> None:
    base, tuned = local(model_folder), local(model_folder, adapter_folders[0])
    assert base.engine is tuned.engine
    assert base.id != tuned.id != local(model_folder, adapter_folders[1]).id
    assert tuned.id == local(model_folder, adapter_folders[0]).id


@both_forwards
def test_a_reply_depends_on_its_prompt_alone(model_folder: Path, adapter_folders: tuple[Path, Path], packed_mib: int) -> None:
    model = local(model_folder, adapter_folders[0], packed_mib=packed_mib)
    for settings in (GREEDY, Settings(max_tokens=16, temperature=0.8, seed=5)):
        alone = [said(model, [one], settings)[0] for one in PROMPTS]
        assert said(model, PROMPTS, settings) == alone
        assert said(model, PROMPTS[::-1], settings) == alone[::-1]
        other = local(model_folder, adapter_folders[0], packed_mib=packed_mib, threads=1, batch=3)
        assert said(other, PROMPTS, settings) == alone


@both_forwards
@pytest.mark.parametrize("shared", [1, 2])
def test_logits_are_the_same_bits_beside_other_rows_on_any_threads(tmp_path: Path, shared: int, packed_mib: int) -> None:
    from rung.models.decode import Row
    from rung.models.keyvalues import Slots
    from rung.models.pieces import Pieces

    folder = save_random_model(tmp_path / "random", key_heads=4 // shared)
    decoder = local(folder, packed_mib=packed_mib, prefix_mib=0).engine.decoder
    threads_before = torch.get_num_threads()

    def logits(beside: int, threads: int, length: int) -> list[torch.Tensor]:
        torch.set_num_threads(threads)
        decoder.forward.use("")
        slots = Slots(decoder.shape)
        slots.grow(16, 512)
        rows = [Row([1, *range(7, 7 + size)], GREEDY, Pieces(str), print) for size in (length, *range(9, 9 + 11 * beside, 11))]
        read = decoder.read(rows, slots, 0, "")
        for row, last in zip(rows, read, strict=True):
            row.tokens = [int(last.argmax())]
        return [read[0], decoder.step(rows, slots)[0]]

    with torch.inference_mode():
        for length in (1, 62, 63, 64, 65, 300):
            alone = logits(0, 1, length)
            for beside in (0, 1, 3, 8, 13):
                for threads in (1, 2, 3):
                    assert all(map(torch.equal, logits(beside, threads, length), alone)), (length, beside, threads)
    torch.set_num_threads(threads_before)


def test_single_prompts_from_many_threads_get_their_own_replies(model_folder: Path, adapter_folders: tuple[Path, Path]) -> None:
    models = [local(model_folder), local(model_folder, adapter_folders[0])]
    expected = [said(model, PROMPTS) for model in models]
    got: dict[tuple[int, int], str] = {}

    def ask(which: int, number: int) -> None:
        got[which, number] = said(models[which], [PROMPTS[number]])[0]

    threads = [threading.Thread(target=ask, args=(which, number)) for which in (0, 1) for number in range(len(PROMPTS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[got[which, number] for number in range(len(PROMPTS))] for which in (0, 1)] == expected


@both_forwards
def test_a_shared_prefix_is_computed_once_and_changes_nothing(model_folder: Path, packed_mib: int) -> None:
    prompts = [prompt(f"{LONG} Question {number}?") for number in range(5)]
    kept, fresh = (local(model_folder, packed_mib=packed_mib, batch=4 + (mib == 0), prefix_mib=mib) for mib in (512, 0))
    first, again, without = replies(kept, prompts), replies(kept, prompts), replies(fresh, prompts)
    assert [one.text for one in first] == [one.text for one in again] == [one.text for one in without]
    assert [one.usage.cached for one in without] == [0] * 5
    block = kept.engine.decoder.forward.block

    def shared(one: list[Message], other: list[Message]) -> int:
        pairs = zip(*(encode_prompt(kept.engine.tokenizer, each) for each in (one, other)), strict=False)
        return next(number for number, (a, b) in enumerate(pairs) if a != b) // block * block

    assert shared(prompts[0], prompts[1]) > 500
    assert sorted(one.usage.cached for one in first) == [0] + [shared(prompts[0], prompts[1])] * 4
    assert [one.usage.cached for one in again] == [(one.usage.prompt - 1) // block * block for one in first]
    other = prompt(f"{LONG} Anything else?")
    assert replies(kept, [other])[0].usage.cached == shared(prompts[0], other)


def test_a_prefix_belongs_to_its_adapter(model_folder: Path, adapter_folders: tuple[Path, Path]) -> None:
    base, tuned = local(model_folder), local(model_folder, adapter_folders[0])
    replies(base, [prompt("base " + LONG)])
    assert replies(tuned, [prompt("base " + LONG)])[0].usage.cached == 0


def test_a_prompt_beyond_the_window_is_refused_with_the_numbers(model_folder: Path) -> None:
    model = local(model_folder)
    asked = prompt("x y " * 900)
    with pytest.raises(ModelError, match=rf"{model.count(asked)} tokens and 1000 more .* window is 2048"):
        model.stream([PROMPTS[0], asked], Settings(max_tokens=1000))


@pytest.mark.parametrize("settings", [Settings(max_tokens=0), Settings(temperature=-1.0)])
def test_settings_without_sense_are_refused(model_folder: Path, settings: Settings) -> None:
    with pytest.raises(ModelError):
        local(model_folder).stream([PROMPTS[0]], settings)


def test_what_goes_wrong_in_the_engine_is_raised_where_it_is_read(tmp_path: Path) -> None:
    model = local(save_random_model(tmp_path / "breaks", seed=9))
    for asked in (PROMPTS, PROMPTS[:1]):
        with pytest.raises(KeyError):
            said(LocalModel(model.engine, "an adapter that was never loaded"), asked)
    assert len(said(model, PROMPTS)) == len(PROMPTS), "the engine lives on"


def test_long_prompts_share_memory_by_waiting(model_folder: Path) -> None:
    model = local(model_folder, batch_mib=1)
    assert said(model, [prompt(LONG + str(number)) for number in range(3)]) == said(
        local(model_folder), [prompt(LONG + str(number)) for number in range(3)]
    )


def test_a_window_no_longer_than_the_sliding_one(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, MistralConfig, MistralForCausalLM

    tokenizer: Any = AutoTokenizer.from_pretrained(save_random_model(tmp_path / "tokens"))
    config = MistralConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, sliding_window=100, eos_token_id=4,
    )  # fmt: skip
    MistralForCausalLM(config).save_pretrained(tmp_path / "sliding")
    tokenizer.save_pretrained(tmp_path / "sliding")
    model = local(tmp_path / "sliding")
    assert model.window == 100
    assert said(model, PROMPTS[:1]) == generated(tmp_path / "sliding", None, PROMPTS[:1])


def test_characters_of_many_tokens_arrive_whole(tmp_path: Path) -> None:
    model = local(save_random_model(tmp_path / "wild", ascii_only=False))
    for number, item in model.stream(PROMPTS, Settings(max_tokens=60)):
        if isinstance(item, Reply):
            decode = model.engine.tokenizer.decode
            assert item.text == decode(model.engine.tokenizer(item.text)["input_ids"]) or "\ufffd" in item.text
            assert number in range(len(PROMPTS))
