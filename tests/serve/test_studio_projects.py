"""Several projects behind one server, over HTTP: who sees which, one login for those with the same password, and making a new one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving_project import asked, write_project
from studio_server import PASSWORD, ROOT, TOKEN, Visitor, serving, until, visitor

from rung.errors import ConfigError
from rung.serve.projects import NAME, located
from rung.workspace.keys import add_key
from rung.workspace.store import Store


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two projects that can be served, one that can't, and a folder that is none."""
    made = tmp_path_factory.mktemp("desk") / "projects"
    write_project(made / "Büro #1", documents={"desk.md": "# The desk\n\nThe desk costs 90 euros.\n"})
    write_project(made / "shop")
    write_project(made / "broken", model="no-such-kind:x")
    (made / "notes").mkdir()
    return made


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    with serving(home) as address:
        yield address


def entered(url: str, name: str = "admin", password: str = PASSWORD, page: str = "/login") -> Visitor:
    made = visitor(url)
    made.post(page, page, name=name, password=password)
    return made


@pytest.fixture(scope="module")
def admin(url: str, home: Path) -> Iterator[Visitor]:
    made = visitor(url)
    first = made.get("/")
    assert str(first.url).endswith("/p/B%C3%BCro%20%231/setup"), "nobody has a password, so the first is set"
    code = (home / "shop" / ".rung" / "studio-setup").read_text()
    assert made.post("/p/shop/setup", "/p/shop/setup", code=code, name="admin", password=PASSWORD).url.path == "/p/shop/"
    with closing(made.web):
        yield made


def test_one_code_sets_the_first_password_in_all_and_one_login_opens_all(admin: Visitor, url: str, home: Path) -> None:
    assert not (home / "Büro #1" / ".rung" / "studio-setup").exists()
    with closing(entered(url).web) as web:
        page = web.get("/")
        assert page.url.path == "/"
        for words in (
            "shop",
            "Büro #1",
            "3 documents, 1 case,",
            "1 document, 1 case,",
            "Nothing was measured yet",
            "broken",
            "log says why",
        ):
            assert words in page.text
        assert "notes" not in page.text
        for path in ("/p/shop/", "/p/shop/documents", "/p/B%C3%BCro%20%231/documents", "/p/shop"):
            assert web.get(path).status_code == 200, path
        assert "desk.md" in web.get("/p/B%C3%BCro%20%231/documents").text
        assert "desk.md" not in web.get("/p/shop/documents").text


def test_a_stranger_sees_no_project(url: str, admin: Visitor) -> None:
    with closing(visitor(url).web) as web:
        page = web.get("/")
        assert page.url.path == "/login"
        assert "shop" not in page.text
        assert web.get("/p/shop/documents").url.path == "/p/shop/login"
        assert web.post("/new", data={"name": "mine"}).status_code == 303 or web.get("/").url.path == "/login"
        for path in ("/p/broken/", "/p/notes/", "/p/../shop/", "/p/nowhere/v1/models"):
            assert web.get(path).status_code == 404


def test_every_address_of_a_page_stays_within_its_project(admin: Visitor) -> None:
    for path in ("/", "/documents", "/cases", "/climb", "/chat", "/compare", "/train", "/adapters", "/monitor", "/settings", "/jobs"):
        page = admin.get(f"/p/shop{path}")
        assert page.status_code == 200
        led = re.findall(r'(?:href|src|action|formaction|hx-get|hx-post)="(/[^"]*)"', page.text)
        assert led
        assert {one for one in led if not one.startswith("/p/shop/")} <= {"/"}, path
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert admin.get("/p/shop/static/studio.css").headers["cache-control"] == "max-age=3600"


def test_no_template_names_an_address_without_the_projects_root() -> None:
    found = []
    for file in (ROOT / "src/rung/serve/studio/templates").glob("*.html"):
        bare = re.findall(r'(?:href|src|action|formaction|hx-get|hx-post)="/[^"]*"', file.read_text())
        found += [(file.name, one) for one in bare if one not in ('href="/"', 'action="/new"')]
    assert found == []


def test_a_job_of_one_project_is_its_own(admin: Visitor, home: Path) -> None:
    done = admin.post("/p/shop/documents", "/p/shop/documents/upload", files=[("files", ("a.md", b"# Sheds\n\nThe shed is blue.\n"))])
    assert done.url.path == "/p/shop/documents"
    until(lambda: "a.md" in admin.get("/p/shop/documents").text)
    assert not (home / "Büro #1" / ".rung" / "jobs.sqlite").exists()


