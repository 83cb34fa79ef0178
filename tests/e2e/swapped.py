#!/usr/bin/python3
"""swapped: somebody with the whole host in hand puts a public key of their own where the desk's or the investigators' stands.

In the bundle before it is imported, in the configuration, in the rows of the store (with checksums that are right), signed by a key
of their own, or by going back to an older roster. Each time mail must be answered 451, so that its sender keeps it; nothing may be
stored; health must say which; and once the right thing is back, the same message is taken."""
import base64
import hashlib
import json
import os
import re
import shutil
import signal
import smtplib
import struct
import subprocess
import sys

import storefile
from house import PASSPHRASE, Failed, House, Report, deliver, run, wait_for
from letters import LETTERS
from load import faulty_rooms

LETTER = next(raw for name, _, _, raw, _ in LETTERS if name == "HTML only, allegation")
SENDER = "advocate@legalhelp.example"


# -- the thief's tools

def key_of_thief():
    return re.search(rb"age1\w+", run("age-keygen").stdout + run("age-keygen").stderr).group()


def swap_desk(text, key):
    return re.sub(rb"(?m)^(epoch \d+) age1\w+$", rb"\1 " + key, text)


def swap_investigators(text, key):
    return re.sub(rb"(?m)^(destination oia \S+) age1\w+$", rb"\1 " + key, text)


SWAPS = {"the desk's": swap_desk, "the investigators'": swap_investigators}


class Signer:
    """A minisign key pair, by the stock tool."""

    def __init__(self, secret, public, passphrase=None):
        self.secret, self.public, self.passphrase = secret, public, passphrase

    @staticmethod
    def new(folder):
        s = Signer(os.path.join(folder, "thief.key"), os.path.join(folder, "thief.pub"))
        run("minisign", "-G", "-f", "-W", "-s", s.secret, "-p", s.public)
        return s

    def sign(self, text):
        with open(self.secret + ".text", "wb") as f:
            f.write(text)
        run("minisign", "-S", "-s", self.secret, "-m", f.name, "-x", f.name + ".minisig", "-t", "kitebox roster", stdin=(self.passphrase or "").encode() + b"\n")
        with open(f.name + ".minisig", "rb") as f:
            return f.read()

    def row(self):
        """As the store's row of the office has it: key id and key."""
        with open(self.public, "rb") as f:
            return base64.b64decode(f.read().split(b"\n")[1])[2:]


def read_bundle(path):
    """[(name, octets), ...]"""
    with open(path, "rb") as f:
        first, rest = f.read().split(b"\n", 1)
    items = []
    while rest:
        line, rest = rest.split(b"\n", 1)
        _, name, n = line.split(b" ")
        items.append((name.decode(), rest[:int(n)]))
        rest = rest[int(n) + 1:]
    return first, items


def write_bundle(path, first, items):
    with open(path, "wb") as f:
        f.write(first + b"\n" + b"".join(b"--- %s %d\n%s\n" % (n.encode(), len(b), b) for n, b in items))


def set_floor(tables, vault_key, version):
    """The store's row of state with another newest roster, under the right MAC: whoever has vault.key can make one."""
    key, at, mac = b"state", 72, 32
    body = bytearray(storefile.VERSION + storefile.fields("state", key, tables["state"][key])[:-mac])
    body[1 + at:1 + at + 4] = struct.pack("<I", version)
    journal_key = hashlib.blake2b(b"kitebox journal key v1\0", key=vault_key, digest_size=32).digest()
    tables["state"][key] = storefile.row("state", key, bytes(body[1:]) + hashlib.blake2b(body, key=journal_key, digest_size=mac).digest())


# -- the house

class Office(House):
    def __init__(self):
        super().__init__(coordinators=("anna:Anna Quillfeather",), rooms="{ sorters = 1; sealers = 1; }")
        self.pub, self.bundle = self.path("office/host/office.pub"), self.path("office/host/office.bundle")

    def make(self):
        super().make()
        self.letter = 0
        # A reload reads what the user of the rooms may read.
        os.chmod(self.path("office"), 0o711)
        for root, _, files in os.walk(self.path("office/host")):
            for path in [root, *(os.path.join(root, n) for n in files)]:
                shutil.chown(path, self.user or None)

    def keep(self):
        """What is right, to be put back."""
        for name in ("office/host", "state"):
            if os.path.isdir(self.path(name)):
                shutil.copytree(self.path(name), self.path("kept", name), dirs_exist_ok=True)

    def put_back(self, *names):
        for name in names:
            kept, here = self.path("kept", name), self.path(name)
            if os.path.isdir(kept):
                for n in os.listdir(kept):
                    if os.path.isfile(os.path.join(kept, n)):
                        owner = os.stat(os.path.join(here, n))
                        shutil.copy(os.path.join(kept, n), os.path.join(here, n))
                        os.chown(os.path.join(here, n), owner.st_uid, owner.st_gid)
            else:
                shutil.copy(kept, here)

    def begin(self):
        """Started, and reachable, whatever its health is."""
        self.tcp = None
        self.start(wait=False)
        wait_for("the listeners", 30, lambda: self.listeners_ready() or self.tcp and self.faults() is not None)

    def faults(self):
        """Codes of the faults that kite status names, and its exit status; None when it cannot be asked."""
        p = self.kite("status", "--json", ok=None, home=False)
        if p.returncode not in (0, 1):
            return None
        return {c["code"] for c in json.loads(p.stdout)["health"] if c["on"] and c["level"] == "fault"}, p.returncode

    def reload(self):
        os.kill(self.supervisor_pid(), signal.SIGHUP)

    def answer(self, new=False):
        """(code, text) of the first refusal, or of the end. Unless a new letter is to be written, it is the one that was refused last."""
        self.letter += new
        with self.smtp() as s:
            try:
                return 250, deliver(s, LETTER.replace(b"grievance", b"grievance no. %d" % self.letter), ["desk@kitebox.example"], SENDER)
            except smtplib.SMTPResponseException as e:
                return e.smtp_code, e.smtp_error.decode()

    def messages(self):
        return len(storefile.read(self.path("state"))["msg"])


