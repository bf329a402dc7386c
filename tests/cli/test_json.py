"""docs/json.md is what commands print, and CONTRACT's promises are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import REPOSITORY, Ran, Run
from tests.formats.rest_folders import issue, job, rest_folder, shape

_TOKEN = re.compile(r"[{}\[\],:]|<[a-z]+>|[a-z_0-9]+")
Shape = Any

PROMISED = {
    "import": "activity batch format schema sources n_assets n_annotators n_read n_added n_superseded "
    "n_retracted n_unchanged n_rejected violations checkpoint seconds",
    "status": "project store checkpoint n_assets n_annotators n_annotations n_revisions stages batches versions",
    "audit": "ok deep checked findings",
    "show": "annotation asset revisions stages",
    "blame": "asset annotations",
    "log": "entries",
    "build": "version",
    "version show": "version",
    "diff": "from to n_added n_retracted n_reclassed n_moved n_attributes n_restaged n_unchanged by path",
    "agreement": "scope iou_threshold overall by_class by_pair by_batch by_week disputes",
    "drift": "horizon_weeks false_alarm_fraction n_streams alarms",
    "gold score": "annotators",
    "review status": "batch state n_drawn n_done n_contested n_final error by_class decision",
    "recompute": "version identical differs",
    "run pin": "run version digest ok findings",
    "run verify": "run version digest ok findings",
    "run affected": "selector runs",
    "isolate": "bad good n_changed n_units evidence suspects eval_moved",
    "any failure": "error",
}
"""CONTRACT's top-level keys: the house rules promise these whatever docs/json.md says."""


def parse(text: str) -> Shape:
    """Return the shape that a document's notation stands for: dicts, one-element lists, None."""
    tokens = _TOKEN.findall(text)
    shape, rest = _members(tokens, end=None)
    assert not rest
    return shape


def _members(tokens: list[str], end: str | None) -> tuple[Shape, list[str]]:
    found: dict[str, Shape] = {}
    while tokens and tokens[0] != end:
        name, tokens = tokens[0], tokens[1:]
        found[name] = None
        if tokens and tokens[0] == ":":
            found[name], tokens = _value(tokens[1:])
        if tokens and tokens[0] == ",":
            tokens = tokens[1:]
    return found, tokens[1:] if end else tokens


def _value(tokens: list[str]) -> tuple[Shape, list[str]]:
    if tokens[0] == "{":
        return _members(tokens[1:], "}")
    assert tokens[0] == "["
    if tokens[1] == "]":
        return [], tokens[2:]
    if tokens[1] == "{":
        inner, rest = _members(tokens[2:], "}")
        return [inner], rest[1:]
    return [], tokens[3:]


def documented() -> dict[str, Shape]:
    text = (REPOSITORY / "docs" / "json.md").read_text("utf-8")
    rows = re.findall(r"^\| `?([a-z ]+?)`? \| `(.+?)`(?: \(.*\))? \|$", text, re.M)
    return {command: parse(document) for command, document in rows}


def differences(shape: Shape, value: Any, path: str = "$") -> Iterator[str]:
    if isinstance(shape, dict):
        if value is None:
            return
        if not isinstance(value, dict):
            yield f"{path}: {value!r}, documented as an object"
        elif not any(name.startswith("<") for name in shape):
            for name in sorted(shape.keys() ^ value.keys()):
                yield f"{path}.{name}: {'documented' if name in shape else 'printed'} only"
            for name in shape.keys() & value.keys():
                yield from differences(shape[name], value[name], f"{path}.{name}")
    elif isinstance(shape, list):
        if not isinstance(value, list | None):
            yield f"{path}: {value!r}, documented as a list"
        for item in (value or []) if shape else []:
            yield from differences(shape[0], item, f"{path}[]")


class Commands:
    """Runs commands on a world, each held to its row of the page."""

    def __init__(self, run: Run, root: Path) -> None:
        self._run = run
        self.root = root
        self.rows = documented()
        self.seen: set[str] = set()

    def __call__(self, name: str, *words: str, code: int = 0) -> Any:
        ran: Ran = self._run(self.root, "--json", *name.split(), *words)
        assert ran.code == code, ran.out + ran.err
        assert ran.out.count("\n{") == 0
        assert list(differences(self.rows[name], ran.json)) == []
        self.seen.add(name)
        return ran.json