def test_a_chat_and_its_citation_stay_within_the_project(admin: Visitor) -> None:
    import json

    said = admin.post("/p/shop/chat", "/p/shop/chat/say", question="What does the gear cost?", model="rag", history="[]")
    html = json.loads(said.text.splitlines()[-1])["html"]
    link = html.split('class="cite" href="')[1].split('"')[0].replace("&amp;", "&")
    assert link.startswith("/p/shop/documents/view?path=gear.md")
    assert '<mark id="quote"' in admin.get(link.removesuffix("#quote")).text


def test_each_project_has_its_own_people_and_a_password_guessed_here_is_counted_there(admin: Visitor, url: str) -> None:
    admin.post("/p/shop/settings", "/p/shop/settings/add", name="rita", role="reader", password=PASSWORD)
    with closing(entered(url, "rita").web) as web:
        page = web.get("/").text
        assert "You are not logged in here" in page
        assert "1 document" not in page
        assert "A new project" not in page
        assert web.get("/p/B%C3%BCro%20%231/documents").url.path.endswith("/login")
        assert web.post("/new", data={"csrf": found(page), "name": "mine"}).status_code == 403
    # an admin of one project may not try another's passwords by giving people of their own the same name
    admin.post("/p/B%C3%BCro%20%231/settings", "/p/B%C3%BCro%20%231/settings/add", name="rita", role="reader", password="another password")
    for _ in range(6):
        entered(url, "rita", "another password", "/p/B%C3%BCro%20%231/login").web.close()
    with closing(visitor(url).web) as web:
        assert Visitor(web).post("/p/shop/login", "/p/shop/login", name="rita", password=PASSWORD).status_code == 429
        statuses = [Visitor(web).post("/login", "/login", name="mallory", password="wrong").status_code for _ in range(7)]
        assert statuses == [400] * 5 + [429] * 2


def test_an_admin_of_any_project_may_make_one(admin: Visitor, url: str, home: Path) -> None:
    for root, role in (("/p/B%C3%BCro%20%231", "reader"), ("/p/shop", "admin")):
        admin.post(f"{root}/settings", f"{root}/settings/add", name="olga", role=role, password=PASSWORD)
    with closing(entered(url, "olga").web) as web:
        page = web.get("/").text
        made = web.post("/new", data={"csrf": TOKEN.findall(page)[-1], "name": "of-olga"})
        assert made.url.path == "/p/of-olga/"
        assert "olga, admin" in made.text
    with closing(entered(url, page="/login").web) as web:
        assert "of-olga" in web.get("/").text
        assert web.get("/p/of-olga/").url.path == "/p/of-olga/login", "whoever made it is its admin, and nobody else"


def found(page: str) -> str:
    token = TOKEN.search(page)
    assert token
    return token[1]


def test_logging_out_of_one_ends_all(admin: Visitor, url: str) -> None:
    with closing(entered(url).web) as web:
        kept = dict(web.cookies)
        assert len(kept) == 2
        assert Visitor(web).post("/p/shop/", "/p/shop/logout").url.path == "/login"
        web.cookies.update(kept)  # a copy of the cookies helps nobody
        assert web.get("/").url.path == "/login"
        assert web.get("/p/shop/").url.path == "/p/shop/login"


def test_a_changed_password_is_changed_wherever_it_was_the_same(admin: Visitor, url: str) -> None:
    with closing(entered(url).web) as web:
        new = "another long one"
        Visitor(web).post("/p/shop/settings", "/p/shop/settings/password", old=PASSWORD, password=new)
        assert web.get("/p/B%C3%BCro%20%231/").status_code == 200
    with closing(entered(url, password=new).web) as web:
        assert web.get("/p/B%C3%BCro%20%231/documents").url.path.endswith("/documents")
        Visitor(web).post("/p/shop/settings", "/p/shop/settings/password", old=new, password=PASSWORD)
        admin.web.cookies.update(dict(web.cookies))


def test_the_api_of_each_is_its_own(admin: Visitor, url: str, home: Path) -> None:
    store = Store(str(home / "shop" / ".rung" / "serve.sqlite"), postgres=False)
    _, text = add_key(store, "web")
    store.close()
    with closing(visitor(url).web) as web:
        key = {"Authorization": f"Bearer {text}"}
        until(lambda: web.get("/p/shop/v1/models").status_code == 401, 20)
        said = web.post("/p/shop/v1/chat/completions", json=asked("What does the gear cost?"), headers=key)
        assert "40 euros" in said.json()["choices"][0]["message"]["content"]
        other = web.post("/p/B%C3%BCro%20%231/v1/chat/completions", json=asked("What does the desk cost?"))
        assert "90 euros" in other.json()["choices"][0]["message"]["content"], "that project has no key yet, and this is this machine"
        lost = web.get("/v1/models", headers=key)
        assert lost.status_code == 404
        assert "/p/NAME/v1" in lost.json()["error"]["message"]
        assert web.get("/health").json() == {"status": "ok"}
        assert web.get("/ready").json() == {"status": "ready", "running": 0, "waiting": 0}
        assert web.get("/p/shop/ready").status_code == 200


