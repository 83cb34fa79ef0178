#!/usr/bin/env python3
"""supervisor: kiteboxd with rooms that do nothing, so that only what carries the rooms is tried.

usage: supervisor.py KITEBOXD FAKE_ROOM [PROBE] [WORD]
"""
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import sandbox_table

KITEBOXD, FAKE = sys.argv[1], sys.argv[2]
PROBE = sys.argv[3] if len(sys.argv) > 3 else None
WORD = sys.argv[4] if len(sys.argv) > 4 else ""
ROOMS = ["door", "sorter", "sealer", "vault", "desk", "courier", "runner"]
PAIRS = 2
ROOT = os.geteuid() == 0
WAIT_S = 60
passed, failed = 0, 0


class Office:
    """One kiteboxd in a folder of its own."""

    def __init__(self, hostname="kitebox.example", user="nobody", extra=""):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kb"))
        self.dir.chmod(0o755)
        self.libexec = self.dir / "libexec"
        self.libexec.mkdir()
        for room in ROOMS:
            shutil.copy(FAKE, self.libexec / f"kiteboxd-{room}")
        for name in ("office.pub", "office.bundle", "rules", "cert", "key", "ca", "password", "ack.en.txt", "ack.es.txt"):
            (self.dir / name).write_text(name)
        (self.dir / "credentials").mkdir()
        for name in ("referral.key", "vault.key"):
            (self.dir / "credentials" / name).write_text(name)
        self.run = self.dir / "run"
        self.user, self.extra = user, extra
        self.configure(hostname)
        self.log = self.dir / "log"
        self.process = None

    def configure(self, hostname, more=""):
        d = self.dir
        (d / "kitebox.conf").write_text(f'''
hostname = "{hostname}"; user = "{self.user}"; mail_from = "desk@kitebox.example";
state_dir = "{d}/state"; run_dir = "{d}/run"; credentials_dir = "{d}/credentials";
office = {{ public_key = "{d}/office.pub"; bundle = "{d}/office.bundle"; }};
rules = "{d}/rules"; templates = "{d}"; tls = {{ certificate = "{d}/cert"; key = "{d}/key"; }};
listen = ( {{ kind = "smtp"; address = "127.0.0.1:0"; }}, {{ kind = "lmtp"; address = "{d}/lmtp.sock"; }},
           {{ kind = "desk"; address = "{d}/desk.sock"; }} );
mailboxes = ( {{ address = "desk@kitebox.example"; }} );
relays = ( {{ host = "mail.oia.example"; ca_file = "{d}/ca"; user = "u"; password_file = "{d}/password"; }} );
rooms = {{ sealers = {PAIRS}; }};
{more}{self.extra}''')

    def argv(self):
        return [KITEBOXD, "--config", str(self.dir / "kitebox.conf"), "--libexec", str(self.libexec)]

    def start(self, **kw):
        (self.run / "listeners").unlink(missing_ok=True)  # one that was killed leaves it
        self.process = subprocess.Popen(kw.pop("argv", self.argv()), stderr=open(self.log, "ab"), stdin=subprocess.DEVNULL, **kw)
        try:
            wait(lambda: (self.run / "listeners").exists() or self.process.poll() is not None, "every room is at work")
            assert self.process.poll() is None, self.text()
        except AssertionError:
            self.__exit__()
            raise
        return self

    def text(self):
        return self.log.read_text() if self.log.exists() else ""

    def lines(self, pattern):
        return re.findall(pattern, self.text(), re.M)

    def pids(self):
        rows = [line.split() for line in (self.run / "rooms").read_text().splitlines()]
        return {(room, int(index)): int(pid) for room, index, pid in rows}

    def replaced(self, before, room, index=0):
        return self.pids().get((room, index)) not in (None, before[(room, index)])

    def hup(self, hostname, more=""):
        before = len(self.lines("the new configuration is in force|stays in force"))
        self.configure(hostname, more)
        self.process.send_signal(signal.SIGHUP)
        wait(lambda: len(self.lines("the new configuration is in force|stays in force")) > before, "the reload")

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
        return self.process.wait(WAIT_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def wait(ready, what):
    end = time.monotonic() + WAIT_S
    while not ready():
        assert time.monotonic() < end, f"waited in vain for: {what}"
        time.sleep(0.02)


def alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def status(pid):
    return dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)


