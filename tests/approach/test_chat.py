"""A chat: the question is made to stand alone for the search, the turns are shown, and what was searched for is recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from chat_server import chat_server

import rung
from rung.approach.approach import Approach, answer_stream
from rung.approach.prompt import PromptStyle, fit
from rung.approach.rewrite import INSTRUCTION, checked
from rung.approach.source import Nothing, Search
from rung.errors import DataError
from rung.knowledge.embedders import load
from rung.knowledge.knowledge import Knowledge, open_knowledge, sync
from rung.knowledge.read import read_document
from rung.measure.record import answer_from_json, answer_to_json
from rung.types import Answer, Message, Messages, Reply, Settings, Usage

HISTORY: list[Message] = [
    {"role": "user", "content": "What does the crane cost?"},
    {"role": "assistant", "content": "900 euros a day [1]."},
]


@dataclass(frozen=True)
class Clerk:
    """A model that makes one question stand alone and else says what the last passage is."""

    window: int = 1000
    id: str = "clerk"
    asked: list[Messages] = field(default_factory=list)

    def count(self, messages: Messages) -> int:
        return sum(len(message["content"].split()) for message in messages)

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        for number, messages in enumerate(prompts):
            self.asked.append(messages)
            text = "How long is the berth booked?" if messages[0]["content"] == INSTRUCTION else "Two weeks [1]."
            yield number, text
            yield number, Reply(text, Usage(10, 5), 0.5)


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    knowledge = open_knowledge(tmp_path_factory.mktemp("chat"), load("hashing"), "exact")
    texts = {"crane.md": "# Crane\n\nThe crane costs 900 euros.", "berth.md": "# Berth\n\nThe berth is booked for two weeks."}
    sync(knowledge, [read_document(text.encode(), path) for path, text in texts.items()])
    return knowledge


def answered(approach: Approach, question: str, history: Sequence[Message] = ()) -> Answer:
    *_, answer = answer_stream(approach, question, history)
    assert isinstance(answer, Answer)
    return answer


def test_the_rewritten_question_is_searched_for_recorded_and_paid_for(knowledge: Knowledge) -> None:
    clerk = Clerk()
    answer = answered(Approach("rag", clerk, Search(knowledge, 1)), "And how long?", HISTORY)
    assert answer.query == "How long is the berth booked?"
    assert answer.question == "And how long?"
    assert answer.hits[0].passage.document == "berth.md"
    assert answer.usage == Usage(20, 10)
    assert answer.generation_seconds == 1.0
    assert answer_from_json(json.loads(json.dumps(answer_to_json(answer)))) == answer
    shown = [message["content"] for message in clerk.asked[-1]]
    assert shown[1:3] == ["What does the crane cost?", "900 euros a day ."]  # its marker pointed at another prompt's passage
    assert shown[-1].endswith("Question: And how long?")


def test_without_history_or_search_or_leave_nothing_is_rewritten(knowledge: Knowledge) -> None:
    rag = Approach("rag", Clerk(), Search(knowledge, 1))
    for approach, history in ((rag, []), (replace(rag, source=Nothing()), HISTORY), (replace(rag, rewrite=False), HISTORY)):
        answer = answered(approach, "What does the crane cost?", history)
        assert answer.query == ""
        assert answer.usage == Usage(10, 5)
    assert replace(rag, rewrite=False).id != rag.id


def test_the_oldest_turns_go_first_where_the_window_is_full() -> None:
    history: list[Message] = [{"role": "user", "content": f"turn {number}"} for number in range(9)]
    messages, _, dropped = fit(Clerk(window=12), PromptStyle(""), "Why?", [], [], 4, whole=False, history=history)
    assert [message["content"] for message in messages] == ["turn 6", "turn 7", "turn 8", "Question: Why?"]
    assert dropped == 0


@pytest.mark.parametrize("turn", [{"role": "robot", "content": "x"}, {"role": "user"}, {"role": "user", "content": 3}])
def test_what_is_no_turn_is_refused(turn: Message) -> None:
    with pytest.raises(DataError, match="no turn of a chat"):
        checked([turn])


def test_neighbours_are_shown_as_far_as_the_window_holds_them(tmp_path: Path) -> None:
    knowledge = open_knowledge(tmp_path, load("hashing"), "exact", passage_tokens=16)
    lines = "\n\n".join(f"Rule {n} of the quay: keep number {n} of the ropes dry and coiled." for n in range(40))
    sync(knowledge, [read_document(f"# Quay\n\n{lines}".encode(), "quay.md")])
    sizes = []
    for window in (90, 200, 5000):
        rag = Approach("rag", Clerk(window), Search(knowledge, 2, expand="document"), settings=Settings(max_tokens=8))
        answer = answered(rag, "Which ropes does rule 20 name?")
        (*_, last) = [hit.passage for hit in answer.hits]
        assert all(hit.passage.text in f"# Quay\n\n{lines}" for hit in answer.hits)
        assert answer.dropped == 0
        assert last.end <= len(f"# Quay\n\n{lines}")
        sizes.append(sum(hit.passage.end - hit.passage.start for hit in answer.hits))
        assert answer.citations[0].start == answer.hits[0].passage.start
    assert sizes[0] < sizes[1] < sizes[2] == len(f"# Quay\n\n{lines}")


def test_a_conversation_in_the_terminal_and_in_python(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "crane.md").write_text("# Crane\n\nThe crane costs 900 euros.")
    (tmp_path / "docs" / "berth.md").write_text("# Berth\n\nThe berth is booked for two weeks.")
    (tmp_path / "cases.jsonl").write_text(json.dumps({"id": "a", "question": "What does it cost?", "answer": "900 euros"}) + "\n")
    with chat_server(Clerk()) as chat:
        model = f'[model]\nname = "endpoint:tiny@{chat.url}"\noptions = {{ window = 1000 }}\n'
        (tmp_path / "rung.toml").write_text(f'{model}[knowledge]\nembedder = "hashing"\nindex = "exact"\nk = 1\n')
        command = [sys.executable, "-m", "rung", "ask", "What does the crane cost?", str(tmp_path), "--chat"]
        done = subprocess.run(command, input="And how long?\n\n", capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("tokens (0 cached)") == 2
        assert "searched for: How long is the berth booked?" in done.stdout
        assert "*[1] berth.md" in done.stdout
        chat.trouble.append(400)
        done = subprocess.run(command, input="What does the crane cost?\n", capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "error: " in done.stderr
        assert done.stdout.count("tokens (0 cached)") == 1
        assert "searched for" not in done.stdout  # a question that failed is no turn of the chat
        answer = rung.open(tmp_path).ask("And how long?", history=HISTORY)
        assert answer.query == "How long is the berth booked?"
