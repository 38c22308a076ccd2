"""Reading exercises made at random: passages about invented things, questions, answers in a form the prompt asks for.

One exercise is a prompt up to and including the word "Question", and several branches (`: …?` and its answer) that
share it. Nothing real is in it, apart from natural sentences handed in by the caller.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from bundled.forms import Form, draw_form
from bundled.kinds import Attribute, Kind
from bundled.kinds.drill import drawn
from bundled.kinds.names import WORDS, proper

REFUSAL = "I don't know."
Natural = tuple[str, Sequence[tuple[str, str, int]]]  # a text and (question, answer, where the answer starts)


@dataclass(frozen=True)
class Branch:
    """A question over the exercise's context. `kind` says which skill it trains, `value` what a scorer looks for."""

    question: str
    answer: str
    value: str
    kind: str
    passage: int = 0  # 1-based number of the passage that holds the answer, 0 for none


@dataclass(frozen=True)
class Exercise:
    """A system prompt, solved examples, passages, and questions over them."""

    system: str
    shots: tuple[tuple[str, str], ...]
    passages: tuple[str, ...]
    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class Level:
    """How hard the exercises are, and how often each sort comes."""

    passages: tuple[int, int] = (1, 1)
    facts: tuple[int, int] = (1, 4)
    look_alike: float = 0.0
    again: float = 0.0  # share of passages that go on about the thing of the passage before
    joint: float = 0.0  # share of passages about several look-alikes
    natural: float = 0.0
    prose: float = 0.0  # share of exercises on prose with facts set into it
    policy: float = 0.0  # share of exercises on the rules of a handbook
    drill: float = 0.0  # share of exercises about kinds drawn afresh
    place: float = 0.0  # share of questions that ask for a passage's number alone
    absent: float = 0.15  # share of questions without an answer
    forms: float = 0.5  # share of exercises with a form other than the bare value
    branches: int = 6
    no_context: float = 0.03
    labels: float = 0.05


@dataclass
class Thing:
    """An entity with the values it was given and the passage each one is stated in."""

    kind: Kind
    name: str
    values: dict[str, str] = field(default_factory=dict)
    stated: dict[str, int] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)  # the sentence in the text, where it stands in one


