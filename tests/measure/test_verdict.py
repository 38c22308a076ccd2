from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rung.errors import ConfigError
from rung.measure.reasons import cases, percent, points, signed, size
from rung.measure.summary import not_run, summarise
from rung.measure.verdict import Limits, clear, decide
from rung.types import Answer, Case, Score, Summary, Usage, Verdict

N = 150
CASES = [Case(f"c{n:03}", "q", "a") for n in range(N)]
CLUSTERS = {case.id: case.id for case in CASES}


def rung(name: str, shares: Mapping[str, float], seconds: float = 1.0) -> tuple[Summary, list[Score]]:
    """A rung whose cases are right in the first `right` of the cases (rounded), with mean parts as given."""
    right = round(shares["right"] * N)
    scores = [Score(case.id, float(n < right)) for n, case in enumerate(CASES)]
    pairs = [(Answer("q", "a", usage=Usage(10, 1), generation_seconds=seconds), score) for score in scores]
    summary = summarise(name, pairs, CASES)
    return replace(summary, parts={part: share for part, share in shares.items() if part != "right"}), scores


LADDER = [
    rung("prompt", {"right": 0.04, "facts": 0.12, "form": 0.30}),
    rung("rag", {"right": 0.30, "facts": 0.85, "form": 0.35, "recall@k": 0.95, "citation_recall": 0.9}),
    rung("tuned", {"right": 0.12, "facts": 0.12, "form": 0.98}),
    rung("hybrid", {"right": 0.78, "facts": 0.80, "form": 0.97, "recall@k": 0.95, "citation_recall": 0.4}),
    rung("raft", {"right": 0.80, "facts": 0.82, "form": 0.99, "recall@k": 0.95, "citation_recall": 0.9}),
]


def decided(limits: Limits, ladder: Sequence[tuple[Summary, list[Score]]] = LADDER, **others: object) -> Verdict:
    return decide([one for one, _ in ladder], {one.name: scores for one, scores in ladder}, CLUSTERS, limits, **others)  # type: ignore[arg-type]


def test_the_lowest_rung_that_clears_the_bar_is_chosen() -> None:
    found = decided(Limits(bar=0.7))
    assert (found.chosen, found.met, found.bar) == ("hybrid", True, 0.7)
    assert found.sentence.startswith(
        "hybrid: 78 % right (71-84 %), the lowest rung that clears 70 %; its 95 % interval clears the bar, too"
    )
    assert found.best == ("hybrid", "raft")
    assert set(found.reasons) == {"prompt", "rag", "tuned", "raft"}
    assert found.reasons["tuned"].endswith("facts right 12 %, form 98 %: knows the form, lacks the facts")
    assert "facts right 85 %, form 35 %: has the facts, is short of the form" in found.reasons["rag"]
    assert "lacks the facts, lacks the form" in found.reasons["prompt"]
    assert "not distinguishable from hybrid at n = 150 (+2 points, " in found.reasons["raft"]
    assert "cases would tell" in found.reasons["raft"]
    assert found.reasons["raft"].endswith("hybrid stands lower on the ladder")
    assert len(found.comparisons) == 10


def test_a_bar_within_the_interval_is_met_but_not_for_certain() -> None:
    found = decided(Limits(bar=0.75))
    assert found.chosen == "hybrid"
    assert "its interval reaches below the bar, so 150 cases don't confirm it (at this estimate about 900 would)" in found.sentence
    assert "it stands on the bar" in decided(Limits(bar=0.78)).sentence


def test_one_case_is_one_case() -> None:
    alone = [CASES[0]]
    score = Score(alone[0].id, 1.0)
    summary = summarise("rag", [(Answer("q", "a"), score)], alone)
    found = decide([summary], {"rag": [score]}, {alone[0].id: alone[0].id}, Limits(bar=0.8))
    assert "so 1 case doesn't confirm it" in found.sentence


