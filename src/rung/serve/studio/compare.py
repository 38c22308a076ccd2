"""One question to every rung, side by side, and a blind vote on which answer is best. It counts votes, it decides nothing by them.

A vote is feedback too: a thumb up for the best one where it was called good, and down for all where none is best.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter

from starlette.responses import Response
from starlette.routing import Route

from rung.errors import DataError
from rung.serve.rating import counted
from rung.serve.running import who
from rung.serve.studio.room import Ask, Room, route
from rung.workspace.feedback import give


def routes(room: Room) -> list[Route]:
    """`/compare`, and the vote."""

    def shown(ask: Ask) -> Response:
        models = room.at.offers.models(ask.person.key)
        rows = room.store.read("SELECT told, choice FROM votes ORDER BY at DESC LIMIT 1000")
        won = Counter(choice for _, choice in rows)
        stood = Counter(model for told, _ in rows for model in json.loads(told)["models"])
        tally = sorted(((model, won[model], stood[model]) for model in stood), key=lambda row: -row[1])
        return ask.page("compare.html", models=models, tally=tally, votes=len(rows))

    def vote(ask: Ask) -> Response:
        models, choice, question = ask.texts("model"), ask.text("choice"), ask.text("question")
        known = {one.id for one in room.at.offers.models(ask.person.key)}
        if not question or not set(models) <= known or choice not in (*models, ""):
            raise DataError("this vote is for none of the answers", "ask again and choose one")
        answers = dict(zip(models, ask.texts("answer"), strict=False))
        for model, name in answers.items():
            if not choice or (choice == model and ask.text("good")):
                counted(room.at, give(room.store, name, who(ask.person.key), "up" if choice else "down"))
        row = (secrets.token_hex(8), time.time(), ask.person.name, question, json.dumps({"models": models}), choice or "none")
        room.store.write(lambda run: run("INSERT INTO votes (id, at, who, question, told, choice) VALUES (?, ?, ?, ?, ?, ?)", row))
        names = ", ".join(f"answer {number} was {model}" for number, model in enumerate(models, 1))
        return ask.back("/compare", f"The vote is counted: {names}.")

    return [route(room, "/compare", shown), route(room, "/compare/vote", vote, ("POST",))]
