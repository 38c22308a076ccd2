"""The studio over HTTP, on a real server: who gets in, what a form needs, what an upload may be, and that no text becomes markup."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path

import httpx
import pytest
from studio_server import PASSWORD, Visitor, leaflet, person, serving, set_up, until, visitor

from rung.workspace import job_output, jobs

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = leaflet(tmp_path_factory.mktemp("studio") / "leaflet")
    (made / "docs" / "hostile.md").write_text(f"# Title {HOSTILE}\n\nThe volunteers say {HOSTILE} every day.\n")
    return made


def newest(folder: Path) -> jobs.Job:
    return jobs.jobs(folder / ".rung", 1)[0]


def ended(folder: Path) -> jobs.Job:
    until(lambda: newest(folder).state in jobs.ENDED)
    return newest(folder)


def test_nobody_gets_in_without_logging_in(url: str, admin: Visitor) -> None:
    with httpx.Client(base_url=url) as web:
        for path in ("/", "/documents", "/settings", "/jobs/1/panel", "/climb/report"):
            reply = web.get(path)
            assert (reply.status_code, reply.headers["location"]) == (303, "/login")
        assert web.post("/climb").status_code == 401
        assert web.post("/chat/say").status_code == 401
        assert web.get("/jobs/1/panel", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/login"


def test_the_first_password_needs_the_code_and_is_set_once(tmp_path: Path) -> None:
    folder = leaflet(tmp_path / "leaflet")
    with serving(folder) as url, visitor(url).web as web:
        someone = Visitor(web)
        assert someone.post("/setup", "/setup", code="guess", name="eve", password=PASSWORD).status_code == 400
        with closing(set_up(url, folder).web) as first:
            assert first.get("/settings").status_code == 200
        assert someone.get("/setup").url.path == "/login"
        assert not (folder / ".rung" / "studio-setup").exists()
    store = (folder / ".rung" / "serve.sqlite").read_bytes()
    assert PASSWORD.encode() not in store


def test_every_page_tells_the_browser_to_keep_others_out(admin: Visitor) -> None:
    for path in ("/", "/login", "/documents", "/static/studio.js", "/nowhere"):
        headers = admin.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
    for path in ("/", "/documents", "/cases", "/climb", "/chat", "/compare", "/train", "/adapters", "/settings", "/advise"):
        page = admin.get(path).text
        assert "<script>" not in page
        assert " style=" not in page
        assert " onclick=" not in page


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(admin: Visitor, url: str) -> None:
    with closing(visitor(url).web) as web:
        page = web.get("/login").text
        token = page.split('name="csrf" value="')[1].split('"')[0]
        reply = web.post("/login", data={"csrf": token, "name": "admin", "password": PASSWORD}, follow_redirects=False)
        cookie = next(one for one in reply.headers.get_list("set-cookie") if one.startswith("rung_session="))
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()


@pytest.mark.parametrize("path", ["/climb", "/documents/sync", "/settings/add", "/compare/vote", "/forget", "/chat/say", "/logout"])
def test_a_form_without_its_token_or_from_elsewhere_is_refused(admin: Visitor, folder: Path, path: str) -> None:
    before = len(jobs.jobs(folder / ".rung"))
    fields = {"name": "intruder", "role": "admin", "password": PASSWORD, "question": "q", "model": "rag"}
    assert admin.web.post(path, data=fields).status_code == 403
    assert admin.web.post(path, data={**fields, "csrf": "x" * 32}).status_code == 403
    token = admin.get("/settings").text.split('name="csrf" value="')[1].split('"')[0]
    elsewhere = admin.web.post(path, data={**fields, "csrf": token}, headers={"origin": "https://evil.example"})
    assert elsewhere.status_code == 403
    assert len(jobs.jobs(folder / ".rung")) == before
    assert "intruder" not in admin.get("/settings").text


def test_logins_are_limited(admin: Visitor, url: str) -> None:
    with visitor(url).web as web:
        someone = Visitor(web)
        statuses = [someone.post("/login", "/login", name="mallory", password="wrong").status_code for _ in range(7)]
    assert statuses == [400] * 5 + [429] * 2


def test_roles_are_kept(admin: Visitor, url: str, folder: Path) -> None:
    reader, editor = person(admin, url, "rita", "reader"), person(admin, url, "ed", "editor")
    with closing(reader.web), closing(editor.web):
        assert reader.get("/documents").status_code == 200
        assert "Upload" not in reader.get("/documents").text
        assert reader.post("/documents", "/documents/sync").status_code == 403
        assert reader.get("/cases/edit?side=cases").status_code == 403
        assert "rung.toml" not in reader.get("/settings").text
        assert editor.post("/documents", "/documents/sync").status_code == 200
        assert editor.get("/forget").status_code == 403
        assert editor.post("/settings", "/settings", text="", stamp="").status_code == 403
        admin.post("/settings", "/settings/remove", name="rita")
        assert reader.get("/documents").url.path == "/login"
    assert admin.post("/settings", "/settings/remove", name="admin").status_code == 400
    ended(folder)


def test_uploads_are_kept_in_the_folder_and_bounded(admin: Visitor, folder: Path) -> None:
    sent = admin.post("/documents", "/documents/upload", files=[("files", ("new.md", b"# New\n\nThe new shed is blue.\n"))])
    assert sent.status_code == 200
    assert ended(folder).state == "done"
    assert (folder / "docs" / "new.md").read_bytes().startswith(b"# New")
    assert "new.md" in admin.get("/documents").text
    for name in ("../outside.md", ".hidden.md", "/etc/x/../../y.md", "program.exe", "noending"):
        before = len(jobs.jobs(folder / ".rung"))
        reply = admin.post("/documents", "/documents/upload", files=[("files", (name, b"text"))])
        assert reply.status_code == 400, name
        assert len(jobs.jobs(folder / ".rung")) == before
    assert sorted(path.name for path in folder.iterdir()) == [".rung", "README.md", "cases.jsonl", "docs", "rung.toml"]
    token = admin.get("/documents").text.split('name="csrf" value="')[1].split('"')[0]

    def endless() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n' + token.encode() + b"\r\n"
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="big.md"\r\n\r\n'
        for _ in range(120):
            yield b"x" * (1 << 20)

    try:
        reply = admin.web.post("/documents/upload", content=endless(), headers={"content-type": "multipart/form-data; boundary=x"})
        assert reply.status_code == 413
    except httpx.WriteError:  # the server hung up on us
        pass
    assert not (folder / "docs" / "big.md").exists()


def packed(inside: bytes) -> bytes:
    """A Word file with this text inside, as far as it goes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", inside)
    return made.getvalue()


