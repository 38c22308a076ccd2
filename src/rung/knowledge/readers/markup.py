"""HTML to Markdown-like text with the standard library's parser: headings, lists and tables survive; scripts don't."""

from __future__ import annotations

from html.parser import HTMLParser

from rung.knowledge.readers.text import decode

SILENT = {"script", "style", "noscript", "template", "svg", "nav"}
BLOCKS = {"p", "div", "section", "article", "ul", "ol", "table", "blockquote", "header", "footer", "main", "dl", "dt", "dd", "figure"}


class _Text(HTMLParser):
    """Collects text; the parser is the one class the standard library asks us to extend."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.title = ""
        self.silent = 0
        self.inside = ""
        self.cells: list[str] | None = None
        self.first_row = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self.silent += 1
        elif tag == "title":
            self.inside = "title"
        elif len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.out.append("\n\n" + "#" * int(tag[1]) + " ")
        elif tag == "li":
            self.out.append("\n- ")
        elif tag == "table":
            self.first_row = True
            self.out.append("\n\n")
        elif tag == "tr":
            self.cells = []
        elif tag in ("td", "th") and self.cells is not None:
            self.cells.append("")
        elif tag == "br":
            self.out.append("\n")
        elif tag in BLOCKS:
            self.out.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in SILENT:
            self.silent = max(0, self.silent - 1)
        elif tag == "title":
            self.inside = ""
        elif tag == "tr" and self.cells is not None:
            cells = [" ".join(cell.split()) for cell in self.cells]
            self.out.append("| " + " | ".join(cells) + " |\n")
            if self.first_row:
                self.out.append("|" + "---|" * len(cells) + "\n")
            self.first_row, self.cells = False, None
        elif tag in BLOCKS or (len(tag) == 2 and tag[0] == "h" and tag[1].isdigit()):
            self.out.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self.inside == "title":
            self.title += data
        elif self.silent:
            return
        elif self.cells:
            self.cells[-1] += data
        else:
            folded = " ".join(data.split())
            if folded:
                lead = " " if data[:1].isspace() and self.out and not self.out[-1][-1:].isspace() else ""
                self.out.append(lead + folded + (" " if data[-1:].isspace() else ""))


def read_html(raw: bytes) -> tuple[str, str]:
    """The visible text with headings, lists and tables in Markdown, and the title element."""
    parser = _Text()
    parser.feed(decode(raw))
    parser.close()
    lines = [line.rstrip() for line in "".join(parser.out).splitlines()]
    kept = [line for i, line in enumerate(lines) if line or (i and lines[i - 1])]
    return "\n".join(kept).strip() + "\n", " ".join(parser.title.split())
