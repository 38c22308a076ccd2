"""Reads e-mail (.eml) and mailboxes (.mbox): head, text and the names of attachments. It refuses to open the attachments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from rung.knowledge.readers import html
from rung.knowledge.reading import Reading, Unreadable

_FROM = re.compile(rb"^From [^\n]*\n", re.MULTILINE)
_HEAD = ("From", "To", "Cc", "Date")


def read(raw: bytes) -> Reading:
    """One message, or each message of a mailbox as a section. Raises Unreadable."""
    if raw.startswith(b"From "):
        return _mailbox(raw)
    message = _message(raw)
    subject = _header(message, "Subject")
    return Reading(_text(message), subject, _meta(message))


def _mailbox(raw: bytes) -> Reading:
    if b"\n" not in raw:
        raise Unreadable("is damaged or not what its ending says (no message)")
    starts = [match for match in _FROM.finditer(raw) if match.start() == 0 or raw[: match.start()].endswith((b"\n\n", b"\r\n\r\n"))]
    ends = [*(match.start() for match in starts[1:]), len(raw)]
    letters = [raw[match.end() : end] for match, end in zip(starts, ends, strict=True)]
    messages = [_message(re.sub(rb"^>(>*From )", rb"\1", letter, flags=re.MULTILINE)) for letter in letters]
    dates = sorted(date for message in messages if (date := _date(message)))
    meta = {"messages": len(messages)} | ({"created": dates[0], "modified": dates[-1]} if dates else {})
    return Reading("\n\n".join(f"# {_header(m, 'Subject') or 'Without a subject'}\n\n{_text(m)}" for m in messages), meta=meta)


def _message(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    if not isinstance(message, EmailMessage) or not any(_header(message, name) for name in ("From", "Subject", "Date", "Message-ID")):
        raise Unreadable("is damaged or not what its ending says (no head of a message)")
    return message


def _text(message: EmailMessage) -> str:
    head = "\n".join(f"{name}: {value}  " for name in _HEAD if (value := _header(message, name)))
    attached = [name for name, _ in _attached(message)]
    parts = [head, _body(message), f"Attachments: {', '.join(attached)}" if attached else ""]
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _body(message: EmailMessage) -> str:
    """The plain part, or the HTML part as Markdown where there is no other."""
    try:
        part = message.get_body(("plain", "html"))
    except (AttributeError, KeyError, ValueError):  # a multipart whose parts are missing
        part = None
    if part is None or part.is_multipart():
        return ""
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    charset = part.get_content_charset() or "utf-8"
    try:
        text = raw.decode(charset, errors="replace")
    except LookupError:
        text = raw.decode("utf-8", errors="replace")
    text = text.replace("\r\n", "\n").replace("\0", "")
    return html.read(text.encode()).text if part.get_content_type() == "text/html" else text


def _attached(message: EmailMessage) -> Iterator[tuple[str, str]]:
    for part in message.walk():
        name = part.get_filename()
        if name or part.get_content_type() == "message/rfc822":
            yield " ".join((name or "a forwarded message").split()), part.get_content_type()


def _meta(message: EmailMessage) -> dict[str, object]:
    pairs = {"author": _header(message, "From"), "to": _header(message, "To"), "created": _date(message)}
    meta: dict[str, object] = {name: value for name, value in pairs.items() if value}
    attached = [name for name, _ in _attached(message)]
    return meta | ({"attachments": attached} if attached else {})


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, IndexError, AttributeError, TypeError):  # the standard library stumbles over some broken heads
        return ""


def _date(message: EmailMessage) -> str:
    """ISO 8601, or "" where the head has no date that can be read."""
    try:
        return parsedate_to_datetime(_header(message, "Date")).isoformat()
    except (ValueError, TypeError, IndexError):
        return ""