def expected_links():
    links = set()
    for i in range(PAIRS):
        links |= {(("door", 0), ("sealer", i)), (("sealer", i), ("sorter", i)), (("sealer", i), ("vault", 0))}
    links |= {(("desk", 0), ("vault", 0)), (("courier", 0), ("vault", 0))}
    return links | {(b, a) for a, b in links}


def heard(office):
    return {((a, int(i)), (b, int(j))) for a, i, b, j in office.lines(r"^(\w+) (\d+): heard (\w+) (\d+)")}


def every_room_is_hardened_and_holds_nothing_foreign():
    with Office().start() as o:
        pids = o.pids()
        assert len(pids) == 1 + 4 + 2 * PAIRS, pids
        for (room, _), pid in pids.items():
            s = status(pid)
            assert s["NoNewPrivs"] == "1", room
            if room == "kiteboxd":
                assert not ROOT or "0" not in s["Uid"].split() + s["Gid"].split(), s["Uid"]
                continue
            assert s["Seccomp"] == "2", (room, s["Seccomp"])
            assert not ROOT or s["CapPrm"].strip("0") == "" and "0" not in s["Uid"].split(), s
            assert open(f"/proc/{pid}/cmdline").read() == f"kiteboxd-{room}\0"
            if ROOT:
                environ = open(f"/proc/{pid}/environ").read().split("\0")
                assert all(e.split("=")[0] in ("", "ASAN_OPTIONS", "UBSAN_OPTIONS") for e in environ), environ
                limits = open(f"/proc/{pid}/limits").read()
                assert re.search(r"Max core file size\s+0\s+0", limits)
                links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
                paths = [p for p in links if p.startswith("/") and not p.startswith(("/dev/null", "/memfd:", str(o.log)))]
                assert paths == ([str(o.dir / "state")] if room == "vault" else []), (room, paths)
        assert oct((o.dir / "state").stat().st_mode & 0o777) == "0o700"
        assert oct((o.dir / "lmtp.sock").stat().st_mode & 0o777) == "0o660"


def each_room_gets_its_own_files_and_no_others():
    # numbers of enum kb_file
    want = {"door": {"1 0", "1 1", "7 0", "8 0"}, "desk": {"1 2"}, "vault": {"2 0", "3 0", "4 0", "5 0", "6 0"},
            "sealer": {"3 0"}, "sorter": {"9 0"}, "courier": {"10 1", "10 2"}}
    with Office().start() as o:
        for room, files in want.items():
            got = {f"{k} {i}" for k, i in o.lines(rf"^{room} 0: file (\d+) (\d+)")}
            assert got == files, (room, got)


def siblings_are_linked_as_the_design_says_and_no_others():
    with Office().start() as o:
        wait(lambda: heard(o) >= expected_links(), "greetings")
        assert heard(o) == expected_links(), heard(o) ^ expected_links()


def a_room_that_is_killed_is_started_again_and_linked_again():
    with Office().start() as o:
        for room, index in [r for r in o.pids() if r[0] != "kiteboxd"]:
            wait(lambda: heard(o) >= expected_links(), "greetings")
            before = o.pids()
            o.log.write_text("")
            os.kill(before[(room, index)], signal.SIGKILL)
            again = {link for link in expected_links() if (room, index) in link}
            wait(lambda: heard(o) >= again, f"{room} again")
            assert o.pids()[(room, index)] != before[(room, index)]
            others = {k: v for k, v in o.pids().items() if k != (room, index)}
            assert others == {k: v for k, v in before.items() if k != (room, index)}, "a sibling died too"
            wait(lambda: not alive(before[(room, index)]), "the old one is gone")
            o.log.write_text("\n".join(f"{a[0]} {a[1]}: heard {b[0]} {b[1]}" for a, b in expected_links()) + "\n")


