"""Many plain kinds with sentences made from a small grammar: breadth of words, where the other modules give breadth of style."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from bundled.kinds import Attribute, Kind
from bundled.kinds.names import clock, code, date, email, money, one_of, person, phone, proper, syllables

Value = Callable[[Random], str]

STATES = (
    "The {n} of {{e}} is {{v}}.",
    "{{e}} has a {n} of {{v}}.",
    "For {{e}}, the {n} is {{v}}.",
    "{{v}} is the {n} of {{e}}.",
    "The {n} for {{e}} was set to {{v}}.",
    "At {{e}} the {n} stands at {{v}} and is checked every year.",
    "Please note that {{e}} comes with {{v}} as its {n}.",
    "When it comes to the {n}, {{e}} uses {{v}}.",
    "{{e}} ({n}: {{v}}) was reviewed last month.",
    "Since the last change, the {n} of {{e}} has been {{v}}.",
    "We agreed on {{v}} as the {n} of {{e}}.",
    "Everyone should know that the {n} for {{e}} is {{v}}.",
    "As the {n} of {{e}} we have {{v}}.",
)
ASKS = (
    "What is the {n} of {{e}}?",
    "What is the {n} for {{e}}?",
    "{{e}} {n}",
    "Which {n} does {{e}} have?",
    "Tell me the {n} of {{e}}.",
    "I need the {n} for {{e}}, please.",
    "Do you know the {n} of {{e}}?",
    "What {n} applies to {{e}}?",
    "What {n} has been set for {{e}}?",
    "{n} for {{e}}?",
    "What did we agree as the {n} of {{e}}?",
    "Look up the {n} that belongs to {{e}}.",
)
ROLES = {
    "owner": ("owns", "Who owns {e}?", "Who is the owner of {e}?"),
    "manager": ("manages", "Who manages {e}?", "Who is in charge of {e}?"),
    "lead": ("leads", "Who leads {e}?", "Who is the lead of {e}?"),
    "approver": ("approves requests for", "Who approves requests for {e}?", "Who has to approve {e}?"),
    "contact": ("answers questions about", "Whom do I ask about {e}?", "Who answers questions about {e}?"),
    "author": ("wrote", "Who wrote {e}?", "Who is the author of {e}?"),
    "auditor": ("audits", "Who audits {e}?", "Who checks {e}?"),
    "trainer": ("teaches", "Who teaches {e}?", "Who gives the training for {e}?"),
    "responsible team": ("looks after", "Which team looks after {e}?", "Which team is responsible for {e}?"),
    "on-call team": ("is on call for", "Which team is on call for {e}?", "Who is on call for {e}?"),
}
WRITTEN = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "fifteen", "twenty", "thirty"]
SPANS: Value = lambda r: f"{r.choice(WRITTEN) if r.random() < 0.3 else r.randint(2, 90)} {r.choice(['days', 'working days', 'weeks', 'months', 'hours', 'minutes', 'years', 'seconds'])}"  # noqa: E731
PERCENT: Value = lambda r: r.choice([f"{r.randint(1, 99)} %", f"{r.randint(1, 99)}%", f"{r.randint(1, 99)} percent", f"{r.randint(1, 99)}.{r.randint(1, 9)}%"])  # noqa: E731
COUNT: Value = lambda r: f"{r.randint(2, 12000):,} {r.choice(['people', 'requests', 'pieces', 'seats', 'users', 'pages', 'calls', 'containers', 'items', 'bookings', 'rows', 'MB', 'GB', 'kg', 'tonnes', 'metres'])}"  # noqa: E731
PLACE: Value = lambda r: r.choice([proper(r), f"{proper(r)} {r.choice(['Quay', 'Street', 'Park', 'House', 'Hall', 'Point'])}", f"room {r.randint(1, 9)}.{r.randint(10, 40)}", f"floor {r.randint(1, 20)}", f"building {r.choice('ABCDEFGH')}"])  # noqa: E731
TEAM: Value = lambda r: f"{r.choice(['the ', ''])}{r.choice([proper(r), 'finance', 'logistics', 'support', 'people', 'security', 'platform', 'sales', 'legal', 'payroll', 'facilities'])} {r.choice(['team', 'desk', 'group', 'office'])}"  # noqa: E731
VERBS = ["restart", "stop", "check", "clear", "call", "open", "close", "renew", "replace", "lock", "reset", "isolate", "drain", "rotate", "inspect", "notify", "empty", "unplug"]
NOUNS = ["queue", "worker", "pump", "gateway", "cache", "token", "valve", "shift", "lead", "log", "file", "port", "desk", "backup", "node", "reader", "printer", "cable", "sensor", "server", "form", "ticket", "account"]
ACTION: Value = lambda r: f"{r.choice(VERBS)} the {r.choice(NOUNS)} {r.choice(['', '', r.choice(NOUNS), 'and ' + r.choice(VERBS) + ' the ' + r.choice(NOUNS), 'on ' + proper(r)])}".strip()  # noqa: E731
PATH: Value = lambda r: r.choice([f"/{syllables(r, 1, 2)}/{syllables(r, 1, 2)}", f"{syllables(r, 1, 2)}.log", f"#{syllables(r, 1, 2)}-{syllables(r, 1, 1)}", str(r.randint(1024, 65000))])  # noqa: E731
RHYTHM = one_of("every day", "every Monday", "every Friday", "weekly", "monthly", "every quarter", "twice a year", "once a year", "every two weeks", "every hour")
TEMPERATURE: Value = lambda r: f"{r.choice(['', '-'])}{r.randint(1, 95)} °C"  # noqa: E731

NAMES: dict[str, tuple[Value, str]] = {}


def add(value: Value, names: str) -> None:
    """Attribute names, separated by commas, that share a kind of value."""
    for name in names.split(","):
        NAMES[name.strip()] = (value, name.strip())


add(SPANS, "notice period, deadline, response time, waiting time, retention period, trial period, duration, lead time, timeout, validity, probation period, reply time, storage time, minimum stay, contract term, cancellation period, cooling time, grace period, warranty period, session length, delivery time")
add(money, "price, monthly fee, annual fee, budget, spending limit, approval limit, deposit, allowance, daily rate, penalty, surcharge, refund limit, setup fee, hourly rate, lunch allowance, hotel limit, reward, insurance sum, storage charge, list price")
add(COUNT, "capacity, limit, request limit, upload limit, maximum size, minimum order, stock, daily volume, batch size, seat count, quota, maximum load, number of members, weight limit, row limit, length")
add(PERCENT, "discount, tax rate, target, failure rate, share, commission, availability, error budget, increase, utilisation, interest rate, scrap rate")
add(date, "start date, end date, launch date, due date, review date, expiry date, renewal date, last change, closing date, next inspection, opening date, go-live date")
add(clock, "opening time, closing time, start time, cut-off time, check-in time, backup time, daily meeting time, last departure")
add(code, "code, reference, form number, cost centre, account number, part number, contract number, ticket prefix, room code, model number, access code, error code")
add(PLACE, "location, meeting point, storage place, address, collection point, loading bay, home port, assembly point")
add(email, "mail address, contact address, mailbox")
add(phone, "phone number, hotline, extension")
add(RHYTHM, "review rhythm, reporting rhythm, meeting rhythm, inspection interval, update frequency, cleaning schedule")
add(ACTION, "first step, remedy, fix, next action, emergency action, workaround, last step")
add(PATH, "log file, channel, port, folder, queue name, endpoint")
add(TEMPERATURE, "storage temperature, alarm temperature, maximum temperature, operating temperature")
add(one_of("red", "blue", "green", "yellow", "orange", "black", "white", "grey", "violet"), "colour, badge colour, label colour, status colour")
add(one_of("public", "internal", "confidential", "secret", "low", "medium", "high", "critical", "gold", "silver", "bronze", "draft", "active", "closed"), "class, level, priority, status, grade, severity")
add(proper, "supplier, tool, provider, brand, product family, carrier, region, version name, project name")

SUFFIX = ("", "", "", " policy", " programme", " service", " plan", " team", " site", " terminal", " warehouse", " device", " contract", " report", " module", " office", " vessel", " dashboard", " pump", " line", " procedure", " fund", " course", " room", " gateway", " tariff", " crane", " alert", " lane")


def entity_of(suffix: str) -> Value:
    """A name ending in the kind's word, or a name or a code by itself."""

    def make(r: Random) -> str:
        word = suffix.strip()
        if not word:
            return r.choice([proper(r), f"{proper(r)} {proper(r)}", code(r), f"{proper(r)} {r.randint(2, 99)}"])
        return r.choice([f"the {proper(r)} {word}", f"{proper(r)} {word}", f"{word} {code(r)}", f"{word} {r.randint(1, 400)}", f"the {proper(r)} {r.choice(['north', 'south', 'standard', 'night', 'staff', 'guest'])} {word}"])

    return make


