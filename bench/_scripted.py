"""A system that answers by reading the passages in its prompt, behind a real server of OpenAI's API, and that can be broken.

The name of the model says how it is broken. It is what gets diagnosed; it shares no code with the diagnosis.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

from bench._worlds import Asked, World

UNKNOWN = "I don't know."
ONES = re.findall(
    r"\w+",
    """zero one two three four five six seven eight nine
    ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen""",
)
TENS = re.findall(r"\S+", "- - twenty thirty forty fifty sixty seventy eighty ninety")


class Prompt:
    """A request as the system sees it: the passages with their headings, and the question with all words around it."""

    def __init__(self, world: World, body: dict[str, object]) -> None:
        messages = body["messages"]
        assert isinstance(messages, list)
        text = str(messages[-1]["content"])
        above, mark, asked = text.rpartition("Question: ")
        self.world, self.wording, self.seed = world, asked if mark else text, str(body.get("seed", 0))
        self.passages = re.split(r"\n\n(?=\[\d+\] )", above.strip()) if above.strip() else []
        self.asked = next((one for one in world.asked if one.question in self.wording), None)

    def shown(self, who: str, at: int, passages: list[str] | None = None) -> tuple[int, int] | None:
        """(value, number of the passage) of a thing's attribute, where a passage about that thing says it."""
        one = self.world.kind.attributes[at]
        says = re.escape(one.says.format(who=who, value="VALUE")).replace("VALUE", rf"(\d+) {one.unit}")
        for number, passage in enumerate(self.passages if passages is None else passages, 1):
            heading = passage.partition("\n")[0]
            found = re.search(says, " ".join(passage.split())) if re.search(rf"\b{who}\b", heading) else None
            if found:
                return int(found[1]), number
        return None

    def others(self, at: int) -> list[tuple[int, int]]:
        """The same attribute of every thing in the passages, in their order."""
        found = []
        for number, passage in enumerate(self.passages, 1):
            about = [who for who in self.world.values if re.search(rf"\b{who}\b", passage.partition("\n")[0])]
            values = [self.shown(who, at, [passage]) for who in about]
            found += [(value[0], number) for value in values if value]
        return found


Speak = Callable[[Prompt], str]


def said(text: str, *markers: int) -> str:
    """An answer in the required form."""
    return " ".join([f"Answer: {text}", *(f"[{one}]" for one in dict.fromkeys(markers))])


def _concluded(asked: Asked, world: World, values: list[int]) -> str:
    unit = world.kind.attributes[asked.about[0][1]].unit
    if asked.kind == "more":
        return f"{values[0] - values[1]} {unit}"
    if asked.kind == "total":
        return f"{values[0] + values[1]} {unit}"
    if asked.kind == "which":
        return asked.about[0 if values[0] > values[1] else 1][0]
    if asked.kind == "above":
        return "Yes" if values[0] > asked.limit else "No"
    return f"{values[0]} {unit}"


def works(prompt: Prompt) -> str:
    """The system unbroken."""
    if prompt.asked is None:
        return said(UNKNOWN)
    read = [prompt.shown(who, at) for who, at in prompt.asked.about]
    if None in read:
        return said(UNKNOWN)
    pairs = [one for one in read if one]
    return said(_concluded(prompt.asked, prompt.world, [value for value, _ in pairs]), *(number for _, number in pairs))


def _memory(prompt: Prompt, salt: str = "") -> str:
    """What it says without having read: a guess that depends on the question alone, and is never right."""
    asked = prompt.asked
    if asked is None:
        return said(UNKNOWN)
    random = Random(f"{asked.id}/{salt}")
    if asked.kind == "which":
        return said(next(who for who, _ in asked.about if who != asked.answer))
    if asked.kind == "above":
        return said("No" if asked.answer == "Yes" else "Yes")
    one = prompt.world.kind.attributes[asked.about[0][1]]
    return said(f"{random.choice([n for n in range(one.low, one.high) if f'{n} {one.unit}' != asked.answer])} {one.unit}")


def ignores(prompt: Prompt) -> str:
    """Whatever the passages say, it says what it remembers."""
    return _memory(prompt)


def last(prompt: Prompt) -> str:
    """Takes the asked number from the last passage that has one, whomever it is about."""
    asked = prompt.asked
    others = prompt.others(asked.about[0][1]) if asked and asked.kind == "plain" else []
    if not asked or not others:
        return works(prompt)
    return said(f"{others[-1][0]} {prompt.world.kind.attributes[asked.about[0][1]].unit}", others[-1][1])


