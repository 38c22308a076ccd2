"""The `[[knowledge.sources]]` and `[[knowledge.also]]` tables of `rung.toml`, one class for each kind; they hold no secrets."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

INCLUDE = "only paths that match one of these patterns; `*` also matches slashes"
EXCLUDE = "no path that matches one of these patterns"
LARGEST = "larger files are skipped and named"


class Source(BaseModel):
    """What every source has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$", description="its documents' paths begin with this name and a slash")


class FolderSource(Source):
    """Files in a folder."""

    kind: Literal["folder"]
    path: str = Field(description="the folder; relative to the project")
    include: tuple[str, ...] = Field((), description=INCLUDE)
    exclude: tuple[str, ...] = Field((), description=EXCLUDE)
    largest_mb: int = Field(100, ge=1, description=LARGEST)
    every: float = Field(0, ge=0, description="seconds for which `ask` and `climb` take the last listing; `index` always looks")


class GitSource(Source):
    """Files of one revision of a local git repository, with dates and authors from its log."""

    kind: Literal["git"]
    path: str = Field(description="the repository; relative to the project")
    revision: str = Field("HEAD", description="branch, tag or commit")
    folder: str = Field("", description="only this folder of it")
    include: tuple[str, ...] = Field((), description=INCLUDE)
    exclude: tuple[str, ...] = Field((), description=EXCLUDE)
    largest_mb: int = Field(100, ge=1, description=LARGEST)
    every: float = Field(0, ge=0, description="seconds for which `ask` and `climb` take the last listing; `index` always looks")


class WebSource(Source):
    """Web pages, from addresses and sitemaps, and what they link to."""

    kind: Literal["web"]
    pages: tuple[str, ...] = Field((), description="addresses to begin with")
    sitemaps: tuple[str, ...] = Field((), description="addresses of sitemaps, indexes of sitemaps and .gz included")
    hosts: tuple[str, ...] = Field((), description="allowed hosts, `*.example.org` too; empty: those of pages and sitemaps")
    depth: int = Field(0, ge=0, description="how many links to follow from the pages")
    include: tuple[str, ...] = Field((), description="only addresses that match one of these patterns")
    exclude: tuple[str, ...] = Field((), description="no address that matches one of these patterns")
    most_pages: int = Field(1000, ge=1, description="pages read at most; that there are more is said")
    largest_mb: int = Field(10, ge=1, description="larger pages are skipped and named")
    delay: float = Field(0.2, ge=0, description="seconds between two requests; a longer Crawl-delay of robots.txt counts")
    timeout: float = Field(20, gt=0, description="seconds to wait for a server")
    allow_private: bool = Field(False, description="allow addresses of this machine and of private networks")
    ca_file: str = Field("", description="file of certificates to trust beside the usual ones")
    every: float = Field(3600, ge=0, description="seconds for which `ask` and `climb` take the last listing; `index` always looks")


class SqlSource(Source):
    """Rows of a query; rows with one key are one document."""

    kind: Literal["sql"]
    url: str = Field("", description="SQLAlchemy's URL of the database; relative SQLite files are the project's")
    url_env: str = Field("", description="environment variable that holds the URL, where it has a password")
    query: str = Field(description="a SELECT; it may not end in ORDER BY")
    key: str = Field("id", description="column that names the document")
    text: str = Field("", description='template such as "{question}\\n\\n{answer}"; empty: a line for each column')
    title: str = Field("", description="column of the title")
    meta: tuple[str, ...] = Field((), description="columns kept as metadata")
    timestamp: str = Field("", description="column that grows with every change: only newer rows are read")
    every: float = Field(3600, ge=0, description="seconds for which `ask` and `climb` take the last listing; `index` always looks")


class RowsSource(Source):
    """Rows of a JSON Lines or CSV file; rows with one key are one document."""

    kind: Literal["rows"]
    path: str = Field(description="the file; .csv and .tsv are tables, all others JSON Lines")
    key: str = Field("id", description="column that names the document")
    text: str = Field("", description='template such as "{question}\\n\\n{answer}"; empty: a line for each column')
    title: str = Field("", description="column of the title")
    meta: tuple[str, ...] = Field((), description="columns kept as metadata")
    every: float = Field(0, ge=0, description="seconds for which `ask` and `climb` take the last listing; `index` always looks")


