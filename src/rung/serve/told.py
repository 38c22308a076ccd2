"""What an answer stands on, as clients read it: annotations in OpenAI's form, and all of it under `rung`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rung.approach.prompt import MARKER
from rung.types import Answer, Citation, Hit


def marked(answer: Answer) -> list[dict[str, Any]]:
    """One for each marker that stands in the text and points to a passage; indices are of the text's characters."""
    of = {citation.marker: citation for citation in answer.citations if citation.passage}
    found = [one for one in MARKER.finditer(answer.text) if int(one[1]) in of]
    return [_annotation(of[int(one[1])], answer, one.start(), one.end()) for one in found]


def _annotation(citation: Citation, answer: Answer, start: int, end: int) -> dict[str, Any]:
    hit = answer.hits[citation.marker - 1]
    title = " > ".join(hit.passage.headings) or citation.document
    if citation.document.startswith(("http://", "https://")):
        return {"type": "url_citation", "url_citation": {"url": citation.document, "title": title, "start_index": start, "end_index": end}}
    told = {"file_id": citation.passage, "filename": citation.document, "title": title, "start_index": start, "end_index": end}
    return {"type": "file_citation", "file_citation": {**told, "span": _span(citation), "quote": _quote(citation, hit)}}


def flat(annotation: Mapping[str, Any]) -> dict[str, Any]:
    """The same as /v1/responses writes it."""
    kind = annotation["type"]
    return {"type": kind, **annotation[kind], "index": annotation[kind]["start_index"]}


def beside(answer: Answer) -> dict[str, Any]:
    """The field `rung`: what made the answer, the passages, the spans that support it, and what nothing supports."""
    cited = {citation.marker: citation for citation in answer.citations}
    return {
        "made_by": dict(answer.made_by),
        "adapter": answer.made_by.get("adapter"),
        "passages": [_passage(number, hit, cited.get(number)) for number, hit in enumerate(answer.hits, 1)],
        "unsupported": [{"text": one.text.strip(), "missing": list(one.missing)} for one in answer.sentences if not one.support],
        "nowhere": [citation.marker for citation in answer.citations if not citation.passage],
        "searched_for": answer.query or None,
        "left_out": answer.dropped,
        "confidence": answer.confidence,
        "retrieval_seconds": round(answer.retrieval_seconds, 6),
        "generation_seconds": round(answer.generation_seconds, 6),
    }


def _passage(number: int, hit: Hit, citation: Citation | None) -> dict[str, Any]:
    one = hit.passage
    quote = {"start": citation.quote[0], "end": citation.quote[1], "text": _quote(citation, hit)} if citation and citation.quote else None
    return {
        "marker": number, "id": one.id, "document": one.document, "start": one.start, "end": one.end, "headings": list(one.headings),
        "text": one.text, "score": hit.score, "cited": citation is not None,
        "quote": quote,
    }  # fmt: skip


def _span(citation: Citation) -> list[int]:
    return list(citation.quote or (citation.start, citation.end))


def _quote(citation: Citation, hit: Hit) -> str | None:
    if citation.quote is None:
        return None
    start, end = citation.quote
    return hit.passage.text[start - hit.passage.start : end - hit.passage.start]


def usage(answer: Answer, *, cached: bool) -> dict[str, Any]:
    """Tokens in the names of chat completions. `cached` is not told where lists keep documents apart: it shows what others asked."""
    told = answer.usage
    return {
        "prompt_tokens": told.prompt,
        "completion_tokens": told.completion,
        "total_tokens": told.prompt + told.completion,
        "prompt_tokens_details": {"cached_tokens": told.cached if cached else 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def rest(answer: Answer, spoken: str) -> Iterator[str]:
    """What of the answer's text was not streamed; nothing where it is another text, which the answer's own field tells."""
    if answer.text.startswith(spoken) and len(answer.text) > len(spoken):
        yield answer.text[len(spoken) :]
