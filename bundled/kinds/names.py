"""Random names, amounts, dates and codes: the raw material that must be copied because it cannot be known."""

from collections.abc import Callable
from random import Random

ONSETS = ["b", "br", "c", "ch", "cl", "cr", "d", "dr", "f", "fl", "fr", "g", "gl", "gr", "h", "j", "k", "kl", "kr", "l", "m", "n", "p", "pl", "pr", "qu", "r", "s", "sc", "sh", "sk", "sl", "sm", "sn", "sp", "st", "str", "t", "th", "tr", "v", "w", "y", "z"]
VOWELS = ["a", "a", "a", "e", "e", "e", "i", "i", "o", "o", "u", "ai", "au", "ea", "ee", "ei", "ia", "ie", "oa", "oo", "ou"]
CODAS = ["b", "ck", "d", "f", "g", "k", "l", "ll", "lm", "ln", "m", "n", "nd", "ng", "nt", "p", "r", "rd", "rk", "rn", "rt", "s", "sk", "ss", "st", "t", "th", "v", "x", "z"] + [""] * 12
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
FIRST = ["Ada", "Amir", "Anna", "Ben", "Carla", "Chen", "Clara", "David", "Dina", "Elena", "Emma", "Erik", "Fatima", "Felix", "Grace", "Hana", "Henry", "Ines", "Ivan", "Jack", "Jonas", "Julia", "Kai", "Karim", "Lara", "Leo", "Lina", "Lucas", "Maria", "Marta", "Max", "Mina", "Nadia", "Nina", "Noah", "Olga", "Omar", "Oscar", "Paul", "Petra", "Priya", "Rosa", "Sam", "Sara", "Simon", "Sofia", "Tariq", "Theo", "Tom", "Vera", "Victor", "Yara", "Yusuf", "Zoe"]
WORDS = ["amber", "anchor", "arrow", "aspen", "atlas", "aurora", "basin", "beacon", "birch", "bridge", "canyon", "cedar", "cobalt", "comet", "coral", "crest", "delta", "drift", "eagle", "echo", "ember", "falcon", "fern", "field", "flint", "forest", "garnet", "glacier", "granite", "grove", "harvest", "hazel", "heron", "horizon", "island", "ivory", "jade", "juniper", "lantern", "larch", "laurel", "ledge", "linden", "lotus", "lumen", "maple", "marble", "meadow", "mesa", "mint", "mosaic", "nectar", "nova", "oak", "ocean", "olive", "onyx", "opal", "orbit", "orchid", "osprey", "pearl", "pebble", "phoenix", "pine", "pioneer", "prairie", "quartz", "quill", "raven", "reef", "ridge", "river", "robin", "saffron", "sage", "sapphire", "sierra", "silver", "slate", "sparrow", "spring", "spruce", "summit", "swift", "tempo", "terra", "thistle", "tide", "timber", "topaz", "tundra", "valley", "velvet", "vertex", "vista", "willow", "zenith", "zephyr"]


def syllables(r: Random, low: int = 2, high: int = 3) -> str:
    """A pronounceable word nobody has seen, in lower case."""
    return "".join(r.choice(ONSETS) + r.choice(VOWELS) + r.choice(CODAS) for _ in range(r.randint(low, high)))


def proper(r: Random) -> str:
    """A name: mostly spelled from syllables, sometimes an ordinary word."""
    return (syllables(r, 2, 3) if r.random() < 0.7 else r.choice(WORDS)).capitalize()


def person(r: Random) -> str:
    """A first and a last name."""
    first = r.choice(FIRST) if r.random() < 0.6 else syllables(r, 1, 2).capitalize()
    return f"{first} {syllables(r, 2, 3).capitalize()}"


def number(low: int, high: int, unit: str = "") -> Callable[[Random], str]:
    """A whole number in [low, high] with thousands separators and an optional unit behind it."""
    return lambda r: f"{r.randint(low, high):,}" + (f" {unit}" if unit else "")


def money(r: Random, low: int = 2, high: int = 9000) -> str:
    """An amount, its currency as a sign, a word or a code."""
    amount = round(10 ** (r.uniform(0, 1) * 3.5) * low)
    amount = max(low, min(high, amount))
    cents = r.choice(["", "", "", ".50", ".99", ".90"])
    return r.choice(["${}", "${}", "€{}", "£{}", "{} euros", "{} dollars", "EUR {}", "USD {}", "GBP {}", "CHF {}"]).format(f"{amount:,}{cents}")


def date(r: Random) -> str:
    """A day, in one of three common forms."""
    day, month, year = r.randint(1, 28), r.choice(MONTHS), r.randint(2021, 2031)
    return r.choice([f"{day} {month} {year}", f"{month} {day}, {year}", f"{day} {month}"])


def clock(r: Random) -> str:
    """A time of day."""
    hour, minute = r.randint(0, 23), r.choice(["00", "15", "30", "45", f"{r.randint(0, 59):02}"])
    return f"{hour:02}:{minute}" if r.random() < 0.6 else f"{(hour - 1) % 12 + 1}:{minute} {'a.m.' if hour < 12 else 'p.m.'}"


def code(r: Random) -> str:
    """An identifier such as QX-4417, K3F9 or inv_20881."""
    upper = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    letters = "".join(r.choice(upper) for _ in range(r.randint(1, 3)))
    return r.choice(
        [
            f"{letters}-{r.randint(10, 9999)}",
            f"{letters}{r.randint(10, 999)}",
            f"{letters}-{r.randint(1, 99)}-{r.choice(upper)}",
            f"{letters.lower()}_{r.randint(100, 99999)}",
            f"{r.randint(100, 9999)}-{letters}",
        ]
    )


def one_of(*options: str) -> Callable[[Random], str]:
    """One of a closed list: many entities share a value, so it can't be guessed from the form of the answer."""
    return lambda r: r.choice(options)


def email(r: Random) -> str:
    """A made-up mail address on a reserved domain."""
    return f"{syllables(r, 1, 3)}@{r.choice(WORDS)}.example"


def phone(r: Random) -> str:
    """An extension or a short number."""
    return r.choice([f"{r.randint(1000, 9999)}", f"+{r.randint(10, 99)} {r.randint(100, 999)} {r.randint(1000, 9999)}", f"extension {r.randint(100, 999)}"])
