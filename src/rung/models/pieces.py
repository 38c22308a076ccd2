"""Turns the tokens of a completion into pieces of text as they arrive, and ends at a stop string.

It never hands out half a UTF-8 character, nor text that may still turn out to be the start of a stop string.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[Sequence[int]], str]


class Pieces:
    """`push` tokens and take the text that is certain by now; `close` gives what was held back; `text` is the whole."""

    def __init__(self, decode: Decode, stop: Sequence[str] = ()) -> None:
        self._decode, self._stop = decode, tuple(filter(None, stop))
        self._ids: list[int] = []
        self._start = 0  # tokens from here are decoded: a few back, since some tokenizers join a token to the one before
        self._read = 0  # tokens up to here have been handed to `_held`
        self._held = ""
        self.text = ""
        self.stopped = False

    def push(self, token: int) -> str:
        """The text that this token makes certain, often "". `stopped` is set when a stop string is complete."""
        self._ids.append(token)
        before = self._decode(self._ids[self._start : self._read])
        now = self._decode(self._ids[self._start :])
        if now.endswith("\ufffd") and len(self._ids) - self._read < 8:  # a character takes four bytes at most
            return ""
        if len(now) <= len(before):
            return ""
        self._start, self._read = self._read, len(self._ids)
        return self._certain(now[len(before) :])

    def close(self) -> str:
        """What is left when the model has ended, a broken character included."""
        if self.stopped:
            return ""
        rest = self._decode(self._ids[self._start :])[len(self._decode(self._ids[self._start : self._read])) :]
        piece = self._certain(rest)
        held, self._held = self._held, ""
        self.text += held
        return piece + held

    def _certain(self, new: str) -> str:
        """Cut at the earliest stop string, else hold back the longest tail that could begin one."""
        self._held += new
        found = [at for at in (self._held.find(stop) for stop in self._stop) if at >= 0]
        if found:
            self.stopped = True
            piece, self._held = self._held[: min(found)], ""
        else:
            keep = max((_overlap(self._held, stop) for stop in self._stop), default=0)
            piece, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        self.text += piece
        return piece


def _overlap(text: str, stop: str) -> int:
    """Characters at the end of the text that begin the stop string."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)
