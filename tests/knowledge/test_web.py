"""Web pages as a source, against a real server: what is asked, what is never asked, and that private addresses stay private."""

from __future__ import annotations

import gzip
import ipaddress
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_server import Site, web_site

from rung.errors import ConfigError, KnowledgeError
from rung.knowledge.gather import Gathered, Place, gather
from rung.knowledge.origins import open_origin
from rung.knowledge.origins.crawl import links, rules, says, sitemap
from rung.knowledge.origins.fetch import Guard, Refused, Unreachable, certificates, fetch, normal, public, resolved
from rung.knowledge.origins.web import Web
from rung.knowledge.reading import Unreadable
from rung.sources import WebSource


def page(title: str, *hrefs: str, head: str = "") -> bytes:
    anchors = "".join(f'<a href="{href}">on</a>' for href in hrefs)
    return f"<html><head><title>{title}</title>{head}</head><body><h1>{title}</h1><p>About {title}.</p>{anchors}</body></html>".encode()


@pytest.fixture
def site() -> Iterator[Site]:
    with web_site() as site:
        yield site


def web(folder: Path, site: Site, **options: object) -> Web:
    told = {
        "kind": "web",
        "name": "site",
        "pages": [f"{site.url}/"],
        "allow_private": True,
        "delay": 0,
        "timeout": 5,
        "depth": 3,
        **options,
    }
    origin = open_origin(WebSource.model_validate(told), folder, folder)
    assert isinstance(origin, Web)
    return origin


def crawled(origin: Web) -> Gathered:
    return gather([Place("site", origin, "made")])


def paths(gathered: Gathered) -> list[str]:
    return [document.path.partition("/")[2].partition("/")[2] for document in gathered.documents]


def reasons(gathered: Gathered) -> dict[str, str]:
    return {skipped.path.partition("/")[2].partition("/")[2]: skipped.reason for skipped in gathered.skipped}