@pytest.mark.slow
def test_every_document_is_as_the_page_says(run: Run, world: Path, tmp_path: Path) -> None:
    do = Commands(run, world)
    do("status")
    assert do("audit", "--deep")["ok"]
    assert len(do("log", "--limit", "3")["entries"]) > 3
    name = do("version list")["versions"][0]["name"]
    found = do("version show", name)["version"]
    assert found["dvc"]["md5"].endswith(".dir")
    asset = do("labels", "--class", "wheelchair_user")["labels"][0]["asset"]
    assert do("blame", asset)["annotations"][0]["fields"]["class"]["seq"] > 0
    assert do("show", "1")["revisions"][0]["operation"] == "add"
    do("sql", "SELECT 1 AS one")
    assert do("agreement")["overall"]["n_images"] > 10
    assert do("drift")["weeks"]
    assert do("measure", "--no-fail")["requirements"]
    assert do("dispute list")["disputes"]
    order = ("--class", "car", "--as-class", "nothing", "--batch", "fresh", "-n", "2")
    people = [
        word
        for name in ("chen", "dalia", "alice", "bruno")
        for word in ("--for", f"{name}@crew-a.example")
    ]
    drawn = do("dispute open", *order, *people)["draw"]
    assert do("dispute packet", drawn)["packets"]
    assert do("consensus", "--dry-run")["n_units"] > 10
    assert do("gold add", "--batch", "w01-ls")["n_written"] > 50
    assert do("gold drop", "--batch", "w01-ls", "--class", "dog")["n_written"] > 0
    assert do("gold list", "--class", "car")["gold"][0]["newer_revision"] is None
    assert do("gold coverage", "--schema", "street@2.0", "--require", code=1)["n_missing"] > 0
    assert do("gold score")["annotators"][0]["n"] > 0
    assert do("gold draw", "--batch", "w02-ls", "--for", "erin", "--images", "3")["files"]
    order = ("--batch", "w03-ls", "--for", "sara@senior.example", "--floor", "9")
    found = do("review draw", *order, "--floor-annotator", "0")
    packet = do("review export", found["draw"])["packets"][0]
    answered = do(
        "simulate answer", str(Path(packet["path"]).parent), "--out", str(tmp_path / "said")
    )
    assert answered["n_images"] >= packet["n_images"]
    tasks = json.loads(Path(packet["path"]).read_text())
    empty = {"completed_by": {"email": "sara@senior.example"}, "result": []}
    tasks = [
        {**task, "id": at, "annotations": [{**empty, "id": at}]} for at, task in enumerate(tasks, 1)
    ]
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps(tasks))
    assert do("review import", str(answers), "--batch", "w03-ls")["by_kind"]["spurious"] > 5
    assert do("review status", "--batch", "w03-ls")["n_contested"] == found["n_drawn"]
    assert do("review status")["batches"][0]["state"] == "contested"
    settled = do("review adjudicate", "--batch", "w03-ls", "--for", "chen@crew-a.example")
    assert settled["n_open"] == found["n_drawn"]
    decided = do("review finalize", "--batch", "w03-ls")
    assert decided["error"]["disputed"]["mean"] == 1
    assert do("review gate", "--out", str(tmp_path / "review.json"))["metrics"]["w03-ls"][
        "n_waiting"
    ]
    assert do("rare", "--batch", "w01-ls")["rows"][0]["command"].startswith("lineage ")
    do("batch create", "rounds", "--task", "detection", "--schema", "street@2.0")
    answers = rest_folder(
        tmp_path / "rest",
        [job(1, "acceptance", "completed", (0, 0))],
        {1: {"shapes": [shape(1, 0, [1, 1, 9, 9])]}},
        issues=[issue(1, 1, 0, [50, 50, 60, 60])],
    )
    assert do("review rounds", str(answers), "--batch", "rounds")["n_moved"] == {"final": 1}
    done = do("report", "--out", str(tmp_path / "page.html"))
    assert (done["names"], done["n_pictured"]) == ("pseudonyms", done["n_disputed"])
    do("schema list")
    do("schema show", "street@2.0")
    assert do("schema export", "street@2.0", "--format", "label-studio")["path"] is None
    config = tmp_path / "labels.json"
    done = do("schema export", "street@2.0", "--format", "cvat", "--out", str(config))
    assert done["config"] == config.read_text("utf-8")
    assert do("schema diff", "street@1.0", "street@2.0")["level"] == "major"
    do("batch list")
    do("batch show", "w01-ls")
    do("batch create", "late", "--task", "detection", "--schema", "street@2.0")
    export = sorted((world / "inbox" / "label_studio").glob("w01*.json"))[0]
    done = do("import", str(export), "--batch", "late")
    assert (done["n_added"], done["is_repeat"]) == (done["n_read"], False)
    assert do("import", str(export), "--batch", "late")["is_repeat"]
    assert do("import", str(export), "--batch", "w02-ls", "--dry-run")["activity"] is None
    do("batch close", "late")
    do("batch create", "paid", "--kind", "volume", "--task", "detection", "--schema", "street@2.0")
    assert do("batch check", "paid", code=1)["is_refused"]
    assert not do("batch override", "paid", "--reason", "a trial")["is_refused"]
    assert do("batch show", "paid")["overrides"][0]["by"] != ""
    assert do("batch pack", "paid", "--zip")["examples"]
    do("assets add", str(world / "inbox" / "images"))
    listed = do("assets list", "--limit", "3")
    assert len(listed["assets"]) == 3 < listed["n"]
    assert do("assets list", "--state", "skipped", "--batch", "w01-ls")["n"] < listed["n"]
    do("ingest")
    do("build", "--batch", "w01-ls", "--tag", "small")
    assert do("run pin", "seven", "--version", "small", "--subset", "class=car")["ok"]
    metrics = tmp_path / "metrics.json"
    metrics.write_text('{"map": {"50": 0.5}}')
    assert do("run metrics", "seven", str(metrics))["run"]["metrics"] == {"map.50": 0.5}
    assert do("run list")["runs"] == [do("run show", "seven")["run"]]
    assert do("run verify", "seven", "--deep")["checked"]["rows"]
    assert do("run affected", "--class", "car", "--batch", "w01-ls")["runs"][0]["fraction"] == 1
    do("run pin", "eight", "--version", name, "--no-data")
    said = tmp_path / "said.csv"
    rows = [
        f"{row['annotation']},{int(row['batch'] == 'w02-ls')}"
        for batch in ("w01-ls", "w02-ls", "w03-ls")
        for row in do("labels", "--batch", batch)["labels"]
    ]
    said.write_text("\n".join(["annotation,disagrees", *rows]))
    order = ("--bad", "eight", "--good", "seven", "--errors", str(said))
    blamed = do("isolate", *order, "--check", str(tmp_path / "check.csv"))
    assert blamed["suspects"][0]["slice"]["batch"] == "w02-ls"
    assert blamed["check_file"]["n_labels"] >= 40
    difference = do("diff", name, "small")
    assert difference["n_retracted"] == sum(row["n_retracted"] for row in difference["by"]["batch"])
    assert do("diff", name, name, "--match", "iou")["n_unchanged"] > 0
    assert do("recompute", name)["identical"] == {"digest": True, "bytes": True}
    assert do("subset", "--of", name, "--gold", "--tag", "gold")["version"]["subset"]["of"] == name
    do("export", str(tmp_path / "out.json"), "--format", "coco", "--version", name)
    do("restore")
    assert do("audit")["checked"]["runs"] == 2
    copy = str(tmp_path / "copy.db")
    assert do("store backup", copy)["ok"]
    assert do("store verify", copy)["n_behind"] == 0
    gone = do("erase", "chen@crew-a.example", "--dry-run")
    assert (gone["n_names"], gone["activity"]) == (1, None)
    assert do("key create")["is_signed"]
    assert not do("key sign")["is_signed"]
    assert do("key show")["keys"][0]["has_signed"]
    do("schema infer", str(export), "--name", "inferred")
    do("schema add", str(world / "schemas" / "inferred" / "v0.1.json"))
    do("schema lock", "inferred@0.1")
    do("schema retire", "inferred@0.1")
    migration = tmp_path / "map.yaml"
    migration.write_text("from: street@1.0\nto: street@2.0\n")
    do("schema migrate", "street@1.0", "street@2.0", "--map", str(migration))
    do("simulate", "--out", str(tmp_path / "w"), "--truth", str(tmp_path / "t"), "--images", "12")
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    ran = run(fresh, "init", "--json")
    assert list(differences(do.rows["init"], ran.json)) == []
    ran = run(world, "show", "99999999", "--json")
    assert (ran.code, ran.json["error"]["slug"]) == (3, "no-annotation")
    assert list(differences(do.rows["any failure"], ran.json)) == []
    left = do.rows.keys() - do.seen - {"init", "any failure"}
    assert left == set(), f"no test prints {left}"


