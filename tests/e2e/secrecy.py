#!/usr/bin/python3
"""secrecy: nothing of a message stands in anything that the daemon writes, and nobody who has all of it can open a message.

A house is run under a trace of every process in it and gets messages full of marked words, also such as it refuses, loses half way or
cannot read. Every octet that any process handed to the kernel, but for memory and other people's ends of sockets, is searched for
every form of every marker, and so is every file that is left. The same is done with a sealer that leaks, which must be found out."""
import base64
import contextlib
import os
import pwd
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import time

import hostkeys
import storefile
import syscalls
from house import Failed, House, Report, deliver, run, wait_for
from letters import eml, wrapper
from load import faulty_rooms
from markers import Finder, forms, walk, word

MARK = {what: word(what[:3]) for what in (
    "subject", "display name", "local part", "domain", "helo", "body", "quoted-printable body", "html body", "attachment", "file name",
    "message-id", "unknown recipient", "refused sender", "command", "unreadable message", "cut message", "large message", "inmate")}
MARK["name beyond ascii"] = "Zúñ" + word("")
MARK["indicator"] = f"{word('i')}-{word('n')}-{word('d')}"
FINDER = Finder(MARK)
SENDER = f"{MARK['local part']}@{MARK['domain']}.example"
LIMIT = 1 << 20
TEXT = "text/plain; charset=utf-8"


# -- what is sent

def marked(headers, body):
    return eml({"From": f"{MARK['display name']} Quill <{SENDER}>", "Subject": f"about {MARK['subject']} today",
                "Message-ID": f"<{MARK['message-id']}@family.example>", **headers}, body)


