"""The script's side of flow: a helper to import, and a runner for nodes without Node.js.

    import flow_task as flow

    state = flow.checkpoint.load(default={"step": 0})
    for step in range(state["step"] + 1, 11):
        work(step, lr=flow.params.lr)
        state["step"] = step
        flow.checkpoint.save(state, step=step)
        flow.progress(step, 10)
        if flow.should_stop(need=60):
            break
    flow.finish(done=state["step"] == 10)

Everything here is sugar on a contract of files, environment variables and one exit code; a program
that uses none of it can do the same. Without flow the same script works too: events and checkpoints
go to ``./output``, nobody asks it to stop, parameters come from ``FLOW_PARAM_*`` if they are set.

The file needs nothing but the standard library of Python 3.8 or later, does no work when it is
imported (modules are imported where they are used, so that importing costs next to nothing), starts
no thread, never uses SIGALRM and saves nothing in a signal handler.

``python3 -IS flow_task.py exec spec.json [DIR]`` is the node-side runner; README.md beside the
package describes its files.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, Iterator, List, NoReturn, Optional, Set, Tuple, TypeVar

    T = TypeVar("T")
    Values = Dict[str, Any]
else:
    Values = dict

__all__ = [
    "CheckpointNotFound",
    "ClusterStateManager",
    "active",
    "checkpoint",
    "done",
    "finish",
    "gpu_load_balance",
    "launch",
    "lease",
    "log_artifact",
    "log_metrics",
    "params",
    "progress",
    "requeue",
    "should_stop",
    "task",
    "time_left",
    "track",
]

#: True when flow started this program.
active: bool = os.environ.get("FLOW") == "1"

#: The parameters of this task, read at first use; see :class:`Params`.
params: Params


def __getattr__(name: str) -> Any:
    if name == "params":
        globals()["params"] = value = _read_params()
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _number(name: str) -> Optional[int]:
    text = os.environ.get(name, "")
    return int(text) if text.isdigit() else None


def _warn(message: str) -> None:
    print(f"flow_task: {message}", file=sys.stderr, flush=True)


# --- the task -------------------------------------------------------------------------------------


class Task:
    """What flow told this program about itself. ``None`` where it does not apply or flow is absent."""

    def __init__(self) -> None:
        text = os.environ.get
        #: Stable over attempts and reruns; a good id for an experiment tracker.
        self.id: Optional[str] = text("FLOW_TASK_ID")
        #: As people read it, such as ``train@lr=0.1``.
        self.name: Optional[str] = text("FLOW_TASK")
        self.run_id: Optional[str] = text("FLOW_RUN_ID")
        #: 1, 2, …
        self.attempt: int = _number("FLOW_ATTEMPT") or 1
        #: Why this attempt: ``first requeue preempt deadline retry host-lost manual promote``.
        self.restart_reason: str = text("FLOW_RESTART_REASON", "first")
        #: The checkpoint directory was not empty when the attempt started.
        self.resume: bool = text("FLOW_RESUME") == "1"
        self.project_dir: str = text("FLOW_PROJECT_DIR") or os.getcwd()
        #: Record folder of this attempt.
        self.task_dir: Optional[str] = text("FLOW_TASK_DIR")
        #: Kept over attempts; ``./output`` without flow.
        self.output_dir: str = text("FLOW_OUTPUT_DIR") or os.path.abspath("output")
        #: Kept over attempts; made when the first checkpoint is written.
        self.checkpoint_dir: str = text("FLOW_CHECKPOINT_DIR") or os.path.join(self.output_dir, "checkpoints")
        #: Node-local scratch.
        self.tmp_dir: str = text("FLOW_TMP_DIR") or text("TMPDIR") or "/tmp"
        #: Ids of the granted GPUs, possibly none.
        self.gpus: List[str] = [gpu for gpu in text("FLOW_GPUS", "").split(",") if gpu]
        self.cpus: Optional[int] = _number("FLOW_CPUS")
        self.mem_mb: Optional[int] = _number("FLOW_MEM_MB")
        #: This process among all of a task on several nodes; 0 of 1 when there is one.
        self.rank: int = _rank()
        self.world_size: int = _number("FLOW_WORLD_SIZE") or _number("WORLD_SIZE") or 1
        self.seed: Optional[int] = _number("FLOW_SEED")
        #: Paths the task shall make, and paths it reads.
        self.targets: List[str] = [path for path in text("FLOW_TARGETS", "").split("\n") if path]
        self.deps: List[str] = [path for path in text("FLOW_DEPS", "").split("\n") if path]
        self.backend: Optional[str] = text("FLOW_BACKEND")
        self.job_id: Optional[str] = text("FLOW_JOB_ID")

    def __repr__(self) -> str:
        return f"Task({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


def task() -> Task:
    """The facts about this task, read from the environment now."""
    return Task()


def _rank() -> int:
    return _number("FLOW_RANK") or _number("RANK") or 0


# --- parameters -----------------------------------------------------------------------------------


class Params(Values):
    """Parameters by attribute or key, nested where their names have dots, and read-only.

    A value has the type its text has in YAML: ``10`` is an int, ``10.`` and ``1e-3`` are floats,
    ``true`` is a bool, ``null`` is ``None``; :meth:`raw` gives the text. It is a dict, so it can be
    passed to ``json.dumps`` or as ``**params``; a parameter that is called like one of the methods
    of a dict is read by key.
    """

    def __init__(self, values: Dict[str, Any], texts: Optional[Dict[str, str]] = None) -> None:
        super().__init__(values)
        self.__dict__["_texts"] = texts or {}

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            known = ", ".join(self) or "none"
            raise AttributeError(f"there is no parameter `{name}`; there are: {known}") from None

    def raw(self, name: str) -> str:
        """The text of a parameter as it was written; `name` may have dots."""
        return str(self.__dict__["_texts"][name])

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("parameters are read-only; copy them with dict(params)")

    __setattr__ = __delattr__ = __setitem__ = __delitem__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse

    def __reduce__(self) -> Tuple[Any, ...]:
        return (Params, (dict(self), self.__dict__["_texts"]))


def _read_params() -> Params:
    path = os.environ.get("FLOW_PARAMS_FILE")
    if path:
        import json

        with open(path, encoding="utf-8") as file:
            return _nest(json.load(file))
    prefix = "FLOW_PARAM_"
    return _nest(
        {
            name[len(prefix) :].lower().replace("__", "."): text
            for name, text in os.environ.items()
            if name.startswith(prefix)
        }
    )


def _nest(flat: Dict[str, Any]) -> Params:
    """Makes a tree of names with dots; texts get the type they have in YAML."""
    tree: Dict[str, Any] = {}
    texts: Dict[str, str] = {}
    for name, value in sorted(flat.items(), key=lambda item: item[0].count(".")):
        if isinstance(value, str):
            texts[name] = value
            value = _scalar(value)
        node, parts = tree, name.split(".")
        for part in parts[:-1]:
            child = node.setdefault(part, {})
            if not isinstance(child, dict):
                # `a` and `a.b` both exist: the longer one keeps its whole name.
                node, parts = tree, [name]
                break
            node = child
        node[parts[-1]] = value
    return _freeze(tree, texts, "")


def _freeze(tree: Dict[str, Any], texts: Dict[str, str], prefix: str) -> Params:
    values = {
        name: _freeze(value, texts, f"{prefix}{name}.") if isinstance(value, dict) else value
        for name, value in tree.items()
    }
    return Params(values, {name[len(prefix) :]: text for name, text in texts.items() if name.startswith(prefix)})


def _scalar(text: str) -> Any:
    """The value a plain scalar has in YAML 1.2; a list or map written in one line is read as JSON."""
    import re

    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text[0] in "tT"
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    if re.fullmatch(r"0o[0-7]+|0x[0-9a-fA-F]+", text):
        return int(text, 0)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text):
        return float(text)
    if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", text):
        return float(text.replace(".", ""))
    if text[0] in "[{":
        import json

        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


# --- events ---------------------------------------------------------------------------------------

_EVENT_BYTES = 4096
_PROGRESS_SECONDS = 0.5


class _Events:
    """Appends JSON lines to this process's events file. Trouble with it never disturbs the program."""

    def __init__(self) -> None:
        self.descriptor: Optional[int] = None
        self.broken = False
        self.torn = False
        self.last_metrics: Dict[str, float] = {}
        self.waiting: Optional[Dict[str, Any]] = None
        self.progress_at = float("-inf")

    def path(self) -> str:
        path = os.environ.get("FLOW_EVENTS") or os.path.join(task().output_dir, "events.0.jsonl")
        rank = _rank()
        if rank and path.endswith(".0.jsonl"):
            path = f"{path[: -len('.0.jsonl')]}.{rank}.jsonl"
        return path

    def emit(self, kind: str, fields: Dict[str, Any]) -> None:
        """Writes one event; a line that would be too long is given up with a warning."""
        import json
        import time

        event = {"k": kind, "t": round(time.time(), 3)}
        event.update((name, value) for name, value in fields.items() if value is not None)
        line = json.dumps(event, separators=(",", ":"), default=_plain).encode() + b"\n"
        if len(line) > _EVENT_BYTES:
            _warn(f"an event of kind {kind} is longer than {_EVENT_BYTES} bytes and was left out")
            return
        try:
            if self.descriptor is None:
                path = self.path()
                os.makedirs(os.path.dirname(path), exist_ok=True)
                self.descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            if self.torn:
                line = b"\n" + line
            self.torn = os.write(self.descriptor, line) < len(line)
        except OSError as error:
            if not self.broken:
                self.broken = True
                _warn(f"events are lost: {error}")

    def metrics(self, name: str, values: Dict[str, Any], step: Optional[int]) -> None:
        """Writes values in as many lines as they need."""
        plain = {str(key): _finite(_plain(value)) for key, value in values.items()}
        self.last_metrics.update(
            (f"{name}.{key}" if name else key, value) for key, value in plain.items() if not isinstance(value, str)
        )
        keys = list(plain)
        for start in range(0, len(keys), 50):
            part = {key: plain[key] for key in keys[start : start + 50]}
            self.emit("metrics", {"step": step, "ns": name or None, "v": part})

    def progress(self, fields: Dict[str, Any], is_last: bool) -> None:
        """Writes progress at most twice a second; the latest of what was held back comes at the end."""
        import time

        now = time.monotonic()
        if self.waiting is None and self.progress_at == float("-inf"):
            import atexit

            atexit.register(self.flush)
        self.waiting = fields
        if is_last or now - self.progress_at >= _PROGRESS_SECONDS:
            self.progress_at = now
            self.flush()

    def flush(self) -> None:
        """Writes the progress that was held back."""
        if self.waiting is not None:
            fields, self.waiting = self.waiting, None
            self.emit("progress", fields)