def test_a_bomb_is_skipped_with_its_reason_and_an_entity_fetches_nothing(admin: Visitor, folder: Path) -> None:
    secret = folder.parent / "secret.txt"
    secret.write_text("the password is swordfish")
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    entity = f'<!DOCTYPE d [<!ENTITY x SYSTEM "{secret.as_uri()}">]><w:document {space}>'
    entity += "<w:body><w:p><w:r><w:t>So &x; it is.</w:t></w:r></w:p></w:body></w:document>"
    sent = {"bomb.docx": packed(b"0" * (400 << 20)), "entity.docx": packed(entity.encode())}
    admin.post("/documents", "/documents/upload", files=[("files", one) for one in sent.items()])
    assert ended(folder).state == "done"
    skipped = {one["path"]: one["reason"] for one in job_output.result(folder / ".rung", newest(folder).id)["skipped"]}
    assert "bomb.docx" in skipped
    assert skipped["bomb.docx"] in unescape(admin.get("/documents").text)
    assert "swordfish" not in admin.get("/documents/view?path=entity.docx").text
    for name in sent:
        (folder / "docs" / name).unlink()


def test_no_text_of_a_document_or_row_becomes_markup(admin: Visitor, folder: Path) -> None:
    admin.post("/cases/edit?side=cases", "/cases/save", side="cases", question=f"Why {HOSTILE}?", answer=HOSTILE, tags=HOSTILE)
    pages = [
        "/documents",
        "/documents?q=%3Cscript%3E",
        "/documents/view?path=hostile.md",
        "/documents/search?q=volunteers+say+every+day",
        "/cases",
    ]
    pages += [f"/documents?said={HOSTILE}", "/cases/edit?side=cases&question=%3Cimg%20src%3Dx%3E", f"/documents/view?path={HOSTILE}"]
    for path in pages:
        page = admin.get(path).text
        assert "<img src=x" not in page, path
        assert "<script>alert" not in page, path
    assert "&lt;img src=x" in admin.get("/cases").text
    assert "&lt;img src=x" in admin.get("/documents/view?path=hostile.md").text
    replies = [json.loads(line) for line in say(admin, "What do the volunteers say every day?").text.splitlines()]
    assert "html" in replies[-1]
    assert "<img" not in replies[-1]["html"]
    assert "<script" not in replies[-1]["html"]


