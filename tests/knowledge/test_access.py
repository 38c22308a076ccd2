"""Nothing forbidden ever comes out and everything allowed does, whatever the lists, the documents and the viewer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rung.approach.approach import Approach, answer_all, answer_stream
from rung.approach.fused import Beside, Fused
from rung.approach.source import Everything, Search, Source
from rung.errors import ConfigError
from rung.knowledge.access import Lists, Rule, facts, labels, viewer
from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.knowledge import Knowledge, narrowed, open_knowledge, search, seen, sync
from rung.types import Answer, Document, Filter, Messages, Reply, Settings, Usage

if TYPE_CHECKING:
    from rung.types import Vectors

KINDS = pytest.mark.parametrize("kind", ["exact", "lance"])
PATHS = ["hr/pay.md", "hr/leave.md", "board/2024/plan.md", "board/notes.md", "readme.md", 'it\'s/odd "one".md']
USERS = ["anna", "ben", "o'hara", "everyone", "group:hr"]  # the last two are users with odd names, not everyone and not a group
GROUPS = ["hr", "board", "all"]
NAMES = st.sampled_from([*USERS[:3], "user:everyone", "user:group:hr", "everyone", *(f"group:{name}" for name in GROUPS)])
PATTERNS = ["hr/*", "board/*", "*.md", "*", "readme.md", "it's/*", "nowhere/*"]  # with fnmatch's meaning, see `as_glob`


def as_glob(pattern: str) -> str:
    """fnmatch's `*` crosses folders, which is our `**`."""
    return pattern.replace("*", "**")


@dataclass(frozen=True)
class World:
    """Lists, and each document's own list where it has one."""

    rules: list[tuple[str, list[str]]]
    groups: dict[str, list[str]]
    own: dict[str, list[str]]
    auditors: list[str]

    @property
    def lists(self) -> Lists:
        rules = tuple(Rule(as_glob(pattern), tuple(readers)) for pattern, readers in self.rules)
        return Lists(rules, self.groups, auditors=tuple(self.auditors))

    def documents(self) -> list[Document]:
        return [document(path, {"access": self.own[path]} if path in self.own else {}) for path in PATHS]

    def may(self, user: str, path: str) -> bool:
        """The same rules told another way: is the user behind one of the names of the list that counts?"""
        names = next((readers for pattern, readers in reversed(self.rules) if fnmatchcase(path, pattern)), [])
        return any(self.stands_for(name, user, ()) for name in [*self.own.get(path, names), *self.auditors])

    def stands_for(self, name: str, user: str, above: tuple[str, ...]) -> bool:
        if name.startswith("group:"):
            inside = self.groups.get(name[6:], []) if name not in above else []
            return any(self.stands_for(member, user, (*above, name)) for member in inside)
        return name == "everyone" or (bool(user) and name.removeprefix("user:") == user)


def document(path: str, meta: dict[str, Any]) -> Document:
    text = f"# About {path}\n\nThe harbour holds what {path} says.\n\n## More\n\n" + f"The harbour knows more of {path}. " * 12
    return Document(path, text, f"About {path}", f"hash of {path}", meta)


worlds = st.builds(
    World,
    st.lists(st.tuples(st.sampled_from(PATTERNS), st.lists(NAMES, max_size=2)), max_size=4),
    st.dictionaries(st.sampled_from(GROUPS), st.lists(NAMES, max_size=3), max_size=3),
    st.dictionaries(st.sampled_from(PATHS), st.lists(NAMES, max_size=2), max_size=3),
    st.lists(NAMES, max_size=1),
)


@dataclass(frozen=True)
class Citing:
    """A model that cites every number there is, and some that are not."""

    id: str = "citing"
    window: int = 100_000

    def count(self, messages: Messages) -> int:
        return sum(len(message["content"]) for message in messages)

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        for number, _ in enumerate(prompts):
            text = " ".join(f"[{n}]" for n in range(60))
            yield number, text
            yield number, Reply(text, Usage(), 0.0)


@dataclass(frozen=True)
class Noted:
    """The hashing embedder, with a note of the documents it was asked to embed."""

    seen: list[str] = field(default_factory=list)
    inner: Hashing = field(default_factory=Hashing)
    id: str = "noted"
    limit: int = 512

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        self.seen.extend([] if query else texts)
        return self.inner.embed(texts)

    def count(self, text: str) -> int:
        return self.inner.count(text)