def _plain(value: Any) -> Any:
    """A number for what behaves like one (NumPy, PyTorch), else text."""
    if isinstance(value, (bool, int, float, str)) or value is None:
        return value
    item = getattr(value, "item", None)
    return item() if callable(item) else str(value)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become text."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    return float(value) if isinstance(value, bool) else value


_events = _Events()


def log_metrics(values: Dict[str, Any], step: Optional[int] = None, name: str = "") -> None:
    """Records numbers, for example ``log_metrics({"loss": 0.3}, step=10, name="train")``."""
    _events.metrics(name, values, step)


def progress(done: float, total: Optional[float] = None, unit: str = "", msg: str = "") -> None:
    """Tells how far the work is. Cheap: call it as often as you like."""
    _events.progress(
        {"done": _plain(done), "total": _plain(total), "unit": unit or None, "msg": msg[:1000] or None},
        total is not None and done >= total,
    )


def track(iterable: Iterable[T], total: Optional[int] = None, unit: str = "it") -> Iterator[T]:
    """Yields the items, reports progress after each, and ends early when a stop is asked for."""
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)  # type: ignore[arg-type]
    for number, item in enumerate(iterable, 1):
        yield item
        progress(number, total, unit)
        if number != total and should_stop():
            return


def log_artifact(path: str, name: Optional[str] = None, kind: Optional[str] = None) -> None:
    """Records that a file or directory is worth keeping; it stays where it is."""
    path = os.path.abspath(path)
    _events.emit("artifact", {"path": path, "name": name or os.path.basename(path), "kind": kind})


# --- checkpoints ----------------------------------------------------------------------------------


class Checkpoints:
    """Saved state of the program, written so that a torn or unfinished one is never loaded.

    The data of a checkpoint has a name that is used once. What makes it count is a small JSON file
    (``NAME-STEP.json``) that says which data belongs to the step and how large it is; it is put in
    place by one rename after the data is safely on disk. Whatever has no such file, or another size,
    was not finished. By default the last two are kept. Every rank of a distributed program that
    writes checkpoints does so under its own ``name``.
    """

    def __init__(self) -> None:
        self._last: Optional[int] = 2
        self._best: Optional[Tuple[str, str]] = None
        #: Checksums of data that is being written, by path.
        self._checksums: Dict[str, int] = {}

    @property
    def dir(self) -> str:
        """The directory; it is made when the first checkpoint is written."""
        return task().checkpoint_dir

    @property
    def step(self) -> Optional[int]:
        """Step of the latest complete checkpoint; ``None`` without one."""
        for found in self._complete("ckpt"):
            return int(found["step"])
        return _number("FLOW_CHECKPOINT_STEP")

    def keep(self, last: Optional[int] = 2, best: Optional[Tuple[str, str]] = None) -> None:
        """How many to keep (``None``: all), and the best one by a logged metric: ``("val.acc", "max")``."""
        if last is not None and last < 1:
            raise ValueError(f"`last` must be at least 1 or None, not {last}")
        if best is not None and best[1] not in ("max", "min"):
            raise ValueError(f"the best is the `max` or the `min` of a metric, not `{best[1]}`")
        self._last, self._best = last, best

    def write(self, step: int, name: str = "ckpt", suffix: str = "") -> _Writing:
        """For ``with checkpoint.write(step) as path:``; make a file or a directory at ``path``.

        It counts when the block is left without an exception. ``suffix`` ends the path, for writers
        that insist on one, such as ``.npz``.
        """
        return _Writing(self, step, name, suffix)

    def save(self, obj: Any, step: int, name: str = "ckpt") -> str:
        """Pickles `obj` as the checkpoint of `step` and gives its path."""
        with self.write(step, name, ".pkl") as path:
            import pickle

            file = _CheckedFile(path)
            try:
                pickle.dump(obj, file, protocol=4)
            finally:
                file.close()
            self._checksums[path] = file.checksum
        return path

    def latest(self, name: str = "ckpt") -> Optional[str]:
        """Path of the latest complete checkpoint; ``None`` without one."""
        for found in self._complete(name):
            return str(found["path"])
        reported = os.environ.get("FLOW_CHECKPOINT")
        return reported if name == "ckpt" and reported and os.path.exists(reported) else None

    def load(self, default: Any = None, name: str = "ckpt") -> Any:
        """What :meth:`save` last saved completely; `default` without one."""
        import pickle

        for found in self._complete(name):
            if found.get("crc") is None:
                continue
            if found["crc"] != _checksum(found["path"]):
                _warn(f"left out a damaged checkpoint: {found['path']}")
                continue
            with open(found["path"], "rb") as file:
                return pickle.load(file)
        if task().resume:
            _warn(f"no complete checkpoint `{name}` in {self.dir}: starting from the beginning")
        return default

    # What follows is for _Writing.

    def _commits(self, name: str) -> List[Dict[str, Any]]:
        """All checkpoints of a name whose JSON file can be read, latest first."""
        import json
        import re

        commits = []
        directory = self.dir
        for entry in _entries(directory):
            if not re.fullmatch(re.escape(name) + r"-\d{12}\.json", entry):
                continue
            try:
                with open(os.path.join(directory, entry), encoding="utf-8") as file:
                    commit = json.load(file)
                commit["commit"] = os.path.join(directory, entry)
                commit["path"] = os.path.join(directory, commit["data"])
                commit["order"] = int(commit["step"])
                commits.append(commit)
            except (OSError, ValueError, KeyError, TypeError):
                _warn(f"left out a damaged checkpoint: {os.path.join(directory, entry)}")
        return sorted(commits, key=lambda commit: commit["order"], reverse=True)

    def _complete(self, name: str) -> Iterator[Dict[str, Any]]:
        for commit in self._commits(name):
            if _size(commit["path"]) == (commit.get("files"), commit.get("bytes")):
                yield commit
            else:
                _warn(f"left out an incomplete checkpoint: {commit['path']}")

    def _commit(self, step: int, name: str, path: str) -> None:
        import json

        _sync(path)
        size = _size(path)
        if size is None:
            raise FileNotFoundError(f"nothing was written to the checkpoint's path {path}")
        best = None if self._best is None else _events.last_metrics.get(self._best[0])
        commit = {
            "version": 1,
            "step": step,
            "name": name,
            "data": os.path.basename(path),
            "files": size[0],
            "bytes": size[1],
            "crc": self._checksums.pop(path, None),
            "best": best,
        }
        directory = os.path.dirname(path)
        final = os.path.join(directory, f"{name}-{step:012d}.json")
        temporary = f"{path}.commit"
        file = _CheckedFile(temporary)
        try:
            file.write(json.dumps(commit).encode() + b"\n")
        finally:
            file.close()
        os.replace(temporary, final)
        _sync_one(directory)
        _events.emit("checkpoint", {"path": path, "step": step})
        self._prune(name)

    def _prune(self, name: str) -> None:
        """Removes what the policy does not keep and what was never finished."""
        import re

        commits = self._commits(name)
        kept = commits if self._last is None else commits[: self._last]
        scored = [commit for commit in commits if isinstance(commit.get("best"), (int, float))]
        if self._best is not None and scored:
            choose = max if self._best[1] == "max" else min
            kept = kept + [choose(scored, key=lambda commit: commit["best"])]
        for commit in commits:
            if commit not in kept:
                _remove(commit["commit"])
                _remove(commit["path"])
        used = {commit["data"] for commit in kept}
        for entry in _entries(self.dir):
            if re.match(re.escape(name) + r"-\d{12}-[0-9a-f]{12}", entry) and entry not in used:
                _remove(os.path.join(self.dir, entry))


class _Writing:
    """One checkpoint being written: a path on entry, a commit on exit without an exception."""

    def __init__(self, owner: Checkpoints, step: int, name: str, suffix: str) -> None:
        if isinstance(step, bool) or int(step) != step or step < 0:
            raise ValueError(f"the step of a checkpoint is a whole number from 0, not {step!r}")
        if not name or not all(c.isalnum() or c in "._-" for c in name) or "/" in suffix:
            raise ValueError(f"a checkpoint's name has letters, digits, `.`, `_` and `-` only, not {name + suffix!r}")
        self._owner, self._step, self._name = owner, int(step), name
        self._path = os.path.join(owner.dir, f"{name}-{self._step:012d}-{os.urandom(6).hex()}{suffix}")

    def __enter__(self) -> str:
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        return self._path

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            _remove(self._path)
            return
        self._owner._commit(self._step, self._name, self._path)


class _CheckedFile:
    """A new file for pickle to write to, with a running checksum; safe on disk when it is closed."""

    def __init__(self, path: str) -> None:
        import zlib

        self._crc32 = zlib.crc32
        self.checksum = 0
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)

    def write(self, data: Any) -> int:
        """Writes all of `data`."""
        view = memoryview(data)
        self.checksum = self._crc32(view, self.checksum)
        while len(view):
            view = view[os.write(self._descriptor, view) :]
        return len(data)

    def close(self) -> None:
        """Puts the data on disk; an error here means that it may not be there."""
        try:
            os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)


def _checksum(path: str) -> int:
    import zlib

    checksum = 0
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            checksum = zlib.crc32(block, checksum)
    return checksum