def capital(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def pick(r: Random, options: Sequence[str], part: str) -> str:
    """A template: `train` sees all but the last, `test` only the last, so that a test is on unseen wording."""
    return options[-1] if part == "test" else r.choice(options[:-1])


def look_alike(r: Random, name: str) -> str:
    """A name that differs from `name` in a word, a digit or a suffix."""
    digits = [i for i, c in enumerate(name) if c.isdigit()]
    if digits and r.random() < 0.7:
        i = r.choice(digits)
        return name[:i] + r.choice([d for d in "123456789" if d != name[i]]) + name[i + 1 :]
    words = name.split(" ")
    if len(words) > 1 and r.random() < 0.6:
        spots = [i for i, w in enumerate(words) if w[:1].isupper()] or [len(words) - 1]
        words[r.choice(spots)] = proper(r)
        return " ".join(words)
    return f"{name} {r.choice(['Plus', 'Pro', 'Max', 'Lite', '2', '3', 'S', 'North', 'South', 'B'])}"


def state(r: Random, thing: Thing, attribute: Attribute, part: str, style: str, name: str = "") -> str:
    """One fact as a sentence (about `name`, else the thing's own), a list item or a table row."""
    value = thing.values[attribute.name]
    if style == "list":
        return f"- {capital(attribute.name)}: {value}"
    if style == "table":
        return f"| {capital(attribute.name)} | {value} |"
    low = part == "train" and value[:1].islower()  # at the start of a sentence it would take a capital that it has not
    kept = [s for s in attribute.statements[:-1] if not (low and s.startswith("{v}"))]
    statement = pick(r, (*(kept or attribute.statements[:-1]), attribute.statements[-1]), part)
    text = statement.format(e=name or thing.name, v=value)
    return text if low and statement.startswith("{v}") else capital(text)


def mention(r: Random, thing: Thing) -> str:
    """What a text calls a thing that its heading has named."""
    return r.choice(["it", f"the {thing.kind.name}", f"this {thing.kind.name}"])


def passage(r: Random, thing: Thing, number: int, level: Level, part: str) -> str:
    """A heading and a few facts about one thing, as prose, a list or a table."""
    rest = [a for a in thing.kind.attributes if a.name not in thing.stated]
    chosen = r.sample(rest, min(len(rest), r.randint(*level.facts)))
    style = r.choices(["prose", "list", "table"], [0.76, 0.14, 0.10])[0]
    headed, short = style != "prose" or r.random() < 0.75, r.random() < 0.5
    lines = []
    for attribute in chosen:
        thing.values.setdefault(attribute.name, attribute.value(r))
        thing.stated[attribute.name] = number
        lines.append(state(r, thing, attribute, part, style, mention(r, thing) if headed and short and r.random() < 0.8 else ""))
        if style == "prose":
            thing.said[attribute.name] = lines[-1]
    if style == "prose":
        for _ in range(r.choice([0, 0, 1, 1, 2])):
            lines.insert(r.randint(0, len(lines)), capital(r.choice(thing.kind.filler).format(e=thing.name)))
        body = " ".join(lines)
    else:
        body = "\n".join(lines)
    if headed:
        title = capital(thing.name)
        heading = r.choice([title, title, f"{capital(thing.kind.name)}s > {title}", f"{title} > {r.choice(['Overview', 'Details', 'Facts', 'Summary'])}"])
        body = f"{heading}\n{body}"
    return body


def joint_passage(r: Random, kinds: Sequence[Kind], number: int, level: Level, part: str) -> tuple[list[Thing], str]:
    """Several look-alikes in one passage: a table with a row each, or a few sentences, under one heading."""
    kind = r.choice(kinds)
    made = [Thing(kind, kind.entity(r))]
    while len(made) < r.randint(2, 4):
        name = look_alike(r, made[0].name) if r.random() < 0.7 else kind.entity(r)
        if all(name != t.name for t in made):
            made.append(Thing(kind, name))
    chosen = r.sample(kind.attributes, min(len(kind.attributes), r.randint(1, 3)))
    for thing in made:
        for attribute in chosen:
            thing.values[attribute.name], thing.stated[attribute.name] = attribute.value(r), number
    title = f"{capital(kind.name)}s"
    if r.random() < 0.5:
        head = f"| {capital(kind.name)} | " + " | ".join(capital(a.name) for a in chosen) + " |"
        rule = "|" + "---|" * (len(chosen) + 1)
        rows = [f"| {capital(t.name)} | " + " | ".join(t.values[a.name] for a in chosen) + " |" for t in made]
        lines = [head, *([rule] if r.random() < 0.8 else []), *rows]
        return made, "\n".join([title, *lines] if r.random() < 0.7 else lines)
    said = [state(r, t, a, part, "prose") for t in made for a in chosen]
    if r.random() < 0.4:
        said = [f"- {line}" for line in said]
        return made, "\n".join([title, *said])
    return made, (f"{title}\n" if r.random() < 0.5 else "") + " ".join(said)


def things(r: Random, kinds: Sequence[Kind], count: int, level: Level) -> list[Thing]:
    """`count` entities, some of them look-alikes of an earlier one, and now and then one that has two passages."""
    made: list[Thing] = []
    for _ in range(count):
        if made and made[-1] not in made[:-1] and r.random() < level.again:
            made.append(made[-1])
        elif made and r.random() < level.look_alike:
            other = r.choice(made)
            made.append(Thing(other.kind, look_alike(r, other.name)))
        else:
            kind = r.choice(kinds)
            made.append(Thing(kind, kind.entity(r)))
    return made


def fact_branch(r: Random, pool: list[Thing], form: Form, part: str) -> Branch:
    """A question whose answer is stated."""
    thing = r.choice([t for t in pool if t.stated])
    attribute = r.choice([a for a in thing.kind.attributes if a.name in thing.stated])
    where, value = thing.stated[attribute.name], thing.values[attribute.name]
    question = capital(pick(r, attribute.questions, part).format(e=thing.name))
    sentence = thing.said.get(attribute.name, f"The {attribute.name} of {thing.name} is {value}.")
    return Branch(question, form.write(value, attribute.name, sentence, where), value, "fact", where)


PLACES = (
    "Which passage is about {e}?", "Where is {e} described?", "Which passage mentions {e}?", "Find the passage on {e}.",
    "Which passage gives the {a} of {e}?", "Where does it say what the {a} of {e} is?", "Which source holds the {a} of {e}?",
    "Number of the passage with the {a} of {e}?", "In which passage do I find the {a} of {e}?", "Where can I read about the {a} of {e}?",
)  # fmt: skip


def place_branch(r: Random, pool: list[Thing], part: str) -> Branch:
    """A question for the number of the passage that states a fact."""
    thing = r.choice([t for t in pool if t.stated])
    attribute = r.choice(list(thing.stated))
    where = f"[{thing.stated[attribute]}]"
    single = len(set(thing.stated.values())) == 1
    question = pick(r, PLACES if single else PLACES[4:], part).format(a=attribute, e=thing.name)
    return Branch(question, where, where, "place", thing.stated[attribute])


def absent_branch(r: Random, pool: list[Thing], kinds: Sequence[Kind], form: Form, part: str) -> Branch:
    """A question that sounds right and has no answer: another attribute, or a look-alike that nobody wrote about."""
    thing = r.choice(pool)
    open_attributes = [a for a in thing.kind.attributes if a.name not in thing.stated]
    if open_attributes and r.random() < 0.6:
        attribute, name = r.choice(open_attributes), thing.name
    else:
        attribute = r.choice(thing.kind.attributes)
        name = thing.kind.entity(r) if r.random() < 0.6 else look_alike(r, thing.name)
        if any(t.name == name for t in pool):
            name = thing.kind.entity(r)
    question = capital(pick(r, attribute.questions, part).format(e=name))
    return Branch(question, form.refuse(attribute.name), "", "absent")


def window(r: Random, text: str, start: int, end: int) -> tuple[int, int]:
    """The bounds of one to four sentences of `text` with [start, end) in them."""
    cuts = [0, *(m.end() for m in re.finditer(r"[.!?]\"? ", text)), len(text)]
    first = max(i for i, c in enumerate(cuts) if c <= start)
    last = min(i for i, c in enumerate(cuts) if c >= end)
    return cuts[max(0, first - r.choice([0, 0, 1, 2]))], cuts[min(len(cuts) - 1, last + r.choice([0, 0, 1, 2]))]


def natural_exercise(r: Random, texts: Sequence[Natural], level: Level) -> Exercise:
    """Natural sentences with questions people wrote, read in the same forms."""
    count = min(r.randint(*level.passages), 5)
    form = draw_form(r, level.forms * 0.6)
    passages, branches = [], []
    *chosen, other = r.sample(texts, count + 1)
    for number, (text, asked) in enumerate(chosen, 1):
        _, answer, start = r.choice(asked)
        low, high = window(r, text, start, start + len(answer))
        passages.append(text[low:high].strip())
        inside = [(q, a) for q, a, at in asked if low <= at and at + len(a) <= high]
        for question, answer in r.sample(inside, min(len(inside), max(2, 8 // count))):
            branches.append(Branch(question, form.write(answer, "answer", answer, number), answer, "natural", number))
    if r.random() < level.absent * 4:
        branches.append(Branch(r.choice(other[1])[0], form.refuse("answer"), "", "absent"))
    r.shuffle(branches)
    return Exercise(form.system(r), form.shots(r, count > 3), tuple(passages), tuple(branches[:10]))


def label_exercise(r: Random, kinds: Sequence[Kind], part: str) -> Exercise:
    """Sort a question under one label of a list; in half of them the examples say what each label means."""
    chosen = r.sample(list(kinds), r.randint(2, min(6, len(kinds))))
    by_example = r.random() < 0.5
    labels = [r.choice(WORDS) + (f"_{r.choice(WORDS)}" if r.random() < 0.5 else "") if by_example else k.name for k in chosen]
    if not by_example and r.random() < 0.5:
        labels = [label.replace(" ", "_") for label in labels]

    def ask(i: int) -> str:
        attribute = r.choice(chosen[i].attributes)
        return capital(pick(r, attribute.questions, part).format(e=chosen[i].entity(r)))

    shots = [(ask(i), labels[i]) for i in range(len(chosen)) for _ in range(2 if by_example else r.choice([0, 0, 1]))]
    r.shuffle(shots)
    system = r.choice(["Answer with one label: {}.", "Choose the label that fits. Labels: {}.", "Classify. Reply with exactly one of: {}."])
    branches = []
    for _ in range(5):
        i = r.randrange(len(chosen))
        branches.append(Branch(ask(i), labels[i], labels[i], "label"))
    return Exercise(system.format(", ".join(labels)), tuple(shots), (), tuple(branches))


def exercise(r: Random, kinds: Sequence[Kind], level: Level, part: str = "train", natural: Sequence[Natural] = ()) -> Exercise:
    """One exercise at a level. `part` is "train" or "test" (templates the other never uses)."""
    draw = r.random()
    if natural and draw < level.natural:
        return natural_exercise(r, natural, level)
    if draw > 1 - level.labels:
        return label_exercise(r, kinds, part)
    form = draw_form(r, level.forms)
    if r.random() < level.drill:
        kinds = [drawn(r, part) for _ in range(r.choice([1, 1, 2, 3]))]
    if r.random() < level.no_context:
        pool = things(r, kinds, 2, level)
        shots = form.shots(r, r.random() < 0.5)
        blank = tuple(absent_branch(r, pool, kinds, form, part) for _ in range(4))
        return Exercise(form.system(r), shots, (), tuple(Branch(b.question, b.answer, "", "private") for b in blank))
    count = r.randint(*level.passages)
    alone = things(r, kinds, count, level)
    pool, passages = [], []
    for number, thing in enumerate(alone, 1):
        if r.random() < level.joint:
            several, text = joint_passage(r, kinds, number, level, part)
            pool += several
        else:
            pool.append(thing)
            text = passage(r, thing, number, level, part)
        passages.append(text)
    if form.keys:
        branches = tuple(record_branch(r, pool, form, part) for _ in range(3))
    else:
        branches = tuple(branch(r, pool, kinds, form, level, part) for _ in range(level.branches + count // 2))
    unique = tuple({b.question: b for b in branches}.values())
    return Exercise(form.system(r), form.shots(r, False), tuple(passages), unique)


def branch(r: Random, pool: list[Thing], kinds: Sequence[Kind], form: Form, level: Level, part: str) -> Branch:
    """A question of the kinds that the level mixes."""
    if r.random() < level.absent:
        return absent_branch(r, pool, kinds, form, part)
    bare = form.pattern == "<answer>" and not form.one_key and not form.sentence
    if bare and r.random() < level.place:
        return place_branch(r, pool, part)
    return fact_branch(r, pool, form, part)


RECORDS = (
    "What are the {k} of {e}?", "{e}: {k}", "Give the {k} of {e}.", "Read out {k} for {e}.", "For {e}, I need {k}.",
    "Extract {k} for {e}.", "Return {k} of {e}.", "{k} of {e}", "Which {k} does {e} have?", "Find {k} for {e}.",
    "Fill in {k} for {e}.", "Show me {k} of {e}.", "What do the passages say about {e}: {k}?", "{e}, {k}", "Collect {k} about {e}.",
    "Name {k} of {e}.", "Report {k} of {e}.", "Print {k} for {e}.", "Write down {k} of {e}.", "Put {k} of {e} into one object.",
    "Look for {k} of {e}.", "Get {k} for {e}.", "Please send {k} of {e}.", "Pull {k} of {e}.", "State {k} of {e}.", "Summarise {k} of {e}.",
    "Gather {k} for {e}.", "Copy {k} of {e}.", "Key facts of {e}: {k}", "Note {k} of {e}.", "Describe {e} by {k}.",
    "Take {k} of {e} from the passages.", "Record of {e} with {k}", "I want to know {k} of {e}.", "Tell me {k} for {e}.", "List {k} of {e}.",
)  # fmt: skip


def record_branch(r: Random, pool: list[Thing], form: Form, part: str) -> Branch:
    """Several facts of one thing as JSON with the keys the question names."""
    thing = r.choice([t for t in pool if t.stated])
    names = r.sample(list(thing.stated), min(len(thing.stated), r.randint(1, 3)))
    if r.random() < 0.2:
        names += [r.choice([a.name for a in thing.kind.attributes if a.name not in thing.stated] or names[:1])]
    names = list(dict.fromkeys(names))
    record = {n: thing.values[n] if n in thing.stated else None for n in names}
    keys = ", ".join(names)
    question = capital(pick(r, RECORDS, part).format(k=keys, e=thing.name))
    return Branch(question, json.dumps(record, ensure_ascii=False), json.dumps(record, ensure_ascii=False), "json", thing.stated[names[0]])
