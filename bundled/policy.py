"""Exercises in the manner of a handbook: short rules about things without a name, asked for in other words.

A rule is a type of value, a way to state it, and ways to ask for it that share little more than the noun. What is ruled is a
noun phrase drawn afresh, often with a condition, so that rules of one passage differ in one word. Nothing real is in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from bundled.compose import Branch, Exercise, Level, capital
from bundled.forms import draw_form
from bundled.kinds.drill import ADJECTIVES, CONDITIONS, NOUNS
from bundled.kinds.general import RHYTHM
from bundled.kinds.names import clock, code, date, email, money, person, phone, proper

Rule = tuple[Callable[[Random], str], str, tuple[str, ...]]  # a value, the rule with {n} and {v}, questions with {n}
_ADJECTIVES, _NOUNS, _CONDITIONS = (text.split(",") for text in (ADJECTIVES, NOUNS, CONDITIONS))
SPANS = ["hours", "days", "weeks", "months", "years", "minutes", "working days"]
ROLES = "manager,director,head,planner,coordinator,supervisor,officer,inspector,keeper,clerk,engineer,adviser".split(",")  # noqa: SIM905


def span(r: Random) -> str:
    """A length of time, in digits or in words."""
    n = r.choice(["two", "three", "four", "five", "six", "eight", "ten", "twelve"]) if r.random() < 0.4 else str(r.randint(2, 90))
    return f"{n} {r.choice(SPANS)}"


def percent(r: Random) -> str:
    """A share."""
    return f"{r.randint(2, 98)}%" if r.random() < 0.7 else f"{r.randint(2, 98)} percent"


def count(r: Random) -> str:
    """A plain number."""
    return r.choice(["two", "three", "four", "six", "nine"]) if r.random() < 0.25 else f"{r.randint(2, 20 if r.random() < 0.6 else 9000):,}"


def weight(r: Random) -> str:
    """A measure with its unit."""
    return f"{r.randint(2, 900)} {r.choice(['kg', 'tonnes', 'metres', 'cm', 'litres', 'degrees', 'km', 'MB', 'GB', 'points'])}"


RULES: tuple[Rule, ...] = (
    (money, "A {n} costs {v}.", ("How much is a {n}?", "What is the price of a {n}?", "What do I pay for a {n}?", "What does a {n} cost?")),
    (money, "We charge {v} for each {n}.", ("What is the charge for a {n}?", "How much do we bill for a {n}?", "What does a {n} cost?")),
    (money, "The fee for a {n} is {v}.", ("What fee applies to a {n}?", "How high is the fee for a {n}?", "How much is charged for a {n}?")),
    (money, "Costs of a {n} are refunded up to {v}.", ("Up to which amount is a {n} refunded?", "What is the most that I get back for a {n}?", "How much of a {n} is paid back at most?")),
    (money, "Above {v}, a {n} needs a signature.", ("From which amount on does a {n} need a signature?", "Over what sum must a {n} be signed?", "When does a {n} need a signature?")),
    (money, "The company adds {v} to every {n}.", ("How much does the company add to a {n}?", "What does the company give towards a {n}?")),
    (money, "The budget for the {n} is {v} a year.", ("How big is the budget for the {n}?", "How much may be spent on the {n} in a year?")),
    (span, "A {n} takes {v}.", ("How long does a {n} take?", "How much time does a {n} need?", "What is the duration of a {n}?")),
    (span, "A {n} must be announced {v} before.", ("How early must a {n} be announced?", "How long before must I announce a {n}?", "What notice does a {n} need?")),
    (span, "Hand in the {n} within {v}.", ("How soon must the {n} be handed in?", "What time do I have to hand in the {n}?", "By when do I hand in the {n}?")),
    (span, "The {n} stays valid for {v}.", ("How long is the {n} valid?", "After what time does the {n} expire?", "What is the life of the {n}?")),
    (span, "We keep the {n} for {v} and then destroy it.", ("How long is the {n} kept?", "When do we destroy the {n}?", "After how long is the {n} destroyed?")),
    (span, "Complaints about a {n} are answered within {v}.", ("How fast is a complaint about a {n} answered?", "How long may an answer to a complaint about a {n} take?")),
    (span, "Staff are entitled to {v} of {n}.", ("How much {n} are staff entitled to?", "How long is the {n} that staff get?", "What {n} do I get?")),
    (RHYTHM, "The {n} is checked {v}.", ("How often is the {n} checked?", "How frequently do we check the {n}?", "At what intervals is the {n} checked?")),
    (person, "{v} is in charge of the {n}.", ("Who is in charge of the {n}?", "Who runs the {n}?", "Who is responsible for the {n}?", "Who looks after the {n}?")),
    (person, "Ask {v} about the {n}.", ("Whom do I ask about the {n}?", "Who can tell me about the {n}?", "Who knows about the {n}?")),
    (person, "The {n} is led by {v}.", ("Who leads the {n}?", "Who is the head of the {n}?", "What is the name of the {n}'s leader?")),
    (person, "{v} signs every {n}.", ("Who signs a {n}?", "Whose signature does a {n} need?", "Who approves a {n}?")),
    (person, "The {role} for the {n} is {v}.", ("Who is the {role} for the {n}?", "What is the name of the {n}'s {role}?", "Who works as {role} for the {n}?")),
    (code, "Fill in form {v} for a {n}.", ("Which form is there for a {n}?", "What form do I fill in for a {n}?", "Which paper does a {n} need?")),
    (code, "The {n} is booked under {v}.", ("Under which code is the {n} booked?", "What is the {n} booked under?", "Which code do I use for the {n}?")),
    (email, "Send the {n} to {v}.", ("Where do I send the {n}?", "To which address does the {n} go?", "What is the mail address for the {n}?")),
    (phone, "The {n} is reached on {v}.", ("On which number is the {n} reached?", "How do I call the {n}?", "What is the phone number of the {n}?")),
    (percent, "We pay back {v} of a {n}.", ("What share of a {n} is paid back?", "Which part of a {n} do I get back?", "What percentage of a {n} is paid back?")),
    (percent, "A {n} is {v} dearer.", ("How much dearer is a {n}?", "What is the surcharge for a {n}?", "By how much does the price rise for a {n}?")),
    (percent, "There is {v} off for a {n}.", ("What discount is there for a {n}?", "How much is taken off for a {n}?", "How large is the discount on a {n}?")),
    (count, "There are {v} places for a {n}.", ("How many places are there for a {n}?", "What is the number of places for a {n}?")),
    (count, "At most {v} people may use the {n}.", ("How many people may use the {n}?", "What is the limit of people for the {n}?", "For how many is the {n}?")),
    (count, "The {n} holds {v} boxes.", ("How many boxes does the {n} hold?", "What does the {n} hold?", "How big is the {n}?")),
    (count, "A {n} needs {v} people.", ("How many people does a {n} need?", "How large is the crew for a {n}?", "What staff does a {n} need?")),
    (weight, "The {n} must not exceed {v}.", ("What is the limit for the {n}?", "What may the {n} be at most?", "What is the maximum for the {n}?")),
    (weight, "From {v} on, a {n} needs an escort.", ("From what size on does a {n} need an escort?", "Above which limit does a {n} need an escort?")),
    (clock, "The {n} opens at {v}.", ("When does the {n} open?", "At what time can I use the {n}?", "From what time is the {n} open?")),
    (clock, "The {n} closes at {v}.", ("When does the {n} close?", "Until when is the {n} open?", "How late is the {n} open?")),
    (date, "The {n} ends on {v}.", ("When does the {n} end?", "What is the last day of the {n}?", "By when is the {n} over?")),
    (date, "The new {n} starts on {v}.", ("When does the new {n} start?", "From when on is there a new {n}?", "On which day does the new {n} begin?")),
    (proper, "The {n} is in {v}.", ("Where is the {n}?", "In which town is the {n}?", "Where do I find the {n}?")),
    (proper, "The {n} is made by {v}.", ("Who makes the {n}?", "Which firm makes the {n}?", "Where does the {n} come from?")),
    (proper, "The {n} runs on {v}.", ("What does the {n} run on?", "Which system does the {n} use?", "What is the {n}'s system called?")),
    (lambda r: r.choice(_NOUNS), "Every {n} comes with a {v}.", ("What comes with a {n}?", "What is part of a {n}?", "What do I get with a {n}?")),
    (lambda r: f"{r.choice(_ADJECTIVES)} {r.choice(_NOUNS)}", "Without a {v}, no {n} is allowed.", ("What does a {n} need?", "What must I have for a {n}?", "Without what is no {n} allowed?")),
)  # fmt: skip


def noun(r: Random) -> str:
    """A noun phrase of one to three words."""
    return r.choice([r.choice(_NOUNS), f"{r.choice(_ADJECTIVES)} {r.choice(_NOUNS)}", f"{r.choice(_NOUNS)} {r.choice(_NOUNS)}"])


def near(r: Random, other: str) -> str:
    """A noun phrase that shares a word with another."""
    last = other.split()[-1]
    return r.choice([f"{r.choice(_ADJECTIVES)} {last}", f"{r.choice(_NOUNS)} {last}", f"{last} {r.choice(_NOUNS)}"])


def ruled(r: Random, rule: Rule, about: str, condition: str) -> tuple[str, str, str]:
    """The rule as a sentence, its value, and a question for it."""
    make, said, asks = rule
    value, role, asked = make(r), r.choice(ROLES), r.choice(asks)
    sentence = capital(said.format(n=about, v=value, role=role))
    question = asked.format(n=about, role=role)
    if condition:
        low = sentence[0].lower() + sentence[1:] if sentence.split()[0] in ("A", "The", "We", "At", "There", "Every", "Costs") else sentence
        sentence = f"{capital(condition)}, {low}" if r.random() < 0.4 else f"{sentence[:-1]} {condition}."
        question = f"{question[:-1]} {condition}?" if r.random() < 0.7 else f"{capital(condition)}, {question[0].lower()}{question[1:]}"
    return _article(sentence), value, _article(capital(question))


def _article(text: str) -> str:
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)


def policy_exercise(r: Random, level: Level) -> Exercise:
    """Passages of rules; a question without an answer asks for a rule that nobody stated."""
    form = draw_form(r, level.forms * 0.8)
    passages: list[str] = []
    branches: list[Branch] = []
    for number in range(1, min(r.randint(*level.passages), 6) + 1):
        topic, lines = noun(r), []
        for _ in range(r.randint(2, 6)):
            about = r.choices([topic, near(r, topic), noun(r)], [0.3, 0.4, 0.3])[0]
            sentence, value, question = ruled(r, r.choice(RULES), about, r.choice(_CONDITIONS) if r.random() < 0.35 else "")
            if r.random() < level.absent:
                branches.append(Branch(question, form.refuse(about), "", "absent"))
            else:
                lines.append(sentence)
                branches.append(Branch(question, form.write(value, about, sentence, number), value, "policy", number))
        lines = lines or [f"Nothing is fixed for the {topic}."]
        r.shuffle(lines)
        body = "\n".join(f"- {line}" for line in lines) if r.random() < 0.2 else " ".join(lines)
        passages.append(f"{capital(topic)}\n{body}" if r.random() < 0.7 else body)
    stated: dict[str, set[str]] = {}
    for b in branches:
        stated.setdefault(b.question, set()).add(b.value)
    unique = {b.question: b for b in branches if len(stated[b.question]) == 1}
    chosen = r.sample(list(unique.values()), min(len(unique), level.branches + 2))
    return Exercise(form.system(r), form.shots(r, len(passages) > 3), tuple(passages), tuple(chosen))
