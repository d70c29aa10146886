"""Begins services as copies of one process that has imported what they share, so that a start takes a tenth of a second and not a whole one.

`Nursery` is the supervisor's side. The other side, `python -m quantmatrix.operations.nursery`, reads a job a line from its standard input
(`Job` as JSON) and answers `{"began": pid}` at once and `{"ended": pid, "code": …}` later; it runs one thread and no event loop, so that its
copies begin clean. It keeps nothing: when it dies its services die with it, and the supervisor begins all of them again.
"""

import asyncio
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from setproctitle import setproctitle

from quantmatrix.operations.places import SetUpError
from quantmatrix.operations.processes import Begun, Child, die_with_parent, give_way

SHARED = ("quantmatrix.common.runtime.main", "quantmatrix.common.runtime.service")
"""With all that they import: the most of what a service is made of. What starts threads when it is imported must not be among it."""
BEGIN_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 1.0
TRIES = 3
LOOK_S = 0.01
READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Job:
    """A module to run as a program, with this environment and no other; what it writes is appended to `output`."""

    module: str
    environment: Mapping[str, str]
    output: str
    gives_way: bool


@dataclass(slots=True)
class Born:
    """A process that the nursery began. returncode is negative for a signal, None while the process runs."""

    pid: int
    returncode: int | None = None
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> int:
        await self._ended.wait()
        return 0 if self.returncode is None else self.returncode

    def end(self, code: int) -> None:
        self.returncode = code
        self._ended.set()


class Nursery:
    """The process that services are copies of: opened when it is needed, and again when it died."""

    def __init__(self, output: Path, environment: Mapping[str, str]) -> None:
        self._output, self._environment = output, dict(environment)
        self._one_at_a_time = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._answer: asyncio.Future[Born] | None = None
        self._born: dict[int, Born] = {}

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def begin(self, job: Job) -> Born:
        """A new process. Raises SetUpError when the nursery itself cannot be kept alive."""
        async with self._one_at_a_time:
            for _ in range(TRIES):
                with contextlib.suppress(ConnectionError):
                    return await self._begun(job)
        raise SetUpError(f"the process that services are copies of ends at once; see {self._output}")

    async def _begun(self, job: Job) -> Born:
        await self._open()
        process = self._process
        if process is None or process.stdin is None:
            raise ConnectionError("there is no nursery")
        self._answer = asyncio.get_running_loop().create_future()
        process.stdin.write(json.dumps(asdict(job)).encode() + b"\n")
        try:
            async with asyncio.timeout(BEGIN_TIMEOUT_S):
                await process.stdin.drain()
                return await self._answer
        except TimeoutError:
            process.kill()
            raise ConnectionError(f"the nursery does not answer within {BEGIN_TIMEOUT_S:g} s") from None
        finally:
            self._answer = None

    async def open(self) -> None:
        """Let it import while the supervisor does other things."""
        async with self._one_at_a_time:
            await self._open()

    async def _open(self) -> None:
        if self._listening is not None:
            if not self._listening.done():
                return
            await self._listening
        errors = os.open(self._output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "quantmatrix.operations.nursery",
                env=self._environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                cwd="/",
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        finally:
            os.close(errors)
        self._listening = asyncio.create_task(self._listen(self._process), name="nursery")

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        async for line in process.stdout:
            said = json.loads(line)
            if "began" in said:
                born = self._born[said["began"]] = Born(said["began"])
                if self._answer is not None and not self._answer.done():
                    self._answer.set_result(born)
            else:
                self._born.pop(said["ended"]).end(said["code"])
        await self._buried(process)

    async def _buried(self, process: asyncio.subprocess.Process) -> None:
        """The nursery is gone: its services end with it, and whoever waits for them or for an answer learns it."""
        await process.wait()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the nursery ended"))
        for born in self._born.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(born.pid, signal.SIGKILL)
        for born in self._born.values():
            while _is_there(born.pid):  # noqa: ASYNC110 - its end is told to nobody of ours
                await asyncio.sleep(LOOK_S)
            born.end(-signal.SIGKILL)
        self._born.clear()

    async def stop(self) -> None:
        """End it, and with it what it began that still runs."""
        if self._process is None or self._process.stdin is None or self._listening is None:
            return
        self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._listening


@dataclass(slots=True, kw_only=True)
class ServiceChild(Child):
    """A child that is a copy of the nursery's process; `command` is the one module to run."""

    nursery: Nursery

    async def _begun(self) -> Begun:
        (module,) = self.command
        return await self.nursery.begin(Job(module, self.environment, str(self.output), self.gives_way))


def _is_there(pid: int) -> bool:
    """Whether a process that is not our child still runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def main() -> None:
    """Serve until the supervisor closes its end; in a copy, become the service."""
    for shared in SHARED:
        importlib.import_module(shared)
    gc.collect()
    gc.freeze()  # what is shared stays shared: no copy's collector looks at it
    module = _serve()
    if module is not None:
        runpy.run_module(module, run_name="__main__", alter_sys=True)


def _serve() -> str | None:
    """Begin what is asked for and tell what ends. Returns in each copy with the module to run, in the nursery itself with None."""
    poll, pidfds, rest = select.poll(), dict[int, int](), b""
    poll.register(0, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor:
                _tell_end(pidfds.pop(descriptor), descriptor, poll)
                continue
            read = os.read(0, READ_BYTES)
            if not read:
                return None
            *jobs, rest = (rest + read).split(b"\n")
            for line in jobs:
                job = Job(**json.loads(line))
                parent, pid = os.getpid(), os.fork()
                if not pid:
                    _become(job, parent, list(pidfds))
                    return job.module
                pidfds[pidfd := os.pidfd_open(pid)] = pid
                poll.register(pidfd, select.POLLIN)
                _tell({"began": pid})


def _tell_end(pid: int, pidfd: int, poll: "select.poll") -> None:
    poll.unregister(pidfd)
    os.close(pidfd)
    _tell({"ended": pid, "code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])})


def _tell(said: dict[str, int]) -> None:
    os.write(1, json.dumps(said).encode() + b"\n")


def _become(job: Job, parent: int, pidfds: list[int]) -> None:
    """In the copy: a session, an environment, an output and a name in `ps` of its own, and nothing that belongs to the nursery."""
    give_way() if job.gives_way else die_with_parent()
    if os.getppid() != parent:  # it died before the kernel knew that we want to hear of it
        os._exit(1)
    os.setsid()
    for pidfd in pidfds:
        os.close(pidfd)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(job.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)
    setproctitle(f"{sys.executable} -m {job.module}")  # before the environment changes: it finds its place by that
    os.environ.clear()
    os.environ.update(job.environment)


if __name__ == "__main__":
    main()
