#!/usr/bin/python3
"""kite without a daemon: setup, seal and open beside the stock tools, on files, pipes and terminals; help and completion.

usage: kite_offline.py KITE"""
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

from house import PASSPHRASE, ROOT, Report
from terminal import on_terminal

KITE = os.path.abspath(sys.argv[1])
DIR = tempfile.mkdtemp(prefix="kite-offline-")
ENV = {"PATH": "/usr/bin:/bin", "KITE_HOME": os.path.join(DIR, "home"), "TMPDIR": os.path.join(DIR, "tmp"), "TERM": "dumb", "LC_ALL": "C.UTF-8",
       **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}}
HEADER, NO_MATCH, HMAC, PAYLOAD, ARMOR = 65, 78, 77, 79, 80
r = Report()


def path(*p):
    return os.path.join(DIR, *p)


def write(name, data):
    with open(path(name), "wb") as f:
        f.write(data)
    return path(name)


def kite(*args, stdin=b"", env=None):
    p = subprocess.run([KITE, *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env or ENV, cwd=DIR, timeout=120)
    if p.returncode < 0 or b"Sanitizer" in p.stderr:
        print(p.stderr.decode("utf-8", "replace"), flush=True)
    return p


def stock(*args, stdin=b""):
    return subprocess.run(args, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=DIR, timeout=120)


def pattern(n):
    return bytes((i * 2654435761 >> 13) & 255 for i in range(min(n, 65537))) * (n // 65537 + 1)


def make_office():
    write("pass", PASSPHRASE.encode() + b"\n")
    args = ("setup", "--out", "office", "--supervisor", "sue:Sue Zephyrine", "--coordinator", "anna:Anna Q", "--work-factor", "10",
            "--destination", "oia:intake@oia.example", "--passphrase-file", "pass")
    p = kite(*args, "--json")
    r.ok(p.returncode == 0, "setup makes an office", p.stderr)
    made = json.loads(p.stdout)
    modes = {stat.S_IMODE(os.stat(os.path.join(d, n)).st_mode) for d, _, names in os.walk(path("office")) for n in names}
    folders = {stat.S_IMODE(os.stat(d).st_mode) for d, _, _ in os.walk(path("office"))}
    r.ok(modes == {0o600} and folders == {0o700}, "what setup writes is its owner's alone", (modes, folders))
    key = open(path("office/host/office.pub")).read().splitlines()[1]
    print_ = stock("sh", "-c", "tail -n 1 office/host/office.pub | sha256sum").stdout.split()[0].decode()
    r.ok(made["office_key"]["key"] == key and made["office_key"]["fingerprint"].replace(" ", "") == print_,
         "the fingerprint is what sha256sum says of the key's line", (made["office_key"], print_))
    r.ok(made["office_key"]["fingerprint"][:39] in open(path("office/setup-sheet.txt")).read(), "and the sheet has it")
    again = kite(*args)
    r.ok(again.returncode == 76 and b"not empty" in again.stderr, "a second setup does not touch the first", again.stderr)
    short = kite(*args[:2], "other", *args[3:-1], write("short", b"short\n"))
    r.ok(short.returncode == 74 and b"too short" in short.stderr, "a passphrase that protects nothing is refused", short.stderr)
    everything = b"".join(open(os.path.join(d, n), "rb").read() for d, _, names in os.walk(path("office")) for n in names)
    r.ok(b"AGE-SECRET-KEY" not in everything, "no secret key lies there without a passphrase")
    status, shown = on_terminal(["age", "-d", "-o", path("anna.txt"), path("office/people/anna/identity")], [(rb"phrase.*: *$", PASSPHRASE.encode())])
    r.ok(status == 0 and b"AGE-SECRET-KEY-1" in open(path("anna.txt"), "rb").read(), "stock age opens an identity with its passphrase", shown)
    status, shown = on_terminal(["minisign", "-S", "-s", path("office/people/sue/office.key"), "-m", path("pass")], [(rb"assword: *$", PASSPHRASE.encode())])
    ok = status == 0 and stock("minisign", "-V", "-p", path("office/host/office.pub"), "-m", path("pass")).returncode == 0
    r.ok(ok, "stock minisign signs with the office key, and verifies under office.pub", shown)
    r.ok(stock("minisign", "-V", "-P", made["referral_key"]["key"], "-m", path("pass")).returncode != 0, "and not under another key")


def both_ways():
    made = stock("age-keygen", "-o", path("id.txt"))
    to = re.search(rb"age1\w+", made.stderr).group().decode()
    write("to.txt", b"# somebody\n\n" + to.encode() + b"\n")
    bad = []
    for n in (0, 1, 47, 48, 65535, 65536, 65537, 131072, 1048577, 3000000):
        plain = pattern(n)[:n]
        name = write("plain", plain)
        for how in ((), ("-a",)):
            sealed = kite("seal", *how, "-r", to, name)
            if stock("age", "-d", "-i", path("id.txt"), stdin=sealed.stdout).stdout != plain:
                bad.append(("age did not open", n, how))
            if kite("open", "-i", "id.txt", stdin=sealed.stdout).stdout != plain:
                bad.append(("kite did not open its own", n, how))
            theirs = stock("age", *how, "-R", path("to.txt"), stdin=plain)
            for more in ((), ("--stream",)):
                if kite("open", "-i", "id.txt", *more, stdin=theirs.stdout).stdout != plain:
                    bad.append(("kite did not open", n, how, more))
                if kite("open", "-i", "id.txt", *more, write("theirs", theirs.stdout)).stdout != plain:
                    bad.append(("kite did not open the file", n, how, more))
    r.ok(not bad, "seal and open go both ways with stock age, on files and pipes, armored or not", bad)
    r.ok(kite("seal", "-r", to, "-R", path("to.txt"), stdin=b"x").stdout.count(b"-> X25519") == 2, "recipients come from words and files")
    r.ok(os.listdir(path("tmp")) == [], "nothing is left where pipes were kept")
    return to


def passphrases():
    sealed = kite("seal", "-p", "--work-factor", "10", "--passphrase-file", "pass", stdin=b"text")
    write("p.age", sealed.stdout)
    status, shown = on_terminal(["age", "-d", "-o", path("p.txt"), path("p.age")], [(rb"phrase.*: *$", PASSPHRASE.encode())])
    r.ok(status == 0 and open(path("p.txt"), "rb").read() == b"text", "stock age opens what was sealed with a passphrase", shown)
    status, shown = on_terminal(["age", "-p", "-o", path("q.age"), path("p.txt")], [(rb"phrase.*: *$", PASSPHRASE.encode()), (rb": *$", PASSPHRASE.encode())])
    r.ok(kite("open", "--passphrase-file", "pass", "q.age").stdout == b"text", "and the other way", shown)
    wrong = kite("open", "--passphrase-file", write("wrong", b"another passphrase\n"), "p.age")
    r.ok(wrong.returncode == NO_MATCH and not wrong.stdout, "another passphrase is no match", wrong.stderr)
    # Two kite in one pipe ask one after the other, and what comes out is the same identity under a new passphrase.
    line = f"'{KITE}' open office/people/anna/identity | '{KITE}' seal -p --work-factor 10 -o anna.new"
    new = b"five entirely new random words"
    status, shown = on_terminal(["sh", "-c", f"cd '{DIR}' && {line}"], [(rb"Passphrase of the file: *$", PASSPHRASE.encode()),
                                (rb"Passphrase for the file: *$", new), (rb"once more: *$", new)], env=ENV)
    r.ok(status == 0 and PASSPHRASE.encode() not in shown and new not in shown, "a passphrase is changed by a pipe, and never shown", shown)
    opened = kite("open", "--passphrase-file", write("newpass", new + b"\n"), "anna.new").stdout
    r.ok(opened == kite("open", "--passphrase-file", "pass", "office/people/anna/identity").stdout != b"", "and the identity is the same")
    status, shown = on_terminal([KITE, "open", path("p.age")], [(rb"file: *$", b"not the passphrase")], env=ENV)
    r.ok(status == NO_MATCH, "a passphrase that was mistyped is said to be no match", shown)
    status, shown = on_terminal([KITE, "open", path("p.age")], [(rb"file: *$", b"half\x03")], env=ENV)
    r.ok(status != 0 and b"given up" in shown, "^C gives up", shown)


def failures(to):
    good = kite("seal", "-r", to, stdin=pattern(3000000)[:3000000]).stdout
    small = kite("seal", "-r", to, stdin=b"small").stdout
    other = stock("age-keygen").stdout
    write("other.txt", other)
    end = good.index(b"\n---") + 1

    def opens(data, *args, want, name, stream_prefix=False):
        for how in ((), ("--stream",)):
            for given in ("pipe", "file"):
                p = kite("open", "-i", "id.txt", *args, *how, stdin=data) if given == "pipe" else kite("open", "-i", "id.txt", *args, *how, write("bad.age", data))
                released = len(p.stdout)
                prefix = bool(how and stream_prefix)  # the control: --stream does show what comes before the fault
                fine = p.returncode == want and (released > 0 and pattern(released)[:released] == p.stdout if prefix else released == 0)
                r.ok(fine, f"{name}: status {want}, {'a beginning' if prefix else 'nothing'} released ({given}{' --stream' if how else ''})",
                     (p.returncode, released, p.stderr))

    opens(b"age-encryption.org/v2\n" + good[22:], want=HEADER, name="another version")
    opens(good[:end - 20], want=HEADER, name="a header that is cut")
    opens(good[:end + 5] + (b"A" if good[end + 5:end + 6] != b"A" else b"B") + good[end + 6:], want=HMAC, name="a MAC that was changed")
    opens(good[:-1] + bytes([good[-1] ^ 1]), want=PAYLOAD, name="a last chunk that was changed", stream_prefix=True)
    opens(good[:-65536], want=PAYLOAD, name="a file that was cut", stream_prefix=True)
    opens(good + b"x", want=PAYLOAD, name="a file that was added to", stream_prefix=True)
    opens(small[:-1] + bytes([small[-1] ^ 1]), want=PAYLOAD, name="a small file that was changed")
    armored = kite("seal", "-a", "-r", to, stdin=b"small").stdout
    opens(armored.replace(b"FILE-----\n", b"FILE-----\n\n", 1), want=ARMOR, name="armor with an empty line")
    opens(b"Hello,\n" + armored, want=ARMOR, name="text before armor")
    p = kite("open", "-i", "other.txt", stdin=good)
    r.ok(p.returncode == NO_MATCH and not p.stdout and b"-i FILE" in p.stderr, "another identity: no match, and the way out", p.stderr)
    p = kite("open", "-i", "id.txt", "-o", "out", write("bad.age", good[:-1] + bytes([good[-1] ^ 1])))
    r.ok(p.returncode == PAYLOAD and not os.path.exists(path("out")), "what does not verify gets no name with -o")
    p = kite("open", "-i", "id.txt", "--stream", "-o", "out", "bad.age")
    left = [n for n in os.listdir(DIR) if n.startswith((".out", "out"))]
    r.ok(p.returncode == PAYLOAD and not left, "nor with --stream -o", left)
    write("out", b"mine")
    for command in (("open", "-i", "id.txt"), ("seal", "-r", to)):
        p = kite(*command, "-o", "out", stdin=small)
        r.ok(p.returncode == 76 and open(path("out"), "rb").read() == b"mine", f"{command[0]} -o leaves a file that is there alone", p.stderr)


def terminals(to):
    hostile = b"plain \x1b[2J\x1b]0;owned\x07 \xe2\x80\xaereversed\nsecond line\n"
    write("h.age", kite("seal", "-r", to, stdin=hostile).stdout)
    status, shown = on_terminal([KITE, "open", "-i", path("id.txt"), path("h.age")], env=ENV)
    r.ok(status == 0 and b"\x1b" not in shown and b"\x07" not in shown and "\u202e".encode() not in shown and b"second line" in shown,
         "on a terminal what was opened is made harmless", shown)
    r.ok(kite("open", "-i", "id.txt", "h.age").stdout == hostile, "in a pipe it is what it was")
    status, shown = on_terminal([KITE, "seal", "-r", to, path("pass")], env=ENV)
    r.ok(status == HEADER and b"age-encryption" not in shown, "a sealed file is not written to a terminal", shown)
    p = kite("list", "K-\x1b[31mred")
    r.ok(b"\x1b" not in p.stderr and b"red" in p.stderr, "nothing that is said of a word drives a terminal", p.stderr)


def usage():
    for args, want in ((("seal",), HEADER), (("seal", "-p", "-r", "age1x"), HEADER), (("seal", "-r", "age1nonsense"), HEADER), (("list", "--bogus"), 64),
                       (("nonsense",), 64), ((), 64), (("show",), 64), (("open", "a", "b"), 64), (("seal", "--json"), 64), (("pull", "--eml", "--maildir"), HEADER),
                       (("export", "K-0000-0000", "--out", "x"), HEADER), (("pull",), HEADER), (("open", "-i", "id.txt", "nowhere"), 66),
                       (("status", "--desk", "/nonexistent"), 71), (("list", "--desk", "/nonexistent"), 66),
                       (("list", "--desk", "/nonexistent", "--home", "office/people/anna"), 71), (("--version",), 0), (("help",), 0), (("-h",), 0)):
        p = kite(*args)
        said = p.stderr.decode() if want else p.stdout.decode()
        r.ok(p.returncode == want and (said.strip() or args == ()), f"kite {' '.join(args)}: status {want}, and a sentence", (p.returncode, said))
    twice = [kite(*a, stdin=b"x").returncode for a in (("seal", "-R", "-"), ("open", "-i", "-"))]
    r.ok(twice == [HEADER, HEADER], "standard input is not two things at once", twice)
    said = kite("seal").stderr.decode()
    r.ok("-r" in said and "-p" in said, "what is missing is named, and how to give it", said)
    commands = re.findall(r"^  (\w+) ", kite("help").stdout.decode().split("Commands:")[1].split("\n\n")[0], re.M)
    bad = [c for c in commands[:-1] if kite("help", c).returncode or kite(c, "--help").stdout != kite("help", c).stdout]
    r.ok(len(commands) == 12 and not bad, "every command has its help", bad)
    wide = [l for c in commands for l in kite("help", c).stdout.decode().split("\n") if len(l) > 80]
    r.ok(not wide, "help fits 80 columns", wide)
    return commands


def complete(*words):
    """What bash would offer for the last of the words."""
    script = f"""
source '{ROOT}/cli/completions/kite'
COMP_WORDS=({' '.join("'" + w + "'" for w in ('kite',) + words)})
COMP_CWORD={len(words)}
_kite '{KITE}' '{words[-1]}' '{(('kite',) + words)[-2]}'
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    return stock("bash", "-c", script).stdout.decode().split()


def completions(commands):
    r.ok(complete("") == commands, "completion offers every command", complete(""))
    r.ok(complete("s") == [c for c in commands if c.startswith("s")], "and those that begin so")
    bad = []
    for c in commands:
        options = re.findall(r"^  (?:-., |    )(--[a-z-]+)", kite("help", c).stdout.decode(), re.M)
        if sorted(complete(c, "--")) != sorted(options) or len(options) < 6:
            bad.append((c, complete(c, "--"), options))
    r.ok(not bad, "and for each its options", bad)
    r.ok(complete("--home", "office", "pu") == ["pull"], "also after an option with a value", complete("--home", "office", "pu"))
    r.ok(set(complete("pull", "--out", "")) >= {"office", "home"} and "pass" not in complete("pull", "--out", ""), "folders where a folder belongs",
         complete("pull", "--out", ""))
    r.ok("pass" in complete("list", "--passphrase-file", "pa"), "files where a file belongs")
    r.ok("pass" in complete("seal", "pa") and not complete("list", "pa"), "and as words where words are files")


try:
    for d in ("home", "tmp"):
        os.mkdir(path(d))
    make_office()
    recipient = both_ways()
    passphrases()
    failures(recipient)
    terminals(recipient)
    completions(usage())
finally:
    shutil.rmtree(DIR)
r.done()
