"""Labels and counts: is every label there, often enough, none far oftener than the rest, and are there enough rows to learn from?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches

from rung.tuning.audit.finding import Finding, counted, finding, listed
from rung.tuning.audit.material import Material

RARE = 5  # examples of a label, below which few models learn it
SKEW = 10  # times as many examples as the rarest label has
ENOUGH = 500  # examples: the rule of thumb for LoRA
SCARCE = 50


def check_labels(material: Material) -> Iterator[Finding]:
    """For `classify` alone: answers outside the list, labels without examples, rare ones, and how uneven they are."""
    if material.task != "classify":
        return
    wrong = [case for case in material.examples if material.labels and case.text not in material.labels]
    counts = Counter(case.text for case in material.examples if not material.labels or case.text in material.labels)
    if wrong:
        near = get_close_matches(wrong[0].text, list(material.labels), n=1)
        said = f"{counted(len(wrong), 'row has', 'rows have')} a label outside the list, such as {wrong[0].text!r}"
        fix = f"did you mean {near[0]!r}?" if near else "add the label to the list, or mend the row"
        yield finding("label", "stop", said, fix, [material.place(case.id) for case in wrong])
    if missing := sorted(set(material.labels) - set(counts)):
        said = f"{counted(len(missing), 'label has', 'labels have')} no example: {listed(missing)}"
        yield finding("missing-label", "warn", said, "add examples: a label never seen is never said")
    if rare := sorted(label for label, n in counts.items() if n < RARE):
        said = f"{counted(len(rare), 'label has', 'labels have')} fewer than {RARE} examples: {listed(rare)}"
        places = [material.place(case.id) for case in material.examples if case.text in rare]
        yield finding("rare-label", "warn", said, "add examples of these labels", places)
    (most, top), (least, bottom) = (counts.most_common()[0], counts.most_common()[-1]) if counts else (("", 0), ("", 0))
    if top > SKEW * bottom:
        said = f"{most!r} has {top:,} examples and {least!r} {bottom:,}: right overall may hide wrong on the rare ones"
        yield finding("imbalance", "note", said, "look at macro-F1 beside the share right, or add examples of the rare labels")


def check_counts(material: Material) -> Iterator[Finding]:
    """What to expect of so many examples."""
    n = len(material.examples)
    if n >= ENOUGH:
        return
    rule = f"{counted(n, 'example', 'examples')}, and tuning usually takes {ENOUGH} or more: "
    said = (
        "expect the form of the answers at most, and scores that move by chance"
        if n < SCARCE
        else "expect the form and the style to be learned, and few facts, which retrieval brings better"
    )
    yield finding(
        "few", "warn", rule + said, "collect more with `rung import` or `rung synthesize`, or compare with rag and few-shot first"
    )


def check_form(material: Material) -> Iterator[Finding]:
    """Answers without the project's form, which tuning would teach."""
    if material.has_form is None:
        return
    wrong = [case for case in material.examples if not case.unanswerable and not material.has_form(case.text)]
    if wrong:
        said = (
            f"{counted(len(wrong), 'answer does', 'answers do')} not have the form that rung.toml asks for, such as {wrong[0].text!r:.80}"
        )
        yield finding(
            "form", "warn", said, "mend the answers: what is trained on is what will be said", [material.place(c.id) for c in wrong]
        )


def check_documents(material: Material) -> Iterator[Finding]:
    """Documents and groups that stand behind both training rows and held-out cases."""
    held = {material.documents.get(e.document, e.document) for case in material.cases for e in case.evidence} | {
        case.group for case in material.cases if case.group
    }
    shared = {}
    for case in material.examples:
        behind = {material.documents.get(e.document, e.document) for e in case.evidence} | ({case.group} if case.group else set())
        if behind & held:
            shared[case.id] = min(behind & held)
    if shared:
        names = sorted(set(shared.values()))
        said = (
            f"{counted(len(names), 'document or group stands', 'documents or groups stand')} behind {counted(len(shared), 'row', 'rows')} "
        )
        said += f"and behind held-out cases, such as {names[0]}: a tuned model may have seen their facts"
        fix = "fine where the documents stay the same in use; to measure on new documents, keep each document's questions on one side"
        yield finding("shared-document", "warn", said, fix, [material.place(id) for id in shared])
