"""Claims on time: what retrieval adds, how fast a classifier is, how soon an edit is answered. It believes only clocks of this machine."""

from __future__ import annotations

from rung.claims.claim import Claim, Finding, Scene, both, judged, share, unmeasured, values

CLASSES, ACCURATE, FAST = 47, 0.94, 0.05  # labels, share right, seconds
SOON = 60.0  # seconds
GUIDES = "practice guides on RAG against fine-tuning"


def retrieval(scene: Scene) -> Finding:
    """Milliseconds a question that were spent searching, at the first rung that searches."""
    from rung.measure.bootstrap import clusters_of, interval

    if not (ran := list(scene.ran("rag", "hybrid", "raft").values())):
        return unmeasured("no rung that searches was climbed")
    one = ran[0]
    took = {score.case: 1000 * answer.retrieval_seconds for answer, score in zip(one.answers, one.scores, strict=True)}
    found = interval(took, clusters_of(scene.climb.cases), (0.0, max(took.values())), scene.ws.config.project.seed)
    said = (
        f"{found.estimate:.1f} ms a question ({found.low:.1f} to {found.high:.1f}), {scene.climb.facts['documents'].split()[0]} documents"
    )
    return judged(said, found, 100, 500)


def classifier(scene: Scene) -> Finding:
    """The best of the trained rungs that name labels: right, and seconds at the 95th percentile."""
    from rung.workspace.workspace import labels

    if scene.ws.config.project.task != "classify" or len(known := labels(scene.ws)) < CLASSES:
        return unmeasured(f"it takes a classify project with {CLASSES} labels or more")
    if not (ran := scene.ran("encoder", "tuned")):
        return unmeasured("neither encoder nor tuned was climbed")
    one = max(ran.values(), key=lambda found: found.summary.primary.estimate)
    right = judged(f"{one.summary.name} right {share(one.summary.primary)} over {len(known)} labels", one.summary.primary, ACCURATE, 1.0)
    slow = one.summary.seconds_p95
    return both(right, Finding("held" if slow < FAST else "did not hold", f"{1000 * slow:.0f} ms at the 95th percentile"))


def edit(scene: Scene) -> Finding:
    """Puts the project's older documents in their places, brings each edit back, and looks how soon a search finds it."""
    from rung.freshness import measure
    from rung.measure.bootstrap import interval

    before, cases = scene.ws.folder / "history", scene.ws.folder / "history-cases.jsonl"
    if not before.is_dir() or not cases.is_file():
        return unmeasured("it takes older documents in history/ and their questions in history-cases.jsonl")
    done = measure(scene.ws, before, cases, ("rag",), scene.progress)
    took = dict(zip(done.documents, done.change_seconds, strict=True))
    found = interval(took, {name: name for name in took}, (0.0, max(took.values())), scene.ws.config.project.seed)
    rag = done.rungs[0]
    said = f"found {found.estimate:.2f} s after an edit ({found.low:.2f} to {found.high:.2f}, {len(took)} documents); of the "
    said += f"{len(done.questions)} questions it changed rag has {rag.before.right:.0%} right before and {rag.synced.right:.0%} after"
    for tuned in scene.ran("tuned").values():
        said += f"; training took {sum(line.get('seconds', 0.0) for line in tuned.losses):.0f} s"
    return judged(said, found, 0.0, SOON)


def schema_valid(scene: Scene) -> Finding:
    """Valid JSON at the tuned rungs of an extract project."""
    from rung.measure.bootstrap import clusters_of, interval

    if scene.ws.config.project.task != "extract":
        return unmeasured("it takes an extract project")
    if not (ran := list(scene.ran("extractor", "tuned").values())):
        return unmeasured("neither extractor nor tuned was climbed")
    one = ran[0]
    found = interval(values(one, "valid"), clusters_of(scene.climb.cases), seed=scene.ws.config.project.seed)
    by = ", valid by how it is built" if one.summary.name == "extractor" else ""
    return judged(f"{one.summary.name} {share(found)} valid{by}; its fields score {share(one.summary.primary)}", found, 0.98, 1.0)


CLAIMS = (
    Claim("retrieval time", "Retrieval adds 100 to 500 ms to an answer.", GUIDES, retrieval),
    Claim("small classifier", "A tuned classifier is 94 % right over 47 classes, in under 50 ms.", GUIDES, classifier),
    Claim("valid JSON", "A tuned model's JSON is valid 98 % of the time.", GUIDES, schema_valid),
    Claim("time to correct", "An edit is found by RAG within a minute; a tuned model must be trained again.", GUIDES, edit),
)
