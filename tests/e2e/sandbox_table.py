"""sandbox_table: what no room may ask of the kernel, and what it may, asked in the name of rooms that run.

check(probe, pids, state_dir) returns a list of faults (empty: every room answers as the table says). Each row is
asked of a process without a sandbox as well, where it must not be refused: a row that is refused anywhere shows nothing.
"""
import contextlib
import pathlib
import subprocess
import tempfile
import time

ORDER = ["door", "sorter", "sealer", "vault", "desk", "courier", "runner"]
ALL = set(ORDER)
REFUSED = {"EPERM", "EACCES"}

# What | call and arguments | rooms that may | rooms where Landlock is what refuses
# {sibling} is another room's id, {state} the store's folder, {scratch} a folder that anybody may write.
TABLE = [
    ("open a file to read", "openat -100 s:/etc/passwd 0", set(), {"vault", "courier"}),
    ("open a file the old way", "open s:/etc/passwd 0", set(), set()),
    ("open a file the new way", "openat2 -100 s:/etc/passwd z:24 24", set(), set()),
    ("list a folder", "openat -100 s:/ 0x10000", set(), {"vault", "courier"}),
    ("look at a file", "newfstatat -100 s:/etc/passwd z:256 0", {"vault", "courier"}, set()),
    ("write a file", "openat -100 s:{scratch}/file 0x242 0600", set(), {"vault"}),
    ("make a folder", "mkdir s:{scratch}/folder 0700", set(), set()),
    ("remove a file", "unlink s:/nonexistent", set(), set()),
    ("change a mode", "fchmodat -100 s:/nonexistent 0600", set(), set()),
    ("change the working folder", "chdir s:{scratch}", set(), set()),
    ("make an IPv4 socket", "socket 2 1 0", {"courier"}, set()),
    ("make an IPv6 socket", "socket 10 1 0", {"courier"}, set()),
    ("make a UDP socket", "socket 2 2 0", {"courier"}, set()),
    ("make a Unix socket", "socket 1 1 0", set(), set()),
    ("make a netlink socket", "socket 16 3 0", set(), set()),
    ("connect", "connect -1 i:127.0.0.1:1 16", {"courier"}, set()),
    ("bind", "bind -1 i:127.0.0.1:0 16", set(), set()),
    ("listen", "listen -1 1", set(), set()),
    ("accept", "accept4 -1 0 0 0", {"door", "desk"}, set()),
    ("fork", "fork", set(), set()),
    ("clone", "clone 17 0 0 0 0", set(), set()),
    ("clone the new way", "clone3 0 0", set(), set()),
    ("execute a program", "execve s:/bin/true 0 0", set(), set()),
    ("execute a descriptor", "execveat -1 s: 0 0 0", set(), set()),
    ("trace a sibling", "ptrace 2 {sibling} 0 0", set(), set()),
    ("read a sibling's memory", "process_vm_readv {sibling} 0 0 0 0 0", set(), set()),
    ("write a sibling's memory", "process_vm_writev {sibling} 0 0 0 0 0", set(), set()),
    ("kill a sibling", "kill {sibling} 0", set(), set()),
    ("kill a sibling's thread", "tgkill {sibling} {sibling} 0", set(), set()),
    ("queue a signal", "rt_sigqueueinfo {sibling} 0 x:0000000000000000ffffffff", set(), set()),  # SI_QUEUE, as sigqueue(3) does
    ("hold a sibling", "pidfd_open {sibling} 0", set(), set()),
    ("take a sibling's descriptor", "pidfd_getfd -1 0 0", set(), set()),
    ("change a sibling's limits", "prlimit64 {sibling} 7 0 z:16", set(), set()),
    ("map memory as code", "mmap 0 4096 5 34 -1 0", set(), set()),
    ("turn memory into code", "mprotect 0 0 4", set(), set()),
    ("become dumpable", "prctl 4 1 0 0 0", set(), set()),
    ("change the user", "setuid 65534", set(), set()),
    ("leave for a new namespace", "unshare 0", set(), set()),
    ("use a key ring", "keyctl 0 -3 0", set(), set()),
    ("share memory the old way", "shmget 0 4096 0600", set(), set()),
    ("watch files", "inotify_init1 0", set(), set()),
    ("ask of a terminal", "ioctl 0 0x5401 z:64", set(), set()),
    ("duplicate onto a number", "dup2 -1 -1", set(), set()),
]

# The allowed twins: what every room does all day must go on working.
TWINS = [
    ("know its own id", "getpid"),
    ("make a memfd", "memfd_create s:kb 3"),
    ("map memory for data", "mmap 0 4096 3 34 -1 0"),
    ("read what it holds", "read 0 z:1 1"),
    ("signal itself", "tgkill self self 0"),
    ("look at its own descriptor", "newfstatat 0 s: z:256 0x1000"),
]

# Where a room may use files, Landlock says which: (room, call, may)
PATHS = [
    ("vault", "openat -100 s:{state} 0x10000", True),
    ("vault", "openat -100 s:{state}/kb-probe 0x242 0600", True),
    ("vault", "unlinkat -100 s:{state}/kb-probe 0", True),
    ("vault", "openat -100 s:{scratch}/file 0x242 0600", False),
    ("vault", "mkdirat -100 s:{scratch}/folder 0700", False),
    ("courier", "openat -100 s:/etc/hosts 0", True),
    ("courier", "openat -100 s:/etc/hosts 2", False),
    ("courier", "openat -100 s:/etc/shadow 0", False),
]