class S3Source(Source):
    """Objects in S3-compatible storage; credentials come from the environment."""

    kind: Literal["s3"]
    bucket: str = Field(description="the bucket")
    prefix: str = Field("", description="only keys below it")
    endpoint: str = Field("", description="address of the server, where it is not Amazon's")
    region: str = Field("us-east-1", description="region of the bucket")
    anonymous: bool = Field(False, description="ask without credentials")
    include: tuple[str, ...] = Field((), description=INCLUDE)
    exclude: tuple[str, ...] = Field((), description=EXCLUDE)
    largest_mb: int = Field(100, ge=1, description=LARGEST)
    every: float = Field(3600, ge=0, description="seconds for which `ask` and `climb` take the last listing; `index` always looks")


class PushSource(Source):
    """Documents that other systems send to `rung index --listen`."""

    kind: Literal["push"]
    path: str = Field("pushed", description="folder that keeps what was sent, relative to the project; nothing else has it")
    largest_mb: int = Field(20, ge=1, description="larger documents are refused")
    every: ClassVar[float] = 0


SourceConfig = FolderSource | GitSource | WebSource | SqlSource | RowsSource | S3Source | PushSource
KINDS: dict[str, type[Source]] = {
    "folder": FolderSource,
    "git": GitSource,
    "web": WebSource,
    "sql": SqlSource,
    "rows": RowsSource,
    "s3": S3Source,
    "push": PushSource,
}
Sources = tuple[Annotated[SourceConfig, Field(discriminator="kind")], ...]


class Beside(BaseModel):
    """What everything has that is asked beside the project's own knowledge."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$", description="its documents' paths begin with this name and a slash")
    k: int = Field(5, ge=1, le=100, description="passages it brings at most")
    readers: tuple[str, ...] = Field(
        (), description="with access lists: who may ask it, as in a rule; nobody if empty. A project with lists of its own keeps to those"
    )


class ProjectBeside(Beside):
    """The index of another project, as its last `rung index` left it."""

    kind: Literal["project"]
    path: str = Field(description="that project's folder; relative to this one")


class SqlBeside(Beside):
    """Rows of a database, looked up with each question."""

    kind: Literal["sql"]
    url: str = Field("", description="SQLAlchemy's URL of the database; relative SQLite files are the project's")
    url_env: str = Field("", description="environment variable that holds the URL, where it has a password")
    query: str = Field(description="a SELECT with :question or :keywords (its words, joined by OR) in it, best rows first")
    key: str = Field("id", description="column that names the document")
    text: str = Field("", description='template such as "{question}\\n\\n{answer}"; empty: a line for each column')
    title: str = Field("", description="column of the title")
    timeout: float = Field(5, gt=0, description="seconds after which the query is cancelled")
    optional: bool = Field(False, description="answer without it where it fails, and record that it failed")


class HttpBeside(Beside):
    """A search endpoint that answers in JSON, asked with each question."""

    kind: Literal["http"]
    url: str = Field(description="its address")
    params: dict[str, str] = Field({}, description='of the address, such as {q = "{question}"}')
    body: dict[str, Any] = Field({}, description='sent as JSON by POST where given, such as {query = "{question}", size = 5}')
    items: str = Field("", description='where the list of results stands, such as "hits.hits"; empty: the answer is the list')
    text: str = Field("text", description='where a result has its text, such as "_source.body"')
    title: str = Field("", description="where a result has its title")
    key: str = Field("", description="where a result has its name or address; empty: its number")
    key_env: str = Field("", description="environment variable that holds a bearer token")
    timeout: float = Field(5, gt=0, description="seconds to wait for the server; a whole answer may take five times as long")
    largest_mb: int = Field(5, ge=1, description="larger answers are refused")
    allow_private: bool = Field(False, description="allow addresses of this machine and of private networks")
    ca_file: str = Field("", description="file of certificates to trust beside the usual ones")
    optional: bool = Field(False, description="answer without it where it fails, and record that it failed")


BesideConfig = ProjectBeside | SqlBeside | HttpBeside
BESIDE: dict[str, type[Beside]] = {"project": ProjectBeside, "sql": SqlBeside, "http": HttpBeside}
Also = tuple[Annotated[BesideConfig, Field(discriminator="kind")], ...]