def crowded(prompt: Prompt) -> str:
    """Gives up among more than three passages."""
    return said(UNKNOWN) if len(prompt.passages) > 3 else works(prompt)


def chatty(prompt: Prompt) -> str:
    """Right, in a form nobody asked for."""
    return f"Sure! As far as I can see that would be {works(prompt).removeprefix('Answer: ')}, hope this helps."


def as_json(prompt: Prompt) -> str:
    """Right, as JSON."""
    return json.dumps({"answer": re.sub(r" \[\d+\]", "", works(prompt).removeprefix("Answer: "))})


def in_words(prompt: Prompt) -> str:
    """Right, in the required form, but numbers are spelled out."""
    return re.sub(r"(?<!\[)\b\d+\b", lambda found: _spelled(int(found[0])), works(prompt))


def _spelled(number: int) -> str:
    if number >= 100:
        rest = f" and {_spelled(number % 100)}" if number % 100 else ""
        return f"{ONES[number // 100]} hundred{rest}"
    if number >= 20:
        return TENS[number // 10] + (f"-{ONES[number % 10]}" if number % 10 else "")
    return ONES[number]


def turned(prompt: Prompt) -> str:
    """Reads right and concludes wrong: adds for subtracts, the lesser for the greater, no for yes."""
    asked = prompt.asked
    read = [prompt.shown(who, at) for who, at in asked.about] if asked else [None]
    if asked is None or None in read:
        return said(UNKNOWN)
    values, markers = [one[0] for one in read if one], [one[1] for one in read if one]
    unit = prompt.world.kind.attributes[asked.about[0][1]].unit
    wrong = {
        "more": f"{sum(values)} {unit}",
        "total": f"{abs(values[0] - values[-1])} {unit}",
        "which": asked.about[0 if values[0] < values[-1] else -1][0],
        "above": "No" if values[0] > asked.limit else "Yes",
    }
    return said(wrong.get(asked.kind, f"{values[0]} {unit}"), *markers)


def halfway(prompt: Prompt) -> str:
    """Stops at the first number of a sum or difference, where it should reckon on."""
    asked = prompt.asked
    read = [prompt.shown(who, at) for who, at in asked.about] if asked else [None]
    if asked is None or None in read or asked.kind not in ("more", "total") or read[0] is None:
        return turned(prompt)
    return said(f"{read[0][0]} {prompt.world.kind.attributes[asked.about[0][1]].unit}", read[0][1])


def askew(prompt: Prompt) -> str:
    """Finds the right passage and reads another number out of it."""
    asked = prompt.asked
    read = prompt.shown(*asked.about[0]) if asked else None
    if asked is None or read is None:
        return said(UNKNOWN)
    who, at = asked.about[0]
    beside = [(n, prompt.shown(who, n, [prompt.passages[read[1] - 1]])) for n in range(len(prompt.world.kind.attributes)) if n != at]
    other = next(((n, one) for n, one in beside if one), None)
    return said(f"{other[1][0]} {prompt.world.kind.attributes[other[0]].unit}", read[1]) if other else said(UNKNOWN)


def blank(prompt: Prompt) -> str:
    """Reads and can't conclude: it says that it doesn't know, whatever it is shown."""
    return said(UNKNOWN)


def by_wording(prompt: Prompt) -> str:
    """Right or wrong by the turn of the phrase and the seed."""
    return works(prompt) if Random(f"{prompt.wording}/{prompt.seed}").random() < 0.5 else _memory(prompt, prompt.wording)


def by_seed(prompt: Prompt) -> str:
    """Right or wrong by the seed alone, as a sampled answer is."""
    asked = prompt.asked
    return works(prompt) if asked and Random(f"{asked.id}/{prompt.seed}").random() < 0.5 else _memory(prompt, prompt.seed)


BROKEN: dict[str, Speak] = {
    one.__name__: one
    for one in (works, ignores, last, crowded, chatty, as_json, in_words, turned, halfway, askew, blank, by_wording, by_seed)
}


@contextmanager
def served(world: World) -> Iterator[str]:
    """The system at the URL that is handed out, until the block ends; the model's name picks from `BROKEN`."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            text = BROKEN[str(body["model"])](Prompt(world, body))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for event in (
                {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]},
                {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            ):
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
