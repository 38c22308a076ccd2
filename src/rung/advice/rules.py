"""The rules of advice, one row each: when it fires, what it says of which rungs, why, who found that, and what would overturn it.

Points are judgement, not measurement: they order rungs before there is anything to measure. `OUT` rules a rung out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rung.advice.situation import Situation

OUT = -100
PROMPT_ENOUGH = 0.8  # the share right above which a prompt needs no help
LONG_PROMPT = 200_000  # tokens that fit one cached prompt
TOKENS_A_DAY = 100_000_000  # read from one long prompt, above which its price and its seconds decide
FEW_QUESTIONS = 10  # a day: below, no building pays
MANY_QUESTIONS = 10_000  # a day: above, a short prompt saves more than tuning costs
FEW_EXAMPLES, SOME_EXAMPLES = 50, 500
RETRIEVAL = 0.3  # seconds: a budget under which the 0.1 to 0.5 of a search are felt
QUICK = ("hourly", "daily", "weekly")
TUNED, SEARCHING = ("tuned", "hybrid", "raft"), ("rag", "hybrid", "raft")

KNOWLEDGE_OR_BEHAVIOUR = "OpenAI, Optimizing LLM accuracy (context against behaviour)"
FINE_TUNING_OR_RETRIEVAL = "Ovadia et al. 2023, Fine-tuning or retrieval? (arXiv:2312.05934)"
NEW_KNOWLEDGE = "Gekhman et al. 2024, Does fine-tuning on new knowledge encourage hallucinations? (arXiv:2405.05904)"
BOTH_ADD_UP = "Balaguer et al. 2024, RAG vs fine-tuning (arXiv:2401.08406): the gains of both add up"
LONG_CONTEXT = "Anthropic 2024, Introducing contextual retrieval: under 200,000 tokens, put everything into a cached prompt"
RAFT_PAPER = "Zhang et al. 2024, RAFT (arXiv:2403.10131)"
FEW_ARE_ENOUGH = "Zhou et al. 2023, LIMA (arXiv:2305.11206): 1,000 careful examples teach form"
OPENAI_EXAMPLES = "OpenAI, Fine-tuning guide: gains are seen from 50 to 100 examples"
PRACTICE = "common practice"
ARITHMETIC = "arithmetic: `rung cost` does it with your prices"


@dataclass(frozen=True)
class Rule:
    """One row: points by rung where `when` holds."""

    name: str
    when: Callable[[Situation], bool]
    points: Mapping[str, int]
    because: str
    source: str
    overturned: str  # the measurement that would


def _each(rungs: tuple[str, ...], points: int) -> dict[str, int]:
    return dict.fromkeys(rungs, points)


def _knows(s: Situation) -> bool:
    return s.facts and not s.behaviour


def _behaves(s: Situation) -> bool:
    return bool(s.behaviour) and not s.facts


RULES = (
    Rule(
        "the prompt is enough",
        lambda s: s.prompt_right is not None and s.prompt_right >= PROMPT_ENOUGH,
        {"prompt": 12, "few-shot": 2},
        f"a prompt alone already gets {PROMPT_ENOUGH:.0%} or more right",
        PRACTICE,
        "`rung climb --rung prompt` on held-out cases: the lower end of its interval is under your bar",
    ),
    Rule(
        "few questions",
        lambda s: s.queries_per_day <= FEW_QUESTIONS,
        {"prompt": 8, "few-shot": 4, "long-context": 2, **_each(TUNED, -6), "rag": -1},
        f"at {FEW_QUESTIONS} questions a day or fewer, building and keeping anything costs more than it saves",
        ARITHMETIC,
        "the break-even of `rung cost` lies below your volume, or each wrong answer is very dear",
    ),
    Rule(
        "neither facts nor behaviour",
        lambda s: not s.facts and not s.behaviour,
        {"prompt": 6, "few-shot": 4, **_each(SEARCHING, -4), "tuned": -2, "long-context": -4},
        "nothing must be known that the model doesn't know, and nothing done that it can't be told",
        KNOWLEDGE_OR_BEHAVIOUR,
        "`rung diagnose` finds failures that a gold passage or a tuned form would mend",
    ),
    Rule(
        "facts are missing",
        _knows,
        {"rag": 6, "long-context": 3, "hybrid": 1, "prompt": -2, "few-shot": -2, "tuned": -5},
        "what is missing is knowledge, which belongs into the prompt; weights take up new facts slowly and then make up others",
        f"{FINE_TUNING_OR_RETRIEVAL}; {NEW_KNOWLEDGE}",
        "`rung diagnose`: with the gold passage in the prompt, answers are still wrong",
    ),
    Rule(
        "behaviour is missing",
        _behaves,
        {"tuned": 6, "few-shot": 2, "rag": -3, "long-context": -4, "hybrid": -1, "raft": -2},
        "what is missing is a way of answering, which examples teach and passages don't",
        f"{KNOWLEDGE_OR_BEHAVIOUR}; {FEW_ARE_ENOUGH}",
        "`rung climb`: few-shot can't be told from tuned, or failures turn out to be missing facts",
    ),
    Rule(
        "facts and behaviour are missing",
        lambda s: s.facts and bool(s.behaviour),
        {"hybrid": 7, "raft": 4, "rag": 3, "prompt": -2, "few-shot": -1},
        "it must know what is in the documents and answer in a way that examples teach: a tuned model behind retrieval",
        BOTH_ADD_UP,
        "`rung climb`: rag with a good prompt can't be told from hybrid",
    ),
    Rule(
        "learn to use passages",
        lambda s: s.facts and bool(s.behaviour) and s.examples >= SOME_EXAMPLES,
        {"raft": 1},
        "with this many examples the model can be tuned on retrieved passages, look-alikes among them, and not beside them",
        RAFT_PAPER,
        "`rung climb`: raft can't be told from hybrid",
    ),
    Rule(
        "fits one prompt",
        lambda s: s.facts and 0 < s.knowledge_tokens <= LONG_PROMPT,
        {"long-context": 6},
        f"all that must be known, {LONG_PROMPT:,} tokens or fewer, fits one cached prompt, and no search can miss it",
        LONG_CONTEXT,
        "`rung climb`: long-context is less right than rag, or too slow or too dear at your volume",
    ),
    Rule(
        "too large for one prompt",
        lambda s: s.knowledge_tokens > LONG_PROMPT,
        {"long-context": OUT},
        f"what must be known is more than the {LONG_PROMPT:,} tokens that one prompt reasonably holds",
        LONG_CONTEXT,
        "a model whose window holds it, measured at your latency and price",
    ),
    Rule(
        "a long prompt read often",
        lambda s: s.knowledge_tokens * s.queries_per_day > TOKENS_A_DAY,
        {"long-context": -7, "rag": 1},
        "reading everything for each question comes to more than 100 million tokens a day, cached or not",
        ARITHMETIC,
        "`rung cost` with your price of cached input",
    ),
    Rule(
        "changes faster than training",
        lambda s: s.facts and s.updates in QUICK,
        {"rag": 1, "tuned": -4},
        "what must be known changes weekly or faster: an index follows in seconds, weights only with the next training",
        FINE_TUNING_OR_RETRIEVAL,
        "`rung freshness`: the questions you get are not about what changes",
    ),
    Rule(
        "sources must be named",
        lambda s: s.citations,
        {**_each(SEARCHING, 2), "long-context": 1, **_each(("prompt", "few-shot", "tuned"), OUT)},
        "an answer from memory can name no source that was looked up",
        "Lewis et al. 2020, Retrieval-augmented generation (arXiv:2005.11401)",
        "nothing: without passages there is nothing to cite",
    ),
    Rule(
        "no time to search",
        lambda s: s.seconds_p95 <= RETRIEVAL,
        {"tuned": 1, **_each(SEARCHING, -3), "few-shot": -1, "long-context": -5},
        f"within {RETRIEVAL} s there is hardly time for a search and a long prompt: short prompts and small models answer in time",
        PRACTICE,
        "`rung climb`: the 95th percentile of the seconds of a retrieving rung",
    ),
    Rule(
        "many questions, one behaviour",
        lambda s: bool(s.behaviour) and s.queries_per_day >= MANY_QUESTIONS,
        {"tuned": 2, "hybrid": 1, "raft": 1, "few-shot": -2},
        "instructions and examples are paid with each question; a tuned model carries them in its weights, and may be a small one",
        ARITHMETIC,
        "`rung cost`: the break-even lies above your volume",
    ),
    Rule(
        "hardly any examples",
        lambda s: s.examples < FEW_EXAMPLES,
        {**_each(TUNED, -7), "few-shot": 1},
        f"with fewer than {FEW_EXAMPLES} solved examples tuning learns them by heart and little else",
        OPENAI_EXAMPLES,
        "a learning curve: the tuned rung trained on half of them is as good",
    ),
    Rule(
        "few examples",
        lambda s: FEW_EXAMPLES <= s.examples < SOME_EXAMPLES,
        _each(TUNED, -1),
        f"with fewer than {SOME_EXAMPLES} solved examples expect form and tone, not skill",
        FEW_ARE_ENOUGH,
        "`rung climb`: the tuned rung clears the bar all the same",
    ),
    Rule(
        "nobody to keep it",
        lambda s: s.team == "none",
        {"prompt": 1, **_each(TUNED, -2), "rag": -1},
        "an index and above all a tuned model need somebody who looks after them",
        PRACTICE,
        "a partner who does",
    ),
    Rule(
        "little time",
        lambda s: s.weeks < 2,
        {"prompt": 1, "few-shot": 1, **_each(TUNED, -2)},
        "gathering and checking examples takes longer than the two weeks there are",
        PRACTICE,
        "the examples exist and `rung check` finds nothing in them",
    ),
    Rule(
        "little money",
        lambda s: s.budget is not None and s.budget < 5000,
        _each(TUNED, -1),
        "data and training usually cost 5,000 to 20,000 dollars before the first answer, nearly all of it people's time",
        ARITHMETIC,
        "`rung cost` with what your examples really cost",
    ),
    Rule(
        "the simplest that does",
        lambda _: True,
        {"raft": -1},
        "of two that serve, take the lower rung: it is cheaper to keep",
        PRACTICE,
        "`rung climb`: the higher rung is better by an interval that excludes zero",
    ),
)