def _entries(directory: str) -> List[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _size(path: str) -> Optional[Tuple[int, int]]:
    """Number of files and bytes at a path; ``None`` when nothing is there."""
    if os.path.isfile(path):
        return (1, os.path.getsize(path))
    if not os.path.isdir(path):
        return None
    files = [os.path.join(parent, name) for parent, _, names in os.walk(path) for name in names]
    return (len(files), sum(os.path.getsize(file) for file in files))


def _sync(path: str) -> None:
    """Puts a file, or a directory with all it holds, on disk."""
    if os.path.isdir(path):
        for parent, _, names in os.walk(path):
            for name in names:
                _sync_one(os.path.join(parent, name))
            _sync_one(parent)
    elif os.path.exists(path):
        _sync_one(path)


def _sync_one(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        import errno

        # Some network and FUSE file systems cannot sync a directory.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        import shutil

        shutil.rmtree(path, ignore_errors=True)
    else:
        try:
            os.unlink(path)
        except OSError:
            pass


#: The checkpoints of this task.
checkpoint: Checkpoints = Checkpoints()


# --- stopping -------------------------------------------------------------------------------------

_LOOK_SECONDS = 0.1


class _Stop:
    """Whether and why this process was asked to stop. Signal handlers only set a flag here."""

    def __init__(self) -> None:
        self.signal: Optional[int] = None
        self.reason: Optional[str] = None
        #: What should_stop or should_exit last told the program.
        self.told: Optional[str] = None
        self.kill_at: Optional[float] = None
        self.look_at = float("-inf")
        self.is_listening = False

    def listen(self) -> None:
        """Installs handlers for SIGTERM and SIGINT once; others that are there are still called."""
        if self.is_listening:
            return
        self.is_listening = True
        import signal

        for number in (signal.SIGTERM, signal.SIGINT):
            earlier = signal.getsignal(number)
            if earlier == signal.SIG_IGN or earlier is None:
                continue
            chain = earlier if callable(earlier) and earlier is not signal.default_int_handler else None
            try:
                signal.signal(number, self._handler(chain))
            except ValueError:
                # Only the main thread may install handlers; the stop file says the same.
                self.is_listening = False
                return

    def _handler(self, chain: Optional[Callable[..., Any]]) -> Callable[..., Any]:
        def handle(number: int, frame: Any) -> None:
            self.signal = number
            if chain is not None:
                chain(number, frame)

        return handle

    def look(self, need: float) -> Optional[str]:
        """The reason as far as this process can tell; the stop file is looked for ten times a second."""
        import time

        now = time.monotonic()
        if self.reason is None and (now >= self.look_at or self.signal is not None):
            self.look_at = now + _LOOK_SECONDS
            self.reason = self._read_file() or ("shutdown" if self.signal is not None else None)
        if self.reason is None and self.seconds_left() <= need:
            return "deadline"
        return self.reason

    def _read_file(self) -> Optional[str]:
        path = os.environ.get("FLOW_STOP_FILE")
        if not path or not os.path.exists(path):
            return None
        import json
        import time

        try:
            with open(path, encoding="utf-8") as file:
                request = json.load(file)
            if request.get("kill_at") is not None:
                self.kill_at = time.monotonic() + float(request["kill_at"]) - time.time()
            return str(request["reason"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return "user"

    def seconds_left(self) -> float:
        """Seconds until the hard kill; infinity when none is known. A clock set later changes nothing."""
        import time

        if self.kill_at is None:
            try:
                deadline = float(os.environ["FLOW_DEADLINE"])
            except (KeyError, ValueError):
                deadline = float("inf")
            self.kill_at = time.monotonic() + deadline - time.time()
        return self.kill_at - time.monotonic()


_stop = _Stop()


def should_stop(need: float = 0.0, reduce: Optional[Callable[[bool], bool]] = None) -> Optional[str]:
    """The reason why the program shall save its state and finish now; ``None``: go on.

    `need` is how many seconds you still want, to save your state for example: with less than that
    before the deadline the answer is ``deadline``. In a distributed program every rank calls this at
    the same step and passes as `reduce` a function that makes one answer of all ranks' answers (an
    all-reduce with maximum); polling each rank for itself can leave some of them waiting for ever in
    a collective operation.
    """
    if active:
        _stop.listen()
    reason = _stop.look(need)
    if reduce is not None:
        agreed = bool(reduce(reason is not None))
        reason = (reason or "shutdown") if agreed else None
    _stop.told = reason or _stop.told
    return reason


def time_left() -> float:
    """Seconds until the program will be killed; infinity when nothing is known about that."""
    return max(0.0, _stop.seconds_left())


def finish(done: Optional[bool] = None) -> NoReturn:
    """Ends the program with the right exit code.

    When the work is done, with 0; else with the code that makes flow run it again. `done` may be left
    out: then it is done unless should_stop said stop.
    """
    if done is None:
        done = _stop.told is None
    if not done:
        sys.exit(_requeue_code())
    _finished()
    sys.exit(0)


def requeue(reason: str = "") -> NoReturn:
    """Ends the program and asks to be run again."""
    if active:
        _events.emit("requeue", {"reason": reason[:1000] or None})
    sys.exit(_requeue_code())


def done() -> None:
    """Says that the work is complete, whatever kills the program after this."""
    _finished()


def _finished() -> None:
    _events.flush()
    if active:
        _events.emit("done", {})


def _requeue_code() -> int:
    code = _number("FLOW_EXIT_REQUEUE")
    return 75 if code is None else code


class ClusterStateManager:
    """Tells a loop when to stop: after a time, on SIGTERM or SIGINT, or when flow asks.

    ::

        state = ClusterStateManager(time_to_run=3600)
        while step < total and not state.should_exit():
            step += 1
            train(step)
        save(step)
        sys.exit(state.get_exit_code())
    """

    def __init__(self, time_to_run: Optional[float] = None) -> None:
        """`time_to_run`: seconds from now after which the loop shall end, besides flow's own deadline."""
        import time

        self._end = float("inf") if time_to_run is None else time.monotonic() + time_to_run
        self._told: Optional[str] = None
        _stop.listen()

    def should_exit(self) -> bool:
        """Whether the loop shall end now. Cheap enough for every batch."""
        import time

        if self._told is None:
            if time.monotonic() >= self._end:
                self._told = "timer"
            elif _stop.look(0.0) is not None:
                self._told = "stop"
        _stop.told = _stop.told or self._told
        return self._told is not None

    def get_exit_code(self) -> int:
        """The code to exit with: 0 when the loop was never told to end.

        Else the code that asks flow to run the program again. Without flow: 99 under Grid Engine and
        OAR; 3 after the timer and 0 after a signal elsewhere.
        """
        if self._told is None:
            return 0
        if active:
            return _requeue_code()
        if "SGE_TASK_ID" in os.environ or "OAR_JOB_ID" in os.environ:
            return 99
        return 3 if self._told == "timer" else 0


# --- launch: a configuration file, overrides, and a log directory per run ---------------------------


class ConfigError(Exception):
    """A configuration or an override that cannot be used: where, what was expected, what to do."""


class CheckpointNotFound(FileNotFoundError):
    """There is no checkpoint to load; the run starts from the beginning."""


class Config(Values):
    """A configuration: a dict whose keys are attributes too; printed, it is YAML."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the configuration has no `{name}`; it has: {', '.join(self) or 'nothing'}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __repr__(self) -> str:
        return _yaml_text(self)

    def to_dict(self) -> Dict[str, Any]:
        """A plain dict of plain dicts."""
        return {key: value.to_dict() if isinstance(value, Config) else value for key, value in self.items()}

    def update(self, other: Optional[Dict[str, Any]] = None, **more: Any) -> None:
        """Puts values in, maps within maps joined."""
        for key, value in {**(other or {}), **more}.items():
            mine = self.get(key)
            if isinstance(value, dict) and isinstance(mine, Config):
                mine.update(value)
            else:
                self[key] = _as_config(value)


def _as_config(value: Any) -> Any:
    if isinstance(value, dict):
        return Config((key, _as_config(one)) for key, one in value.items())
    return [_as_config(one) for one in value] if isinstance(value, list) else value


class Context:
    """What a launched function is given."""

    def __init__(self, config: Config, mlxp: Config, info: Config, logger: Any) -> None:
        #: The configuration file with the overrides over it.
        self.config = config
        #: Settings of the launch itself, ``logger.parent_log_dir`` and its kin.
        self.mlxp = mlxp
        #: What is known of this run: host, process, start, status, log directory.
        self.info = info
        #: The :class:`Logger` of this run.
        self.logger = logger


def launch(config_path: str = "configs", seeding_function: Optional[Callable[[Any], Any]] = None) -> Any:
    """Makes the function under it the program: ``main(ctx)`` with ``ctx.config``, ``ctx.logger``, ``ctx.info``.

        @flow.launch(config_path="./configs")
        def main(ctx):
            for epoch in range(ctx.config.num_epoch):
                ctx.logger.log_metrics({"epoch": epoch}, log_name="train")

        if __name__ == "__main__":
            main()

    The configuration is ``config.yaml`` in ``config_path`` (beside the program; both are made, empty,
    if they are not there), under flow with the task's parameters of the same names, and the arguments
    ``key=value`` over it: ``optimizer.lr=10. seed=1``. ``+key=value`` adds one, ``~key`` takes one
    away; several values (``lr=1,2``, ``seed=1..5``) run the function for each combination in turn.
    ``seeding_function`` is called with ``config.seed`` first.
    """

    def decorate(function: Callable[[Context], Any]) -> Any:
        import functools

        @functools.wraps(function)
        def main(*arguments: Any) -> Any:
            try:
                settings, combinations = _compose(config_path, function.__code__.co_filename, sys.argv[1:])
                for number, config in enumerate(combinations):
                    _launch_one(function, config, settings, seeding_function, number)
            except ConfigError as error:
                print(f"{os.path.basename(sys.argv[0])}: {error}", file=sys.stderr)
                sys.exit(2)

        return main

    return decorate


def _launch_one(
    function: Callable[[Context], Any],
    config: Config,
    settings: Config,
    seed: Optional[Callable[[Any], Any]],
    number: int,
) -> None:
    import socket
    import time

    program = function.__code__.co_filename
    if seed is not None and "seed" not in config:
        raise ConfigError("the seeding function needs `seed` in the configuration; write `seed: 0` into config.yaml")
    logger = Logger(settings.logger, program, number)
    started = time.localtime()
    info = _as_config(
        {
            "hostname": socket.gethostname(),
            "process_id": os.getpid(),
            "executable": sys.executable,
            "current_file_path": program,
            "start_date": time.strftime("%d/%m/%Y", started),
            "start_time": time.strftime("%H:%M:%S", started),
            "status": "RUNNING",
            "work_dir": os.getcwd(),
            "cmd": " ".join(sys.argv),
            "logger": logger.get_info(),
        }
    )
    logger._write_metadata("config", config)
    logger._write_metadata("mlxp", settings)
    logger._write_metadata("info", info)

    def ended(status: str) -> None:
        now = time.localtime()
        info.update(
            end_date=time.strftime("%d/%m/%Y", now), end_time=time.strftime("%H:%M:%S", now), status=status
        )
        logger._write_metadata("info", info)

    try:
        if seed is not None:
            seed(config.seed)
        function(Context(config, settings, info, logger))
    except SystemExit as leaving:
        # A run that asked to be run again is not over.
        if leaving.code in (None, 0):
            ended("COMPLETE")
        elif leaving.code != _requeue_code():
            ended("FAILED")
        raise
    except BaseException:
        ended("FAILED")
        raise
    ended("COMPLETE")


def _beside(path: str, program: str) -> str:
    return os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(program)), path))


def _compose(config_path: str, program: str, arguments: List[str]) -> Tuple[Config, List[Config]]:
    """The settings of the launch, and a configuration for each combination of the overrides."""
    folder = _beside(config_path, program)
    path = os.path.join(folder, "config.yaml")
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(path):
        open(path, "a").close()
    base = _read_config(path)
    if active:
        for name in list(_leaves(base)):
            value = _lookup(globals().get("params") or __getattr__("params"), name)
            if value is not _MISSING:
                _put(base, name, value)
    settings = _as_config({"logger": {"parent_log_dir": "./logs", "forced_log_id": -1, "log_streams_to_file": False}})
    mlxp = os.path.join(folder, "mlxp.yaml")
    if os.path.exists(mlxp):
        settings.update(_read_config(mlxp))
    choices: List[List[Tuple[str, str, Any]]] = []
    for argument in arguments:
        if argument in ("-m", "--multirun"):
            continue
        choices.append(_read_override(argument, base, path))
    import copy
    import itertools

    combinations = []
    for row in itertools.product(*choices):
        config = copy.deepcopy(base)
        for sign, name, value in row:
            if name.startswith("mlxp."):
                _put(settings, name[len("mlxp.") :], _as_config(value))
            elif sign == "~":
                _drop(config, name)
            else:
                _put(config, name, _as_config(value))
        combinations.append(config)
    return settings, combinations


def _read_override(argument: str, base: Config, path: str) -> List[Tuple[str, str, Any]]:
    """The alternatives one argument stands for: sign, dotted name and value."""
    import re

    match = re.match(r"(\+\+|\+|~)?([A-Za-z_][\w.@/-]*)(?:=(.*))?$", argument, re.DOTALL)
    if match is None or (match.group(3) is None and match.group(1) != "~"):
        raise ConfigError(f"`{argument}` is no override; write key=value, +key=value or ~key")
    sign, name, text = match.group(1) or "", match.group(2), match.group(3)
    if sign in ("", "~") and not name.startswith("mlxp.") and _lookup(base, name) is _MISSING:
        import difflib

        near = difflib.get_close_matches(name, list(_leaves(base)), 1)
        hint = f"did you mean `{near[0]}`?" if near else f"write +{argument} to add it"
        raise ConfigError(f"{os.path.relpath(path)} has no `{name}`; {hint}")
    if text is None:
        return [(sign, name, None)]
    values = _read_values(text)
    if not values or "" in values and len(values) > 1:
        raise ConfigError(f"a value is empty in `{argument}`; take the comma away or put it between quotes")
    return [(sign, name, _read_value(value, argument)) for value in values]


def _read_values(text: str) -> List[str]:
    """The alternatives of ``1,2``, ``choice(1,2)``, ``range(1,5)`` and ``1..5``."""
    import re

    call = re.match(r"(choice|range)\((.*)\)$", text)
    parts = _split(call.group(2) if call else text)
    if call and call.group(1) == "range":
        numbers = [_scalar(part.strip()) for part in parts]
        if not 1 <= len(numbers) <= 3 or not all(isinstance(number, (int, float)) for number in numbers):
            raise ConfigError(f"`{text}` is no range; write range(1,5) or range(start,stop,step)")
        start, stop, step = [0, *numbers, 1] if len(numbers) == 1 else [*numbers, 1][:3]
        count = max(0, -int(-(stop - start) // step)) if step else 0
        if not 1 <= count <= 100000:
            raise ConfigError(f"the range `{text}` has {'no' if count < 1 else 'too many'} values")
        return [repr(start + step * index) for index in range(count)]
    values: List[str] = []
    for part in parts:
        span = re.match(r"(-?\d+)\.\.(-?\d+)$", part)
        if span is None:
            values.append(part)
        elif int(span.group(2)) < int(span.group(1)):
            raise ConfigError(f"the range `{part}` is empty; write {span.group(2)}..{span.group(1)}")
        else:
            values.extend(str(number) for number in range(int(span.group(1)), int(span.group(2)) + 1))
    return values


def _split(text: str) -> List[str]:
    """Cut at commas outside of brackets and quotes; ``\\,`` is a comma of the value."""
    parts, part, depth, quote = [], "", 0, ""
    letters = iter(text)
    for letter in letters:
        if letter == "\\":
            following = next(letters, "")
            part += following if following == "," else letter + following
            continue
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "[{(":
            depth += 1
        elif letter in ")}]":
            depth -= 1
        if letter == "," and depth == 0 and not quote:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [*parts, part]


def _read_value(text: str, argument: str) -> Any:
    try:
        return _Flow(text, 0, "").whole() if text[:1] in ("[", "{", "'", '"') else _scalar(text)
    except _NotYaml as error:
        raise ConfigError(f"`{argument}`: {error}") from None


_MISSING: Any = object()


def _lookup(tree: Any, name: str) -> Any:
    for part in name.split("."):
        if not isinstance(tree, dict) or part not in tree:
            return _MISSING
        tree = tree[part]
    return tree


def _leaves(tree: Dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + str(key)


def _put(tree: Config, name: str, value: Any) -> None:
    *groups, last = name.split(".")
    for group in groups:
        if not isinstance(tree.get(group), Config):
            tree[group] = Config()
        tree = tree[group]
    tree[last] = value


def _drop(tree: Config, name: str) -> None:
    *groups, last = name.split(".")
    for group in groups:
        tree = tree[group]
    del tree[last]


class Logger:
    """Writes what a run finds out to ``logs/<id>``: metadata, metrics and artifacts.

    Without flow every run has a new id, one above the largest. Under flow a task keeps its id over
    retries, requeues and raised budgets, its checkpoints are the task's, and metrics are recorded.
    """

    def __init__(self, settings: Config, program: str, number: int = 0) -> None:
        self.parent_log_dir = _beside(settings.parent_log_dir, program)
        self.log_id = _log_id(self.parent_log_dir, settings.forced_log_id, number)
        self.log_dir = os.path.join(self.parent_log_dir, str(self.log_id))
        self.metrics_dir = os.path.join(self.log_dir, "metrics")
        self.metadata_dir = os.path.join(self.log_dir, "metadata")
        self.artifacts_dir = os.path.join(self.log_dir, "artifacts")
        self._types: Dict[str, Tuple[Any, Any]] = dict(_ARTIFACTS)
        self._keys: Dict[str, Dict[str, str]] = {}
        for folder in (self.metrics_dir, self.metadata_dir, self.artifacts_dir):
            os.makedirs(folder, exist_ok=True)
        if settings.log_streams_to_file:
            sys.stdout = open(os.path.join(self.log_dir, "log.stdout"), "a", buffering=1)
            sys.stderr = open(os.path.join(self.log_dir, "log.stderr"), "a", buffering=1)

    def get_info(self) -> Dict[str, Any]:
        """Where things are."""
        names = ("log_id", "log_dir", "metrics_dir", "metadata_dir", "artifacts_dir")
        return {name: getattr(self, name) for name in names}

    def log_metrics(self, metrics_dict: Dict[str, Any], log_name: str) -> None:
        """Appends numbers or texts as one line of ``metrics/<log_name>.json``."""
        import json

        if log_name in ("info", "config", "mlxp", "artifacts"):
            raise KeyError(f"`{log_name}` cannot name metrics; it names something else in the log directory")
        plain = {str(key): _plain(value) for key, value in metrics_dict.items()}
        keys = self._keys.setdefault(log_name, {})
        if not set(plain) <= set(keys):
            keys.update(dict.fromkeys(plain, ""))
            path = os.path.join(self.metrics_dir, ".keys", f"{log_name}.yaml")
            _write_yaml(path, {**_read_config(path, missing={}), **keys})
        with open(os.path.join(self.metrics_dir, f"{log_name}.json"), "a", encoding="utf-8") as file:
            file.write(json.dumps(plain) + "\n")
        if active:
            steps = [plain.get(name) for name in ("step", "epoch", "iteration")]
            step = next((value for value in steps if isinstance(value, int) and not isinstance(value, bool)), None)
            numbers = {key: value for key, value in plain.items() if isinstance(value, (int, float))}
            _events.metrics(log_name, numbers, step)

    def log_checkpoint(self, checkpoint: Any, log_name: str = "checkpoint") -> None:
        """Saves the state of the run; :meth:`load_checkpoint` gives it back, also in a later attempt."""
        if not (active and os.environ.get("FLOW_CHECKPOINT_DIR")):
            self.log_artifacts(checkpoint, log_name, "pickle")
            return
        name = _checkpoint_name(log_name)
        steps = [int(found["step"]) for found in _checkpoints()._complete(name)]
        with _checkpoints().write(max(steps, default=0) + 1, name, ".pkl") as path:
            _save_pickle(checkpoint, path)
        self._save_artifact(lambda target: _link(path, target), log_name, "pickle")

    def load_checkpoint(self, log_name: str = "checkpoint", root: Optional[str] = None) -> Any:
        """What :meth:`log_checkpoint` saved last; with or without ``.pkl`` is the same name.

        ``root``: the log directory of another run. Without a checkpoint :class:`CheckpointNotFound`;
        one that is there and cannot be read is an error of its own, never a silent new start.
        """
        if root is None and active and os.environ.get("FLOW_CHECKPOINT_DIR"):
            latest = _checkpoints().latest(_checkpoint_name(log_name))
            if latest is not None:
                return _load_pickle(latest)
        folder = os.path.join(root or self.log_dir, "artifacts", "pickle")
        stem = log_name[: -len(".pkl")] if log_name.endswith(".pkl") else log_name
        for folder in (folder, root or folder):
            for name in (log_name, stem, f"{stem}.pkl"):
                path = os.path.join(folder, name)
                if not os.path.isfile(path):
                    continue
                try:
                    return _load_pickle(path)
                except Exception as error:
                    _warn(f"the checkpoint {path} cannot be read: {error!r}")
                    raise
        raise CheckpointNotFound(f"there is no checkpoint `{log_name}` in {folder}")

    def log_artifacts(self, artifact: Any, artifact_name: str, artifact_type: str) -> None:
        """Saves an object as ``artifacts/<artifact_type>/<artifact_name>``: pickle, numpy, torch, image, or a type of your own."""
        save, _ = self._type(artifact_type)
        self._save_artifact(lambda path: save(artifact, path), artifact_name, artifact_type)

    def _save_artifact(self, save: Callable[[str], None], artifact_name: str, artifact_type: str) -> None:
        path = os.path.join(self.artifacts_dir, artifact_type, artifact_name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # In a folder of its own: writers add endings of their own to a name.
        draft = f"{path}.{os.getpid()}.tmp"
        os.makedirs(draft, exist_ok=True)
        try:
            save(os.path.join(draft, os.path.basename(path)))
            made = os.listdir(draft)
            if len(made) != 1:
                raise OSError(f"saving `{artifact_name}` as {artifact_type} made {len(made)} files, not one")
            _sync(os.path.join(draft, made[0]))
            os.replace(os.path.join(draft, made[0]), path)
        finally:
            _remove(draft)
        keys = os.path.join(self.artifacts_dir, ".keys", "artifacts.yaml")
        known = _read_config(keys, missing={})
        folder = os.path.dirname(artifact_name)
        group = known.setdefault(artifact_type, Config()).setdefault("." + folder.replace("/", ".") if folder else "", Config())
        if os.path.basename(artifact_name) not in group:
            group[os.path.basename(artifact_name)] = ""
            _write_yaml(keys, known)
        if active:
            log_artifact(path, artifact_name, artifact_type)

    def load_artifacts(self, artifact_name: str, artifact_type: Optional[str] = None, root: Optional[str] = None) -> Any:
        """The object that was saved under this name; ``root``: the log directory of another run."""
        folder = os.path.join(root or self.log_dir, "artifacts")
        types = [artifact_type] if artifact_type else _entries(folder)
        for kind in types:
            path = os.path.join(folder, kind, artifact_name)
            if os.path.exists(path):
                return self._type(kind)[1](path)
        raise FileNotFoundError(f"there is no artifact `{artifact_name}` in {folder}")

    def register_artifact_type(self, name: str, save: Callable[[Any, str], None], load: Callable[[str], Any]) -> None:
        """Makes a type of artifacts of one's own: how to save an object to a path, how to load it."""
        self._types[name] = (save, load)

    def _type(self, name: str) -> Tuple[Any, Any]:
        if name not in self._types:
            raise KeyError(f"there is no type of artifacts `{name}`; there are: {', '.join(self._types)}")
        return self._types[name]

    def _write_metadata(self, name: str, values: Config) -> None:
        _write_yaml(os.path.join(self.metadata_dir, f"{name}.yaml"), values)


def _checkpoints() -> Checkpoints:
    return checkpoint


def _checkpoint_name(log_name: str) -> str:
    import re

    stem = log_name[: -len(".pkl")] if log_name.endswith(".pkl") else log_name
    return re.sub(r"[^\w.]", "_", stem)


def _log_id(parent: str, forced: int, number: int) -> int:
    """A new directory's number, or the one this task has had before."""
    os.makedirs(parent, exist_ok=True)
    if forced >= 0:
        return int(forced)
    kept = os.path.join(task().output_dir, "log_id") if active and number == 0 else None
    if kept is not None:
        try:
            with open(kept, encoding="utf-8") as file:
                known, where = file.read().split("\n")[:2]
            if where == parent and os.path.isdir(os.path.join(parent, known)):
                return int(known)
        except (OSError, ValueError):
            pass
    while True:
        identity = max([int(name) for name in _entries(parent) if name.isdigit()], default=0) + 1
        try:
            os.mkdir(os.path.join(parent, str(identity)))
            break
        except FileExistsError:
            continue
    if kept is not None:
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        with open(kept, "w", encoding="utf-8") as file:
            file.write(f"{identity}\n{parent}\n")
    return identity


def _pickler() -> Any:
    import pickle

    try:
        import dill  # saves more than pickle does; used where it is installed
    except ImportError:
        return pickle
    return dill


def _link(path: str, target: str) -> None:
    """A second name where the file system has them, else a copy."""
    try:
        os.link(path, target)
    except OSError:
        import shutil

        shutil.copyfile(path, target)


def _save_pickle(obj: Any, path: str) -> None:
    with open(path, "wb") as file:
        _pickler().dump(obj, file)


def _load_pickle(path: str) -> Any:
    with open(path, "rb") as file:
        return _pickler().load(file)


def _save_numpy(obj: Any, path: str) -> None:
    import numpy

    numpy.savez(path, **obj)


def _load_numpy(path: str) -> Any:
    import numpy

    return numpy.load(path)


def _save_torch(obj: Any, path: str) -> None:
    import torch

    torch.save(obj, path)


def _load_torch(path: str) -> Any:
    import torch

    return torch.load(path)


def _save_image(obj: Any, path: str) -> None:
    obj.savefig(path, bbox_inches="tight")


def _load_image(path: str) -> Any:
    from matplotlib import image

    return image.imread(path)


_ARTIFACTS = {
    "pickle": (_save_pickle, _load_pickle),
    "numpy": (_save_numpy, _load_numpy),
    "torch": (_save_torch, _load_torch),
    "image": (_save_image, _load_image),
}


# --- YAML: as much of it as configuration files need ------------------------------------------------


class _NotYaml(ValueError):
    """Text that cannot be read, with its line when it is in a file."""


class _BeyondYaml(_NotYaml):
    """YAML that only a whole reader understands."""


def _read_config(path: str, missing: Optional[Dict[str, Any]] = None) -> Config:
    """A configuration file; `missing` when there is none and that is fine."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except FileNotFoundError:
        if missing is None:
            raise
        return _as_config(missing)
    except UnicodeDecodeError:
        raise ConfigError(f"{os.path.relpath(path)} is not UTF-8 text; save it in UTF-8") from None
    try:
        tree = _Yaml(text).document()
    except _BeyondYaml as error:
        tree = _read_with_pyyaml(text, path, error)
    except _NotYaml as error:
        raise ConfigError(f"{os.path.relpath(path)}:{error}") from None
    if tree is None:
        return Config()
    if not isinstance(tree, dict):
        raise ConfigError(f"{os.path.relpath(path)}:1: expected `name: value` lines, found {type(tree).__name__}")
    return _as_config(tree)


def _read_with_pyyaml(text: str, path: str, problem: _BeyondYaml) -> Any:
    try:
        import yaml
    except ImportError:
        raise ConfigError(f"{os.path.relpath(path)}:{problem}; write it plainly, or install PyYAML") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{os.path.relpath(path)}: {error}") from None


class _Yaml:
    """Maps, lists, and values in one line; whatever else there is is said to be beyond it."""

    def __init__(self, text: str) -> None:
        self.lines: List[Tuple[int, str, int]] = []
        for number, line in enumerate(text.split("\n"), 1):
            content = _without_comment(line.rstrip("\r"))
            body = content.strip(" ")
            if not body or (body == "---" and not self.lines):
                continue
            indent = len(content) - len(content.lstrip(" "))
            if body[0] == "\t":
                raise _NotYaml(f"{number}: a line is indented by a tab; use spaces")
            self.lines.append((indent, body, number))
        self.at = 0

    def document(self) -> Any:
        if not self.lines:
            return None
        value = self.block(self.lines[0][0])
        if self.at < len(self.lines):
            raise _NotYaml(f"{self.lines[self.at][2]}: this line is indented less than what it belongs to")
        return value

    def block(self, indent: int) -> Any:
        _, body, number = self.lines[self.at]
        if body == "-" or body.startswith("- "):
            return self.sequence(indent)
        if _key_of(body) is not None:
            return self.mapping(indent)
        self.at += 1
        return self.value(body, number, indent)

    def mapping(self, indent: int) -> Dict[str, Any]:
        result: Dict[str, Any] = {}
        while self.at < len(self.lines) and self.lines[self.at][0] >= indent:
            depth, body, number = self.lines[self.at]
            found = _key_of(body)
            if depth > indent:
                raise _NotYaml(f"{number}: this line is indented more than the one before it")
            if found is None:
                raise _NotYaml(f"{number}: expected `name: value`, found `{body}`")
            key, rest = found
            if key in result:
                raise _NotYaml(f"{number}: `{key}` is there twice")
            if key == "<<" or key[:1] in ("?", "!", "&", "*"):
                raise _BeyondYaml(f"{number}: `{key}` is not understood here")
            self.at += 1
            if rest:
                result[key] = self.value(rest, number, indent)
                continue
            following = self.lines[self.at] if self.at < len(self.lines) else (-1, "", 0)
            is_list = following[0] == indent and (following[1] == "-" or following[1].startswith("- "))
            result[key] = self.block(following[0]) if following[0] > indent or is_list else None
        return result

    def sequence(self, indent: int) -> List[Any]:
        result: List[Any] = []
        while self.at < len(self.lines):
            depth, body, number = self.lines[self.at]
            if depth != indent or not (body == "-" or body.startswith("- ")):
                break
            rest = body[1:].lstrip(" ")
            if not rest:
                self.at += 1
                deeper = self.at < len(self.lines) and self.lines[self.at][0] > indent
                result.append(self.block(self.lines[self.at][0]) if deeper else None)
                continue
            if rest == "-" or rest.startswith("- ") or (_key_of(rest) is not None and rest[0] not in "{["):
                inner = indent + len(body) - len(rest)
                self.lines[self.at] = (inner, rest, number)
                result.append(self.block(inner))
            else:
                self.at += 1
                result.append(self.value(rest, number, indent))
        return result

    def value(self, text: str, number: int, indent: int) -> Any:
        if text[0] in "&*!|>%@`":
            raise _BeyondYaml(f"{number}: `{text}` is not understood here")
        if text[0] in "[{'\"":
            return _Flow(text, number, f"{number}: ").whole()
        following = self.lines[self.at] if self.at < len(self.lines) else None
        is_more = following is not None and following[0] > indent and not following[1].startswith("-")
        if is_more and following is not None and _key_of(following[1]) is None:
            raise _BeyondYaml(f"{following[2]}: a text over several lines is not understood here")
        return _scalar(text)


def _without_comment(line: str) -> str:
    if "#" not in line:
        return line
    import re

    # A quote opens a text only where a value may begin; a # begins a comment behind a blank.
    texts = r"""(?<![^\s\[{,:])(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|(?:^|(?<=\s))(#)"""
    for match in re.finditer(texts, line):
        if match.group(1):
            return line[: match.start(1)]
    return line


def _key_of(body: str) -> Optional[Tuple[str, str]]:
    import re

    match = re.match(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'\[\]{},#&*!|>%@`-][^#]*?|-[^\s:][^#]*?)\s*:(?:\s+(.*))?$""", body)
    if match is None:
        return None
    key = match.group(1)
    text = _Flow(key, 0, "").whole() if key[0] in "'\"" else key
    return str(text), (match.group(2) or "").strip()


class _Flow:
    """Values in one line: ``[1, 2]``, ``{a: 1}``, texts between quotes."""

    def __init__(self, text: str, number: int, place: str) -> None:
        self.text, self.place, self.at = text, place, 0

    def whole(self) -> Any:
        value = self.one("")
        self.skip()
        if self.at < len(self.text):
            raise _NotYaml(f"{self.place}nothing may follow `{self.text[:self.at]}`, found `{self.text[self.at:]}`")
        return value

    def skip(self) -> None:
        while self.text[self.at : self.at + 1] == " ":
            self.at += 1

    def one(self, ends: str) -> Any:
        self.skip()
        letter = self.text[self.at : self.at + 1]
        if letter == "[":
            return self.many("]")
        if letter == "{":
            return dict(self.many("}"))
        if letter and letter in "'\"":
            return self.quoted(letter)
        start = self.at
        while self.at < len(self.text) and not (self.text[self.at] in ends or self.pair(ends)):
            self.at += 1
        return _scalar(self.text[start : self.at].strip())

    def pair(self, ends: str) -> bool:
        return "}" in ends and self.text[self.at] == ":" and self.text[self.at + 1 : self.at + 2] in ("", " ", "}")

    def many(self, end: str) -> List[Any]:
        self.at += 1
        found: List[Any] = []
        while True:
            self.skip()
            if self.text[self.at : self.at + 1] == end:
                self.at += 1
                return found
            item = self.one("," + end)
            self.skip()
            if end == "}":
                if self.text[self.at : self.at + 1] != ":":
                    raise _NotYaml(f"{self.place}expected `name: value` in `{self.text}`")
                self.at += 1
                item = (str(item), self.one(",}"))
                self.skip()
            found.append(item)
            letter = self.text[self.at : self.at + 1]
            if letter == ",":
                self.at += 1
            elif letter != end:
                raise _NotYaml(f"{self.place}`{self.text}` lacks its `{end}`")

    def quoted(self, mark: str) -> str:
        import re

        pattern = r"'((?:[^']|'')*)'" if mark == "'" else r'"((?:[^"\\]|\\.)*)"'
        match = re.compile(pattern).match(self.text, self.at)
        if match is None:
            raise _NotYaml(f"{self.place}a {mark} is not closed in `{self.text}`")
        self.at = match.end()
        if mark == "'":
            return match.group(1).replace("''", "'")
        import json

        try:
            return str(json.loads(match.group(0), strict=False))
        except ValueError:
            raise _NotYaml(f"{self.place}an escape in `{match.group(0)}` is not understood") from None


def _yaml_text(tree: Any, indent: str = "") -> str:
    """A tree as YAML that every reader takes for the same values."""
    lines = []
    for key, value in tree.items():
        name = _yaml_scalar(str(key))
        if isinstance(value, dict) and value:
            lines.append(f"{indent}{name}:\n{_yaml_text(value, indent + '  ')}")
        else:
            lines.append(f"{indent}{name}: {_yaml_inline(value)}\n")
    return "".join(lines)


def _yaml_inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_yaml_scalar(str(key))}: {_yaml_inline(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_yaml_inline(one) for one in value) + "]"
    return _yaml_scalar(_plain(value))


def _yaml_scalar(value: Any) -> str:
    import json
    import re

    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        text = repr(value)
        if value != value or text in ("inf", "-inf"):
            return {"inf": ".inf", "-inf": "-.inf"}.get(text, ".nan")
        # Readers of YAML 1.1 take 1e-05 for a text.
        return re.sub(r"^(-?\d+)e", r"\1.0e", text)
    if isinstance(value, int):
        return str(value)
    plain = re.fullmatch(r"[A-Za-z_/.][\w ./+-]*", value) and value == value.strip()
    words = ("y", "n", "yes", "no", "on", "off")
    if plain and isinstance(_scalar(value), str) and value.lower() not in words:
        return str(value)
    return json.dumps(value)


def _write_yaml(path: str, tree: Dict[str, Any]) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}.{os.getpid()}.tmp"
    with open(draft, "w", encoding="utf-8") as file:
        file.write(_yaml_text(tree) or "{}\n")
    os.replace(draft, path)


# --- GPUs -----------------------------------------------------------------------------------------
#
# A lease of part of a GPU from flow's broker, for programs that flow did not start.


class GpuError(RuntimeError):
    """No lease could be had; `code` says why as the broker does (``NO_GPU``, ``TOO_BIG`` …)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class lease:
    """A right to part of a GPU for the time of a ``with`` block.

    Waits until the broker grants it, then shows this process the GPU through CUDA_VISIBLE_DEVICES;
    so enter it before anything has used CUDA. Inside another lease (``flow gpu run``, a task on the
    `gpu` backend) that one is used. The kernel frees it when this process and all that it forked
    have ended, however they end.
    """

    def __init__(
        self,
        gpus: float = 1,
        memory: Optional[int] = None,
        name: Optional[str] = None,
        alone: bool = False,
        required: bool = True,
    ) -> None:
        """`memory` in bytes; without it what earlier runs under `name` needed. With
        ``required=False`` the block also runs, as things are, where there is no broker."""
        self._wish = {"gpus": gpus, "bytes": memory, "alone": alone or None}
        self._name = name or os.path.basename(sys.argv[0] or "python")
        self._required = required
        self._socket: Any = None
        self._saved: Dict[str, Optional[str]] = {}
        self._id = ""
        self._secret = ""
        #: UUIDs of the granted GPUs.
        self.gpus: List[str] = []
        #: True when nobody knows yet what jobs of this name need.
        self.cold = False

    def __enter__(self) -> lease:
        if os.environ.get("FLOW_GPU_LEASE"):
            self.gpus = [gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]
            return self
        torch: Any = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            raise GpuError("TOO_LATE", "CUDA is in use already: enter lease() before anything uses the GPU")
        try:
            self._acquire()
        except GpuError as error:
            self._close()
            if self._required or error.code != "NO_BROKER":
                raise
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._socket is None:
            return
        report: Dict[str, Any] = {"m": "release", "lease": self._id, "succeeded": error is None}
        text = "%s: %s" % (getattr(kind, "__name__", ""), error)
        if error is not None and any(sign in text for sign in _OUT_OF_MEMORY):
            report["outOfMemory"] = {"strength": "strong", "line": text[:500]}
        torch: Any = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            report["peakBytes"] = int(torch.cuda.max_memory_reserved())
        try:
            try:
                self._tell(report)
            except (OSError, GpuError):
                # The broker was started again meanwhile, and keeps the lease for this process.
                self._socket.close()
                self._socket = _connect_broker(may_start=False)
                self._send({"m": "rebind", "lease": self._id, "secret": self._secret})
                self._receive("rebound")
                self._tell(report)
        except (OSError, GpuError):
            pass  # The lease ends with this process all the same.
        self._close()

    def _tell(self, report: Dict[str, Any]) -> None:
        self._send(report)
        self._receive("released")

    def _acquire(self) -> None:
        import time

        wish = {name: value for name, value in self._wish.items() if value is not None}
        request: Dict[str, Any] = {"m": "acquire", "proto": 1, "label": self._name}
        request["keys"] = ["type %s" % self._name]
        request.update(wish, inProcess=True)
        start = time.monotonic()
        for ends in range(1, 6):
            self._socket = _connect_broker()
            # Where a broker ends meanwhile the next one is asked, and the place in the queue is kept.
            request["sinceFirstMs"] = (time.monotonic() - start) * 1000
            try:
                self._send(request)
                granted = self._receive("granted")
                break
            except (OSError, GpuError) as error:
                self._socket.close()
                if ends == 5 or isinstance(error, GpuError) and error.code != "NO_BROKER":
                    raise
        self._id, self._secret, self.cold = granted["lease"], granted["secret"], granted["cold"]
        self.gpus = [card["id"] for card in granted["cards"]]
        names = ",".join(self.gpus)
        self._set("FLOW_GPU_LEASE", self._id)
        self._set("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        self._set("CUDA_VISIBLE_DEVICES", names)
        self._set("FLOW_GPU_COUNT", str(len(self.gpus)))
        self._set("FLOW_GPU_MEM_MB", str(granted["bytes"] // 2**20))
        for name, value in (("TF_FORCE_GPU_ALLOW_GROWTH", "true"), ("XLA_PYTHON_CLIENT_PREALLOCATE", "false")):
            if name not in os.environ:
                self._set(name, value)

    def _set(self, name: str, value: str) -> None:
        self._saved[name] = os.environ.get(name)
        os.environ[name] = value

    def _send(self, message: Dict[str, Any]) -> None:
        import json

        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def _receive(self, kind: str) -> Dict[str, Any]:
        import json

        line = b""
        while True:
            byte = self._socket.recv(1)
            if not byte:
                raise GpuError("NO_BROKER", "the GPU broker has ended")
            line += byte
            if byte != b"\n":
                continue
            message: Dict[str, Any] = json.loads(line)
            line = b""
            if message["m"] == "error":
                raise GpuError(message["code"], message["message"])
            if message["m"] == kind:
                return message

    def _close(self) -> None:
        for name, value in self._saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._saved = {}
        if self._socket is not None:
            self._socket.close()
            self._socket = None


_OUT_OF_MEMORY = ("CUDA out of memory", "OutOfMemoryError", "RESOURCE_EXHAUSTED", "OOM when allocating")


def _broker_socket() -> str:
    named = os.environ.get("FLOW_GPU_SOCKET")
    if named:
        return named
    if os.path.exists("/run/flow-gpu/gpu.sock"):
        return "/run/flow-gpu/gpu.sock"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return os.path.join(runtime, "flow", "gpu.sock")
    state = os.environ.get("FLOW_GPU_STATE")
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state or os.path.join(home, "flow", "gpu"), "gpu.sock")


def _connect_broker(may_start: bool = True) -> Any:
    import shutil
    import socket
    import subprocess

    for is_last in (False, True):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(_broker_socket())
            # What this process forks keeps the lease; what it starts anew does not need it.
            return connection
        except OSError as error:
            connection.close()
            flow = shutil.which("flow") if may_start else None
            if is_last or flow is None:
                message = "no GPU broker can be reached (%s); start one with `flow gpu start`" % error
                raise GpuError("NO_BROKER", message) from None
            subprocess.run([flow, "gpu", "start"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    raise AssertionError


def gpu_load_balance(function: Any = None, **wish: Any) -> Any:
    """Runs a function under a :class:`lease`, as a decorator with or without arguments.

        @flow.gpu_load_balance()
        def train(rate): ...

        @train.profile
        def short_train(rate): ...

    Its exceptions are its own. The function named by ``.profile`` is a light stand-in with the same
    arguments: it runs once before the first run, so that its memory is known early.
    """
    import functools

    def decorate(wrapped: Any) -> Any:
        light: List[Any] = []
        name = wish.pop("name", None) or "%s::%s" % (os.path.basename(sys.argv[0] or ""), wrapped.__name__)

        @functools.wraps(wrapped)
        def run(*args: Any, **options: Any) -> Any:
            for stand_in in light:
                with lease(name=name, **wish) as held:
                    if not held.cold:
                        return wrapped(*args, **options)
                    stand_in(*args, **options)
            with lease(name=name, **wish):
                return wrapped(*args, **options)

        def profile(stand_in: Any) -> Any:
            light[:] = [stand_in]
            return stand_in

        setattr(run, "profile", profile)
        return run

    return decorate if function is None else decorate(function)


# --- the node-side runner -------------------------------------------------------------------------

_SHELLS = ("sh", "dash", "bash", "ash", "busybox", "ksh", "mksh", "zsh")
_NODE_SIGNALS = ("TERM", "INT", "HUP", "USR1", "USR2", "CONT")


class _SpecError(Exception):
    """The specification cannot be run; the text says why."""


class _Refused(Exception):
    """Something of the attempt could not be had: the word for ``exit``, and a sentence."""

    def __init__(self, word: str, sentence: str) -> None:
        super().__init__(sentence)
        self.word = word


class _Processes:
    """The processes of one attempt, found through /proc."""

    def __init__(self, directory: str) -> None:
        self._mark = os.fsencode(f"FLOW_ATTEMPT_DIR={directory}")

    def tree(self, program: int) -> List[int]:
        """Live processes with the attempt's mark, of the program's group, or below one of these."""
        own = os.getpid()
        parents: Dict[int, int] = {}
        found: Set[int] = set()
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == own:
                continue
            pid = int(entry)
            stat = _stat(pid)
            if stat is None or stat[0] in "ZX":
                continue
            parents[pid] = int(stat[1])
            if pid == program or int(stat[2]) == program or self._is_marked(pid):
                found.add(pid)
        grown = True
        while grown:
            below = {pid for pid, parent in parents.items() if parent in found and pid not in found}
            found |= below
            grown = bool(below)
        return sorted(found)

    def _is_marked(self, pid: int) -> bool:
        return self._mark in _read(f"/proc/{pid}/environ").split(b"\0")

    def kill(self, program: int) -> None:
        """Kills the whole tree, again and again until nothing is found, because a process may fork meanwhile.

        Nothing must be found twice: a process that is about to become another program has no environment for a moment.
        """
        import signal
        import time

        is_sure = True
        for _ in range(100):
            pids = self.tree(program)
            for pid in pids:
                _send(pid, signal.SIGKILL)
            if not pids and is_sure:
                return
            is_sure = not pids
            time.sleep(0.02)

    def deliver(self, pid: int, number: int, reached: Set[Tuple[int, str]], idle: Set[int]) -> bool:
        """Sends a signal to the program: a shell around it would die of it and take the code along.

        Not to processes in ``reached``, where it notes those that had it. False where it could not be heard: by a program
        that ignores it, maybe because it is about to reset what it inherited, by a child that has ended before its shell
        goes on, and by a shell that may be about to leave with the code of its last command; ``idle`` has those shells.
        """
        stat = _stat(pid)
        if stat is None or stat[0] in "ZX":
            # There is nobody to tell where it is the program itself.
            return stat is not None and int(stat[1]) == os.getpid()
        if (pid, stat[19]) in reached:
            return True
        if _read(f"/proc/{pid}/comm").decode().strip() in _SHELLS and not int(stat[31]) >> (number - 1) & 1:
            children = [int(child) for child in _read(f"/proc/{pid}/task/{pid}/children").split()]
            if children:
                idle.discard(pid)
                return all([self.deliver(child, number, reached, idle) for child in children])
            if pid not in idle:
                idle.add(pid)
                return False
        _send(pid, number)
        if int(stat[30]) >> (number - 1) & 1:
            return False
        reached.add((pid, stat[19]))
        return True

    def memory_kib(self, program: int) -> int:
        """Resident memory of the whole tree now."""
        pages = 0
        for pid in self.tree(program):
            fields = _read(f"/proc/{pid}/statm").split()
            pages += int(fields[1]) if len(fields) > 1 else 0
        return pages * (os.sysconf("SC_PAGE_SIZE") // 1024)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""


def _stat(pid: int) -> Optional[List[str]]:
    """Fields of /proc/PID/stat after the command name: state, parent, group, session, …"""
    text = _read(f"/proc/{pid}/stat").decode("latin-1")
    return text[text.rindex(")") + 2 :].split() if ")" in text else None


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        pass


def _words(**pairs: Any) -> bytes:
    return (" ".join(f"{name}={'-' if value is None else value}" for name, value in pairs.items()) + "\n").encode()


def _uptime() -> Optional[str]:
    return _read("/proc/uptime").decode().split(" ")[0] or None


class _Runner:
    """Runs one attempt from its specification; README.md has the files and the promises."""

    def __init__(self, directory: str) -> None:
        import signal
        import time

        self.signal, self.clock = signal, time.monotonic
        self.dir = directory
        self.began = self.clock()
        self.code, self.ended_by, self.action, self.leaky, self.peak_kib = 0, 0, 0, 0, 0
        self.stopped: Optional[str] = None
        self.cause: Optional[str] = None
        self.error: Optional[str] = None
        self.program: Optional[int] = None
        self.kill_at = self.timeout_at = self.action_timeout_at = self.deadline_at = self.look_at = float("inf")
        self.is_killed = False
        # Who had the stop signal, while the program that ran then does; shells around it that had no child.
        self.reached: Optional[Set[Tuple[int, str]]] = None
        self.idle: Set[int] = set()
        self.stop_file = ""

    # The claim and the result.

    def claim(self) -> None:
        """Creates ``started``; leaves with 97 when it is there already."""
        stat = _stat(os.getpid())
        line = _words(
            pid=os.getpid(),
            start=stat[19] if stat else None,
            boot=_read("/proc/sys/kernel/random/boot_id").decode().strip() or None,
            host=os.uname().nodename.replace(" ", "_") or None,
            uptime=_uptime(),
            runner="python",
        )
        path = os.path.join(self.dir, "started")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            sys.exit(97)
        except OSError as error:
            _usage(f"cannot create {path}: {error.strerror}")
        try:
            if os.write(descriptor, line) < len(line):
                raise OSError("the disk is full")
        except OSError as error:
            os.unlink(path)
            _usage(f"cannot write {path}: {error}")
        os.close(descriptor)

    def write_exit(self) -> None:
        """Writes the result; a full disk may have room again in a moment, and it is worth waiting."""
        import time

        used = os.times()
        line = _words(
            code=self.code,
            signal=self.ended_by,
            stopped=self.stopped,
            cause=self.cause,
            action=self.action,
            leaky=self.leaky,
            error=self.error,
            uptime=_uptime(),
            wall=f"{self.clock() - self.began:.2f}",
            user=f"{used.children_user:.2f}",
            sys=f"{used.children_system:.2f}",
            rss=self.peak_kib or None,
        )
        for _ in range(30):
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
                descriptor = os.open(os.path.join(self.dir, "exit"), flags, 0o666)
                try:
                    if os.write(descriptor, line) == len(line):
                        return
                finally:
                    os.close(descriptor)
            except OSError:
                pass
            time.sleep(1)

    def say(self, sentence: str) -> None:
        """Tells the reader of the attempt's log."""
        with open(os.path.join(self.dir, "stderr"), "a", encoding="utf-8") as file:
            file.write(f"flow: {sentence}\n")

    # The whole attempt.

    def run(self, spec_path: str) -> int:
        """Runs everything and gives this process's exit status."""
        handled = {name: getattr(self.signal, f"SIG{name}") for name in _NODE_SIGNALS}
        self.signal.signal(self.signal.SIGCHLD, self.signal.SIG_DFL)
        self.mask = set(handled.values()) | {self.signal.SIGCHLD}
        self.signal.pthread_sigmask(self.signal.SIG_BLOCK, self.mask)
        self.claim()
        self.requeue: Dict[str, Any] = {}
        try:
            self.read_spec(spec_path)
            self.listen(handled)
            self.prepare()
            self.run_all()
        except _SpecError as error:
            self.code, self.error = 125, "spec"
            self.say(f"{spec_path}: {error}")
        except _Refused as error:
            self.code, self.error = 125, error.word
            self.say(str(error))
        except OSError as error:
            self.code, self.error = 125, "system"
            self.say(str(error))
        if self.program is not None:
            self.processes.kill(self.program)
        if self.stopped is None and os.path.exists(self.stop_file):
            # The program may end before the stop that was asked for is heard of.
            self.stopped = self.read_stop_file()
        self.write_exit()
        return self.leave()

    def read_spec(self, path: str) -> None:
        import json

        try:
            with open(path, encoding="utf-8") as file:
                spec = json.load(file)
        except (OSError, ValueError) as error:
            raise _SpecError(str(error)) from None
        if not isinstance(spec, dict) or spec.get("version") != 1 or not spec.get("key"):
            raise _SpecError("is not a specification of version 1")
        for action in spec.get("actions", []) + spec.get("finally", []):
            argv = action.get("argv")
            if not argv or not all(isinstance(word, str) and "\0" not in word for word in argv):
                raise _SpecError("an action has no argv of texts")
        self.spec = spec
        self.processes = _Processes(self.dir)
        self.requeue = spec.get("requeue") or {}
        self.meanings = {"TERM": "shutdown", "INT": "user", "HUP": "ignore", **spec.get("signals", {})}
        stop = spec.get("stop") or {}
        self.stop_signal = stop.get("signal", "TERM")
        self.grace = float(stop.get("grace_s", 60))
        self.poll = float(stop.get("poll_s", 0))
        self.ask_cause = stop.get("cause") or []
        self.stop_file = (spec.get("env") or {}).get("FLOW_STOP_FILE") or os.path.join(self.dir, "stop")

    def listen(self, handled: Dict[str, int]) -> None:
        """From now on only signals with a meaning wait to be taken; the others do what they always do."""
        self.numbers = {handled[name]: name for name in self.meanings if name in handled}
        unwanted = set(handled.values()) - set(self.numbers)
        self.mask -= unwanted
        self.signal.pthread_sigmask(self.signal.SIG_UNBLOCK, unwanted)

    def prepare(self) -> None:
        import time

        spec = self.spec
        if spec.get("timeout_s") is not None:
            self.timeout_at = self.began + spec["timeout_s"]
        self.deadline = spec.get("deadline") or os.environ.get("FLOW_DEADLINE")
        if self.deadline:
            self.deadline_at = self.clock() + float(self.deadline) - time.time() - self.grace
        if self.poll:
            self.look_at = self.clock() + self.poll
        self.is_sampling = bool(self.poll or self.deadline or spec.get("timeout_s") is not None)
        wanted = list(spec.get("make_dirs") or []) + ([spec["tmp_dir"]] if spec.get("tmp_dir") else [])
        for path in wanted:
            try:
                os.makedirs(os.path.join(self.dir, path), exist_ok=True)
            except OSError as error:
                raise _Refused("dirs", f"cannot make {path}: {error.strerror}") from None
        if spec.get("umask") is not None:
            os.umask(int(spec["umask"], 8))

    def run_all(self) -> None:
        actions, last = self.spec.get("actions") or [], self.spec.get("finally") or []
        try:
            for number, action in enumerate(actions, 1):
                self.take_signals(0)
                if self.stopped is not None:
                    # Stopped between two actions: nobody was killed, but the attempt did not do its work.
                    self.code, self.ended_by = 143, 15
                    break
                self.action = number
                self.code, self.ended_by = self.run_action(action)
                if self.code != 0:
                    break
        finally:
            result = (self.code, self.ended_by)
            for action in last:
                if not self.is_killed:
                    try:
                        self.run_action(action)
                    except (_Refused, OSError) as error:
                        self.say(str(error))
            self.code, self.ended_by = result
            if self.spec.get("tmp_dir"):
                _remove(os.path.join(self.dir, self.spec["tmp_dir"]))

    def leave(self) -> int:
        """Speaks the scheduler's own protocol for "run me again"."""
        if self.code not in self.requeue.get("codes", []) or self.stopped in ("user", "pruned"):
            return self.code
        argv = self.requeue.get("argv")
        if argv:
            path = _find_program(argv[0], os.environ, os.getcwd())
            os.waitpid(os.posix_spawn(path, argv, os.environ, setsigmask=[], setsigdef=self.defaults()), 0)
        status = self.requeue.get("exit")
        return self.code if status is None else status

    # One action.

    def run_action(self, action: Dict[str, Any]) -> Tuple[int, int]:
        """Runs one action to its end and gives its code and signal."""
        cwd = os.path.join(self.dir, action.get("cwd") or self.spec.get("cwd") or "")
        stdin = os.path.join(self.dir, action.get("stdin") or os.devnull)
        if not (os.path.isdir(cwd) and os.access(cwd, os.X_OK)):
            raise _Refused("cwd", f"the working directory {cwd.rstrip('/')} is missing or closed")
        if not os.access(stdin, os.R_OK):
            raise _Refused("stdin", f"the input file {stdin} is missing or closed")
        began = self.clock()
        limit = action.get("timeout_s")
        self.action_timeout_at = float("inf") if limit is None else began + limit
        code, ended_by = self.start_and_wait(action, cwd, stdin)
        if self.program is not None:
            self.reached = None
            self.sweep(self.program, began)
            self.program = None
        if code in action.get("ok_exit", [0]) and not ended_by:
            code = 0
        return code, ended_by

    def start_and_wait(self, action: Dict[str, Any], cwd: str, stdin: str) -> Tuple[int, int]:
        env = self.environment(action)
        argv = action["argv"]
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            os.chdir(cwd)
            self.program = os.posix_spawn(
                _find_program(argv[0], env, cwd),
                argv,
                env,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.path.join(self.dir, "stdout"), append, 0o666),
                    (os.POSIX_SPAWN_OPEN, 2, os.path.join(self.dir, "stderr"), append, 0o666),
                ],
                setpgroup=0,
                setsigmask=[],
                setsigdef=self.defaults(),
            )
        except FileNotFoundError:
            self.say(f"{argv[0]}: not found")
            return 127, 0
        except OSError as error:
            import errno

            if error.errno not in (errno.EACCES, errno.ENOEXEC, errno.ENOTDIR, errno.EISDIR, errno.ELOOP):
                raise
            self.say(f"{argv[0]}: {error.strerror}")
            return 126, 0
        finally:
            os.chdir(self.dir)
        status = self.wait(self.program)
        ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = 128 + ended_by if ended_by else os.WEXITSTATUS(status)
        if self.stopped is None and code - 128 in self.numbers:
            self.await_own_signal()
        return code, ended_by

    def await_own_signal(self) -> None:
        """A scheduler signals the processes of a job one after the other: what ended the program may be on its way here."""
        until = self.clock() + 1
        while self.stopped is None and self.clock() < until:
            self.take_signals(until - self.clock())

    def environment(self, action: Dict[str, Any]) -> Dict[str, str]:
        env = dict(os.environ)
        if b"LC_CTYPE=" not in _read("/proc/self/environ"):
            # Python sets it for itself in the C locale.
            env.pop("LC_CTYPE", None)
        env.update(
            FLOW_ATTEMPT_KEY=self.spec["key"],
            FLOW_TASK_DIR=self.dir,
            FLOW_EVENTS=os.path.join(self.dir, "events.0.jsonl"),
            FLOW_STOP_FILE=self.stop_file,
            FLOW_GRACE=str(int(-(-self.grace // 1))),
            FLOW_EXIT_REQUEUE="75",
        )
        if self.deadline:
            env["FLOW_DEADLINE"] = str(self.deadline)
        if self.spec.get("tmp_dir"):
            env["FLOW_TMP_DIR"] = env["TMPDIR"] = os.path.join(self.dir, self.spec["tmp_dir"])
        own = {**(self.spec.get("env") or {}), **(action.get("env") or {})}
        for name, value in own.items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        checkpoints = env.get("FLOW_CHECKPOINT_DIR")
        if checkpoints and "FLOW_RESUME" not in own:
            env["FLOW_RESUME"] = "1" if _entries(checkpoints) else "0"
        # The mark of the attempt's processes: its key is that of equal tasks elsewhere, too.
        env["FLOW_ATTEMPT_DIR"] = self.dir
        return env

    def defaults(self) -> List[int]:
        """Signals whose disposition a started program must not take over from Python or from here."""
        return sorted(self.mask | {self.signal.SIGPIPE, self.signal.SIGXFSZ, self.signal.SIGINT, self.signal.SIGQUIT})

    def sweep(self, program: int, began: float) -> None:
        """Ends what the program left behind and counts it."""
        is_suspect = self.stopped is not None or self.clock() - began >= 1
        if not is_suspect:
            try:
                os.killpg(program, 0)
            except OSError:
                return
        self.leaky += len(self.processes.tree(program))
        self.processes.kill(program)

    # Waiting and stopping.

    def wait(self, program: int) -> int:
        """Waits for the program, doing what signals, files and timers ask; gives its wait status."""
        while True:
            pid, status, used = os.wait4(program, os.WNOHANG)
            if pid:
                self.peak_kib = max(self.peak_kib, used.ru_maxrss)
                return status
            self.take_signals(self.next_due() - self.clock())
            self.take_turn()

    def next_due(self) -> float:
        if self.stopped is not None:
            return min(self.kill_at, float("inf") if self.reached is None else self.clock() + 1)
        return min(self.timeout_at, self.action_timeout_at, self.deadline_at, self.look_at)

    def take_signals(self, seconds: float) -> None:
        """Waits for signals at most that long and obeys all that are there."""
        info: Optional[Any]
        if seconds == float("inf"):
            info = self.signal.sigwaitinfo(self.mask)
        else:
            # Longer than a day at once overflows on some systems.
            info = self.signal.sigtimedwait(self.mask, min(max(seconds, 0), 86400))
        while info is not None:
            name = self.numbers.get(info.si_signo)
            if name is not None:
                self.obey(name, info.si_signo)
            info = self.signal.sigtimedwait(self.mask, 0)

    def obey(self, name: str, number: int) -> None:
        meaning = self.meanings[name]
        if meaning == "forward":
            if self.program is not None:
                self.tell(self.program, number, set())
        elif meaning != "ignore":
            self.stop(meaning, f"signal:{name}")

    def take_turn(self) -> None:
        now = self.clock()
        if self.stopped is None:
            if now >= self.look_at:
                self.look_at = now + self.poll
                if os.path.exists(self.stop_file):
                    self.stop("user", "file")
            if now >= min(self.timeout_at, self.action_timeout_at):
                self.stop("timeout", "timer")
            elif now >= self.deadline_at:
                self.stop("deadline", "timer")
        elif now >= self.kill_at:
            self.kill_at, self.reached = now + 1, None
            if self.program is not None:
                if not self.is_killed:
                    self.is_killed, self.cause = True, f"{self.cause}+kill"
                self.processes.kill(self.program)
        elif self.reached is not None and self.program is not None:
            # What a shell around the program has started since.
            self.processes.deliver(self.program, self.stop_number(), self.reached, self.idle)
        if self.is_sampling and self.program is not None:
            self.peak_kib = max(self.peak_kib, self.processes.memory_kib(self.program))

    def stop(self, reason: str, cause: str) -> None:
        """Asks the program to stop; only the first request counts."""
        if self.stopped is not None:
            return
        self.stopped, self.cause = reason, cause
        self.kill_at = self.clock() + self.grace
        if os.path.exists(self.stop_file):
            self.stopped = self.read_stop_file()
        else:
            if cause.startswith("signal:") and self.ask_cause:
                self.ask()
            self.create_stop_file()
        if self.program is not None and self.stop_signal != "none":
            self.reached = set()
            self.tell(self.program, self.stop_number(), self.reached)

    def stop_number(self) -> int:
        return int(getattr(self.signal, f"SIG{self.stop_signal}"))

    def tell(self, program: int, number: int, reached: Set[Tuple[int, str]]) -> None:
        """Has the program hear a signal, and waits a moment for it to be able to."""
        import time

        for _ in range(10):
            if self.processes.deliver(program, number, reached, self.idle):
                return
            time.sleep(0.02)

    def ask(self) -> None:
        """Takes reason and time of the kill from whoever knows why the signal came."""
        import subprocess
        import time

        try:
            answer = subprocess.run(
                self.ask_cause,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=False,
                preexec_fn=self.survive_signals,
            )
        except OSError:
            return
        words = answer.stdout.split(b"\n")[0].decode(errors="replace").split()
        if words:
            self.stopped = words[0]
        if len(words) > 1 and words[1].isdigit():
            self.kill_at = min(self.kill_at, self.clock() + int(words[1]) - time.time())

    def survive_signals(self) -> None:
        """A scheduler signals every process of a job; shells let blocked signals through, but not ignored ones."""
        for number in self.numbers:
            self.signal.signal(number, self.signal.SIG_IGN)

    def read_stop_file(self) -> str:
        import json

        try:
            return str(json.loads(_read(self.stop_file))["reason"])
        except (ValueError, KeyError, TypeError):
            return "user"

    def create_stop_file(self) -> None:
        """Puts the stop file in place whole; one that appeared meanwhile stays and names the reason."""
        import time

        now = int(time.time())
        request = f'{{"reason":"{self.stopped}","at":{now},"kill_at":{now + int(self.kill_at - self.clock())}}}\n'
        temporary = f"{self.stop_file}.{os.getpid()}"
        try:
            with open(temporary, "w", encoding="utf-8") as file:
                file.write(request)
            try:
                os.link(temporary, self.stop_file)
            except FileExistsError:
                self.stopped = self.read_stop_file()
            except OSError:
                os.rename(temporary, self.stop_file)
        except OSError as error:
            self.say(f"cannot create {self.stop_file}: {error.strerror}")
        _remove(temporary)


def _find_program(name: str, env: Any, cwd: str) -> str:
    """The path of a program as a shell finds it; the name itself when there is none."""
    if "/" in name:
        return os.path.join(cwd, name)
    is_closed = ""
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(cwd, folder, name)
        if os.path.isfile(path):
            if os.access(path, os.X_OK):
                return path
            is_closed = is_closed or path
    return is_closed or os.path.join("/nonexistent", name)


def _usage(problem: str) -> NoReturn:
    print(
        f"flow_task.py: {problem}\nusage: python3 -IS flow_task.py exec SPEC.json [DIR]",
        file=sys.stderr,
    )
    sys.exit(98)


def _main(arguments: List[str]) -> int:
    if len(arguments) not in (2, 3) or arguments[0] != "exec":
        _usage("expected `exec` and a specification")
    import signal

    if not hasattr(signal, "sigtimedwait"):
        _usage("this runner needs Linux; use flow-runner.sh")
    spec = os.path.abspath(arguments[1])
    directory = os.path.abspath(arguments[2]) if len(arguments) == 3 else os.path.dirname(spec)
    try:
        os.makedirs(directory, exist_ok=True)
        os.chdir(directory)
    except OSError as error:
        _usage(f"cannot enter the directory {directory}: {error.strerror}")
    return _Runner(directory).run(spec)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
