#!/usr/bin/python3
"""durable: 250 is said only when a message is on the disk, seen in a trace of the system calls of vault and door.

For each acknowledged message, in this order: the vault writes pages that hold its id; fdatasync of that file returns; the page that names
them is written through a descriptor opened with O_DSYNC, and that returns; the vault tells the sealer STORED; the door writes the 250 with
that id. Three rooms that are broken on purpose must be found out: a vault that does not sync, one that answers before its commit, and a
sealer that does."""
import contextlib
import os
import re
import signal
import subprocess

from house import Failed, House, Report
from load import Load, faulty_rooms

CALLS = "execve,execveat,openat,close,fdatasync,fsync,msync,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg"
PAGE = 4096
LINE = re.compile(r"^(\d+)\.(\d{9}) (\w+)\((.*)\) += (-?\d+)(?: \w+ \(.*\))? <(\d+)\.(\d{9})>$")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
SAID = re.compile(rb"(?m)^250[ -][^\r\n]*?([0-9a-f]{32})\b")
RESULT = 56  # octets of a STORED: the head of 8, then struct kb_wire_result: id, status, ...


class Call:
    """One system call that returned; times in nanoseconds."""

    def __init__(self, m):
        self.start = int(m[1]) * 10 ** 9 + int(m[2])
        self.end = self.start + int(m[6]) * 10 ** 9 + int(m[7])
        self.name, self.args, self.result = m[3], m[4], int(m[5])

    def octets(self):
        return b"".join(bytes.fromhex(s.replace("\\x", "")) for s in STRING.findall(self.args))

    def fd(self):
        return int(self.args.split(",", 1)[0])


def wrap(folder):
    return ("strace", "-ff", "-qq", "-xx", "-s", str(PAGE), "-e", "signal=none", "-e", "trace=" + CALLS,
            "--absolute-timestamps=format:unix,precision:ns", "--syscall-times=ns", "-o", os.path.join(folder, "calls"))


def read_calls(folder):
    """{name of a program: [its calls, in order] for each process of it}"""
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), errors="replace") as f:
            calls = [Call(m) for m in map(LINE.match, f) if m]
        ran = [c for c in calls if c.name in ("execve", "execveat") and c.result == 0]
        if ran:
            program = re.search(rb"kiteboxd(-\w+)?", ran[-1].octets())
            found.setdefault(program.group().decode() if program else "?", []).append(calls)
    return found


class Vault:
    """What one vault process brought to the disk, and when it told so."""

    def __init__(self, calls):
        self.files = {}     # descriptor: is it one that writes through?
        self.unsynced = b""
        self.synced = b""   # but the page that names it is not written
        self.commits = []   # (end, octets)
        self.stored = {}    # id: the start of its STORED, and what had been committed by then
        self.careless = set()  # ids that were told of while pages lay unsynced
        for c in calls:
            getattr(self, "on_" + c.name, lambda c: None)(c)

    def on_openat(self, c):
        if c.result >= 0 and b"data.mdb" in c.octets():
            self.files[c.result] = "O_DSYNC" in c.args

    def on_close(self, c):
        self.files.pop(c.fd(), None)

    def on_fdatasync(self, c):
        if c.result == 0 and c.fd() in self.files:
            self.synced += self.unsynced
            self.unsynced = b""

    on_fsync = on_fdatasync

    def on_pwrite64(self, c):
        if c.result <= 0 or c.fd() not in self.files:
            return
        if self.files[c.fd()]:
            self.commits.append((c.end, self.synced))
            self.synced = b""
        else:
            self.unsynced += c.octets()

    on_write = on_writev = on_pwritev = on_pwritev2 = on_pwrite64

    def on_sendmsg(self, c):
        told = c.octets()
        if c.result != RESULT or len(told) != RESULT or told[24:28] != bytes(4):
            return
        self.stored.setdefault(told[8:24], (c.start, len(self.commits)))
        if self.unsynced or self.synced:
            self.careless.add(told[8:24])

    def committed_before(self, id_, n):
        return any(id_ in octets for _, octets in self.commits[:n])


def said_by(doors):
    """{id: when the first 250 with it began to be written}"""
    said = {}
    for calls in doors:
        for c in calls:
            if c.name in ("write", "writev", "sendto", "sendmsg") and c.result > 0:
                for m in SAID.finditer(c.octets()):
                    said.setdefault(bytes.fromhex(m.group(1).decode()), c.start)
    return said


def fault(id_, vaults, said):
    """What the trace does not show of this message, or None."""
    if id_ not in said:
        return "its 250 is not in the door's trace"
    v = next((v for v in vaults if id_ in v.stored), None)
    if not v:
        return "the vault never said that it is stored"
    told, commits = v.stored[id_]
    if not v.committed_before(id_, commits):
        return "pages with its id were not written, synced and named before STORED"
    if id_ in v.careless:
        return "pages lay unsynced or unnamed when it was called stored"
    return "250 was said before STORED" if said[id_] <= told else None


def trace(house, letters, seed):
    """Sends so many letters to a traced house; gives ({fault: how many messages}, messages, commits seen)."""
    folder = house.path(f"trace-{seed}")
    os.makedirs(folder)
    house.start(wrap=wrap(folder))
    load = Load(house, clients=6, seed=seed, most=letters).start()
    try:
        load.join(90)
    finally:
        os.kill(house.supervisor_pid(), signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            house.daemon.wait(40)
    calls = read_calls(folder)
    vaults = [Vault(c) for c in calls.get("kiteboxd-vault", ())]
    said = said_by(calls.get("kiteboxd-door", ()))
    faults = {}
    ids = [bytes.fromhex(i) for l in load.letters for i in l.said]
    for i in ids:
        what = fault(i, vaults, said)
        if what:
            faults[what] = faults.get(what, 0) + 1
    return faults, len(ids), sum(len(v.commits) for v in vaults)


CONTROLS = (
    ("vault", "vault-nosync", "a vault that does not sync"),
    ("vault", "vault-early", "a vault that answers before its commit"),
    ("sealer", "sealer-early", "a sealer that answers before the vault has"),
)


def main():
    r = Report()
    with House() as h:
        sound = h.libexec
        faults, n, commits = trace(h, 120, "sound")
        print(f"# {n} acknowledged messages, {commits} commits: {faults or 'each in order'}", flush=True)
        r.ok(n == 120 and not faults, "each of 120 messages was written, synced, named on disk, called stored and then answered 250", str(faults))
        r.ok(h.daemon.returncode == 0, "and the traced kiteboxd ended with status 0", str(h.daemon.returncode))
        for room, fault_name, what in CONTROLS:
            h.libexec = faulty_rooms(h, **{room: fault_name})
            faults, n, commits = trace(h, 30, fault_name)
            print(f"# {fault_name}: {n} messages, {commits} commits: {faults}", flush=True)
            r.ok(n == 30 and sum(faults.values()) > n / 2, f"control: {what} is found out", str(faults))
        h.libexec = sound
    r.done()


try:
    main()
except Failed as e:
    print(f"Bail out! {e}", flush=True)
    raise SystemExit(1)
