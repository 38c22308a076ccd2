"""The jobs: what waits, runs and has ended, with its log; stopping one and doing one again. A job is only ever followed here."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from rung.serve.studio.room import Ask, Room, from_page, route
from rung.workspace import job_output, jobs


def routes(room: Room) -> list[Route]:
    """`/jobs`, `/jobs/N`, the part of a page that follows a job, and its buttons."""

    def number(ask: Ask) -> int:
        return int(ask.request.path_params["number"])

    def listed(ask: Ask) -> Response:
        return ask.page("jobs.html", jobs=jobs.jobs(room.home, 100))

    def one(ask: Ask) -> Response:
        job = jobs.job(room.home, number(ask))
        log, out = job_output.printed(room.home, job.id), job_output.printed(room.home, job.id, job_output.OUT, 20_000)
        return ask.page(
            "job.html", job=job, said=job_output.said(room.home, job.id), steps=job_output.steps(room.home, job.id), log=log, out=out
        )

    def panel(ask: Ask) -> Response:
        job = jobs.job(room.home, number(ask))
        log = job_output.printed(room.home, job.id, most=2000)
        page = ask.page("panel.html", here=from_page(ask), job=job, steps=job_output.steps(room.home, job.id), log=log)
        if job.state in jobs.ENDED:
            page.headers["HX-Refresh"] = "true"  # the page shows what came of it
        return page

    def stop(ask: Ask) -> Response:
        jobs.cancel(room.home, number(ask))
        return ask.back(from_page(ask))

    def again(ask: Ask) -> Response:
        job = jobs.job(room.home, number(ask))
        return ask.start(job.words, job.lane, from_page(ask))

    return [
        route(room, "/jobs", listed),
        route(room, "/jobs/{number:int}", one),
        route(room, "/jobs/{number:int}/panel", panel),
        route(room, "/jobs/{number:int}/stop", stop, ("POST",), "editor"),
        route(room, "/jobs/{number:int}/again", again, ("POST",), "editor"),
    ]
