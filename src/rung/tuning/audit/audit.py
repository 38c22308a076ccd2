"""The whole audit as one list of checks. It asks no model and changes nothing; what to do about a finding is the caller's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from rung.errors import TuningError
from rung.tuning.audit.finding import Audit, Finding, ordered
from rung.tuning.audit.labels import check_counts, check_documents, check_form, check_labels
from rung.tuning.audit.languages import check_languages
from rung.tuning.audit.masks import Mask, check_lengths, check_masks, garbled, masks, rendered
from rung.tuning.audit.material import Material
from rung.tuning.audit.personal import check_personal
from rung.tuning.audit.same import check_held_out, check_within
from rung.tuning.audit.validation import check_validation

Progress = Callable[[int, int], None]
CHECKS: tuple[Callable[[Material], Iterable[Finding]], ...] = (
    check_held_out,
    check_within,
    check_validation,
    check_labels,
    check_documents,
    check_form,
    check_languages,
    check_personal,
    garbled,
    check_counts,
)


def audit(
    material: Material, allowed: Sequence[str] = (), found: Sequence[Finding] = (), show: str = "", progress: Progress | None = None
) -> Audit:
    """Every check on the material. `found` are findings from reading the files; `show` is the row to render, the first if ""."""
    seconds: dict[str, float] = {}
    findings = list(found)
    started = time.perf_counter()
    made: list[Mask] = masks(material, progress) if material.tokenizer is not None else []
    findings += [*check_masks(material, made), *check_lengths(material, made)]
    seconds["masks"] = time.perf_counter() - started
    for check in CHECKS if material.examples else ():
        started = time.perf_counter()
        findings += check(material)
        seconds[check.__name__.removeprefix("check_")] = time.perf_counter() - started
    done = Audit(len(material.rows), ordered(findings), tuple(allowed), seconds=seconds)
    broken = {one.id for one in made if one.fault == "template"}
    row = next((row for row in material.rows if row.id not in broken and show in ("", row.id)), None)
    if show and row is None:
        raise TuningError(f"there is no row {show!r} to show", "name the id of an example")
    return replace(done, shown=rendered(material.tokenizer, row)) if row and material.tokenizer is not None else done


def refuse(audit: Audit, where: str) -> None:
    """TuningError where a finding stops the training; it names the worst and says how to see all."""
    if audit.stops:
        worst = audit.stops[0]
        more = f" (and {len(audit.stops) - 1} more)" if len(audit.stops) > 1 else ""
        at = f", {worst.rows[0]}" if worst.rows else ""
        raise TuningError(f"the audit stops the training: {worst.message}{at}{more}", f"{worst.fix}; {where} lists all findings")
