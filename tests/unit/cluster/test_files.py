"""The launcher files of ``cluster/``: each is valid for the tool that reads it, and its versions are those of this project."""

from __future__ import annotations

import copy
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.core import TyperGroup
from typer_commands import command_of

from grid.cli.main import app
from grid.version import VERSION

ROOT = Path(__file__).resolve().parents[3]
CLUSTER = ROOT / "cluster"
SCHEMAS = ROOT / "tests" / "schemas"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LAUNCHERS = sorted(CLUSTER.glob("launcher/*.yaml"))
KUBERNETES = sorted(CLUSTER.glob("kubernetes/*.yaml"))
TEXTS = sorted(path for path in CLUSTER.rglob("*") if path.suffix in (".yaml", ".sh") or path.name == "Dockerfile")
SECRET = re.compile(r"(?i)(password|secret|token)\w* *[:=] *[\"']?(?!\$|null|\{|set )[\w/+-]{6,}")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def check(found: Any, schema: str) -> None:
    jsonschema.validate(found, json.loads((SCHEMAS / schema).read_text(encoding="utf-8")))


def pinned(package: str) -> str:
    """The version in constraints.txt."""
    (line,) = re.findall(rf"^{package}==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    return str(line)


def ids(path: Path) -> str:
    return path.name


# -- Ray's launcher


@pytest.mark.parametrize("path", LAUNCHERS, ids=ids)
def test_ray_accepts_the_launcher_file(path: Path) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(read(path))
    validate_config(prepared)
    assert prepared["docker"]["image"] == f"facegrid:{VERSION}"
    assert prepared["max_workers"] >= 1


def test_ray_refuses_an_unknown_key_and_an_unknown_node_type() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    aws = read(CLUSTER / "launcher" / "aws.yaml")
    with pytest.raises(jsonschema.ValidationError, match="idle_minutes"):
        validate_config(prepare_config({**aws, "idle_minutes": 3}))
    with pytest.raises((ValueError, KeyError)):
        validate_config(prepare_config({**aws, "head_node_type": "master"}))


@pytest.mark.parametrize("path", LAUNCHERS, ids=ids)
def test_the_container_has_the_shared_folder_that_the_host_mounts(path: Path) -> None:
    found = read(path)
    assert "--volume=/shared:/shared" in found["docker"]["run_options"]
    assert any("/shared" in command for command in found["initialization_commands"])
    for command in ("head_start_ray_commands", "worker_start_ray_commands"):
        assert any("ulimit -n 65536" in line for line in found[command]), "Ray opens many files"


# -- Kubernetes


@pytest.mark.parametrize("path", KUBERNETES, ids=ids)
def test_the_kuberay_file_has_only_fields_that_its_definition_has(path: Path) -> None:
    check(read(path), "kuberay.json")


@pytest.mark.parametrize("path", KUBERNETES, ids=ids)
@pytest.mark.parametrize("wrong", ["rayVersions", "resource", "number"])
def test_the_definition_refuses_a_misspelled_field_at_any_depth(path: Path, wrong: str) -> None:
    found = read(path)
    spec = cluster_spec(found)
    container = spec["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]
    if wrong == "rayVersions":
        spec["rayVersions"] = spec.pop("rayVersion")
    elif wrong == "resource":
        container["resource"] = container.pop("resources")
    else:
        spec["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0  # Kubernetes takes strings only
    with pytest.raises(jsonschema.ValidationError):
        check(found, "kuberay.json")


def cluster_spec(found: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = found["spec"] if found["kind"] == "RayCluster" else found["spec"]["rayClusterSpec"]
    return spec


def test_the_job_has_the_cluster_of_the_other_file() -> None:
    cluster, job = (cluster_spec(read(CLUSTER / "kubernetes" / f"{name}.yaml")) for name in ("raycluster", "rayjob"))
    assert cluster == job


@pytest.mark.parametrize("path", KUBERNETES, ids=ids)
def test_kueue_admits_the_object_and_its_sizes_are_requested(path: Path) -> None:
    found = read(path)
    assert found["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "facegrid"
    spec = cluster_spec(found)
    assert spec["rayVersion"] == pinned("ray")
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    for group in groups:
        (container,) = group["template"]["spec"]["containers"]
        assert container["image"] == f"facegrid:{VERSION}"
        assert container["resources"]["requests"] == container["resources"]["limits"], "Kueue counts requests"
        assert "/shared" in [mount["mountPath"] for mount in container["volumeMounts"]]
        claims = {volume["name"] for volume in group["template"]["spec"]["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == claims
    if found["kind"] == "RayJob":
        assert found["spec"]["suspend"] is True, "Kueue refuses a job that has begun"
        assert found["spec"]["shutdownAfterJobFinishes"] is True


# -- SkyPilot


def test_the_skypilot_task_is_valid_and_a_misspelled_one_is_not() -> None:
    found = read(CLUSTER / "skypilot.yaml")
    check(found, "skypilot.json")
    for change in ({"node_count": 2}, {"resources": {"gpus": "L4:1"}}, {"num_nodes": "two"}):
        with pytest.raises(jsonschema.ValidationError):
            check({**found, **change}, "skypilot.json")
    assert found["resources"]["image_id"] == f"docker:facegrid:{VERSION}"


# -- compose


def test_the_compose_file_is_valid_and_a_misspelled_one_is_not() -> None:
    found = read(CLUSTER / "compose.yaml")
    check(found, "compose.json")
    for service in found["services"]:
        wrong = copy.deepcopy(found)
        wrong["services"][service]["enviroment"] = {}
        with pytest.raises(jsonschema.ValidationError):
            check(wrong, "compose.json")


def test_every_secret_of_the_compose_file_comes_from_the_environment() -> None:
    text = (CLUSTER / "compose.yaml").read_text(encoding="utf-8")
    found = read(CLUSTER / "compose.yaml")
    named = set(re.findall(r"\$\{(\w+):\?set \1\}", text))
    assert len(named) == 5
    assert set(re.findall(r"\$\{(\w+)", text)) == named, "each variable is required, so that none is empty by mistake"
    for service in found["services"].values():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET", key):
                assert re.fullmatch(r"\$\{\w+:\?set \w+\}", value), key
    comment = text.partition("name:")[0]
    assert all(name in comment for name in named), "the comment lists what to set"


def test_images_that_the_compose_file_builds_are_stages_of_the_dockerfile() -> None:
    stages = re.findall(r"^FROM \S+ AS (\w+)$", (CLUSTER / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    services = read(CLUSTER / "compose.yaml")["services"]
    built = [service for service in services.values() if "build" in service]
    assert len(built) == 2
    for service in built:
        assert service["build"]["target"] in stages
        assert service["image"] == f"facegrid-{service['build']['target']}:{VERSION}"
        assert (CLUSTER / service["build"]["context"]).resolve() == ROOT
    for service in services.values():
        assert re.search(r":[\w.-]*\d", service["image"]), "a version, not the latest"


# -- Dockerfile


def instructions() -> list[list[str]]:
    text = (CLUSTER / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [line.split() for line in joined.splitlines() if line.strip()]


def test_the_dockerfile_copies_all_packages_of_the_wheel_and_what_exists() -> None:
    known = {"FROM", "ENV", "RUN", "COPY", "WORKDIR", "USER", "EXPOSE"}
    found = instructions()
    assert {line[0] for line in found} <= known
    assert found[0][0] == "FROM"
    copied = {name for line in found if line[0] == "COPY" for name in line[1:-1]}
    assert all((ROOT / name).exists() for name in copied)
    wheel = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"])
    assert wheel | {"pyproject.toml", "constraints.txt", "README.md", "LICENSE"} == copied


def test_the_dockerfile_has_a_supported_python_and_the_versions_of_the_constraints() -> None:
    (base,) = (line[1] for line in instructions() if line[0] == "FROM" and line[1] not in ("base",))
    python = base.removeprefix("python:").partition("-")[0]
    low, high = re.findall(r"\d+\.(\d+)", PROJECT["project"]["requires-python"])
    assert int(low) <= int(python.split(".")[1]) < int(high)
    pip = [" ".join(line) for line in instructions() if line[:4] == ["RUN", "python", "-m", "pip"]]
    assert len(pip) == 2
    assert all(extra in pip[0] for extra in ("cluster", "object-store")), "launches on Ray, and stores in buckets"
    assert all("--constraint /opt/constraints.txt" in line for line in pip)
    extras = PROJECT["project"]["optional-dependencies"]
    for line in pip:
        for group in re.findall(r"'\.\[([\w,]+)\]'", line):
            assert set(group.split(",")) <= extras.keys()
    for package in ("mlflow", "psycopg2-binary", "boto3", "uvloop", "httptools"):
        assert pinned(package), "what the server has besides"
    users = [line[1] for line in instructions() if line[0] == "USER"]
    assert "root" not in users
    assert len(users) == 2, "neither image runs as root"


# -- scripts


def scripts() -> dict[str, str]:
    found = {path.name: path.read_text(encoding="utf-8") for path in CLUSTER.glob("*.sh")}
    return found | {"skypilot.yaml": "#!/bin/bash\n" + read(CLUSTER / "skypilot.yaml")["run"]}


@pytest.mark.parametrize("name", ["slurm_array.sh", "slurm_ray.sh", "skypilot.yaml"])
def test_shellcheck_finds_nothing_in_the_scripts(name: str) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck (Debian: apt-get install shellcheck)")
    said = subprocess.run(["shellcheck", "-"], input=scripts()[name], capture_output=True, text=True, check=False)
    assert said.stdout == ""
    assert said.returncode == 0


def test_every_script_is_checked() -> None:
    assert set(scripts()) == {"slurm_array.sh", "slurm_ray.sh", "skypilot.yaml"}


def test_slurm_signals_the_script_itself_before_the_time_limit() -> None:
    """Without ``B:``, only the steps of the job are signaled: neither script starts the command as one."""
    for path in CLUSTER.glob("slurm_*.sh"):
        assert re.findall(r"^#SBATCH --signal=(.*)@\d+$", path.read_text(encoding="utf-8"), re.MULTILINE) == ["B:TERM"], path


# -- all of them


def calls() -> list[tuple[str, str]]:
    """The file and the arguments of every call of facegrid that stands on a line of its own, also in a comment."""
    call = re.compile(r"^(?:# {5}| {4,})(?:.* -- |\w+=\S+ )?facegrid ([a-z].*?)(?: &)?$", re.MULTILINE)
    return [(path.name, found) for path in TEXTS for found in call.findall(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("name", "call"), calls())
def test_every_call_of_facegrid_has_the_arguments_and_options_that_it_needs(name: str, call: str) -> None:
    place, words = command_of(app), shlex.split(call)
    while isinstance(place, TyperGroup):
        place = place.commands[words.pop(0)]
    place.make_context("facegrid", words)


def test_calls_of_facegrid_are_found() -> None:
    assert {name for name, _ in calls()} == {"raycluster.yaml", "rayjob.yaml", "skypilot.yaml", "slurm_array.sh"}


@pytest.mark.parametrize("path", TEXTS, ids=ids)
def test_no_file_has_a_secret_or_the_version_of_another_release(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"AKIA[A-Z0-9]{16}|BEGIN [A-Z ]*PRIVATE KEY|ghp_\w+", text)
    assert not SECRET.search(text)
    versions = set(re.findall(r"\bfacegrid(?:-\w+)?:(\d[\w.]*)", text))
    assert versions <= {VERSION}


def test_the_secret_check_finds_one() -> None:
    assert SECRET.search("POSTGRES_PASSWORD: hunter2hunter2")