def say(who: Visitor, question: str, model: str = "rag") -> httpx.Response:
    return who.post("/chat", "/chat/say", question=question, model=model, history="[]")


def test_a_chat_streams_and_its_citation_opens_the_document_at_the_span(admin: Visitor) -> None:
    lines = [json.loads(line) for line in say(admin, "How many volunteers run the Shed?").text.splitlines()]
    assert any("text" in line for line in lines)
    link = lines[-1]["html"].split('href="')[1].split('"')[0].replace("&amp;", "&")
    page = admin.get(link.removesuffix("#quote")).text
    assert '<mark id="quote"' in page
    wrong = [json.loads(line) for line in say(admin, "Why?", "no-such-model").text.splitlines()]
    assert "no-such-model" in wrong[-1]["error"]
    assert admin.post("/chat", "/chat/say", question="Why?", model="rag", history='[{"role": "system", "content": "x"}]').status_code == 400


def test_rows_are_edited_in_place_and_never_stand_on_both_sides(admin: Visitor, folder: Path) -> None:
    before = (folder / "cases.jsonl").read_text().splitlines()
    first = json.loads(before[0])
    edited = {"side": "cases", "before": first["id"], "question": first["question"], "answer": "47 of them", "tags": "", "group": ""}
    assert admin.post(f"/cases/edit?side=cases&id={first['id']}", "/cases/save", **edited).status_code == 200
    after = (folder / "cases.jsonl").read_text().splitlines()
    assert json.loads(after[0])["answer"] == "47 of them"
    assert json.loads(after[0])["evidence"] == first["evidence"]
    assert after[1:] == before[1:]
    both = admin.post("/cases/edit?side=examples", "/cases/save", side="examples", question=first["question"], answer="x")
    assert both.status_code == 400
    assert "never both" in both.text
    (folder / "cases.jsonl").write_text("\n".join(before) + "\n")


def test_a_file_is_imported_with_a_mapping_and_audited(admin: Visitor, folder: Path) -> None:
    table = "Frage;x,Antwort\n" + "\n".join(f"Where is tool {n}?,On shelf {n}" for n in range(12)) + "\n"
    page = admin.post("/cases", "/cases/upload", files={"file": ("solved.csv", table.encode())}, side="examples")
    assert "Frage;x" in page.text
    name = page.url.params["file"]
    taken = {"map-question": "Frage;x", "map-answer": "Antwort"}
    admin.post(f"/cases/import?side=examples&file={name}", "/cases/take", side="examples", file=name, **taken)
    assert ended(folder).state == "done"
    assert "12 examples" in admin.get("/cases?side=examples").text
    admin.post("/cases", "/cases/check", side="examples")
    ended(folder)
    assert "What the audit found" in admin.get("/cases").text
    outside = admin.post("/cases", "/cases/take", side="examples", file="../../rung.toml")
    assert outside.status_code == 400


def test_settings_that_cannot_be_read_are_refused_and_comments_stay(admin: Visitor, folder: Path) -> None:
    text = (folder / "rung.toml").read_text()
    stamp = admin.get("/settings").text.split('name="stamp" value="')[1].split('"')[0]
    refused = admin.post("/settings", "/settings", text=text.replace("bar = 0.8", "barr = 0.8"), stamp=stamp)
    assert refused.status_code == 400
    assert "barr" in refused.text
    assert (folder / "rung.toml").read_text() == text
    assert admin.post("/settings", "/settings", text=text + "\n# mine\n", stamp=stamp).status_code == 200
    assert admin.post("/settings", "/settings", text=text, stamp=stamp).status_code == 400  # somebody else was faster
    admin.post("/train", "/train/recipe", method="rslora", rank="4", epochs="", learning_rate="")
    kept = (folder / "rung.toml").read_text()
    assert "# mine" in kept
    assert 'method = "rslora"' in kept
    assert "rank = 4" in kept