def test_a_better_rung_above_is_named() -> None:
    found = decided(Limits(bar=0.1))
    assert found.chosen == "rag"
    assert "raft is better still (80 %, p < 0.001)" in found.sentence
    assert found.best == ("hybrid", "raft")
    assert "better than rag by 48 points (p < 0.001), but rag clears the bar" in found.reasons["hybrid"]
    assert "worse than rag by 18 points (p < 0.001) and higher on the ladder" in found.reasons["tuned"]


def test_if_none_meets_the_bar_the_best_set_and_what_is_missing_are_said() -> None:
    found = decided(Limits(bar=0.9))
    assert (found.chosen, found.met, found.best) == ("", False, ("hybrid", "raft"))
    assert found.sentence == (
        "no rung clears 90 %; raft comes nearest with 80 % right (73-86 %), 10 points short (its interval does not reach the bar); "
        "facts right 82 %, form 99 %: knows the form, is short of the facts; retrieval brings 95 % of the evidence, so it is the "
        "reading that falls short; not distinguishable from it at n = 150: hybrid"
    )
    assert len(found.reasons) == 5


def test_limits_pass_a_rung_over() -> None:
    found = decided(Limits(bar=0.7, citation_recall=0.5))
    assert found.chosen == "raft"
    assert found.reasons["hybrid"] == "78 % right (71-84 %) clears the bar, but it cites 40 % of the evidence, the limit is 50 %"
    assert "no case has evidence" in found.reasons["prompt"]
    none = decided(Limits(bar=0.7, citation_recall=0.95, private=True), remote=["raft"])
    assert none.chosen == ""
    assert "no rung clears 70 % within the limits: hybrid has 78 % right (71-84 %), but it cites 40 %" in none.sentence
    assert "its model is not on this machine and it cites 90 %" in none.sentence
    assert decided(Limits(bar=0.7, private=True), remote=["hybrid"]).chosen == "raft"


def test_seconds_count_only_where_a_limit_asks() -> None:
    slow = [*LADDER[:3], rung("hybrid", {"right": 0.78, "facts": 0.8, "form": 0.97, "recall@k": 0.95}, seconds=9.0), LADDER[4]]
    assert decided(Limits(bar=0.7), slow) == decided(Limits(bar=0.7))
    found = decided(Limits(bar=0.7, seconds_p95=5), slow)
    assert found.chosen == "raft"
    assert "95 % of answers take up to 9 s, the limit is 5 s" in found.reasons["hybrid"]


def test_costs_count_only_where_a_limit_asks() -> None:
    dear = [*LADDER[:4], (replace(LADDER[4][0], cost_per_1000=4.0), LADDER[4][1])]
    assert decided(Limits(bar=0.7), dear) == decided(Limits(bar=0.7))
    assert "it costs more; hybrid stands lower" in decided(Limits(bar=0.7, cost_per_1000=5), dear).reasons["raft"]
    assert "1,000 answers cost 4.00, the limit is 3" in decided(Limits(bar=0.7, cost_per_1000=3), dear).reasons["raft"]


def test_a_rung_that_could_not_run_keeps_its_reason() -> None:
    found = decided(Limits(bar=0.7), [*LADDER[:2], (not_run("long-context", "41,000 tokens do not fit 4,096"), []), *LADDER[2:]])
    assert found.chosen == "hybrid"
    assert found.reasons["long-context"] == "could not run: 41,000 tokens do not fit 4,096"
    nothing = decided(Limits(), [(not_run("prompt", "no model"), [])])
    assert nothing.sentence == "nothing was measured, since no rung could run (prompt: no model)"
    assert (nothing.chosen, nothing.best) == ("", ())
    assert decided(Limits(), []).sentence.endswith("(there are none)")


def test_a_single_rung() -> None:
    found = decided(Limits(bar=0.7), LADDER[3:4])
    assert found.chosen == "hybrid"
    assert found.reasons == {}
    assert "distinguishably" not in found.sentence


def test_answers_to_unanswerable_questions_are_named() -> None:
    loud = rung("rag", {"right": 0.6, "facts": 0.75, "form": 0.9, "false_answer": 0.64})
    found = decided(Limits(bar=0.7), [loud])
    assert (
        "has the facts and the form, but too seldom in one answer; it answers 64 % of the questions that have no answer" in found.sentence
    )