def rooms_that_lose_their_channels_and_live_are_linked_again():
    with Office().start() as o:
        wait(lambda: heard(o) >= expected_links(), "greetings")
        before = o.pids()
        for room in ("door", "desk"):  # who may shut a socket down
            o.log.write_text("")
            o.hup(f"{room}-apart.example")
            again = {link for link in expected_links() if any(end[0] == room for end in link)}
            wait(lambda: heard(o) >= again, f"{room} linked again")
            time.sleep(1.2)  # what was linked again stays so
            assert len(o.lines("has lost its channel")) == len(again) // 2, o.text()
        assert o.pids() == before, "a room died of it"


def a_sorter_that_has_done_its_share_is_replaced_in_silence():
    with Office().start() as o:
        before = o.pids()
        o.hup("sorter-quit.example")
        wait(lambda: o.replaced(before, "sorter"), "a fresh sorter")
        time.sleep(0.1)
        assert not o.lines("sorter.*ended"), o.text()
        assert not o.lines("health sorter"), o.text()


def a_room_that_keeps_dying_is_held_back_and_said_to_be_down():
    with Office().start() as o:
        o.hup("courier-die.example")
        wait(lambda: o.lines(r"health courier 0 room-down 1"), "room-down")
        starts = len(o.lines(r"^courier 0: starts"))
        assert starts < 12, starts
        assert o.lines(r"health courier 0 room-restarted 1 [4-9]"), o.text()
        o.hup("kitebox.example")
        o.log.write_text("")
        wait(lambda: o.lines(r"^courier 0: starts"), "the courier again")
        wait(lambda: o.lines(r"a fault is over: room-down"), "the end of room-down")


def what_a_room_may_not_say_ends_it_alone():
    for name in ("vault-rude", "sealer-liar", "door-rude"):
        room = name.split("-")[0]
        with Office().start() as o:
            before = o.pids()
            o.hup(f"{name}.example")
            o.configure("kitebox.example")
            wait(lambda: o.lines(rf"{room}.*may not say"), "the refusal")
            wait(lambda: o.replaced(before, room), f"{room} again")
            assert o.process.poll() is None
            assert o.pids()[("kiteboxd", 0)] == before[("kiteboxd", 0)]


def a_sealer_ends_its_own_sorter_when_it_hangs():
    with Office().start() as o:
        before = o.pids()
        o.hup("sealer-hung.example")
        wait(lambda: all(o.replaced(before, "sorter", i) for i in range(PAIRS)), "fresh sorters")
        assert o.pids()[("sealer", 0)] == before[("sealer", 0)]
        wait(lambda: o.lines(r"health sorter 0 room-restarted 1 1"), "health")


def who_breaks_the_rules_of_a_sibling_is_ended_and_linked_again():
    with Office().start() as o:
        before = o.pids()
        o.hup("desk-shout.example")
        o.configure("kitebox.example")
        wait(lambda: o.lines(r"vault: a sibling broke the rules and is dropped: desk"), "the complaint")
        wait(lambda: o.replaced(before, "desk"), "a new desk")
        wait(lambda: len(o.lines(r"^vault 0: heard desk 0")) == 2, "its greeting")
        assert o.pids()[("vault", 0)] == before[("vault", 0)], "the one that complained must live"


def who_takes_messages_apart_cannot_have_others_ended():
    with Office().start() as o:
        before = o.pids()
        o.hup("sorter-hung.example")
        o.configure("kitebox.example")
        wait(lambda: o.lines(r"sorter 0: said something that it may not say"), "the refusal")
        wait(lambda: o.replaced(before, "sorter"), "a new sorter")
        assert o.pids()[("sealer", 0)] == before[("sealer", 0)]