def test_a_changed_password_ends_other_sessions(admin: Visitor, url: str) -> None:
    other = person(admin, url, "pat", "editor")
    with closing(other.web), visitor(url).web as web:
        second = Visitor(web)
        second.post("/login", "/login", name="pat", password=PASSWORD)
        assert second.post("/settings", "/settings/password", old="wrong", password="another long one").status_code == 400
        assert second.post("/settings", "/settings/password", old=PASSWORD, password="another long one").status_code == 200
        assert other.get("/").url.path == "/login"
        assert second.get("/").url.path == "/"


def test_what_was_done_stands_in_the_audit_log(admin: Visitor, folder: Path) -> None:
    from rung.workspace.store import Store
    from rung.workspace.trail import entries, verify

    admin.post("/settings", "/settings/add", name="ann", role="reader", password=PASSWORD)
    admin.post("/documents", "/documents/sync")
    admin.post("/train", "/train/recipe", method="lora", rank="3", epochs="", learning_rate="")
    say(admin, "How many volunteers run the Shed?")
    ended(folder)
    store = Store(str(folder / ".rung" / "serve.sqlite"), postgres=False)
    kinds = {entry.kind for entry in entries(store)}
    assert {"job", "person", "settings", "question"} <= kinds
    verify(store)
    store.close()


def test_a_document_is_deleted_where_it_lies_in_the_folder(admin: Visitor, folder: Path) -> None:
    admin.post("/documents", "/documents/upload", files=[("files", ("brief.md", b"# Brief\n\nIt lasts a day.\n"))])
    ended(folder)
    page = "/documents/view?path=brief.md"
    assert "Delete it" in admin.get(page).text
    assert admin.post(page, "/documents/delete", path="brief.md").status_code == 200
    assert ended(folder).state == "done"
    assert not (folder / "docs" / "brief.md").exists()
    assert "brief.md" not in admin.get("/documents?q=brief").text.partition("<main")[2].partition("documents</h2>")[2].partition("<ul")[2]
    for path in ("../rung.toml", "/etc/passwd", "nowhere.md"):
        assert admin.post("/documents", "/documents/delete", path=path).status_code == 400
    assert (folder / "rung.toml").exists()


def test_packed_rows_are_imported_and_what_was_sent_is_swept(admin: Visitor, folder: Path) -> None:
    rows = "\n".join(json.dumps({"frage": f"Where is rake {n}?", "antwort": f"Hook {n}"}) for n in range(5))
    page = admin.post("/cases", "/cases/upload", files={"file": ("rakes.jsonl.gz", gzip.compress(rows.encode()))}, side="examples")
    assert "Where is rake 2?" in page.text
    name, taken = page.url.params["file"], {"map-question": "frage", "map-answer": "antwort"}
    admin.post(f"/cases/import?side=examples&file={name}", "/cases/take", side="examples", file=name, **taken)
    assert ended(folder).state == "done"
    assert "rake 4" in admin.get("/cases?side=examples&q=rake").text
    assert list((folder / ".rung" / "uploads").iterdir()) == []
    bad = admin.post("/cases", "/cases/upload", files={"file": ("bomb.exe", b"x")}, side="examples")
    assert bad.status_code == 400


def test_an_empty_project_is_served_and_filled(tmp_path: Path) -> None:
    folder = leaflet(tmp_path / "leaflet", "none.md")
    (folder / "cases.jsonl").write_bytes(b"")
    with serving(folder) as url, closing(set_up(url, folder).web) as web:
        first = Visitor(web)
        for path in ("/", "/documents", "/cases", "/climb", "/chat", "/compare", "/train", "/adapters", "/forget", "/advise", "/monitor"):
            assert first.get(path).status_code == 200, path
        assert "no documents yet" in first.get("/documents/search?q=shed").text
        first.post("/documents", "/documents/upload", files=[("files", ("new.md", b"# New\n\nThe new shed is blue.\n"))])
        assert ended(folder).state == "done"
        assert "new.md" in first.get("/documents").text
        assert "blue" in say(first, "Which colour is the new shed?").text
        assert first.post("/documents/view?path=new.md", "/documents/delete", path="new.md").status_code == 200
        assert ended(folder).state == "done"
        assert "There is no document yet" in first.get("/documents").text
        first.post("/cases/edit?side=cases", "/cases/save", side="cases", question="Which colour is the shed?", answer="Blue")
        assert "1 case<" in first.get("/cases").text