@pytest.mark.parametrize("command", PROMISED)
def test_the_page_holds_what_the_contract_promises(command: str) -> None:
    assert set(PROMISED[command].split()) <= documented()[command].keys()


def test_times_and_numbers_are_in_the_promised_forms(run: Run, world: Path) -> None:
    entry = run(world, "--json", "log").json["entries"][0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", entry["at"])
    assert re.fullmatch(r"[0-9a-f]{64}", entry["root"])
    text = run(world, "--json", "labels", "--batch", "w01-ls").out
    assert "NaN" not in text
    assert "Infinity" not in text
    json.loads(text)


@pytest.mark.parametrize(
    ("words", "code", "slug"),
    [
        (["no-such-command"], 2, "usage"),
        (["import"], 2, "usage"),
        (["labels", "--batch", "nowhere"], 3, "no-batch"),
        (["labels", "--annotator", "nobody"], 3, "no-annotator"),
        (["labels", "--since", "2024-01-01T00:00:00"], 3, "naive-time"),
        (["blame", "no/such.png"], 3, "no-asset"),
        (["version", "show", "none"], 3, "no-version"),
        (["status", "--as-of", "9999"], 3, "as-of-future"),
        (["sql", "DELETE FROM revision"], 3, "sql"),
        (["import", "missing.json", "--batch", "w01-ls"], 3, "no-such-file"),
        (["export", "x.json", "--format", "betamax"], 3, "unknown-format"),
    ],
)
def test_failures_are_documents_too(
    run: Run, built_world: Path, words: list[str], code: int, slug: str
) -> None:
    ran = run(built_world, "--json", *words)
    assert (ran.code, ran.json["error"]["slug"]) == (code, slug)
    plain = run(built_world, *words)
    assert (plain.code, plain.out) == (code, "")
    assert f"[{slug}]" in plain.err
