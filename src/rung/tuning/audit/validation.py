"""What the rows set aside to validate on share with those trained on. It moves no row: groups are what keeps rows together."""

from __future__ import annotations

from collections.abc import Iterator

from rung.tuning.audit.finding import Finding, counted, finding
from rung.tuning.audit.material import Material
from rung.tuning.audit.same import Near, shape
from rung.types import Case


def check_validation(material: Material) -> Iterator[Finding]:
    """Rows to validate on that nearly ask what a training row asks, or stand on one of its documents."""
    held = [one for one in material.examples if one.id in material.validation]
    if not held:
        return
    training = [one for one in material.examples if one.id not in material.validation]
    seen = Near()
    seen.add([shape(one.question) for one in training])
    known = {path for one in training for path in _documents(material, one)}
    near = {one.id for one in held if seen.of(shape(one.question))}
    shared = {one.id for one in held if _documents(material, one) & known}
    if near or shared:
        said = f"of {counted(len(held), 'row', 'rows')} set aside to validate on, {len(near):,} nearly ask what a training row asks and "
        said += f"{len(shared):,} stand on a document of one: the validation loss will look better than it is"
        fix = "give rows that belong together one group, such as their document"
        yield finding("validation-leak", "note", said, fix, [material.place(id) for id in near | shared])


def _documents(material: Material, case: Case) -> set[str]:
    return {material.documents.get(one.document, one.document) for one in case.evidence}