def health_is_gathered_and_given_to_the_desk():
    with Office().start() as o:
        o.hup("vault-full.example")
        wait(lambda: o.lines(r"health vault 0 store-full 1 7"), "store-full")
        o.log.write_text("")
        o.hup("vault-empty.example")
        wait(lambda: o.lines(r"a fault is over: store-full"), "its end")
        o.hup("door-full.example")
        wait(lambda: o.lines(r"health door 0 store-full 1 7"), "another")
        assert not o.lines(r"health vault 0 store-full 1 7"), o.text()


def outbox_keys_outlive_the_courier_and_only_it_gets_the_secret():
    with Office().start() as o:
        wait(lambda: len(o.lines(r": key ")) >= PAIRS + 2, "keys")
        number = o.lines(r"^courier 0: key (\d+) pub secret$")[0]
        assert abs(int(number) - time.time()) < 120, number
        assert o.lines(rf"^sealer 0: key {number} pub$") and o.lines(rf"^vault 0: key {number}$"), o.text()
        assert len(o.lines("secret")) == 1, o.text()
        o.log.write_text("")
        os.kill(o.pids()[("courier", 0)], signal.SIGKILL)
        wait(lambda: o.lines(rf"^courier 0: key {number} pub secret$"), "the same key again")


def the_courier_is_given_runners():
    with Office().start() as o:
        o.hup("courier-run.example")
        wait(lambda: o.lines(r"^courier 0: heard runner 0"), "a runner")
        files = {f"{k} {i}" for k, i in o.lines(r"^runner 0: file (\d+) (\d+)")}
        assert files == {"11 0", "12 0", "13 0", "14 0"}, files
        assert o.lines(r"^runner 0: peer courier 0"), o.text()


def a_bad_configuration_is_refused_and_the_old_one_stays():
    with Office().start() as o:
        before = o.pids()
        o.hup("kitebox.example", "colour = 1;")
        assert o.lines(r"kitebox.conf:\d+: colour: is not a setting"), o.text()
        assert not o.lines("reloads"), o.text()
        o.hup("kitebox.example")
        wait(lambda: len(o.lines("reloads")) == 4 + 2 * PAIRS, "every room reloads")
        assert o.pids() == before
        bad = subprocess.run(o.argv() + ["--check-config"], capture_output=True, text=True)
        assert bad.returncode == 0 and "no fault" in bad.stdout, bad
        o.configure("kitebox.example", "colour = 1;\nshape = 2;\n")
        bad = subprocess.run(o.argv() + ["--check-config"], capture_output=True, text=True)
        assert bad.returncode != 0 and len(bad.stderr.splitlines()) == 2, bad


def a_second_one_in_the_same_folder_is_refused():
    with Office().start() as o:
        second = subprocess.run(o.argv(), capture_output=True, text=True, timeout=WAIT_S)
        assert second.returncode != 0 and "another kiteboxd" in second.stderr, second
        assert all(alive(pid) for pid in o.pids().values())
        assert (o.run / "listeners").exists()


def a_stop_goes_from_the_door_to_the_vault():
    with Office().start() as o:
        pids = o.pids()
        assert o.stop() == 0
        order = o.lines(r"^(\w+) \d+: stops")
        assert len(order) == 4 + 2 * PAIRS, order
        assert order[0] == "door" and order[1:1 + PAIRS] == ["sealer"] * PAIRS and order[-1] == "vault", order
        assert not any(alive(pid) for pid in pids.values())
        assert not (o.run / "listeners").exists() and not (o.run / "rooms").exists()
        assert not o.lines("ended"), o.text()