def with_attachment(text, size):
    """In base64, at every distance from a group's start."""
    data = "".join(f"{i} {MARK['attachment']}\n" for i in range(size // 24)).encode()
    return marked({"Content-Type": 'multipart/mixed; boundary="=_b"'},
                  f"--=_b\nContent-Type: {TEXT}\n\n{text} {MARK['body']}\n--=_b\nContent-Type: application/pdf\n"
                  f"Content-Disposition: attachment; filename=\"{MARK['file name']}.pdf\"\nContent-Transfer-Encoding: base64\n\n"
                  ) + base64.encodebytes(data).replace(b"\n", b"\r\n") + b"--=_b--\r\n"


ALLEGATION = with_attachment("Officer Kraxler slammed me into the wall while I was cuffed and kicked me in the ribs.", 2000)
QUOTED = b"".join(b"=%02X" % b for b in (MARK["quoted-printable body"] + " " + MARK["name beyond ascii"]).encode("latin-1"))
TAKEN = {
    "an allegation": ALLEGATION,
    "an inquiry in another character set": marked(
        {"From": f"=?iso-8859-1?Q?{MARK['name beyond ascii'].replace('ú', '=FA').replace('ñ', '=F1')}?= <{SENDER}>",
         "Subject": "=?utf-8?B?" + base64.b64encode(MARK["subject"].encode()).decode() + "?=",
         "Content-Type": "text/plain; charset=iso-8859-1", "Content-Transfer-Encoding": "quoted-printable"},
        b"How do I add my aunt to my visiting list?\r\n" + b"".join(QUOTED[i:i + 60] + b"=\r\n" for i in range(0, len(QUOTED), 60)) + b"\r\n"),
    "a page of HTML": marked({"Content-Type": "text/html; charset=utf-8"}, f"<p>He was <b>threatened</b> by two officers. {MARK['html body']}</p>\n"),
    "one that cannot be read": marked({"Content-Type": 'multipart/mixed; boundary="\\""'}, f"--\"\n\n{MARK['unreadable message']}\n--\"--\n"),
    "a large one": with_attachment("Here are the photos. How do I send more?", 420 * 1024),
    "one from an inmate": wrapper(f"Officer Xavi slammed me into the wall while I was cuffed and kicked me in the ribs. {MARK['body']}\n{MARK['indicator']}", f"***Request to Staff*** {MARK['inmate']}, DEAN, Reg# 90001777, KBA-C-A"),
    "one that names a coordinator": marked({"Content-Type": TEXT}, f"Your coordinator Anna Quillfeather laughed at me. {MARK['body']}\n"),
}


def client(h, kind="smtp"):
    s = smtplib.SMTP(*h.tcp["smtp"], local_hostname=MARK["helo"] + ".example", timeout=60) if kind == "smtp" else \
        smtplib.LMTP(h.path("run/lmtp.sock"), local_hostname=MARK["helo"] + ".example")
    s.ehlo()
    return s


def send_taken(h):
    for i, (what, raw) in enumerate(TAKEN.items()):
        with client(h, "lmtp" if i % 3 == 2 else "smtp") as s:
            if i == 0:
                s.starttls(context=h.client_tls())
                s.ehlo()
            deliver(s, raw, ["relay@kitebox.example" if "inmate" in what else "desk@kitebox.example"], SENDER)
    h.send(ALLEGATION, sender=SENDER)  # again: recognised


def send_refused(h):
    """[code, ...] of what must not be taken, and of what is no SMTP at all."""
    codes = []
    with client(h) as s:
        codes.append(s.docmd(MARK["command"], MARK["command"])[0])
        codes.append(s.docmd("MAIL", f"FROM:<{MARK['refused sender']}@family.example> SIZE=99999999")[0])
        codes.append(s.docmd("MAIL", f"FROM:<{MARK['refused sender']}@family.example> {MARK['command']}=1")[0])
        s.mail(SENDER)
        codes.append(s.rcpt(f"{MARK['unknown recipient']}@kitebox.example")[0])
        codes.append(s.docmd("RCPT", f"TO:<{MARK['unknown recipient']}@{MARK['domain']}.example>")[0])
    for raw in (marked({}, (MARK["large message"] + "\n") * (LIMIT // 14)), marked({}, f"{MARK['body']}\n").replace(b"\r\n", b"\n")):
        with client(h) as s, contextlib.suppress(smtplib.SMTPServerDisconnected, BrokenPipeError, ConnectionResetError):
            s.mail(SENDER)
            s.rcpt("desk@kitebox.example")
            s.docmd("DATA")
            s.send(raw + b"\r\n.\r\n")
            codes.append(s.getreply()[0])
    with client(h) as s:
        s.mail(SENDER)
        s.rcpt("desk@kitebox.example")
        s.docmd("DATA")
        s.send(marked({}, f"{MARK['cut message']}\n" * 2000))
        s.close()
    return codes


# -- the house, traced, in a folder where a core could be written

class Traced:
    def __init__(self, libexec=None, **settings):
        self.house = House(limits=f"{{ message_octets = {LIMIT}; }}", **settings)
        self.libexec = libexec

    def __enter__(self):
        h = self.house.__enter__()
        self.traces, self.cores = h.path("traces"), h.path("cores")
        os.mkdir(self.traces)
        os.mkdir(self.cores)
        os.chmod(self.cores, 0o777)
        if self.libexec:
            h.libexec = faulty_rooms(h, sealer=self.libexec)
        cd = ("/bin/sh", "-c", 'cd "$0" && ulimit -c unlimited && exec "$@"', self.cores)
        try:
            h.start(wrap=(*cd, *syscalls.wrap(self.traces)))
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *exc):
        with contextlib.suppress(Exception):
            self.stop()
        self.house.__exit__(*exc)

    def stop(self):
        """strace does not pass SIGTERM on."""
        h = self.house
        if h.daemon and h.daemon.poll() is None:
            os.kill(h.supervisor_pid(), signal.SIGTERM)
            try:
                h.daemon.wait(40)
            except subprocess.TimeoutExpired:
                h.kill()
                raise
        return h.daemon.returncode


def processes(h):
    """[(pid, room), ...] of supervisor and rooms."""
    return [(h.supervisor_pid(), "kiteboxd")] + [(p, room) for room, pids in h.rooms().items() for p in pids]


def told(h):
    """Markers in the arguments, environments and names of all processes."""
    found = []
    for pid, room in processes(h):
        for name in ("cmdline", "environ", "comm"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/{name}", "rb") as f:
                found += [(room, name, what) for what in FINDER.find(f.read())]
    return found


def break_rooms(h, rooms):
    """Each of these is made to crash, and has been started again."""
    for room in rooms:
        before = h.rooms()[room]
        os.kill(before[0], signal.SIGSEGV)
        wait_for(f"a new {room}", 20, lambda: len(h.rooms().get(room, ())) == len(before) and before[0] not in h.rooms()[room])


def plain_process_leaves_a_core(folder):
    """The control: where our rooms leave none, a plain process of the same user does. None: this kernel sends cores elsewhere."""
    with open("/proc/sys/kernel/core_pattern") as f:
        if f.read().startswith(("|", "/", "@")):
            return None
    nobody = pwd.getpwnam("nobody")
    subprocess.run(["/bin/sh", "-c", "ulimit -c unlimited; kill -SEGV $$"], cwd=folder, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[],
                   stderr=subprocess.DEVNULL)
    left = os.listdir(folder)
    for n in left:
        os.unlink(os.path.join(folder, n))
    return bool(left)


def new_files(folders, since, deep=True):
    """What the daemon's user left there."""
    found, uid = [], pwd.getpwnam("nobody").pw_uid
    for folder in filter(os.path.isdir, folders):
        for path in walk(folder) if deep else (os.path.join(folder, n) for n in os.listdir(folder)):
            with contextlib.suppress(OSError):
                st = os.lstat(path)
                if st.st_uid == uid and st.st_mtime >= since:
                    found.append(path)
    return found


# -- what is shown

def show_forms(r):
    """Every form in which a marker may be written is found in a file, also where a line breaks in it."""
    with tempfile.TemporaryDirectory() as d:
        missed = []
        for what, octets in forms(MARK["name beyond ascii"]).items():
            with open(os.path.join(d, "planted"), "wb") as f:
                f.write(os.urandom(999) + octets[:9] + (b"=\r\n" if "quoted" in what else b"\r\n" if "base64" in what else b"") + octets[9:] + os.urandom(999))
            if not FINDER.find_in_files([d]):
                missed.append(what)
        mixed = base64.encodebytes(b"x" * 50 + MARK["body"].encode() + b"y" * 50)
        r.ok(not missed and FINDER.find(mixed), "the search finds a planted marker in each of its forms", f"not {missed}")


def show_trace(r, h, t, house):
    streams = t.joined()
    log = h.log
    r.ok(not t.faults, f"a trace of {len(t.processes)} processes and {t.calls} calls shows every octet that left them", "; ".join(t.faults[:3]))
    started = {os.path.basename(a[1] if a and a[0] == "" else a[0]) for a in t.processes.values() if a}
    rooms = {"kiteboxd"} | {f"kiteboxd-{n}" for n in ("door", "sorter", "sealer", "vault", "desk", "courier", "runner")}
    r.ok(rooms <= started, "every room was traced from its first call", f"not {rooms - started}")
    memory = b"".join(t.memory)
    unseen = set(MARK) - FINDER.find_markers(memory) - {"refused sender", "command", "unknown recipient"}
    r.ok(not unseen, "control: the same search finds the markers in what went to memory and to siblings, where they may be", f"not {unseen}")
    leaks = [(name, what) for name, octets in streams.items() for what in FINDER.find(octets)]
    r.ok(not leaks, "no marker in what was written to any file, log or device, nor in any name or argument", str(leaks[:5]))
    r.ok(streams.get(log) and streams.get(h.path("state/data.mdb")), "control: store and log are among what was searched")
    elsewhere = [p for p in t.opened if not p.startswith((h.path("state/"), h.path("run/"))) and p not in ("/dev/null", "memory")]
    r.ok(not elsewhere, "no file outside of state_dir and run_dir was opened for writing", str(elsewhere))
    mapped = t.shared - {h.path("state/lock.mdb")}
    r.ok(not mapped and h.path("state/lock.mdb") in t.shared, "no file but the store's lock is mapped for writing", str(mapped))


def show_files(r, h, since):
    found = FINDER.find_in_files([h.path("state"), h.path("run"), h.log])
    r.ok(not found, "no marker in any file of the store, the run folder or the log, nor in a file's name", str(found[:5]))
    left = new_files(["/dev/shm", "/var/tmp"], since) + new_files([tempfile.gettempdir(), "/run", "/tmp"], since, deep=False)
    r.ok(not left, "nothing is left in /dev/shm or a temporary folder", str(left[:5]))


def show_cores(r, h, t, folder, control):
    cores = [p for p in os.listdir(folder)]
    crashed = [e for _, e in t.ends if "SIGSEGV" in e and e.startswith("+++")]
    r.ok(len(crashed) >= 6 and not cores and not any("core dumped" in e for e in crashed), "a room that crashes leaves no core", f"{crashed} {cores}")
    name = "control: a plain process of the same user leaves one in the same folder"
    if control is None:
        print(f"ok {r.n + 1} - {name} # SKIP this kernel sends cores elsewhere", flush=True)
        r.n += 1
    else:
        r.ok(control, name)


# -- with everything in hand

def identities_of(h):
    """A file of age identities for all persons and the desk, and one for all investigators: what the host never had."""
    people, investigators = h.path("people.identities"), h.path("investigators.identities")
    grants = storefile.read(h.path("state"))["grant"]
    keys = [open_key(h, h.path("office/people", who, "identity")) for who in sorted(os.listdir(h.path("office/people")))]
    with open(people, "wb") as f:
        f.write(b"\n".join(keys) + b"\n")
    sealed = [storefile.fields("grant", k, v) for k, v in grants.items()]
    with open(people, "ab") as f:
        f.write(hostkeys.opens(people, sealed[0]))
    with open(investigators, "wb") as f, open(h.investigator_identity, "rb") as own:
        f.write(own.read() + open_key(h, h.path("office/investigators/prea.key")))
    return people, investigators, sealed


def open_key(h, path):
    return run(h.kite_binary, "open", "--passphrase-file", h.passfile, path).stdout


def show_keys(r, h):
    tables = storefile.read(h.path("state"))
    blobs = storefile.blobs(tables)
    keys = hostkeys.candidates([h.path("office/host/credentials"), h.path("tls/tls.key"), h.path("state")])
    host = h.path("host.identities")
    hostkeys.write_identities(host, keys)
    people, investigators, grants = identities_of(h)
    opened = {n: (hostkeys.opens(people, b), hostkeys.opens(investigators, b)) for n, b in blobs.items()}
    messages = [n for n, (p, _) in opened.items() if p]
    referrals = [n for n, (p, i) in opened.items() if i and not p]
    nobody = [n for n, both in opened.items() if not any(both)]
    r.ok(len(messages) == len(TAKEN) + 1 and len(referrals) >= 3 and not nobody,
         f"control: coordinators' keys open all {len(messages)} messages, and investigators' keys alone the {len(referrals)} referrals", f"{messages} {referrals} {nobody}")
    text = b"".join(x for both in opened.values() for x in both if x)
    unread = {"subject", "display name", "local part", "domain", "helo", "body", "attachment", "file name", "inmate"} - FINDER.find_markers(text)
    r.ok(not unread, "control: what these opened is what was sent", str(unread))
    by_host = [n for n, b in blobs.items() if hostkeys.opens(host, b) is not None] + [g for g in grants if hostkeys.opens(host, g) is not None]
    r.ok(len(keys) > 300 and not by_host, f"with all files of the stopped host, {len(keys)} candidates for keys open no message, no referral and no grant", str(by_host))
    sealed = run("age", "-r", run("age-keygen", "-y", stdin=hostkeys.identity(keys[-1]).encode() + b"\n").stdout.decode().strip(), stdin=b"planted").stdout
    r.ok(hostkeys.opens(host, sealed) == b"planted", "control: what is sealed to a key of the host, these candidates do open")
    boxes, box = hostkeys.Boxes(), hostkeys.ITEM
    acks = [storefile.fields("outbox", k, v)[-box:] for k, v in tables["outbox"].items()]
    planted = boxes.seal(boxes.public(keys[-1]), b"planted")
    r.ok(acks and not any(boxes.opens(keys, a) for a in acks), f"nor do they open the {len(acks)} acknowledgements that wait", str(len(acks)))
    r.ok(boxes.opens(keys, planted) == b"planted", "control: a box that is sealed to a key of the host is opened")


def sound_house(r):
    since = time.time() - 1
    with Traced() as house:
        h = house.house
        send_taken(h)
        codes = send_refused(h)
        r.ok(len(codes) == 7 and all(c >= 500 for c in codes[:6]), "unknown recipients, what is too large and what is no SMTP is refused", str(codes))
        wait_for("the referrals' arrival", 60, lambda: sum("intake@oia.example" in e["to"] for e, _ in h.arrived()) >= 2)
        wait_for("an acknowledgement's arrival", 60, lambda: any(e["to"] == [SENDER] for e, _ in h.arrived()))
        found = told(h)
        case = h.kite_json("list")["cases"][0]["case"]
        h.kite("show", case)
        r.ok(not found, "no marker in the arguments, the environment or the name of any process", str(found))
        break_rooms(h, ("sorter", "sealer", "door", "vault", "desk", "courier"))
        wait_for("intake after all that", 30, h.intake_open)
        h.sink.terminate()
        h.sink.wait()
        h.send(marked({"Content-Type": TEXT}, f"How do I send a money order? {MARK['body']}\n"), sender=SENDER)  # its answer waits
        r.ok(house.stop() == 0, "the house stops cleanly")
        trace = syscalls.Trace(house.traces)
        show_trace(r, h, trace, house)
        show_files(r, h, since)
        show_cores(r, h, trace, house.cores, plain_process_leaves_a_core(house.cores))
        show_keys(r, h)


def leaky_house(r):
    with Traced(libexec="sealer-leak", relay=False) as house:
        h = house.house
        h.send(ALLEGATION, sender=SENDER)
        house.stop()
        streams = syscalls.Trace(house.traces).joined()
        in_log = FINDER.find(streams.get(h.log, b""))
        in_store = FINDER.find(streams.get(h.path("state/data.mdb"), b""))
        r.ok(any(w.startswith("display name") and "base64" in w for w in in_log), "a sealer that logs a sender in base64 is found out by the trace", str(in_log))
        r.ok(any(w.startswith("subject") for w in in_store), "a sealer that stores a subject in the clear is found out by the trace", str(in_store))
        files = {p for p, _ in FINDER.find_in_files([h.path("state"), h.path("run"), h.log])}
        r.ok(files == {h.log, h.path("state/data.mdb")}, "and by what is left in the files", str(files))


def main():
    r = Report()
    show_forms(r)
    sound_house(r)
    leaky_house(r)
    r.done()


try:
    main()
except (Failed, subprocess.TimeoutExpired, OSError, smtplib.SMTPException) as e:
    print(f"not ok - {type(e).__name__}: {e}", flush=True)
    sys.exit(1)