def comes_out(knowledge: Knowledge) -> Iterator[set[str]]:
    """The documents that come out, on every way there is on which all that is allowed should."""
    question = "What does the harbour know?"
    vector = knowledge.embedder.embed([question], query=True)[0]
    for mode in ("dense", "words", "hybrid"):
        yield {hit.passage.document for hit in search(knowledge, question, 100, mode)}
    yield {hit.passage.document for hit in knowledge.index.dense(vector, 100, knowledge.only)}
    yield {hit.passage.document for hit in knowledge.index.words("harbour", 100, knowledge.only)}
    yield {passage.document for passage in knowledge.passages()}
    yield set(knowledge.documents())
    yield {path for path in PATHS if knowledge.recall(path, f"hash of {path}")}
    yield {path for path in PATHS if knowledge.shows(path)}
    sources: list[Source] = [
        Everything(knowledge),
        Search(knowledge, 100),
        Search(knowledge, 100, "words"),
        Search(knowledge, 100, "dense"),
        Search(knowledge, 100, expand="document"),
        Fused(Search(knowledge, 100, expand="section"), (Beside("twin", "twin", Search(knowledge, 100, expand="document").find),)),
    ]
    for source in sources:
        ready = Approach("any", Citing(), source)
        answers = [answer for _, answer in answer_all(ready, [question])]
        answers += [piece for piece in answer_stream(ready, question) if isinstance(piece, Answer)]
        for answer in answers:
            yield {hit.passage.document for hit in answer.hits}
            yield {citation.document for citation in answer.citations if citation.passage}


def check(knowledge: Knowledge, world: World) -> None:
    for user in ["", *USERS]:
        allowed = {path for path in PATHS if world.may(user, path)}
        view = seen(knowledge, viewer(user, world.lists))
        for found in comes_out(view):
            assert found == allowed, user
        best = search(view, "harbour", 1)
        assert {hit.passage.document for hit in best} <= allowed
        assert bool(best) == bool(allowed), "a filter after ranking would find nothing here"


def survives(kind: str, first: World, second: World) -> None:
    """Both worlds one after the other in one index, then the second one opened again."""
    with tempfile.TemporaryDirectory() as folder:
        embedder = Noted()
        knowledge = open_knowledge(Path(folder), embedder, kind, 60)
        sync(knowledge, first.documents(), lists=first.lists)
        check(knowledge, first)
        embedder.seen.clear()
        report = sync(knowledge, second.documents(), lists=second.lists)
        assert (report.added, report.changed, report.removed) == ((), (), ())
        assert embedder.seen == [], "changed lists embed nothing"
        check(knowledge, second)
        check(open_knowledge(Path(folder), embedder, kind, 60), second)


@settings(max_examples=40)
@given(worlds, worlds)
def test_nothing_forbidden_comes_out_and_all_that_is_allowed_does_exact(first: World, second: World) -> None:
    survives("exact", first, second)


@settings(max_examples=4)
@given(worlds, worlds)
def test_nothing_forbidden_comes_out_and_all_that_is_allowed_does_lance(first: World, second: World) -> None:
    survives("lance", first, second)


@KINDS
def test_a_rule_that_changes_counts_at_once_and_changes_the_version(tmp_path: Path, kind: str) -> None:
    knowledge = open_knowledge(tmp_path, Noted(), kind, 60)
    documents = [document(path, {}) for path in PATHS]
    public, closed = Lists((Rule("**", ("everyone",)),)), Lists((Rule("**", ("everyone",)), Rule("hr/", ("ben",))))
    sync(knowledge, documents, lists=public)
    before, plain = seen(knowledge, viewer("anna", public)), knowledge.version
    version = before.version
    assert before.shows("hr/pay.md")
    report = sync(knowledge, documents, lists=closed)
    assert (report.relabelled, report.unchanged) == (("hr/leave.md", "hr/pay.md"), 4)
    assert sync(knowledge, documents, lists=closed).relabelled == ()
    after = seen(knowledge, viewer("anna", closed))
    assert after.version != version
    assert "hr/pay.md" not in after.documents()
    assert knowledge.version == plain, "what a viewer sees is no other knowledge"
    ids = {Search(seen(knowledge, viewer(user, closed))).id for user in ("", "anna", "ben")}
    assert len(ids) == 3, "no two viewers share a cache"
    assert len(list(seen(knowledge, viewer("ben", closed)).passages())) == len(list(knowledge.passages()))


