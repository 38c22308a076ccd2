"""Syncs on a Ray cluster with killed workers and machines, for the tests: a process of its own, since Ray forks. Prints JSON.

`python tests/ray_sync.py SCENARIO FOLDER`; documents lie in FOLDER/docs, knowledge goes to FOLDER/cluster.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rung.knowledge.access import Lists, Rule
from rung.knowledge.cluster import NOTE, Cluster, connected
from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.gather import Gathered, Place, gather
from rung.knowledge.knowledge import Knowledge, open_knowledge, sync
from rung.knowledge.origins.folder import Folder


def read(folder: Path, knowledge: Knowledge, cluster: Cluster) -> Gathered:
    place = Place("", Folder(folder / "docs"), "made")
    return gather([place], held=knowledge.state.documents, reader=cluster.reader())


def opened(folder: Path) -> Knowledge:
    return open_knowledge(folder / "cluster", Hashing(), "lance", 60)


def files(knowledge: Knowledge) -> dict[str, int]:
    """Files of data beside the table, and those that some version of it names."""
    import lance

    uri = next(knowledge.folder.rglob("*.lance"))
    table = lance.dataset(uri)
    versions = [lance.dataset(uri, one["version"]) for one in table.versions()]
    named = {file.path for one in versions for part in one.get_fragments() for file in part.data_files()}
    return {"there": len(list((uri / "data").iterdir())), "named": len(named)}


def running(raylets: list[int]) -> list[tuple[int, str]]:
    """Workers of these machines, with what they are doing."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in raylets and (title := (entry / "cmdline").read_text()).startswith(("ray::write", "ray::IDLE")):
                found.append((int(entry.name), title.strip("\0 ")))
        except (OSError, ValueError, IndexError):
            continue
    return found


def steps(folder: Path) -> dict[str, object]:
    """A first sync that is stopped, one that goes on, a change with new labels, a name and a stray file, and one without a change."""
    told: dict[str, object] = {}
    with connected("local", "hashing", cores=2) as cluster:
        knowledge = opened(folder)
        calls: list[int] = []

        def stop(done: int, total: int, what: str) -> None:
            calls.append(done)
            if len(calls) == 3:
                raise KeyboardInterrupt

        try:
            sync(knowledge, read(folder, knowledge, cluster).documents, progress=stop, cluster=cluster)
        except KeyboardInterrupt:
            told["stopped"] = [calls[-1], len(list(knowledge.passages())), (knowledge.folder / NOTE).exists()]
        calls.clear()
        knowledge = opened(folder)
        report = sync(knowledge, read(folder, knowledge, cluster).documents, progress=lambda *told: calls.append(told[0]), cluster=cluster)
        told["first"] = [len(report.added), calls[0], (knowledge.folder / NOTE).exists(), files(knowledge)]
        (folder / "docs" / "page-3.md").rename(folder / "docs" / "moved.md")
        (folder / "docs" / "page-4.md").write_text("# Four\n\nEdited.")
        (folder / "docs" / "page-5.md").unlink()
        (folder / "docs" / "broken.pdf").write_bytes(b"no pdf")
        gathered = read(folder, knowledge, cluster)
        lists = Lists((Rule("page-4.md", ("user:anna",)), Rule("page-7.md", ("user:anna",)), Rule("page-1*.md", ("everyone",))))
        calls.clear()
        report = sync(knowledge, gathered.documents, progress=lambda *told: calls.append(told[1]), lists=lists, cluster=cluster)
        told["second"] = [report.renamed, report.changed, report.removed, calls, files(knowledge), [one.path for one in gathered.skipped]]
        told["third"] = sync(knowledge, read(folder, knowledge, cluster).documents, lists=lists, cluster=cluster).unchanged
    return told


def killed(folder: Path, machine: bool) -> dict[str, object]:
    """Three machines; one of them, or all workers, killed with SIGKILL in the middle of a task."""
    from ray.cluster_utils import Cluster as Machines

    machines: Any = Machines(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    others = [machines.add_node(num_cpus=1) for _ in range(2)]
    victims: list[tuple[int, str]] = []

    def raylet(node: Any) -> int:
        return int(node.all_processes["raylet"][0].process.pid)

    def kill(done: int, total: int, what: str) -> None:
        """The first time that one of the others is in the middle of a task."""
        busy = [node for node in others if any("write" in title for _, title in running([raylet(node)]))]
        if busy and not victims:
            victims.extend(running([raylet(node) for node in (busy[:1] if machine else (machines.head_node, *others))]))
            for pid in [raylet(busy[0])] if machine else [pid for pid, _ in victims]:
                os.kill(pid, signal.SIGKILL)

    with connected(machines.address, "hashing") as cluster:
        knowledge = opened(folder)
        sync(knowledge, read(folder, knowledge, cluster).documents, progress=kill, cluster=cluster)
    machines.shutdown()
    return {"killed": [title for _, title in victims], "files": files(knowledge)}


SCENARIOS: dict[str, Callable[[Path], dict[str, object]]] = {
    "steps": steps,
    "workers": lambda folder: killed(folder, False),
    "machine": lambda folder: killed(folder, True),
}

if __name__ == "__main__":
    print(json.dumps(SCENARIOS[sys.argv[1]](Path(sys.argv[2]))))
