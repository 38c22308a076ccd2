"""Made-up worlds for planted failures: documents, questions with ideal answers and evidence. It knows nothing of any diagnosis.

Each world has things of one kind, each with a document; sentences name the thing or say "it" under the thing's heading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from rung.types import Json

SYLLABLES = re.findall(r"\w+", "ba bel cor dan dra el fen gal hol is jor kel lam mir nor os pel quin ros sel tar ul ven wyn yar zel")


@dataclass(frozen=True)
class Attribute:
    """A number that every thing has. `says` and `asks` hold {who}, and `says` {value}; a pair of one unit can be added up."""

    says: str
    asks: str
    unit: str
    low: int
    high: int


@dataclass(frozen=True)
class Kind:
    """What a world is about. `more`, `total`, `which` and `above` ask what takes a step of thought, each of (attribute, …)."""

    name: str
    title: str
    attributes: tuple[Attribute, ...]
    more: tuple[int, str]
    total: tuple[int, int, str]
    which: tuple[int, str]
    above: tuple[int, str]
    filler: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """A question, its kind ("plain", "more", "total", "which" or "above"), what it is about, and what is right."""

    id: str
    kind: str
    question: str
    answer: str
    about: tuple[tuple[str, int], ...]  # (thing, number of the attribute) of each fact it needs
    limit: int = 0


@dataclass(frozen=True)
class World:
    """All of it; `values[thing][attribute]` is what the documents say."""

    kind: Kind
    seed: str
    values: dict[str, tuple[int, ...]]
    asked: tuple[Asked, ...]


HARBOUR = Kind(
    "harbour",
    "The {who}",
    (
        Attribute("It has a draught of {value}.", "What is the draught of the {who}?", "decimetres", 20, 99),
        Attribute("The {who} carries a crew of {value}.", "How many people are in the crew of the {who}?", "people", 4, 60),
        Attribute("Its mooring fee is {value} a day.", "What does mooring the {who} cost a day?", "euros", 40, 400),
        Attribute("Fuel for {value} of sailing fits its tanks.", "How long can the {who} sail on full tanks?", "hours", 12, 200),
        Attribute("A winter refit takes {value} more.", "How much longer does a winter refit of the {who} take?", "hours", 12, 200),
    ),
    (1, "How many more people are in the crew of the {who} than in that of the {other}?"),
    (3, 4, "How many hours are the {who}'s sailing on full tanks and its winter refit together?"),
    (0, "Which has the greater draught, the {who} or the {other}?"),
    (2, "Does mooring the {who} cost more than {limit} euros a day?"),
    (
        "It was painted last spring.",
        "The pilot boards at the outer buoy.",
        "Papers are kept in the harbour office.",
        "Ropes are checked each week.",
    ),
)
HUTS = Kind(
    "huts",
    "{who} Hut",
    (
        Attribute("{who} Hut sleeps {value} under its roof.", "How many guests can stay overnight at {who} Hut?", "guests", 8, 120),
        Attribute(
            "From the valley one walks {value} to reach it.", "How long is the walk from the valley to {who} Hut?", "minutes", 35, 400
        ),
        Attribute("The way back down takes {value}.", "How long does one need to walk down from {who} Hut?", "minutes", 25, 300),
        Attribute("A bunk is {value} for one night.", "What is the price of a bunk at {who} Hut?", "francs", 15, 95),
        Attribute(
            "Its spring gives {value} of water an hour.", "How much water an hour does the spring at {who} Hut give?", "litres", 20, 900
        ),
    ),
    (0, "By how many guests does {who} Hut exceed {other} Hut?"),
    (1, 2, "How many minutes do the walk up to {who} Hut and the walk down take in all?"),
    (4, "Of {who} Hut and {other} Hut, whose spring gives more water?"),
    (3, "Is a bunk at {who} Hut dearer than {limit} francs?"),
    ("The warden lives there from June on.", "Dogs sleep in the shed.", "Boots are left at the door.", "Soup is served at six."),
)
LABORATORY = Kind(
    "laboratory",
    "Instrument {who}",
    (
        Attribute("Operating {who} draws {value} of power.", "How much power does {who} draw in operation?", "watts", 60, 950),
        Attribute("Samples wait {value} in its chamber before a run.", "How long do samples wait before a run of {who}?", "minutes", 5, 90),
        Attribute("One run lasts {value}.", "How long is one run of {who}?", "minutes", 6, 240),
        Attribute("It holds a tray of {value}.", "How large is the tray of {who}, in vials?", "vials", 8, 96),
        Attribute(
            "Its service contract was set at {value} a quarter.",
            "What does the service contract of {who} cost a quarter?",
            "pounds",
            110,
            990,
        ),
    ),
    (3, "How many vials more than {other} does the tray of {who} hold?"),
    (1, 2, "Waiting included, how many minutes does one run of {who} take?"),
    (0, "Which of {who} and {other} draws more power?"),
    (4, "Is the service contract of {who} above {limit} pounds a quarter?"),
    (
        "Gloves are worn throughout.",
        "The logbook hangs beside the door.",
        "Calibration follows the usual list.",
        "Keys are with the steward.",
    ),
)
VINEYARDS = Kind(
    "vineyards",
    "Estate of {who}",
    (
        Attribute(
            "In good years {who} fills {value}.", "How many barrels does the Estate of {who} fill in good years?", "barrels", 30, 700
        ),
        Attribute("Its red rests {value} in oak.", "How long does the red of {who} rest in oak?", "weeks", 8, 99),
        Attribute(
            "After that it stays {value} in bottles.", "How long does the red of {who} stay in bottles after the oak?", "weeks", 8, 99
        ),
        Attribute("A visit with a tasting costs {value}.", "What must one pay to visit {who} with a tasting?", "dollars", 12, 150),
        Attribute("The slopes of {who} cover {value}.", "How much land do the slopes of {who} cover?", "acres", 5, 400),
    ),
    (4, "How many acres more than the slopes of {other} do those of {who} cover?"),
    (1, 2, "Oak and bottle counted together, how many weeks does the red of {who} rest?"),
    (0, "Who fills more barrels in good years, {who} or {other}?"),
    (3, "Does one pay over {limit} dollars to visit {who} with a tasting?"),
    ("The cellar is open on weekdays.", "Pickers come in early autumn.", "Corks are bought abroad.", "A dog guards the yard."),
)


def world(kind: Kind, seed: str, things: int = 48) -> World:
    """Things with names and numbers by the seed, and five plain and two thoughtful questions for each."""
    random = Random(f"{kind.name}/{seed}")
    names: dict[str, None] = {}
    while len(names) < things:
        names["".join(random.sample(SYLLABLES, 2)).capitalize()] = None
    values = {who: tuple(random.randint(one.low, one.high) for one in kind.attributes) for who in names}
    return World(kind, seed, values, tuple(_asked(kind, values, random)))


def _asked(kind: Kind, values: dict[str, tuple[int, ...]], random: Random) -> list[Asked]:
    who_all, found = list(values), []
    for number, who in enumerate(who_all):
        other = who_all[(number + 1) % len(who_all)]
        mine, theirs, units = values[who], values[other], [one.unit for one in kind.attributes]
        for at, one in enumerate(kind.attributes):
            found.append(Asked(f"{who}-{at}", "plain", one.asks.format(who=who), f"{mine[at]} {one.unit}", ((who, at),)))
        at, asks = kind.more
        if mine[at] > theirs[at]:
            text, both = asks.format(who=who, other=other), ((who, at), (other, at))
            found.append(Asked(f"{who}-more", "more", text, f"{mine[at] - theirs[at]} {units[at]}", both))
        first, second, asks = kind.total
        both = ((who, first), (who, second))
        found.append(Asked(f"{who}-total", "total", asks.format(who=who), f"{mine[first] + mine[second]} {units[first]}", both))
        at, asks = kind.which
        best, both = (who if mine[at] > theirs[at] else other), ((who, at), (other, at))
        found.append(Asked(f"{who}-which", "which", asks.format(who=who, other=other), best, both))
        at, asks = kind.above
        limit = max(1, mine[at] + random.choice((-1, 1)) * random.randint(3, 20))
        said = "Yes" if mine[at] > limit else "No"
        found.append(Asked(f"{who}-above", "above", asks.format(who=who, limit=limit), said, ((who, at),), limit))
    return found


def path(who: str) -> str:
    """The document of a thing."""
    return f"{who.lower()}.md"


def sentence(world: World, who: str, at: int, value: int | None = None) -> str:
    """What its document says of one attribute."""
    one = world.kind.attributes[at]
    return one.says.format(who=who, value=f"{world.values[who][at] if value is None else value} {one.unit}")


def document(world: World, who: str, without: int | None = None) -> str:
    """A thing's document: its sentences in an order of its own, among sentences that say nothing of use."""
    random = Random(f"{world.seed}/{who}")
    said = [sentence(world, who, at) for at in range(len(world.kind.attributes)) if at != without]
    random.shuffle(said)
    fill = random.sample(world.kind.filler, 3)
    return f"# {world.kind.title.format(who=who)}\n\n{' '.join([*said[:2], fill[0]])}\n\n{' '.join([fill[1], *said[2:], fill[2]])}\n"


def case(world: World, asked: Asked) -> dict[str, Json]:
    """The question as a line of cases.jsonl; an answer has the form `Answer: … [1]`."""
    evidence = [{"document": path(who), "quote": sentence(world, who, at)} for who, at in asked.about]
    facts = [[asked.answer]]
    return {"id": asked.id, "question": asked.question, "answer": f"Answer: {asked.answer}", "facts": facts, "evidence": evidence}
