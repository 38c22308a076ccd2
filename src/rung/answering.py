"""What `rung ask` prints: an answer as it is spoken with its sources, or a conversation. It decides nothing about answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import DataError, RungError
from rung.show import print_json, progress
from rung.workspace.workspace import answering_with, open_workspace

if TYPE_CHECKING:
    from rung.approach.approach import Approach
    from rung.knowledge.knowledge import Knowledge
    from rung.types import Answer, Message


def ask_and_show(
    folder: Path,
    question: str,
    rung: str,
    as_json: bool,
    user: str = "",
    where: Sequence[str] = (),
    at: str = "",
    adapter: str = "",
    model: str = "",
    *,
    chat: bool = False,
) -> None:
    """Answer as it is spoken, then the sources it stands on; in a chat, one question after the other."""
    from rung.parts import open_rung
    from rung.workspace.bases import answering_by

    with progress(quiet=as_json) as bar:
        if not question.strip() and not chat:
            raise DataError("the question is empty", 'write it in quotes: rung ask "How long is the warranty?" shop')
        if os.path.exists(os.path.join(question, "rung.toml")) and not os.path.exists(folder / "rung.toml"):
            raise DataError("the question comes before the folder", f'rung ask "{folder}" {question}')
        ws = answering_by(open_workspace(folder, user, where, at), model)
        ready = open_rung(answering_with(ws, adapter), rung, bar)
    history: list[Message] = []
    for asked in talking(question) if chat else (question,):
        try:
            answer = _answer_and_show(ready, asked, history, as_json)
        except RungError as error:
            if not chat:
                raise
            print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr, flush=True)  # the conversation goes on
            continue
        history += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer.text}]


def talking(first: str) -> Iterator[str]:
    """The first question, where it is one, then each line that is typed, until an empty one or the end of the input."""
    if first.strip():
        yield first
    while True:
        if sys.stdin.isatty():
            print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline().strip()
        if not line:
            return
        yield line


def _answer_and_show(ready: Approach, question: str, history: Sequence[Message], as_json: bool) -> Answer:
    from rung.approach.approach import answer_stream
    from rung.approach.fused import Fused
    from rung.approach.source import Everything, Search
    from rung.types import Answer

    own = ready.source.own if isinstance(ready.source, Fused) else ready.source
    knowledge = own.knowledge if isinstance(own, Search | Everything) else None
    started = False
    question = question.encode(errors="surrogateescape").decode(errors="replace")  # a shell may pass bytes that are not UTF-8
    for piece in answer_stream(ready, question, history):
        if isinstance(piece, Answer):
            print_json(piece) if as_json else _show_sources(piece, knowledge)
            sys.stdout.flush()
            return piece
        if not as_json:
            text = piece if started else piece.lstrip()
            started = started or bool(text)
            sys.stdout.write(text)
            sys.stdout.flush()
    raise AssertionError("the last piece of a stream is the Answer")


def _show_sources(answer: Answer, knowledge: Knowledge | None) -> None:
    print()
    if answer.query:
        print(f"  searched for: {answer.query}")
    cited = {citation.marker: citation.quote for citation in answer.citations}
    for number, hit in enumerate(answer.hits, 1):
        mark = "*" if number in cited else " "
        place = " > ".join(hit.passage.headings) or hit.passage.document
        pages = knowledge.pages(hit.passage) if knowledge else None
        page = f", page {pages[0]}" + (f" to {pages[1]}" if pages[1] > pages[0] else "") if pages else ""
        print(f" {mark}[{number}] {hit.passage.document}:{hit.passage.start}-{hit.passage.end}{page}  {place}")
        if quote := cited.get(number):
            said = " ".join(hit.passage.text[quote[0] - hit.passage.start : quote[1] - hit.passage.start].split())
            print(f"      {quote[0]}-{quote[1]}: {said}")
    for sentence in answer.sentences:
        if not sentence.support:
            said = f"; not in the passages: {', '.join(sentence.missing)}" if sentence.missing else ""
            print(f"  unsupported: {sentence.text.strip()}{said}")
    for name, told in answer.made_by.items():
        if name.startswith("live "):
            print(f"  {name}: {told} (no version: what it says may change)")
    if answer.dropped:
        print(f"  {answer.dropped} passages left out: the window was full")
    usage, seconds = answer.usage, answer.retrieval_seconds + answer.generation_seconds
    print(f"  {usage.prompt} + {usage.completion} tokens ({usage.cached} cached), {seconds:.2f} s")
