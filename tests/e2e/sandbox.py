#!/usr/bin/python3
"""sandbox: what each real room of a working house may ask of the kernel, and that everything else is refused.

usage: sandbox.py PROBE

The questions are sandbox_table.py's, asked in the rooms' own names while they run. The same is asked of a process without a sandbox,
and of the same rooms built with their sandbox left open, where the same test must report every single row."""
import os
import pwd
import socket
import subprocess
import sys

import sandbox_table
from house import Failed, House, Report, wait_for
from letters import LETTERS
from load import faulty_rooms

PROBE = sys.argv[1]
NOBODY = pwd.getpwnam("nobody")
ALLEGATION = next(raw for name, _, _, raw, _ in LETTERS if name == "HTML only, allegation")


class Office:
    """A house whose relay takes a connection and then says nothing, so that a runner stays at work."""

    def __init__(self, libexec=False, **settings):
        self.relay = socket.create_server(("127.0.0.1", 0))
        port = self.relay.getsockname()[1]
        self.house = House(relay=False, **settings)
        self.house.settings["relays"] = f'( {{ host = "localhost"; port = {port}; tls = "starttls"; ca_file = "{self.house.path("tls/ca.pem")}"; }} )'
        self.open = libexec

    def __enter__(self):
        h = self.house.__enter__()
        if self.open:
            h.libexec = faulty_rooms(h, **{room: f"{room}-open" for room in sandbox_table.ORDER})
        try:
            h.start()
            h.send(ALLEGATION, sender="advocate@legalhelp.example")
            wait_for("a runner", 20, lambda: "runner" in h.rooms())
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *exc):
        self.house.__exit__(*exc)
        self.relay.close()

    def pids(self):
        return {(room, i): pid for room, pids in self.house.rooms().items() for i, pid in enumerate(sorted(pids))}

    def landlock(self):
        with open(self.house.log, errors="replace") as f:
            return "sandbox-partial" not in f.read()

    def one_of_each(self):
        """The first of each room, once all are there: one that was made to become another program is started again."""
        def all_there():
            pids = {who: pid for who, pid in self.pids().items() if who[1] == 0}
            return pids if {room for room, _ in pids} == sandbox_table.ALL and all(is_room(p) for p in pids.values()) else None
        return wait_for("every room", 30, all_there)


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return {k: v.strip() for k, v in (line.split(":", 1) for line in f if ":" in line)}


def is_room(pid):
    try:
        return status(pid)["NoNewPrivs"] == "1"
    except OSError:
        return False


def show_hardening(r, office):
    """The facts that /proc states of each room."""
    bad = []
    for (room, index), pid in office.pids().items():
        s = status(pid)
        with open(f"/proc/{pid}/limits") as f:
            core = next(line for line in f if line.startswith("Max core file size")).split()[4:6]
        facts = {"seccomp": s["Seccomp"] == "2", "no new privileges": s["NoNewPrivs"] == "1", "no core": core == ["0", "0"],
                 "no capability": all(int(s[c], 16) == 0 for c in ("CapPrm", "CapEff", "CapInh", "CapAmb")),
                 "not root": "0" not in s["Uid"].split() + s["Gid"].split() + s["Groups"].split(),
                 "undumpable": os.stat(f"/proc/{pid}/environ").st_uid == 0,
                 "its own program": os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(os.path.join(office.house.libexec, f"kiteboxd-{room}"))}
        bad += [f"{room} {index}: not {k}" for k, v in facts.items() if not v]
    rooms = {room for room, _ in office.pids()}
    r.ok(not bad and rooms == sandbox_table.ALL, "every room runs its own program as a user without rights, undumpable, with a filter", "; ".join(bad) or str(rooms))


def show_table(r, office):
    landlock = office.landlock()
    pids = office.pids()
    with sandbox_table.asking(PROBE, office.house.path("state"), user=NOBODY.pw_uid, group=NOBODY.pw_gid) as asker:
        answers = list(sandbox_table.ask_table(asker, lambda: pids))
        twins = list(sandbox_table.check_allowed(asker, pids, landlock))
        locked = list(sandbox_table.check_locked(asker, pids))
    for line in sandbox_table.picture(answers, landlock):
        print(f"# {line}")
    print("# (path): Landlock judges the path" + ("" if landlock else "; this kernel has none, or an old one, so it is not judged here"))
    faults = [f for a in answers for f in a.faults(landlock)]
    for room in sandbox_table.ORDER:
        mine = [f for f in faults if f.startswith(room + " ")]
        r.ok(not mine and any(who[0] == room for who in pids), f"{room} is refused each call that it has no business with, and may the others", "; ".join(mine[:5]))
    shows_nothing = [f for f in faults if "shows nothing" in f]
    r.ok(not shows_nothing and len(answers) > 40, f"control: a process without a sandbox is refused none of the {len(answers)} calls", "; ".join(shows_nothing))
    r.ok(not twins, "twins: what a room does all day it still may", "; ".join(twins[:5]))
    r.ok(not locked, "no room can open another one's memory, descriptors or environment in /proc", "; ".join(locked[:5]))
    office.house.send(ALLEGATION.replace(b"threatened", b"insulted"), sender="advocate@legalhelp.example")
    after = office.pids()
    r.ok(all(after.get(who) == pid for who, pid in pids.items()), "all of that has harmed no room: the house goes on taking mail")


def show_control(r):
    """The rooms with their sandbox open: the same judgement, and every cell of the table must be a fault."""
    with Office(libexec=True, coordinators=("anna:Anna Quillfeather",)) as office:
        with sandbox_table.asking(PROBE, office.house.path("state"), user=NOBODY.pw_uid, group=NOBODY.pw_gid) as asker:
            missed = []
            for a in sandbox_table.ask_table(asker, office.one_of_each):
                found = {f.split(" ")[0] for f in a.faults(True)}
                missed += [f"{room}: {a.what}: {a.said[(room, 0)]}" for room in sandbox_table.ORDER if room not in a.may and room not in found]
        r.ok(not missed, "rooms whose sandbox is left open fail this test in every row", "; ".join(missed[:8]))


def main():
    r = Report()
    with Office() as office:
        show_hardening(r, office)
        show_table(r, office)
    show_control(r)
    r.done()


if os.geteuid() != 0:
    print("ok 1 - each room's sandbox # SKIP needs root, to ask in the rooms' names")
    sys.exit(0)
try:
    main()
except (Failed, subprocess.TimeoutExpired, OSError) as e:
    print(f"not ok - {type(e).__name__}: {e}", flush=True)
    sys.exit(1)
