"""Sentences are held to their passages: what stands there passes in any wording we know, what doesn't is named, streamed or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.approach.approach import Approach, answer_all, answer_stream
from rung.approach.claims import claims, denials, holds
from rung.approach.policy import MARK, Policy
from rung.approach.sentences import sentences, streamed
from rung.approach.source import Context
from rung.approach.support import bare, check, check_sentence
from rung.types import Answer, Hit, Messages, Passage, Reply, Settings, Usage

LEAVE = """Full-time staff at Ostrand receive 25 days of annual leave plus public holidays. After seven years of service the allowance
rises to 29 days. Terminal crews have their leave counted in hours: 200 hours a year.

Staff may carry over up to 4 days, and those days must be used by 30 April 2025. There is no summer closure at this site.
The desk opens at 8:30 and visitors must not park in the yard. A hotel may cost 1,400 euros a week or 7% of the budget."""
HEADINGS = ("Annual leave: Ostrand", "How much you get")
OTHER = "The Tidewell session ends after 25 minutes. Crews at Calder Quay receive 31 days. Bram Tolliver answers."
HITS = (
    Hit(Passage("p1", "leave.md", 100, 100 + len(LEAVE), LEAVE, HEADINGS), 1.0),
    Hit(Passage("p2", "other.md", 0, len(OTHER), OTHER, ("Other",)), 0.5),
)


def one(text: str, question: str = "") -> Any:
    checked = check(text, question, HITS)
    assert "".join(sentence.text for sentence in checked) == text
    assert len(checked) == 1
    return checked[0]


@pytest.mark.parametrize(
    ("text", "support"),
    [
        ("Full-time staff at Ostrand receive 25 days of annual leave [1].", "exact"),
        ("Full-time staff in Ostrand receive 25 days of annual leave plus holidays [1].", "fuzzy"),
        ("After seven years the allowance rises to twenty-nine days [1].", "words"),
        ("25 days [1]", "words"),
        ("It must be used by April 30 [1].", "words"),
        ("They get 25 days [1].", "words"), ("You'd have 29 days.", "words"),
        ("The days carried over must be used by 2025-04-30.", "words"),
        ("The desk opens at 8.30 am.", "fuzzy"),
        ("Visitors mustn't park in the yard. [1]", "fuzzy"),
        ("A hotel may cost €1400 weekly, 7 percent of the budget.", "words"),
        ("Ostrand gives 25 days, and a Tidewell session ends after 25 minutes [1][2].", "words"),
        ("* **Terminal crews** have their leave counted in hours [1]", "exact"),
        ("I don't know.", "plain"), ("The passages do not say.", "plain"), ("Yes.", "plain"), ("[1]", "plain"),
    ],
)  # fmt: skip
def test_what_the_passages_say_is_supported(text: str, support: str) -> None:
    assert one(text).support == support


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("Full-time staff at Ostrand receive 26 days of annual leave [1].", "26 days"),
        ("Full-time staff at Ostrand receive 25 weeks of annual leave [1].", "25 weeks"),
        ("Full-time staff at Lindhaven receive 25 days of annual leave [1].", "Lindhaven"),
        ("The allowance rises to 31 days after seven years [1].", "31 days"),
        ("After seven years of service the allowance falls to 29 days [1].", "falls"),
        ("Those days must be used by 30 May 2025 [1].", "30 May 2025"),
        ("Those days must be used by 30 April 2024 [1].", "30 April 2024"),
        ("There is a summer closure at this site [1].", "the passage says not"),
        ("Staff may not carry over up to 4 days [1].", "not"),
        ("Visitors must park in the yard [1].", "the passage says not"),
        ("The desk opens at 9:30 [1].", "9:30"),
        ("25 days [2]", "25 days"),
        ("Crews receive 31 days [1].", "31 days"),
        ("25 days [7]", "[7]"), ("[0]", "[0]"), ("I don't know [3].", "[3]"),
        ("Penguins breed on the southern ice each winter.", "Penguins"),
    ],
)  # fmt: skip
def test_what_they_do_not_say_is_named(text: str, missing: str) -> None:
    found = one(text)
    assert found.support == ""
    assert missing in found.missing


def test_a_short_answer_about_another_thing_than_was_asked_is_unsupported() -> None:
    assert one("25 days [1]", "How many days at Ostrand?").support
    assert one("31 days [2]", "How many days at Ostrand?").missing == ("ostrand",)


def test_quotes_are_spans_of_the_document() -> None:
    for text in ("Full-time staff at Ostrand receive 25 days of annual leave [1].", "After seven years it rises to 29 days."):
        for document, start, end in one(text).quotes:
            said = LEAVE[start - 100 : end - 100] if document == "leave.md" else OTHER[start:end]
            assert said.split()[0] in ("Full-time", "After")
    assert one("Terminal crews have their leave counted in hours [1]").quotes == (
        ("leave.md", 100 + LEAVE.index("Terminal"), 100 + LEAVE.index(": 200")),
    )


def test_no_passages_support_nothing_but_plain_words() -> None:
    assert [sentence.support for sentence in check("It is 5. I don't know. Yes.", "", [])] == ["", "plain", "plain"]


@given(st.text(alphabet="ab1. !?\n[]()-e.g*\"'5,", max_size=60), st.lists(st.integers(0, 60), max_size=8))
def test_a_stream_is_cut_as_the_whole_is(text: str, cuts: list[int]) -> None:
    places = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
    pieces = [text[a:b] for a, b in pairwise(places)]
    assert list(streamed(pieces)) == [text[start:end] for start, end in sentences(text)]
    assert "".join(streamed(pieces)) == text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It is 5. [1] It is 3.5 m. Next", ["It is 5. [1] ", "It is 3.5 m. ", "Next"]),
        ("See e.g. Dr. Berg. [1][2]\n- one\n- two", ["See e.g. Dr. Berg. [1][2]\n", "- one\n", "- two"]),
        ("1. First thing.\n2. Second thing.", ["1. First thing.\n", "2. Second thing."]),
        ("", []),
    ],
)
def test_where_sentences_end(text: str, parts: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text)] == parts


@given(st.text(max_size=80), st.text(max_size=40))
def test_nothing_a_model_says_is_too_odd_to_check(text: str, question: str) -> None:
    checked = check(text, question, HITS)
    assert "".join(sentence.text for sentence in checked) == text
    odd = Hit(Passage("p", "d", 0, len(text), text), 1.0)
    for sentence in (*checked, *check("It takes 5 days in Ostrand. " + text, question, [odd])):
        for document, start, end in sentence.quotes:
            assert 0 <= start < end <= (len(text) if document == "d" else 100 + len(LEAVE))


@given(st.text(alphabet="0123456789.,:'- €%½²٣e", max_size=12))
def test_no_number_is_too_odd_to_read(text: str) -> None:
    claims(f"It is {text} days")


def test_claims_are_read_alike_in_other_spellings() -> None:
    alike = [
        ("twenty-seven days", "27 days"), ("1,400 euros", "€1400"), ("5 %", "five percent"), ("2 million users", "2,000,000 users"),
        ("5:30 pm", "17:30"), ("30 April", "April 30th"), ("20min", "20 minutes"), ("a hundred hours", "100 h"),
        ("5 working days", "5 days"),
    ]  # fmt: skip
    for first, second in alike:
        assert claims(f"x {first}").atoms.keys() == claims(f"x {second}").atoms.keys(), (first, second)
    assert holds(("date", "", "4", "30"), claims("by 30 April 2025").atoms)
    assert claims("The SHP-2 pathway of Anna's (BIR) cAMP").names.keys() == {"shp2", "anna"}
    assert [denials(text) for text in ("no more than 5", "not only", "isn't", "no, never", "nothing")] == [0, 0, 1, 2, 1]
    assert bare("2. **Bold** text [1].") == "Bold text ."


@dataclass(frozen=True)
class Says:
    """A model that says one text, a few letters at a time."""

    text: str
    id: str = "says"
    window: int = 10_000

    def count(self, messages: Messages) -> int:
        return 10

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        for number, _ in enumerate(prompts):
            for at in range(0, len(self.text), 7):
                yield number, self.text[at : at + 7]
            yield number, Reply(self.text, Usage(), 0.0)


@dataclass(frozen=True)
class Fixed:
    """A source that always brings the same hits."""

    id: str = "fixed"
    whole: bool = False

    def find(self, question: str) -> Context:
        return Context(HITS)


SAID = "Staff at Ostrand receive 25 days of annual leave [1]. The fee is 90 euros [1]. Sessions end after 25 minutes [2]. "
GOOD, BAD, LAST = "Staff at Ostrand receive 25 days of annual leave [1].", "The fee is 90 euros [1].", "Sessions end after 25 minutes [2]."
SHOWN = {
    "keep": SAID.strip(), "mark": f"{GOOD} {BAD} {MARK} {LAST}", "drop": f"{GOOD} {LAST}", "refuse": "No answer.",
}  # fmt: skip


@pytest.mark.parametrize("unsupported", SHOWN)
def test_the_policy_decides_what_is_shown_streamed_or_not(unsupported: Any) -> None:
    ready = Approach("x", Says(SAID), Fixed(), policy=Policy(unsupported, "No answer."))
    ((_, answer),) = answer_all(ready, ["How many days?"])
    *pieces, last = answer_stream(ready, "How many days?")
    assert isinstance(last, Answer)
    assert "".join(str(piece) for piece in pieces).strip() == answer.text == last.text == SHOWN[unsupported]
    assert answer.citations == last.citations
    if unsupported == "keep":
        assert (answer.sentences, [citation.quote for citation in answer.citations]) == ((), [None, None])
    else:
        assert [bool(sentence.support) for sentence in answer.sentences] == [True, False, True]
        assert len(pieces) == {"mark": 3, "drop": 2, "refuse": 1}[unsupported]
    if unsupported == "drop":
        spans = (110, 100 + LEAVE.index(" plus")), (0, OTHER.index(" Crews"))
        assert [(citation.marker, citation.quote) for citation in answer.citations] == [(1, spans[0]), (2, spans[1])]


def test_the_words_of_a_required_form_are_no_claims() -> None:
    form = ("Desk", "People")
    assert check_sentence("Desk | 25 days | People [1]", "", HITS).support == ""
    assert check_sentence("Desk | 25 days | People [1]", "", HITS, form).support == "words"
    assert check_sentence("Desk | 26 days | People [1]", "", HITS, form).missing == ("26 days",)
    ready = Approach("x", Says("Desk | 25 days | People [1]"), Fixed(), policy=Policy("drop", given=form))
    assert [answer.text for _, answer in answer_all(ready, ["?"])] == ["Desk | 25 days | People [1]"]
    assert next(iter(answer_stream(ready, "?"))) == "Desk | 25 days | People [1]"


def test_the_swapped_sentences_of_an_example_are_told_from_the_right_ones() -> None:
    from bench.support import documents, measured, swapped

    figures = measured("harbor", swapped(documents(("harbor",)), 60))
    assert float(str(figures["precision"])) >= 0.97
    assert float(str(figures["recall"])) >= 0.95


def test_where_nothing_is_left_the_refusal_is_said() -> None:
    ready = Approach("x", Says("The fee is 90 euros [1]."), Fixed(), policy=Policy("drop", "No answer."))
    assert [piece if isinstance(piece, str) else piece.text for piece in answer_stream(ready, "?")] == ["No answer."] * 2


def test_only_a_policy_that_checks_changes_what_made_the_answer() -> None:
    plain = Approach("x", Says("a"), Fixed())
    assert "support" not in plain.made_by
    ids = {
        replace(plain, policy=policy).id
        for policy in (Policy(), Policy("keep", "y"), Policy("drop"), Policy("refuse"), Policy("drop", "y"))
    }
    assert len(ids) == 4


def test_a_marker_that_points_nowhere_is_caught_in_every_sentence() -> None:
    found = check_sentence("Staff at Ostrand receive 25 days [1][9].", "", HITS)
    assert (found.support, found.missing) == ("", ("[9]",))
