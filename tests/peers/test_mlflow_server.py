"""A real tracking server keeps our digest, not its own, and gives it back through its REST interface."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import lineage
from lineage.activities.context import Project
from tests.activities.running import build, label
from tests.peers.environments import environment

pytestmark = [
    pytest.mark.slow,
    # mlflow's own, of its Pydantic and importlib uses
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

PATIENCE_S = 90


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A tracking server on loopback, in an environment of its own: it pins an older pyarrow."""
    python = environment("mlflow")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", f"sqlite:///{tmp_path}/mlflow.db"]
    artifacts = ["--artifacts-destination", str(tmp_path / "artifacts")]
    variables = {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            [str(python), *words, *stores, *artifacts],
            env=variables,
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(process, address, tmp_path / "server.log")
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    last = time.monotonic() + PATIENCE_S
    while time.monotonic() < last:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            process.poll() or time.sleep(0.2)
    raise AssertionError(f"the tracking server did not start: {log.read_text()[-2000:]}")


def run_of(server: str, run_id: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{server}/api/2.0/mlflow/runs/get?run_id={run_id}") as answer:
        found: dict[str, Any] = json.load(answer)["run"]
    return found


def test_a_pin_is_the_dataset_of_an_mlflow_run(
    project: Project, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    from lineage.interchange.mlflow import DIGEST_CHARACTERS, log_pin

    label(project)
    manifest = build(project)
    client = MlflowClient(tracking_uri=server)
    experiment = client.create_experiment("street")
    whole = lineage.pin("run-1", version="v1", project=project.root)
    part = lineage.pin("cars", version="v1", subset="class=car", project=project.root)
    for held in (whole, part):
        run_id = client.create_run(experiment).info.run_id
        log_pin(held, run_id, client=client)
        client.set_terminated(run_id)
        found = run_of(server, run_id)
        [given] = found["inputs"]["dataset_inputs"]
        kept = given["dataset"]
        told: Any = held.document["subset"] or held.document
        assert kept["digest"] == told["digest"][:DIGEST_CHARACTERS]
        assert len(kept["digest"]) == DIGEST_CHARACTERS
        assert kept["name"] == f"lineage {manifest['name']}"
        assert kept["source_type"] == "lineage"
        assert json.loads(kept["source"])["log_root"] == manifest["log_root"]
        assert json.loads(kept["profile"])["n_annotations"] == told["n_annotations"]
        assert given["tags"] == [{"key": "mlflow.data.context", "value": "training"}]
        tags = {tag["key"]: tag["value"] for tag in found["data"]["tags"]}
        for name in ("run", "version", "digest", "pin", "seq", "log_root"):
            assert tags[f"lineage.{name}"] == str(held.document[name])
        assert found["data"]["params"] == [{"key": "lineage.version", "value": manifest["name"]}]
        assert ("lineage.subset_digest" in tags) == (held is part)
    assert tags["lineage.subset"] == "class=car"
    assert tags["lineage.subset_digest"] == told["digest"]