@KINDS
def test_metadata_filters_hold_in_both_legs_and_join_with_lists(tmp_path: Path, kind: str) -> None:
    knowledge = open_knowledge(tmp_path, Noted(), kind, 60)
    meta: list[dict[str, Any]] = [
        {"year": 2023, "tags": ["a", "b"]}, {"year": "2024"}, {"year": 2024.5, "draft": True}, {"date": "2024-02-01"}, {}, {"o'k": "it's"},
    ]  # fmt: skip
    sync(knowledge, [document(path, of) for path, of in zip(PATHS, meta, strict=True)], lists=Lists((Rule("hr/**", ("anna",)),)))
    expected = {
        ("year>=2024",): {"hr/leave.md", "board/2024/plan.md"},
        ("year < 2024",): {"hr/pay.md"},
        ("year!=2023", "draft=true"): {"board/2024/plan.md"},
        ("tags=b",): {"hr/pay.md"},
        ("date>2024-01-31",): {"board/notes.md"},
        ("path=board/",): {"board/2024/plan.md", "board/notes.md"},
        ("path=readme.md",): {"readme.md"},
        ("o'k=it's",): {PATHS[5]},
        ("nothing=at all",): set(),
        ("year>=2024", "year<2024"): set(),
    }
    for texts, paths in expected.items():
        for found in comes_out(narrowed(knowledge, *texts)):
            assert found == paths, texts
        anna = seen(knowledge, viewer("anna", Lists()))
        assert set(narrowed(anna, *texts).documents()) == {path for path in paths if path.startswith("hr/")}
    assert narrowed(knowledge, "year>=2024").version != narrowed(knowledge, "year<2024").version
    for text in ("hr", "year=>2024", "year==2024", "year><2024"):
        with pytest.raises(ConfigError, match="no condition"):
            narrowed(knowledge, text)


def test_without_lists_everything_is_seen_and_no_viewer_sees_anything(tmp_path: Path) -> None:
    knowledge = open_knowledge(tmp_path, Noted(), "exact", 60)
    sync(knowledge, [document(path, {"access": "everyone"}) for path in PATHS])
    assert len(knowledge.documents()) == len(PATHS)
    assert seen(knowledge, viewer("anna", Lists())).documents() == {}
    assert seen(knowledge, Filter(frozenset())).documents() == {}


@pytest.mark.parametrize(
    ("own", "readers"),
    [
        ("everyone", ("everyone",)),
        ("[anna, 'group:hr']", ("group:hr", "user:anna")),
        ("anna,  ben ", ("user:anna", "user:ben")),
        (["anna", "group:hr"], ("group:hr", "user:anna")),
        ("", ()), ([], ()), (None, ()), (7, ()), ([7, "anna"], ()), ({"anna": True}, ()),
    ],
)  # fmt: skip
def test_a_documents_own_list_and_what_is_none(own: object, readers: tuple[str, ...]) -> None:
    open_to_all = Lists((Rule("**", ("everyone",)),))
    assert labels(Document("a.md", "x", "x", "h", {"Access": own}), open_to_all).readers == readers
    assert labels(Document("a.md", "x", "x", "h", {"Access": own, "access": "everyone"}), open_to_all).readers == ()
    ignored = Lists(open_to_all.rules, metadata="")
    assert labels(Document("a.md", "x", "x", "h", {"access": own}), ignored).readers == ("everyone",)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("hr/", "hr/pay/may.md", True), ("hr/*", "hr/pay/may.md", False), ("hr/**", "hr/pay/may.md", True), ("**/may.md", "may.md", True),
        ("**/may.md", "hr/pay/may.md", True), ("*.md", "hr/pay.md", False), ("hr", "hr/pay.md", False), ("h?/p[a]y.md", "hr/pay.md", False),
        ("h?/pay.md", "hr/pay.md", True), ("**", "a\nb/c.md", True), ("hr/", "hrx/pay.md", False),
    ],
)  # fmt: skip
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    found = labels(Document(path, "x", "x", "h"), Lists((Rule(pattern, ("everyone",)),)))
    assert bool(found.readers) == matches


def test_facts_name_the_path_its_folders_and_plain_values() -> None:
    assert facts("a/b/c.md", {"n": 1, "on": True, "no": None, "in": {"x": 1}, "l": ["p", "q"], "path": "forged"}) == (
        "l=p", "l=q", "n=1", "on=true", "path=a/", "path=a/b/", "path=a/b/c.md",
    )  # fmt: skip