def test_pages_are_followed_to_the_depth_that_is_named(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/": page("Home", "/a", "/a#part", "mailto:x@y"), "/a": page("Ay", "b"), "/b": page("Bee", "/")}
    gathered = crawled(web(tmp_path, site))
    assert paths(gathered) == ["", "a", "b"]
    first = gathered.documents[0]
    assert (first.title, first.meta["url"]) == ("Home", f"{site.url}/")
    assert first.meta["modified"] == "Fri, 01 Mar 2024 08:00:00 GMT"
    assert first.path == f"site/127.0.0.1:{site.port}/"
    assert paths(crawled(web(tmp_path, site, depth=1))) == ["", "a"]
    assert site.asked.count("/a") == 2


def test_robots_are_honoured_also_behind_redirects(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/": page("Home", "/open", "/secret/x", "/door"), "/open": page("Open"), "/secret/x": page("Secret")}
    site.pages["/robots.txt"] = b"User-agent: *\nDisallow: /secret\n"
    site.says["/door"] = (302, "/secret/x")
    gathered = crawled(web(tmp_path, site))
    assert paths(gathered) == ["", "open"]
    assert reasons(gathered) == {"secret/x": "is forbidden by robots.txt", "door": "leads to a page that robots.txt forbids"}
    assert "/secret/x" not in site.asked


def test_a_site_whose_robots_fail_is_left_alone(site: Site, tmp_path: Path) -> None:
    site.pages["/"] = page("Home")
    site.says["/robots.txt"] = (503, "")
    with pytest.raises(Exception, match=r"forbidden by robots\.txt"):
        crawled(web(tmp_path, site))
    assert site.asked == ["/robots.txt"]


def test_unchanged_pages_cost_a_304_and_are_not_read_again(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/": page("Home", "/a", "/b"), "/a": page("Ay"), "/b": page("Bee")}
    before = {entry.path: entry.stamp for entry in web(tmp_path, site).entries()}
    site.pages["/b"] = page("Bumblebee")
    origin = web(tmp_path, site)
    after = {entry.path: entry.stamp for entry in origin.entries()}
    assert site.unchanged == ["/", "/a"]
    changed = [path for path in after if before[path] != after[path]]
    assert [origin.read(path).title for path in changed] == ["Bumblebee"]
    assert origin.read(next(iter(after))).title == "Home"


def test_the_cache_holds_no_page_that_is_gone_and_survives_damage(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/": page("Home", "/a"), "/a": page("Ay")}
    crawled(web(tmp_path, site))
    for path in (tmp_path / "web" / "site").glob("*.json"):
        path.write_text("damaged")
    site.pages["/"] = page("Home")
    assert paths(crawled(web(tmp_path, site))) == [""]
    assert len(list((tmp_path / "web" / "site").iterdir())) == 2


def test_other_hosts_are_never_asked(site: Site, tmp_path: Path) -> None:
    with web_site() as other:
        other.pages["/x"] = page("Elsewhere")
        elsewhere = f"http://localhost:{other.port}/x"
        site.pages |= {"/": page("Home", elsewhere, "/away"), "/away": page("x")}
        site.says["/away"] = (301, elsewhere)
        gathered = crawled(web(tmp_path, site))
        assert paths(gathered) == [""]
        assert reasons(gathered) == {"away": "is not on an allowed host"}
        assert other.asked == []
        both = crawled(web(tmp_path, site, hosts=["127.0.0.1", "local*"]))
        assert paths(both) == ["", "x"]
        assert other.hosts == {f"localhost:{other.port}"}


def test_private_addresses_are_refused_unless_allowed(site: Site, tmp_path: Path) -> None:
    site.pages["/"] = page("Home")
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"):
        origin = web(tmp_path, site, pages=[f"http://{host}:{site.port}/"], allow_private=False)
        (entry,) = origin.entries()
        assert "private network" in entry.refused, host
    assert site.asked == []


def test_every_address_is_checked_again_when_it_is_asked() -> None:
    guard = Guard(("169.254.169.254", "localhost"))
    for url in ("http://169.254.169.254/latest/meta-data", "http://localhost/"):
        with pytest.raises(Refused, match="private network"):
            fetch(certificates(guard), guard, url)
    assert resolved("localhost", 80, allow_private=True) in ("127.0.0.1", "::1")
    with pytest.raises(Unreachable, match="no name server"):
        resolved("nowhere.invalid", 80, allow_private=True)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
        *("255.255.255.255", "240.0.0.1", "nonsense", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1"),
        *("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not public(address)


@given(st.ip_addresses())
def test_nothing_private_is_public_however_it_is_written(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if not ip.is_global:
        assert not public(str(ip))
    if isinstance(ip, ipaddress.IPv4Address):
        assert public(f"::ffff:{ip}") == public(str(ip)) == public(f"64:ff9b::{ip}")


@pytest.mark.parametrize(
    "url", ["http://allowed.example@127.0.0.1/", "ftp://a.example/", "file:///etc/passwd", "http://evil.example/", "http://["]
)
def test_addresses_that_are_not_allowed(url: str) -> None:
    assert not Guard(("a.example", "127.0.0.1", "*.b.example")).allows(url)


def test_hosts_may_be_patterns() -> None:
    guard = Guard(("*.B.example",))
    assert guard.allows("https://docs.b.example/x")
    assert not guard.allows("https://b.example/x")
    assert not guard.allows("https://docs.b.example.evil.example/x")


def test_addresses_have_one_form() -> None:
    assert normal("HTTP://A.Example:80/x?q=1#part") == "http://a.example/x?q=1"
    assert normal("https://a.example:8443") == "https://a.example:8443/"
    assert normal("http://www.Bücher.example/ü") == "http://www.xn--bcher-kva.example/ü"
    assert Guard(("*.Bücher.example",)).allows(normal("http://www.bücher.example/"))
    for url in ("http://a:b/", "http://[", f"http://{'ü' * 70}.example/"):
        with pytest.raises(Refused):
            normal(url)


def test_what_an_address_may_not_hold_is_escaped(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/": page("Home", "/ü?b=ö c"), "/%C3%BC?b=%C3%B6%20c": page("Far")}
    assert [document.title for document in crawled(web(tmp_path, site)).documents] == ["Home", "Far"]


def test_limits_of_pages_and_of_size_are_told(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/": page("Home", "/big", "/a", "/b"), "/big": b"x" * ((1 << 20) + 1), "/a": page("Ay"), "/b": page("Bee")}
    gathered = crawled(web(tmp_path, site, largest_mb=1, most_pages=2))
    assert paths(gathered) == ["", "a"]
    assert reasons(gathered) == {"big": "is larger than 1 MB", "b": "is one page too many: most_pages = 2"}


def test_what_is_gone_is_told_apart_from_what_fails(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/": page("Home", "/gone", "/broken", "/round"), "/broken": page("x"), "/round": page("x")}
    site.says |= {"/broken": (500, ""), "/round": (302, "/round")}
    origin = web(tmp_path, site)
    entries = {entry.path.rpartition("/")[2]: entry for entry in origin.entries()}
    assert entries["gone"].refused == "is gone (the server said 404)"
    assert entries["broken"].refused == entries["broken"].stamp == ""
    with pytest.raises(Unreadable, match="the server said 500"):
        origin.read(entries["broken"].path)
    with pytest.raises(Unreadable, match="redirects more than 5 times"):
        origin.read(entries["round"].path)


def test_a_first_page_that_fails_is_an_error(site: Site, tmp_path: Path) -> None:
    site.says["/"] = (500, "")
    with pytest.raises(KnowledgeError, match="the server said 500") as refused:
        crawled(web(tmp_path, site))
    assert refused.value.hint
    with pytest.raises(KnowledgeError, match="did not answer"):
        crawled(web(tmp_path, site, sitemaps=["http://127.0.0.1:1/"]))


def test_formats_follow_the_content_type(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/": page("Home", "/t", "/logo"), "/t": b"a,b\n1,2\n", "/logo": b"\x89PNG"}
    site.kinds |= {"/t": "text/csv", "/logo": "image/png"}
    gathered = crawled(web(tmp_path, site))
    assert [d.text for d in gathered.documents][1] == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert gathered.documents[1].title == "t"
    assert reasons(gathered) == {"logo": "is image/png, for which there is no reader"}


def test_the_servers_charset_goes_before_the_pages(site: Site, tmp_path: Path) -> None:
    site.pages["/"] = page("Größe", head='<meta charset="utf-8">').decode().encode("latin-1")
    site.kinds["/"] = "text/html; charset=ISO-8859-1"
    assert crawled(web(tmp_path, site)).documents[0].title == "Größe"
    site.kinds["/"] = "text/html; charset=nonsense"
    site.pages["/"] = page("Größe")
    assert crawled(web(tmp_path, site)).documents[0].title == "Größe"


def test_pages_may_ask_not_to_be_read_or_followed(site: Site, tmp_path: Path) -> None:
    site.pages |= {
        "/": page("Home", "/quiet", "/end"),
        "/quiet": page("Quiet", "/a", head='<meta name="robots" content="noindex">'),
        "/end": page("End", "/b", head='<meta content="nofollow" name="robots">'),
        "/a": page("Ay"),
        "/b": page("Bee"),
    }
    gathered = crawled(web(tmp_path, site))
    assert paths(gathered) == ["", "end", "a"]
    assert reasons(gathered) == {"quiet": "says noindex"}


def test_patterns_choose_pages(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/": page("Home", "/docs/a", "/news/b", "/docs/old/c")} | {p: page(p) for p in ("/docs/a", "/news/b", "/docs/old/c")}
    assert paths(crawled(web(tmp_path, site, include=["*/docs/*"], exclude=["*/old/*"]))) == ["", "docs/a"]


def test_sitemaps_of_all_kinds(site: Site, tmp_path: Path) -> None:
    space = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'

    def listing(outer: str, inner: str, *places: str) -> bytes:
        return f"<{outer} {space}>{''.join(f'<{inner}><loc> {site.url}{p} </loc></{inner}>' for p in places)}</{outer}>".encode()

    site.pages |= {"/index.xml": listing("sitemapindex", "sitemap", "/one.xml.gz", "/two.txt", "/index.xml")}
    site.pages |= {"/one.xml.gz": gzip.compress(listing("urlset", "url", "/a")), "/two.txt": f"{site.url}/b\n".encode()}
    site.pages |= {"/a": page("Ay"), "/b": page("Bee")}
    assert paths(crawled(web(tmp_path, site, pages=[], sitemaps=[f"{site.url}/index.xml"], depth=0))) == ["a", "b"]
    with pytest.raises(KnowledgeError, match=r"the sitemap .* can't be had"):
        crawled(web(tmp_path, site, pages=[], sitemaps=[f"{site.url}/none.xml"]))


def test_hostile_sitemaps_are_refused() -> None:
    with pytest.raises(Unreadable, match="entities"):
        sitemap(b'<!DOCTYPE x [<!ENTITY a "b">]><urlset><url><loc>&a;</loc></url></urlset>', 1000)
    with pytest.raises(Unreadable, match="larger"):
        sitemap(gzip.compress(b"<" + b"x" * (2 << 20)), 1 << 20)
    for damaged in (b"<urlset><url>", b"\x1f\x8bnothing"):
        with pytest.raises(Unreadable):
            sitemap(damaged, 1000)


def test_links_and_robots_tags() -> None:
    text = """<base href="/docs/"><!-- <a href="/no">x</a> --><a class=x href=a.html>1</a><a HREF='/b?x=1&amp;y=2'>2</a><a href="http://[">3</a>"""
    assert links(text, "https://h.example/x") == ["https://h.example/docs/a.html", "https://h.example/b?x=1&y=2"]
    assert says('<meta name="robots" content="none">', "noindex")
    assert not says("<p>noindex</p>", "noindex")
    assert rules(404, "").can_fetch("rung", "http://a/b")
    assert not rules(500, "").can_fetch("rung", "http://a/b")
    assert rules(200, "User-agent: *\nCrawl-delay: 7\n").crawl_delay("rung") == 7


def test_a_source_without_addresses_is_refused(tmp_path: Path, site: Site) -> None:
    with pytest.raises(ConfigError, match="neither pages nor sitemaps"):
        web(tmp_path, site, pages=[])
    with pytest.raises(ConfigError, match="there is no file"):
        web(tmp_path, site, ca_file="nowhere.pem")


def test_certificates_are_checked_for_the_name_and_not_for_the_address(tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    key, certificate, both = tmp_path / "key.pem", tmp_path / "ca.pem", tmp_path / "both.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [*make.split(), "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    with web_site(both) as site:
        site.pages["/"] = page("Safe")
        guard = Guard(("localhost", "127.0.0.1"), allow_private=True, ca_file=str(certificate))
        assert fetch(certificates(guard), guard, f"https://localhost:{site.port}/").status == 200
        with pytest.raises(Unreachable, match=r"did not answer.*CERTIFICATE_VERIFY_FAILED"):
            fetch(certificates(guard), guard, f"https://127.0.0.1:{site.port}/")
        usual = Guard(guard.hosts, allow_private=True)
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(certificates(usual), usual, f"https://localhost:{site.port}/")


def test_no_cookie_is_sent_back(site: Site) -> None:
    guard = Guard(("127.0.0.1",), allow_private=True)
    site.pages["/"] = page("Home")
    for _ in range(2):
        assert "set-cookie" in fetch(certificates(guard), guard, site.url).headers
    assert site.cookies == []