# What nobody may do to a room, whoever asks: a room is undumpable, so that these are refused also where its sandbox is open.
LOCKED = [
    ("open a sibling's memory", "openat -100 s:/proc/{sibling}/mem 2"),
    ("read a sibling's descriptors", "openat -100 s:/proc/{sibling}/fd 0x10000"),
    ("read a sibling's environment", "openat -100 s:/proc/{sibling}/environ 0"),
]


class Asker:
    def __init__(self, probe, state_dir, scratch, **user):
        self.probe, self.state, self.scratch, self.user = probe, state_dir, scratch, user

    def ask(self, pid, call, sibling=0):
        """The kernel's answer: "ok N", or the name of an error; "gone" when there is nobody to ask."""
        words = call.format(sibling=sibling, state=self.state, scratch=self.scratch).split(" ")
        for _ in range(50):
            run = subprocess.run([self.probe, str(pid), *words], capture_output=True, text=True, timeout=30)
            if run.returncode == 0:
                return run.stdout.strip()
            if "not at rest" not in run.stderr:
                break
            time.sleep(0.02)
        return "gone"

    def free(self, call):
        """The same of a process without a sandbox, of the same user where that is given."""
        with subprocess.Popen(["sleep", "60"], **self.user) as control:
            try:
                return self.ask(control.pid, call, control.pid)
            finally:
                control.kill()


class Answers:
    """One row of the table, asked everywhere."""

    def __init__(self, row, free, said):
        self.what, _, self.may, self.by_landlock = row
        self.free, self.said = free, said  # said: {(room, index): answer}

    def faults(self, landlock):
        """A room may what the table says, and is refused it otherwise; and a process without a sandbox is not refused."""
        if self.free in REFUSED | {"gone"}:
            yield f"{self.what}: shows nothing, since a process without a sandbox is refused it too ({self.free})"
        for (room, index), answer in self.said.items():
            judged = landlock or room not in self.by_landlock
            if judged and (answer == "gone" or (answer in REFUSED) == (room in self.may)):
                yield f"{room} {index}: {self.what}: {answer}"


def ask_table(asker, rooms, table=None):
    """Yields Answers, row by row. rooms() gives {(room, index): pid} as it is at that moment."""
    for row in table or TABLE:
        pids = rooms()
        said = {who: asker.ask(pid, row[1], next(p for p in pids.values() if p != pid)) for who, pid in pids.items()}
        yield Answers(row, asker.free(row[1]), said)


def picture(answers, landlock):
    """The table as a person reads it: a column a room, "." for refused, "may" for allowed."""
    rooms = sorted({room for a in answers for room, _ in a.said}, key=ORDER.index)
    yield f"{'':30}" + "".join(f"{r:>9}" for r in rooms) + f"{'no sandbox':>12}"
    for a in answers:
        cells = []
        for r in rooms:
            answer = a.said[(r, 0)]
            weak = not landlock and r in a.by_landlock
            cells.append("(path)" if weak else "." if answer in REFUSED else "may")
        yield f"{a.what:30}" + "".join(f"{c:>9}" for c in cells) + f"{'refused' if a.free in REFUSED else 'may':>12}"


def check_allowed(asker, rooms, landlock):
    for what, call in TWINS:
        for (room, index), pid in rooms.items():
            answer = asker.ask(pid, call)
            if not answer.startswith("ok"):
                yield f"{room} {index}: {what}: {answer}"
    for room, call, may in PATHS:
        if (room, 0) in rooms and (landlock or may):
            answer = asker.ask(rooms[(room, 0)], call)
            if answer.startswith("ok") != may:
                yield f"{room}: {call}: {answer}"


def check_locked(asker, rooms):
    for what, call in LOCKED:
        if not asker.free(call).startswith("ok"):
            yield f"{what}: shows nothing, since a process cannot do it to itself either"
        for (room, index), pid in rooms.items():
            answer = asker.ask(pid, call, next(p for p in rooms.values() if p != pid))
            if answer not in REFUSED:
                yield f"{room} {index}: {what}: {answer}"


@contextlib.contextmanager
def asking(probe, state_dir, **user):
    """An Asker with a folder that anybody may write. user: what subprocess takes, to run controls as."""
    with tempfile.TemporaryDirectory(prefix="kbprobe") as scratch:
        pathlib.Path(scratch).chmod(0o777)
        yield Asker(probe, state_dir, scratch, **user)


def check(probe, pids, state_dir, landlock=True, **user):
    """pids: {(room, index): pid}. Needs root, for the sake of ptrace."""
    rooms = {k: v for k, v in pids.items() if k[0] in ALL}
    with asking(probe, state_dir, **user) as asker:
        faults = [f for a in ask_table(asker, lambda: rooms) for f in a.faults(landlock)]
        return faults + [*check_allowed(asker, rooms, landlock), *check_locked(asker, rooms)]