def judge(h, code):
    """What is not as it must be, or "". Mail is kept by its sender, nothing is stored, and health says why."""
    try:
        wait_for(code, 10, lambda: code in (h.faults() or [()])[0])
    except Failed:
        return f"health says {h.faults()}, mail is answered {h.answer(new=True)}"
    before, said = h.status()["messages"], h.answer(new=True)
    text = h.kite("status", ok=(1,), home=False).stdout.decode()
    good = said[0] == 451 and h.faults()[1] == 1 and code in text and h.status()["messages"] == before
    return "" if good else f"{said} {h.faults()}"


def refused(r, h, what, code):
    fault = judge(h, code)
    r.ok(not fault, f"{what}: mail is answered 451, and kite status says {code}", fault)


def accepted(r, h, what):
    try:
        wait_for("intake", 20, h.intake_open)
    except Failed:
        return r.ok(False, what, f"health says {h.faults()}")
    before, said = h.status()["messages"], h.answer()
    r.ok(said[0] == 250 and h.faults() == (set(), 0) and h.status()["messages"] == before + 1, what, f"{said} {h.faults()}")


# -- what is shown

def show_bundle(r, h, thief):
    """Before the store is set up."""
    other = h.path("other")
    run(h.kite_binary, "setup", "--out", other, "--supervisor", "sam:Sam Thief", "--passphrase-file", h.passfile, "--work-factor", "10",
        "--destination", "oia:intake@oia.example")
    first, items = read_bundle(h.bundle)
    wrong = {f"{whose} key swapped in the bundle": [(n, swap(b, key_of_thief()) if n == "roster.1" else b) for n, b in items] for whose, swap in SWAPS.items()}
    wrong["another office's bundle"] = read_bundle(os.path.join(other, "host/office.bundle"))[1]
    text = swap_desk(dict(items)["roster.1"], key_of_thief())
    wrong["the bundle signed anew by another key"] = [(n, text if n == "roster.1" else thief.sign(text) if n == "roster.1.minisig" else b) for n, b in items]
    for i, (what, changed) in enumerate(wrong.items()):
        assert changed != items
        write_bundle(h.bundle, first, changed)
        if i == 0:
            h.begin()
        else:
            h.reload()
        refused(r, h, what, "roster-refused")
    write_bundle(h.bundle, first, items)
    h.reload()
    accepted(r, h, "the right bundle and a reload, and the same message is taken")


def show_configuration(r, h, thief):
    """office.pub of a house at work, and of one that starts with the wrong one."""
    shutil.copy(thief.public, h.pub)
    h.reload()
    refused(r, h, "the office's key swapped in the configuration, and a reload", "office-key-differs")
    h.put_back("office/host/office.pub")
    h.reload()
    accepted(r, h, "the right key and a reload")
    h.stop()
    shutil.copy(thief.public, h.pub)
    h.begin()
    refused(r, h, "the office's key swapped in the configuration, and a start", "office-key-differs")
    h.put_back("office/host/office.pub")
    h.reload()
    accepted(r, h, "the right key and a reload of what had started with the wrong one")
    h.stop()


def with_store(r, h, what, code, change):
    """change(tables) on the store of the stopped house."""
    tables = storefile.read(h.path("state"))
    change(tables)
    storefile.write(h.path("state"), tables)
    h.begin()
    refused(r, h, what, code)
    h.stop()


def swap_in_store(tables, swap, sign=None):
    text, minisig = storefile.roster(tables)
    changed = swap(text, key_of_thief())
    if changed == text:
        raise Failed("the roster does not look as this test thinks")
    storefile.put_roster(tables, changed, sign(changed) if sign else minisig)