def test_the_clients_of_openai_take_a_projects_address(admin: Visitor, url: str) -> None:
    openai = pytest.importorskip("openai")
    client: Any = openai.OpenAI(base_url=f"{url}/p/B%C3%BCro%20%231/v1", api_key="none")
    said = client.chat.completions.create(model="rag", messages=[{"role": "user", "content": "What does the desk cost?"}])
    assert "90 euros" in said.choices[0].message.content


def test_an_admin_makes_a_project_and_is_its_first_admin(admin: Visitor, url: str, home: Path) -> None:
    made = admin.post("/", "/new", name="new-one")
    assert made.url.path == "/p/new-one/"
    assert "Upload the documents" in made.text
    assert (home / "new-one" / "rung.toml").exists()
    assert list((home / "new-one" / "docs").iterdir()) == []
    with closing(entered(url).web) as web:
        assert web.get("/p/new-one/settings").url.path == "/p/new-one/settings", "the same password opens it"
    tried = admin.post("/", "/new", name="with-example", example="yes")
    assert tried.url.path == "/p/with-example/"
    assert (home / "with-example" / "docs" / "returns.md").exists()


@pytest.mark.parametrize("name", ["shop", "notes", "../outside", "a/b", ".hidden", "", "x" * 61, "broken", "Büro", "a\nb"])
def test_a_name_that_is_taken_or_leads_elsewhere_is_refused(admin: Visitor, home: Path, name: str) -> None:
    before = sorted(home.rglob("rung.toml"))
    refused = admin.post("/", "/new", name=name)
    assert refused.status_code == 400
    assert "choose another" in refused.text
    assert sorted(home.rglob("rung.toml")) == before
    assert not (home.parent / "outside").exists()


def test_a_new_project_needs_its_token(admin: Visitor, home: Path) -> None:
    assert admin.web.post("/new", data={"name": "forged"}).status_code == 403
    token = found(admin.get("/").text)
    assert admin.web.post("/new", data={"name": "forged", "csrf": token}, headers={"origin": "https://evil.example"}).status_code == 403
    assert not (home / "forged").exists()


def test_what_was_mended_or_added_by_hand_is_served_without_a_restart(admin: Visitor, url: str, home: Path) -> None:
    write_project(home / "broken")
    write_project(home / "by-hand")
    page = admin.get("/").text
    assert "log says why" not in page
    assert "Nobody has a password here yet" in page
    with closing(visitor(url).web) as web:
        assert web.get("/p/by-hand/").url.path == "/p/by-hand/setup"


@given(st.text(max_size=70))
def test_a_name_is_one_step_of_a_path(name: str) -> None:
    if NAME.fullmatch(name):
        assert Path("/home", name).parent == Path("/home")
        assert name.isascii()
        assert not name.startswith(".")


def test_what_is_served_is_told_by_where_rung_toml_lies(tmp_path: Path) -> None:
    for name in ("one/shop", "two/shop", "one/desk"):
        write_project(tmp_path / name)
    one, two = tmp_path / "one", tmp_path / "two"
    assert located([one / "shop"]) == (one / "shop", {}, None)
    assert located([one]) == (None, {"desk": one / "desk", "shop": one / "shop"}, one)
    assert located([one / "desk", two / "shop"]) == (None, {"desk": one / "desk", "shop": two / "shop"}, None)
    with pytest.raises(ConfigError, match="two projects are called 'shop'"):
        located([one, two])
    (tmp_path / "empty").mkdir()
    assert located([tmp_path / "empty"])[0] == tmp_path / "empty", "which says that there is no rung.toml"
    with pytest.raises(ConfigError, match="no project in"):
        located([one, tmp_path / "empty"])


def test_a_server_without_one_project_that_works_does_not_start(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_project(tmp_path / name, model="no-such-kind:x")
    command = [sys.executable, "-m", "rung", "serve", str(tmp_path / "a"), str(tmp_path / "b"), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "none of the projects can be served" in done.stderr
    assert "no-such-kind" in done.stderr


def test_each_of_several_workers_finds_a_new_project(tmp_path: Path) -> None:
    write_project(tmp_path / "shop")
    with ExitStack() as stack:
        command = [sys.executable, "-m", "rung", "serve", str(tmp_path), "--port", "0", "--workers", "2"]
        server = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(server.terminate)
        assert server.stdout
        url = server.stdout.readline().split()[-1]
        write_project(tmp_path / "second")
        for _ in range(8):
            with closing(visitor(url).web) as web:
                assert web.get("/p/second/v1/models").status_code == 200
