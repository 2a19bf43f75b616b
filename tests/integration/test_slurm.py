"""The scripts for Slurm on a real Slurm of one node: an array of workers with a requeued task, and a launch on Ray."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from launching import GRIDS, PATIENCE, ROOT, Store, environment, here, sound
from loopback import free_port

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")
SCRIPT = ROOT / "cluster" / "slurm_array.sh"
CONFIG = """
ClusterName=facegrid
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/none
CredType=cred/none
SlurmctldPort={controller}
SlurmdPort={node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES State=UP
"""


# Jobs see no process of this machine: `ray symmetric-run` refuses a node on which any Ray runs, such as that of another test.
# The shell reaps orphans: where no process does, `ray stop` waits 16 s for processes that have ended.
OWN_PROCESSES = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", '"$@" & wait', "sh"]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Starts Slurm's two daemons; the folder of their files. A parameter is put before the node's daemon."""
    if not shutil.which("slurmctld"):
        pytest.skip("no Slurm (Debian: apt-get install slurm-wlm)")
    if os.getuid():
        pytest.skip("Slurm's node daemon needs root")
    folder = tmp_path / "slurm"
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    host = socket.gethostname().partition(".")[0]
    settings = {"host": host, "controller": free_port(), "node": free_port(), "folder": folder}
    (folder / "slurm.conf").write_text(CONFIG.format(**settings))
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    daemons = []
    prefix = getattr(request, "param", [])
    try:
        for command in (["slurmctld", "-D", "-c"], [*prefix, "slurmd", "-D", "-N", host]):
            with open(folder / f"{command[0]}.out", "wb") as log:
                daemons.append(subprocess.Popen(command, stdout=log, stderr=log))
        limit = time.monotonic() + 60
        while "idle" not in asked("sinfo", "--noheader", "--format=%T", check=False):
            said = "\n".join(path.read_text(errors="replace") for path in folder.glob("*.log"))
            assert time.monotonic() < limit, said
            time.sleep(0.3)
        yield folder
        asked("scancel", "--user=root", check=False)
        time.sleep(1)
    finally:
        for daemon in reversed(daemons):
            (daemon.kill if prefix else daemon.terminate)()  # unshare ignores the latter, and takes its child along
            daemon.wait(30)


def asked(*command: str, check: bool = True, **more: Any) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=check, **more).stdout.strip()


def tasks() -> dict[str, str]:
    """The array tasks that have not ended: id -> state."""
    return dict(line.split() for line in asked("squeue", "--noheader", "--format=%i %T", "--array").splitlines())


@pytest.mark.slow
def test_an_array_of_workers_with_a_requeued_task_ends_with_every_stage_once(
    slurm: Path, undisturbed: Any, tmp_path: Path, hold: Path
) -> None:
    here(tmp_path, "launch", undisturbed.grid, "--no-run")
    command = tmp_path / "facegrid"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from facegrid import main; main()" "$@"\n')
    command.chmod(0o755)
    more = environment("slurm", FACEGRID=str(command), FACEGRID_TEST_HOLD=str(hold), PYTHONPATH=f"{GRIDS}{os.pathsep}{ROOT}")
    asked("sbatch", "--array=1-2", "--output=task-%a.txt", str(SCRIPT), str(STUDY), cwd=tmp_path, env=more)
    store = Store(tmp_path / STUDY / "store")
    limit = time.monotonic() + PATIENCE

    def said() -> str:
        return "\n".join(path.read_text(errors="replace") for path in tmp_path.glob("task-*.txt"))

    while (half := store.half_trained()) is None:
        assert tasks(), said()
        assert time.monotonic() < limit, said()
        time.sleep(0.2)
    id, claim = half
    job = Path(f"/proc/{claim['pid']}/environ").read_bytes().split(b"\0")
    values = dict(entry.split(b"=", 1) for entry in job if b"=" in entry)
    task = f"{values[b'SLURM_ARRAY_JOB_ID'].decode()}_{values[b'SLURM_ARRAY_TASK_ID'].decode()}"
    before = store.computed_in()
    asked("scontrol", "requeue", task)
    while tasks().get(task) != "PENDING":
        assert time.monotonic() < limit, (tasks(), said())
        time.sleep(0.1)
    asked("scontrol", "update", f"JobId={task}", "StartTime=now")  # otherwise Slurm waits two minutes
    while not store.computed_in() - before:
        assert time.monotonic() < limit, (tasks(), said())
        time.sleep(0.3)
    hold.unlink()
    while tasks():
        assert time.monotonic() < limit + PATIENCE, (tasks(), said())
        time.sleep(0.3)
    assert store.contents() == undisturbed.contents, said()
    attempts = store.attempts()
    assert attempts.pop(("train", id)) == 2
    assert id in store.resumed()
    assert set(attempts.values()) == {1}, attempts
    assert "Traceback" not in said()
    sound(tmp_path / STUDY)


@pytest.mark.slow
@pytest.mark.parametrize("slurm", [OWN_PROCESSES], indirect=True)
def test_a_launch_on_the_nodes_of_a_job_has_a_ray_of_its_own(slurm: Path, undisturbed: Any, tmp_path: Path) -> None:
    command = tmp_path / "facegrid"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from facegrid import main; main()" "$@"\n')
    ray = tmp_path / "bin" / "ray"
    ray.parent.mkdir()
    ray.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ray.scripts.scripts "$@"\n')
    for program in (command, ray):
        program.chmod(0o755)
    more = environment(
        "slurm", FACEGRID=str(command), RAY=str(ray), FACEGRID_RAY_PORT=str(free_port()), RAY_AUTH_MODE="disabled",
        PYTHONPATH=f"{GRIDS}{os.pathsep}{ROOT}",
    )  # fmt: skip
    script = ROOT / "cluster" / "slurm_ray.sh"
    cells = ["--where", "head=narrow,pretraining=none"]
    options = ["--parsable", "--cpus-per-task=2", "--output=launch.txt"]
    job = asked("sbatch", *options, str(script), str(undisturbed.grid), *cells, cwd=tmp_path, env=more)
    limit = time.monotonic() + PATIENCE
    while tasks():  # sbatch --wait looks every 30 s
        assert time.monotonic() < limit, tasks()
        time.sleep(0.3)
    said = (tmp_path / "launch.txt").read_text(errors="replace")
    assert "ExitCode=0:0" in asked("scontrol", "show", "job", job), said
    assert "Ray on 1 node: each unit of work has 1 CPU" in said
    assert "waiting for a node with room" in said
    contents = Store(tmp_path / STUDY / "store").contents()
    assert {key[0] for key in contents} >= {"train", "evaluate", "explain"}
    assert contents.items() <= undisturbed.contents.items()
    assert not ray_processes(more), "Ray ends with the job"


def ray_processes(environment: dict[str, str]) -> list[int]:
    """The processes of the Ray at that port."""
    port = environment["FACEGRID_RAY_PORT"]
    return [
        one.pid for one in psutil.process_iter(["cmdline"]) if any(f":{port}" in word for word in one.info["cmdline"] or ())
    ]


def test_the_script_is_sound_and_says_how_it_is_used() -> None:
    done = subprocess.run(["sh", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.partition(":")[0]) == (2, "usage")
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck (Debian: apt-get install shellcheck)")
    assert asked("shellcheck", str(SCRIPT)) == ""
