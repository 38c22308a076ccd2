"""Trains the bundled reading model: `python -m bundled.train OUT`. Seeded, resumable, stages in the order given below."""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing as mp
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from bundled.compose import Exercise, Level, Natural, exercise
from bundled.encode import SPECIAL, TEMPLATE, Item, Stream, encode, join, learn_tokenizer, prompt
from bundled.kinds.bank import TRAIN_KINDS
from bundled.policy import policy_exercise
from bundled.prose import paragraphs, prose_exercise

Prose = list[list[str]]  # runs of plain sentences


@dataclass(frozen=True)
class Stage:
    """`tokens` more tokens at this level."""

    tokens: float
    level: Level


STAGES = (
    Stage(10e6, Level(passages=(1, 2), facts=(1, 5), look_alike=0.1, drill=0.55, natural=0.15, forms=0.25, labels=0.03, absent=0.1, branches=9)),
    Stage(18e6, Level(passages=(1, 4), facts=(1, 5), look_alike=0.2, again=0.1, joint=0.1, drill=0.45, natural=0.15, prose=0.2, policy=0.15, forms=0.35, labels=0.04, place=0.2, absent=0.12, branches=9)),
    Stage(58e6, Level(passages=(1, 7), facts=(1, 5), look_alike=0.35, again=0.15, joint=0.15, drill=0.35, natural=0.2, prose=0.2, policy=0.2, forms=0.45, place=0.18, branches=7)),
)
FULL = STAGES[-1].level
BATCH, LONGEST, PROMPT_SHARE = 8192, 1024, 0.05  # tokens to a step, to an exercise; share of prompt tokens in the loss
SHAPE = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 6, "num_attention_heads": 8, "num_key_value_heads": 8}
VOCABULARY, WINDOW = 8192, 2048


NATURAL = ("qamr", "fairytaleqa", "policyqa_dev", "tatqa_dev_text")