def test_one_address_that_tries_many_names_has_to_wait(tmp_path: Path) -> None:
    from rung.errors import DataError
    from rung.serve.studio import people
    from rung.workspace.store import Store

    store = Store(str(tmp_path / "serve.sqlite"), postgres=False)
    people.put(store, "anna", "reader", PASSWORD)
    for n in range(people.FROM_ONE):
        assert people.checked(store, f"guess {n}", "wrong", f"2001:db8::{n + 1:x}") is None
    with pytest.raises(DataError, match="too many failed logins from"):
        people.checked(store, "anna", PASSWORD, "2001:db8::ffff")
    assert people.checked(store, "anna", PASSWORD, "2001:db8:0:1::1") == "reader"
    assert people.checked(store, "anna", PASSWORD, "192.0.2.1") == "reader"
    store.close()


def test_a_vote_is_feedback_where_the_best_was_called_good_or_none_was(admin: Visitor, folder: Path) -> None:
    def asked(model: str) -> str:
        lines = [json.loads(line) for line in say(admin, "How many volunteers run the Shed?", model).text.splitlines()]
        return str(lines[-1]["html"].split('name="answer" value="')[1].split('"')[0])

    def thumbs() -> list[str]:
        from rung.workspace.store import Store

        store = Store(str(folder / ".rung" / "serve.sqlite"), postgres=False)
        found = [row[0] for row in store.read("SELECT thumb FROM feedback ORDER BY entry")]
        store.close()
        return found

    models = ["prompt", "rag"]
    sent = {"question": "How many volunteers run the Shed?", "model": models}
    before = len(thumbs())
    admin.post("/compare", "/compare/vote", **sent, answer=[asked(one) for one in models], choice="rag")
    assert thumbs()[before:] == []
    admin.post("/compare", "/compare/vote", **sent, answer=[asked(one) for one in models], choice="rag", good="yes")
    assert thumbs()[before:] == ["up"]
    admin.post("/compare", "/compare/vote", **sent, answer=[asked(one) for one in models], choice="")
    assert thumbs()[before:] == ["up", "down", "down"]
    assert admin.post("/compare", "/compare/vote", **sent, answer=["made up", "too"], choice="").status_code == 400


@pytest.mark.parametrize(
    ("value", "text"),
    [(3e4, "30,000"), (999.5, "1,000"), (4.25e-05, "0.0000425"), (12.0, "12"), (0.0, "0"), (53.81, "53.8"), (1e-9, "1e-09"), (None, "–")],
)
def test_numbers_are_written_out(value: float | None, text: str) -> None:
    from rung.serve.studio.shown import number

    assert number(value) == text


def test_a_lineage_is_drawn_with_the_most_rows_first_and_the_rest_as_one() -> None:
    from rung.serve.studio.shown import flow

    drawn = flow([(f"d{n}.md", n) for n in range(40)], ["shed/prod"], most=10)
    names = [words for _, words, _ in drawn["left"]]
    assert names[0] == "d39.md"
    assert names[-1] == "31 more documents"
    assert sum(rows for _, _, rows in drawn["left"]) == sum(range(40))
    heights = [y for y, _, _ in drawn["left"]]
    assert heights == sorted(set(heights))
    assert heights[0] >= 0
    assert heights[-1] <= drawn["height"]
    assert len(drawn["lines"]) == 11


def test_all_rungs_are_a_whole_climb_and_some_are_named(admin: Visitor, folder: Path) -> None:
    every = ["prompt", "few-shot", "long-context", "rag", "tuned", "hybrid", "raft"]
    for rungs, named in ((every, ()), (["rag"], ("--rung", "rag"))):
        assert admin.post("/climb", "/climb", rung=rungs).status_code == 200
        job = newest(folder)
        assert job.words == ("climb", str(folder), *named, "--json")
        jobs.cancel(folder / ".rung", job.id)
        ended(folder)