def role(name: str) -> Attribute:
    """A person or a team that does something for the entity."""
    verb, first, second = ROLES[name]
    value = TEAM if "team" in name else person
    states = (f"{{v}} {verb} {{e}}.", f"The {name} of {{e}} is {{v}}.", f"{{e}} is in the hands of {{v}}, who {verb} it.", f"Since spring, {{v}} {verb} {{e}}.", f"As {name} of {{e}}, {{v}} decides.", f"It is {{v}} that {verb} {{e}}.")
    return Attribute(name, value, states, (first, second, f"{{e}} {name}", f"Name the {name} of {{e}}.", f"I am looking for the {name} of {{e}}.", f"Whose job is it to be the {name} of {{e}}?"))


def plain(name: str, r: Random) -> Attribute:
    """An attribute with six statements and six questions of the grammar; the last of each is kept for tests."""
    value, noun = NAMES[name]
    states = [s.format(n=noun) for s in r.sample(STATES[:-1], 7)] + [STATES[-1].format(n=noun)]
    asks = [a.format(n=noun) for a in r.sample(ASKS[:-2], 7)] + [r.choice(ASKS[-2:]).format(n=noun)]
    return Attribute(name, value, tuple(states), tuple(asks))


FILLER = (
    "More about {e} can be found on the intranet.",
    "{e} was introduced to make daily work easier.",
    "Feedback on {e} is welcome at any time.",
    "Several colleagues asked about {e} recently.",
    "This page is kept up to date by its authors.",
    "Changes are announced in good time.",
    "The rules below apply to everyone.",
    "There is a short video about {e}.",
    "We are happy to help if anything is unclear.",
    "Exceptions need a good reason.",
)


def _kinds() -> tuple[Kind, ...]:
    made = []
    for number_of, suffix in enumerate([*SUFFIX, *SUFFIX[3:]]):
        r = Random(f"general/{number_of}")
        names = r.sample(sorted(NAMES), 8)
        attributes = (*(plain(n, r) for n in names), *(role(n) for n in r.sample(sorted(ROLES), 2)))
        made.append(Kind(suffix.strip() or f"entry {number_of}", entity_of(suffix), attributes, FILLER))
    return tuple(made)


KINDS: tuple[Kind, ...] = _kinds()