def show_store(r, h, thief):
    office = b"office"

    def own_office(tables):
        swap_in_store(tables, swap_desk, thief.sign)
        row = storefile.fields("office", office, tables["office"][office])
        tables["office"][office] = storefile.row("office", office, row[:16] + thief.row() + row[56:])

    before = h.messages()
    for whose, swap in SWAPS.items():
        with_store(r, h, f"{whose} key swapped in the store's roster", "roster-refused", lambda t, s=swap: swap_in_store(t, s))
        h.put_back("state")
        with_store(r, h, f"{whose} key swapped in the store's roster, signed anew by another key", "roster-refused", lambda t, s=swap: swap_in_store(t, s, thief.sign))
        h.put_back("state")
    with_store(r, h, "roster and office key swapped in the store", "office-key-differs", own_office)
    r.ok(h.messages() == before, "nothing was stored by any of these", f"{before} {h.messages()}")
    # And with the configuration's key swapped too, the host is the thief's. Then it is the people's own pin that does not believe it.
    shutil.copy(thief.public, h.pub)
    h.begin()
    p = h.kite("list", ok=None)
    r.ok(p.returncode == 77 and not p.stdout, "with every key on the host swapped, kite refuses the host", f"status {p.returncode}: {p.stdout!r} {p.stderr!r}")
    h.stop()
    h.put_back("state", "office/host/office.pub")
    h.begin()
    accepted(r, h, "control: the store as it was is taken, and the same message is, once")
    p = h.kite("list", ok=None)
    r.ok(p.returncode == 0, "control: and kite believes it", f"{p.stderr!r}")
    h.stop()


def show_control(r, h):
    """A vault that believes any signature, and sealers that do not; then sealers that do, too."""
    tables = storefile.read(h.path("state"))
    swap_in_store(tables, swap_desk)
    storefile.write(h.path("state"), tables)
    sound = h.libexec
    h.libexec = faulty_rooms(h, vault="vault-believing")
    h.begin()
    refused(r, h, "the desk's key swapped, and a vault that believes it: its sealers do not", "roster-refused")
    h.stop()
    h.libexec = faulty_rooms(h, vault="vault-believing", sealer="sealer-believing")
    h.begin()
    fault = judge(h, "roster-refused")
    r.ok("250" in fault, "a vault and sealers that believe any signature fail this test", fault)
    h.stop()
    h.libexec = sound
    h.put_back("state")


def show_rollback(r, h):
    """The office signs a second roster; somebody takes it away again."""
    office = Signer(h.path("office/people/sue/office.key"), h.pub, PASSPHRASE)
    with open(h.path("office/host/credentials/vault.key"), "rb") as f:
        vault_key = f.read()
    tables = storefile.read(h.path("state"))
    first, _ = storefile.roster(tables)
    second = re.sub(rb"(?m)^version 1$", b"version 2", first)
    second = re.sub(rb"(?m)^previous 0+$", b"previous " + hashlib.blake2b(first, digest_size=32).hexdigest().encode(), second)
    second = swap_desk(second, key_of_thief())  # here it is the office's own new desk key
    storefile.put_roster(tables, second, office.sign(second), 2)
    set_floor(tables, vault_key, 2)
    storefile.write(h.path("state"), tables)
    h.begin()
    wait_for("intake", 20, h.intake_open)
    r.ok(h.status()["roster_version"] == 2 and h.answer(new=True)[0] == 250, "control: a second roster that the office signed is in force", str(h.faults()))
    h.kite("list", ok=None)  # and anna's kite has seen it
    h.stop()
    with_store(r, h, "rolled back to the first roster", "roster-refused", lambda t: t["roster"].pop(storefile.roster_key(2)))
    with_store(r, h, "rolled back, and the floor changed by somebody without vault.key", "key-missing", lambda t: set_floor(t, b"\1" * 32, 1))
    tables = storefile.read(h.path("state"))
    set_floor(tables, vault_key, 1)
    storefile.write(h.path("state"), tables)
    h.begin()
    p = h.kite("list", ok=None)
    r.ok(p.returncode not in (0, 75) and not p.stdout, "rolled back by somebody who has vault.key too: kite, which saw the newer roster, refuses the host",
         f"status {p.returncode}: {p.stdout!r} {p.stderr!r}")
    h.stop()
    tables = storefile.read(h.path("state"))
    storefile.put_roster(tables, second, office.sign(second), 2)
    set_floor(tables, vault_key, 2)
    storefile.write(h.path("state"), tables)
    h.begin()
    accepted(r, h, "the second roster put back, and the same message is taken")


def main():
    r = Report()
    with Office() as h:
        thief = Signer.new(h.dir)
        h.keep()
        show_bundle(r, h, thief)
        show_configuration(r, h, thief)
        h.keep()
        show_store(r, h, thief)
        h.keep()
        show_control(r, h)
        show_rollback(r, h)
        h.stop()
    r.done()


try:
    main()
except (Failed, subprocess.TimeoutExpired, OSError, smtplib.SMTPException) as e:
    print(f"not ok - {type(e).__name__}: {e}", flush=True)
    sys.exit(1)