def natural_texts(path: Path | None) -> list[Natural]:
    """Texts with questions from a gzipped JSON-lines file (context, question, answers, source).

    Sources under MIT, Apache 2.0 and CC BY only: none with conditions on what is trained from them.
    """
    if not path:
        return []
    import gzip

    found: dict[str, list[tuple[str, str, int]]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["source"] in NATURAL and row["answers"] and row["answer_starts"][0] >= 0 and len(row["answers"][0]) <= 90:
                found.setdefault(row["context"], []).append((row["question"], row["answers"][0], row["answer_starts"][0]))
    return sorted(found.items())


def make_tokenizer(out: Path, prose: Prose, natural: list[Natural], seed: int) -> None:
    """Learn the vocabulary on exercises, prose and natural sentences; write the files transformers reads."""
    r = Random(f"tokenizer/{seed}")
    texts = []
    for _ in range(12000):
        x = exercise(r, TRAIN_KINDS, FULL)
        texts += [prompt(x), *(f" {b.question} {b.answer}" for b in x.branches)]
    texts += [context for context, _ in natural]
    texts += [" ".join(sentences) for sentences in prose]
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(
        tokenizer_object=learn_tokenizer(texts, VOCABULARY), bos_token="<s>", eos_token="<|end|>", pad_token="<pad>",
        additional_special_tokens=list(SPECIAL[2:5]), clean_up_tokenization_spaces=False, model_max_length=WINDOW,
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(out)


def drawn(r: Random, level: Level, natural: list[Natural], prose: Prose) -> Exercise:
    """An exercise of any sort."""
    draw = r.random()
    if draw < level.policy:
        return policy_exercise(r, level)
    if prose and draw < level.policy + level.prose:
        return prose_exercise(r, prose, level)
    return exercise(r, TRAIN_KINDS, level, "train", natural)


def produce(queue: Any, out: Path, stage: Stage, natural: list[Natural], prose: Prose, seed: str) -> None:
    """Make batches for ever; runs in a process of its own."""
    from tokenizers import Tokenizer

    os.sched_setaffinity(0, range(os.cpu_count() or 1))  # the training may be kept to some cores
    tokenizer, r = Tokenizer.from_file(str(out / "tokenizer.json")), Random(seed)
    while True:
        items: list[Item] = []
        while sum(map(len, items)) < BATCH:
            item = encode(tokenizer, drawn(r, stage.level, natural, prose), r, LONGEST, PROMPT_SHARE)
            items += [item] if item else []
        queue.put(join(items))


def batches(out: Path, stage: Stage, natural: list[Natural], prose: Prose, seed: str) -> Iterator[Stream]:
    """Batches from a background process."""
    queue: Any = mp.Queue(6)
    worker = mp.Process(target=produce, args=(queue, out, stage, natural, prose, seed), daemon=True)
    worker.start()
    try:
        while True:
            yield queue.get()
    finally:
        worker.terminate()


def optimizers(model: Any, torch: Any, rate: float) -> list[Any]:
    """Muon (Jordan et al. 2024) for the matrices inside the layers, AdamW for the embedding and the norms."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n and "lm_head" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    return [
        torch.optim.Muon(matrices, lr=rate, momentum=0.95, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def build(out: Path, torch: Any) -> Any:
    """A fresh model with the tokenizer's vocabulary."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=VOCABULARY, max_position_embeddings=WINDOW, tie_word_embeddings=True, bos_token_id=1, eos_token_id=5,
        pad_token_id=0, rope_theta=10000.0, rms_norm_eps=1e-5, attn_implementation="sdpa", **SHAPE,  # type: ignore[arg-type]
    )
    return LlamaForCausalLM(config)


def save(model: Any, out: Path, state: dict[str, Any], torch: Any) -> None:
    """The checkpoint in bf16 for use, and everything to go on from."""
    torch.save(state, out / "resume.tmp")
    os.replace(out / "resume.tmp", out / "resume.pt")


def export(out: Path, torch: Any) -> None:
    """The model of the last checkpoint as transformers reads it, in bf16."""
    model = build(out, torch)
    model.load_state_dict(torch.load(out / "resume.pt", weights_only=True)["model"])
    model.to(torch.bfloat16).save_pretrained(out)


def main() -> None:
    """Train stage by stage; a second call goes on where the last one stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--natural", type=Path, help="gzipped JSON lines with context, question, answers (optional)")
    parser.add_argument("--prose", type=Path, help="a .tar.gz of text files or a .jsonl.gz with text (optional)")
    parser.add_argument("--start", type=Path, help="a model folder to go on from instead of random weights (optional)")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="multiply every stage's tokens, for a trial")
    args = parser.parse_args()
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    natural = natural_texts(args.natural)
    prose = paragraphs(args.prose, natural)
    if args.start:
        for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
            shutil.copy(args.start / name, args.out / name)
    if not (args.out / "tokenizer.json").exists():
        make_tokenizer(args.out, prose, natural, args.seed)
    train(args, natural, prose, torch)
    export(args.out, torch)


def train(args: Any, natural: list[Natural], prose: Prose, torch: Any) -> None:
    """The loop: warm up, hold, and fall to zero over the last 45 %."""
    from bundled.forward import loss_of

    model = build(args.out, torch)
    if args.start:
        from safetensors.torch import load_file

        model.load_state_dict(load_file(args.start / "model.safetensors"), strict=False)  # the head is tied to the embedding
    opts = optimizers(model, torch, args.rate)
    seen, step, skip = 0.0, 0, 0.0
    resume = args.out / "resume.pt"
    if resume.exists():
        state = torch.load(resume, weights_only=True)
        model.load_state_dict(state["model"])
        for opt, held in zip(opts, state["opts"], strict=True):
            opt.load_state_dict(held)
        seen, step = state["seen"], state["step"]
    stages = [replace(s, tokens=s.tokens * args.scale) for s in STAGES]
    total = sum(s.tokens for s in stages)
    log = (args.out / "train.jsonl").open("a")
    started, mark, losses = time.time(), seen, []
    for number, stage in enumerate(stages):
        skip += stage.tokens
        if seen >= skip:
            continue
        for stream in batches(args.out, stage, natural, prose, f"{args.seed}/{number}/{step}"):
            left = 1 - seen / total
            rate = args.rate * min(1.0, (step + 1) / 200, max(0.02, left / 0.45))
            for opt in opts:
                for group in opt.param_groups:
                    group["lr"] = rate
            loss = loss_of(model, stream)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for opt in opts:
                opt.step()
                opt.zero_grad(set_to_none=True)
            seen, step = seen + len(stream.ids), step + 1
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise SystemExit("the loss is not a number; lower --rate")
            if step % 25 == 0:
                speed = (seen - mark) / (time.time() - started)
                line = {"step": step, "tokens": seen, "stage": number, "loss": round(sum(losses) / len(losses), 4), "rate": rate, "tokens/s": round(speed)}
                log.write(json.dumps(line) + "\n")
                log.flush()
                losses = []
            if step % 200 == 0 or seen >= skip:
                save(model, args.out, {"model": model.state_dict(), "opts": [o.state_dict() for o in opts], "seen": seen, "step": step}, torch)
            if seen >= skip:
                break


if __name__ == "__main__":
    main()