def rooms_end_with_their_supervisor():
    with Office().start() as o:
        pids = o.pids()
        o.process.kill()
        o.process.wait()
        wait(lambda: not any(alive(pid) for pid in pids.values()), "the rooms' end")
        o.start()  # and what is left of it is no hindrance
        assert o.stop(signal.SIGINT) == 0


def listeners_are_named_and_reached():
    with Office().start() as o:
        rows = dict(line.split() for line in (o.run / "listeners").read_text().splitlines())
        host, port = rows["smtp"].rsplit(":", 1)
        assert host == "127.0.0.1" and int(port) > 0
        socket.create_connection((host, int(port)), 10).close()
        for kind in ("lmtp", "desk"):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(rows[kind])


def sockets_of_systemd_take_the_place_of_configured_ones():
    with socket.create_server(("127.0.0.1", 0)) as a, Office() as o:
        port = a.getsockname()[1]
        fds = os.dup2(a.fileno(), 3, True) if a.fileno() != 3 else 3
        os.set_inheritable(fds, True)
        script = 'export LISTEN_PID=$$; exec "$@"'
        o.start(argv=["/bin/sh", "-c", script, "sh"] + o.argv(), close_fds=False,
                env={**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"})
        rows = (o.run / "listeners").read_text().splitlines()
        assert f"smtp 127.0.0.1:{port}" in rows and len(rows) == 3, rows
        if a.fileno() != 3:
            os.close(3)


def systemd_is_told_of_each_step_and_the_watchdog_is_fed():
    with Office() as o, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as n:
        path = str(o.dir / "notify")
        n.bind(path)
        os.chmod(path, 0o666)
        n.settimeout(WAIT_S)
        said = ""

        def hear(word):
            nonlocal said
            while word not in said:
                said += n.recv(4096).decode() + "\n"

        o.start(env={**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
        hear("READY=1")
        hear("WATCHDOG=1")
        assert "RELOADING" not in said
        said = ""
        o.hup("vault-full.example")
        hear("RELOADING=1")
        hear("READY=1")
        hear("STATUS=1 faults")
        assert o.stop() == 0
        hear("STOPPING=1")


def a_user_that_does_not_exist_or_is_root_is_refused():
    if not ROOT:
        return
    for user, word in (("kb-nobody-here", "does not exist"), ("root", "must not be root")):
        with Office(user=user) as o:
            run = subprocess.run(o.argv(), capture_output=True, text=True, timeout=WAIT_S)
            assert run.returncode != 0 and word in run.stderr, run


def the_kernel_refuses_each_room_what_is_not_its_own():
    if not ROOT or not PROBE:
        return
    nobody = pwd.getpwnam("nobody")
    with Office().start() as o:
        landlock = not o.lines("sandbox-partial")
        pids = o.pids()
        faults = sandbox_table.check(PROBE, pids, o.dir / "state", landlock, user=nobody.pw_uid, group=nobody.pw_gid)
        assert not faults, "\n".join(faults)
        assert o.pids() == pids, "a room did not survive being asked"
        wait(lambda: heard(o) >= expected_links(), "greetings")


def a_room_is_not_started_by_hand():
    run = subprocess.run([FAKE], capture_output=True, text=True, timeout=WAIT_S, executable=FAKE)
    assert run.returncode != 0
    run = subprocess.run(["kiteboxd-door"], capture_output=True, text=True, timeout=WAIT_S, executable=FAKE)
    assert run.returncode == 1 and "not by hand" in run.stderr, run


TESTS = [f for f in list(globals().values()) if callable(f) and getattr(f, "__module__", "") == "__main__"
         and f.__name__ not in ("Office", "wait", "alive", "status", "expected_links", "heard")]

for test in TESTS:
    if WORD not in test.__name__:
        continue
    try:
        test()
        passed += 1
        print(f"ok    {test.__name__}", flush=True)
    except Exception as e:  # one that fails must not hide the rest
        failed += 1
        print(f"FAIL  {test.__name__}: {type(e).__name__}: {e}", flush=True)
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
