"""Lets GEPA, the optimiser that DSPy ships, evolve an instruction on the pool and the development split, by the rung's own model.

It refuses to decide: what it evolved is one candidate more for successive halving. Source: Agrawal et al. (2025), "GEPA:
Reflective Prompt Evolution Can Outperform Reinforcement Learning", arXiv:2507.19457.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from rung.errors import MissingExtra
from rung.types import Answer, Case, ChatModel, Messages, Reply, Score, Settings

if TYPE_CHECKING:
    from gepa.core.adapter import EvaluationBatch

Ask = Callable[[str, Sequence[Case]], list[tuple[Answer, Score]]]  # (instruction, cases), in the order of the cases
BUDGET = 8  # answers for each case of the development split
PART = "instruction"


@dataclass(frozen=True)
class Evolving:
    """What GEPA has to know of us: how an instruction is tried, and what went wrong with it."""

    ask: Ask
    propose_new_texts: None = None  # GEPA words new ones by its own prompt

    def evaluate(self, batch: list[Case], candidate: dict[str, str], capture_traces: bool = False) -> EvaluationBatch[Any, str]:
        """Ask the cases with the candidate's instruction."""
        from gepa.core.adapter import EvaluationBatch

        pairs = self.ask(candidate[PART], batch)
        traces = [(case, answer, score) for case, (answer, score) in zip(batch, pairs, strict=True)]
        return EvaluationBatch([answer.text for answer, _ in pairs], [score.primary for _, score in pairs], traces)

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: EvaluationBatch[Any, str], components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Question, answer and what it should have been; passages are left out, which would fill a small window."""
        rows = [
            {
                "Inputs": {"question": case.question},
                "Generated Outputs": answer.text,
                "Feedback": "right" if score.primary >= 1 else f"wrong; the ideal answer is: {case.text}",
            }
            for case, answer, score in eval_batch.trajectories or ()
        ]
        return {PART: rows}


@dataclass(frozen=True)
class Quiet:
    """GEPA's log for nobody."""

    def log(self, message: str) -> None:
        """Say nothing."""


def evolved(system: str, pool: Sequence[Case], aside: Sequence[Case], ask: Ask, model: ChatModel, seed: int) -> str:
    """The instruction that GEPA found best on the development split; the given one where none was better.

    MissingExtra without GEPA; errors of the model as they arise.
    """
    try:
        from gepa.api import optimize
    except ImportError as error:
        raise MissingExtra("evolving a prompt with GEPA", "optimise") from error
    worded: list[str] = []

    def reflect(prompt: str | list[dict[str, Any]]) -> str:
        text = prompt if isinstance(prompt, str) else "\n\n".join(str(turn["content"]) for turn in prompt)
        messages: Messages = [{"role": "user", "content": text}]
        settings = Settings(max_tokens=300, temperature=0.7, seed=seed + len(worded))
        if model.count(messages) + settings.max_tokens > model.window:
            return f"```\n{system}\n```"  # a window too small to reflect in: the same again, which GEPA does not take
        said = next(piece.text for _, piece in model.stream([messages], settings) if isinstance(piece, Reply))
        worded.append(said)
        return said

    found: Any = optimize(
        seed_candidate={PART: system},
        trainset=list(pool),
        valset=list(aside),
        adapter=cast("Any", Evolving(ask)),
        reflection_lm=reflect,
        max_metric_calls=BUDGET * len(aside),
        logger=Quiet(),
        seed=seed,
        display_progress_bar=False,
    )
    best = found.best_candidate
    return str(best[PART] if isinstance(best, dict) else best)