def test_other_tasks_name_their_parts() -> None:
    assert "label right 50 %: is short of the labels" in decided(Limits(bar=0.7), [rung("prompt", {"right": 0.5, "label": 0.5})]).sentence
    extract = rung("prompt", {"right": 0.5, "field_f1": 0.9, "valid": 0.55})
    assert "fields right 90 %, valid 55 %: has the fields, is short of the form" in decided(Limits(bar=0.7), [extract]).sentence


shares = st.integers(0, 20).map(lambda n: n / 20)


@given(st.lists(shares, min_size=1, max_size=4), shares, st.integers(0, 9))
@settings(max_examples=12, deadline=None)
def test_the_rule_holds_and_the_verdict_repeats(rights: list[float], bar: float, seed: int) -> None:
    ladder = [rung(f"r{n}", {"right": right, "facts": right}) for n, right in enumerate(rights)]
    found = decided(Limits(bar=bar), ladder)
    clears = [one.name for one, _ in ladder if one.primary.estimate >= bar - 1e-9]
    assert found.chosen == (clears[0] if clears else "")
    assert set(found.reasons) == {one.name for one, _ in ladder} - {found.chosen}
    assert max(ladder, key=lambda one: one[0].primary.estimate)[0].name in found.best
    shuffled = [(one, Random(seed).sample(scores, len(scores))) for one, scores in ladder]
    assert decided(Limits(bar=bar), shuffled) == found


def test_percentages_do_not_hide_a_difference() -> None:
    assert percent(0.696, 0.7) == "69.6 %"
    assert percent(0.7, 0.7) == "70 %"
    assert percent(0.6996, 0.7) == "69.96 %"
    assert [points(one) for one in (0.004, 0.01, -0.123)] == ["less than 1 point", "1 point", "12 points"]
    assert [signed(one) for one in (0.004, -0.004, 0.01, -0.123)] == ["0", "0", "+1", "-12"]


def test_a_bar_is_a_share() -> None:
    with pytest.raises(ConfigError, match="the bar is 80"):
        Limits(bar=80)


def test_groups_are_named_where_they_are_fewer_than_cases() -> None:
    interval = LADDER[0][0].primary
    assert (size(interval), cases(interval)) == ("n = 150", "150 cases")
    grouped = replace(interval, clusters=15)
    assert (size(grouped), cases(grouped)) == ("n = 150 in 15 groups", "150 cases in 15 groups")


def test_a_lower_rung_that_is_as_good_is_called_so() -> None:
    near = [*LADDER[:3], rung("hybrid", {"right": 0.79, "facts": 0.8}), rung("raft", {"right": 0.80, "facts": 0.8})]
    found = decided(Limits(bar=0.7, margin=0.06), near)
    assert found.margin == 0.06
    assert found.sentence.endswith("; no rung is distinguishably better; it is as good as raft within 6 points")
    assert "; hybrid is as good within 6 points; hybrid stands lower on the ladder" in found.reasons["raft"]
    narrow = decided(Limits(bar=0.7, margin=0.01), near)
    assert narrow.sentence.endswith("; that it is as good as raft within 1 point is not shown")
    assert "hybrid (as good within 6 points)" in decided(Limits(bar=0.9, margin=0.06), near).sentence
    assert "as good" not in decided(Limits(bar=0.7), near).sentence


def test_more_cases_would_not_change_a_clear_choice() -> None:
    def told(ladder: Sequence[tuple[Summary, list[Score]]], **limits: object) -> bool:
        return clear([one for one, _ in ladder], {one.name: own for one, own in ladder}, CLUSTERS, Limits(**limits))  # type: ignore[arg-type]

    assert told(LADDER, bar=0.5)  # hybrid is above, all below it are below
    assert told(LADDER, bar=0.97)
    assert not told(LADDER, bar=0.75)  # hybrid might be on either side
    assert not told([], bar=0.5)
    assert told([LADDER[3], (not_run("prompt", "no model"), [])], bar=0.5)
    assert not told(LADDER, bar=0.5, citation_recall=0.95)  # no rung is within the limits
