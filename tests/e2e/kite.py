#!/usr/bin/python3
"""kite with a real office: what is read, pulled, exported and refused, by the person's own programs: mutt, age, a terminal."""
import json
import mailbox
import os
import re
import shutil
import stat
import subprocess

from house import House, PASSPHRASE, ROOT, Report, run, wait_for
from letters import LETTERS
from terminal import on_terminal

r = Report()
NAMES_ANNA = (b"From: Rosa Quillon <rosa@family.example>\r\nTo: desk@kitebox.example\r\nSubject: your coordinator\r\n"
              b"Date: Tue, 24 Nov 2026 09:12:00 -0500\r\n\r\nAnna Quillfeather of your own office hit my son and laughs about it.\r\n")


def shapes():
    """The JSON samples of docs/JSON.md, by the command they stand under."""
    with open(os.path.join(ROOT, "docs/JSON.md")) as f:
        parts = re.split(r"^## ", f.read(), flags=re.M)[1:]
    return {name: json.loads(re.search(r"```json\n(.*?)```", p, re.S).group(1)) for p in parts for name in re.findall(r"kite (\w+)", p.split("\n")[0])}


def same_shape(sample, actual, at=""):
    """Every difference in keys; lists by their first member, except that "head" holds what a message has."""
    if isinstance(sample, dict) and isinstance(actual, dict):
        if at.endswith("head"):
            return []
        out = [f"{at}: {k}" for k in set(sample) ^ set(actual)]
        return out + [d for k in set(sample) & set(actual) for d in same_shape(sample[k], actual[k], f"{at}.{k}")]
    if isinstance(sample, list) and isinstance(actual, list):
        return [d for a in actual[:5] for d in same_shape(sample[0], a, at + "[]")] if sample else []
    fits = sample is None or actual is None or isinstance(sample, type(actual)) or {type(sample), type(actual)} <= {int, float}
    return [] if fits else [f"{at}: {type(sample).__name__} is {type(actual).__name__}"]


def shape_controls():
    sample = {"a": [{"b": 1, "c": None}], "d": "x"}
    found = [bool(same_shape(sample, other)) for other in ({"a": [{"b": 1}], "d": "x"}, {"a": [], "d": 1}, {"a": [], "d": "x", "e": 1})]
    r.ok(all(found) and not same_shape(sample, {"a": [{"b": 2, "c": "y"}], "d": "z"}), "a shape that differs would be found out", found)


def env(h, who, **more):
    return {"PATH": "/usr/bin:/bin", "KITE_HOME": h.path("office/people", who), "KITE_LIBEXEC": h.libexec, "TERM": "dumb", "LC_ALL": "C.UTF-8", **more}


def harmless(text):
    return not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def send(h):
    sent = {}
    for _, to, sender, raw, _ in LETTERS:
        said = h.send(raw, to=(to,), sender=sender)
        sent[re.search(r"[0-9a-f]{32}", said).group()] = raw
    h.named = re.search(r"[0-9a-f]{32}", h.send(NAMES_ANNA, sender="rosa@family.example")).group()
    return sent


def reading(h, sent, docs):
    cases = h.kite_json("list")["cases"]
    r.ok({c["message"] for c in cases} == set(sent), "a list has every message that is the person's to read", len(cases))
    r.ok(all(c["error"] is None and c["status"] == "new" and not c["opened"] for c in cases), "each summary opens, and nothing is marked")
    r.ok({c["octets"] for c in cases} == {len(raw) for raw in sent.values()}, "and knows the original's length")
    limited = h.kite_json("list", "--limit", "3")
    r.ok(len(limited["cases"]) == 3 and limited["more"] and limited["cases"] == cases[:3], "a limit cuts, and says so")
    one = h.kite_json("list", cases[4]["case"])["cases"]
    r.ok(one == [cases[4]], "a case is listed alone")
    text = h.kite("list").stdout.decode()
    r.ok(harmless(text.replace("\n", "")) and len(text.split("\n")) == len(cases) + 2, "as text, each message is a line, and drives no terminal")
    seen = h.kite_json("show", cases[0]["message"])
    r.ok(seen["messages"][0]["message"] == cases[0]["message"] and len(seen["messages"]) == 1, "one message is shown by its id")
    texts = {c["message"]: h.kite("show", c["case"]).stdout.decode() for c in cases}
    r.ok(all(harmless(t) for t in texts.values()), "no message shown drives a terminal")
    r.ok(all(h.kite("show", "--raw", m).stdout == raw for m, raw in list(sent.items())[:3]), "--raw gives the octets")
    r.ok(h.kite("show", "--raw", "--json", cases[0]["case"], ok=None).returncode == 65, "but not as JSON")
    r.ok(h.kite("show", "K-0000-0001", ok=None).returncode == 66, "a case that is not there is said")
    r.ok(all(h.kite(c, "K-0000-0000", ok=None).returncode == 65 for c in ("show", "list", "referrals")), "and zeros do not mean all")
    again = h.kite_json("list")["cases"]
    r.ok(all(c["opened"] and c["status"] == "open" for c in again), "what was shown is marked as opened")
    r.ok(set(os.listdir(h.path("office/people/anna"))) == {"identity", "office.pub", "store"}, "and nothing of it stays in the person's folder",
         os.listdir(h.path("office/people/anna")))
    for name, actual in (("list", h.kite_json("list")), ("show", seen), ("referrals", h.kite_json("referrals")), ("status", h.status())):
        wrong = same_shape(docs[name], actual)
        r.ok(not wrong, f"kite {name} --json has the shape of docs/JSON.md", wrong)


def restricted(h):
    anna, ben = ({c["message"]: c for c in h.kite_json("list", who=w)["cases"]} for w in ("anna", "ben"))
    r.ok(h.named in ben and ben[h.named]["restricted"] and h.named not in anna, "a message that names a coordinator is the others' to read",
         (h.named in ben, h.named in anna))
    p = h.kite("show", h.named, ok=None)
    r.ok(p.returncode == 66 and b"hit my son" not in p.stdout, "the one who is named is told that there is no such thing", p.stderr)
    r.ok("hit my son" in h.kite("show", h.named, who="ben").stdout.decode(), "another coordinator reads it")


def pulling(h, sent, docs):
    out = h.path("eml")
    first = h.kite_json("pull", "--out", out)
    files = {n: open(os.path.join(out, n), "rb").read() for n in os.listdir(out)}
    r.ok({re.search(r"([0-9a-f]{32})\.eml$", n).group(1): b for n, b in files.items()} == sent, "pull writes every message, octet for octet")
    modes = {stat.S_IMODE(os.stat(os.path.join(out, n)).st_mode) for n in files} | {stat.S_IMODE(os.stat(out).st_mode)}
    r.ok(modes == {0o600, 0o700}, "for its owner alone", modes)
    r.ok(not same_shape(docs["pull"], first) and first["written"] == len(sent) and sorted(m["file"] for m in first["messages"]) == sorted(files),
         "and says in the shape of docs/JSON.md what it wrote", same_shape(docs["pull"], first))
    # What leaves the house writes in the journal too: the count is of a house at rest.
    wait_for("deliveries to be over", 30, lambda: not h.status()["referrals"]["queued"] and not h.status()["acknowledgements_waiting"])
    before = h.status()["journal"]["seq"]
    second = h.kite_json("pull", "--out", out)
    r.ok(second["kept"] == len(sent) and second["written"] == 0 and h.status()["journal"]["seq"] == before + 1,
         "what is there already is not fetched again: the journal has the log-in and no reading", (second["kept"], h.status()["journal"]["seq"] - before))
    case = h.kite_json("list")["cases"][2]
    r.ok(h.kite_json("pull", "--out", h.path("one"), case["case"])["written"] == 1 and len(os.listdir(h.path("one"))) == 1, "one case is pulled alone")
    p = h.kite("pull", "--out", h.path("nowhere/below"), ok=None)
    r.ok(p.returncode == 71 and b"nowhere/below" in p.stderr, "a folder that cannot be made is said", p.stderr)


def mutt(h, sent):
    maildir, mbox, rc = h.path("maildir"), h.path("mbox"), h.path("muttrc")
    h.kite("pull", "--maildir", "--out", maildir)
    with open(rc, "w") as f:
        f.write(f"set folder={h.dir} confirmappend=no confirmcreate=no delete=no quit=yes copy=no mbox_type=mbox sleep_time=0 wait_key=no\n"
                f"push \"<tag-pattern>~A<enter><tag-prefix><copy-message>{mbox}<enter><quit>\"\n")
    status, shown = on_terminal(["mutt", "-n", "-F", rc, "-f", maildir], env=env(h, "anna", HOME=h.dir, TERM="vt100"))
    got = sorted(str(m["Subject"]) for m in mailbox.mbox(mbox)) if os.path.exists(mbox) else []
    r.ok(status == 0 and f"New:{len(sent)}".encode() in shown, "mutt shows a Maildir that was pulled, and everything in it is new", (status, shown[-300:]))
    r.ok(len(got) == len(sent) and {"PREA", "retaliation"} <= set(got), "and reads every message of it", got)
    again = h.kite_json("pull", "--maildir", "--out", maildir)
    r.ok(again["kept"] == len(sent) and again["written"] == 0, "what mutt has moved is not pulled twice", again["written"])


def age(h, *args, who="anna", out=None):
    return on_terminal(["age", "-d", *args], [(rb"phrase.*: *$", PASSPHRASE.encode())], stdout=out)


def exporting(h, sent, docs):
    out = h.path("export")
    for who, one in (("anna", next(m for m, raw in sent.items() if 300 < len(raw) < 2000)), ("ben", h.named)):
        made = h.kite_json("export", "--sealed", "--out", out, one, who=who)
        wrong = same_shape({**docs["export"], "grants": [""]}, made)
        r.ok(made["written"] == 1 and not wrong, f"{who} exports a message as it is stored", wrong)
        sealed = os.path.join(out, made["messages"][0]["file"])
        identity, key, opened = h.path("office/people", who, "identity"), h.path("epoch.key"), h.path("opened")
        r.ok(open(sealed, "rb").read(21) == b"age-encryption.org/v1", "which is an age file")
        if who == "anna":
            status, shown = age(h, "-i", identity, "-o", key, os.path.join(out, "epoch-1.grant.age"))
            r.ok(status == 0, "stock age opens the grant with the person's identity", shown)
            run("age", "-d", "-i", key, "-o", opened, sealed)
        else:
            r.ok(made["grants"] == [], "what is sealed to persons needs no grant")
            os.unlink(opened)
            status, shown = age(h, "-i", identity, "-o", opened, sealed)
            r.ok(status == 0, "stock age opens it with the person's identity alone", shown)
        shell = "\n".join(l.strip() for l in open(os.path.join(out, "README.txt")).read().split("3. The original")[1].split("\n") if re.match(r"\s{7}\S", l))
        subprocess.run(["sh", "-ec", shell.replace("message.opened", opened).replace("message.eml", opened + ".eml")], check=True)
        original = open(opened + ".eml", "rb").read()
        r.ok(original == (sent.get(one) or NAMES_ANNA), "and the lines of README.txt cut the original out, octet for octet", len(original))
        said = re.search(rb"^Kitebox-End: \d+ ([0-9a-f]{64})", open(opened, "rb").read(), re.M).group(1).decode()
        r.ok(run("b2sum", "-l", "256", opened + ".eml").stdout.split()[0].decode() == said, "whose hash is the one that is named")
    r.ok(h.kite_json("export", "--sealed", "--out", out, h.named, who="ben")["kept"] == 1, "what is there already is kept")


def strangers(h):
    """Folders that are not what they should be: copies of anna's, each with one thing changed."""
    def home(name, change):
        where = h.path("homes", name)
        shutil.copytree(h.path("office/people/anna"), where)
        change(where)
        return where

    def put(name, text):
        return lambda where: open(os.path.join(where, name), "w").write(text)

    run(h.kite_binary, "setup", "--out", h.path("other"), "--supervisor", "eve:Eve", "--destination", "oia:o@oia.example", "--work-factor", "10",
        "--passphrase-file", h.passfile)
    other = h.path("other/people/eve")
    store = open(h.path("office/people/anna/store")).read()
    rows = (
        ("another office's key pinned", home("pinned", lambda w: shutil.copy(other + "/office.pub", w)), 77, b"not to be trusted"),
        ("somebody of another office", home("stranger", lambda w: shutil.copy(other + "/identity", w)), 77, b"roster does not have this identity"),
        ("a roster that was newer last time", home("newer", put("store", store.replace("roster 1", "roster 2"))), 76, b"older"),
        ("another store than last time", home("store", put("store", "store " + "0" * 32 + "\nroster 1\n")), 77, b"another store"),
        ("a memory that was tampered with", home("memory", put("store", "store\n")), 65, b"not what kite wrote"),
        ("no identity", home("none", lambda w: os.unlink(w + "/identity")), 66, b"no identity"),
    )
    for name, where, want, words in rows:
        p = run(h.kite_binary, "list", "--home", where, "--desk", h.path("run/desk.sock"), "--passphrase-file", h.passfile, ok=None, env=env(h, "anna"))
        r.ok(p.returncode == want and words in p.stderr and not p.stdout, f"{name}: status {want}, and it is said", (p.returncode, p.stderr[-300:]))
    with open(h.path("wrong"), "w") as f:
        f.write("another passphrase\n")
    p = run(h.kite_binary, "list", "--desk", h.path("run/desk.sock"), "--passphrase-file", h.path("wrong"), ok=None, env=env(h, "anna"))
    r.ok(p.returncode == 78 and b"type it again" in p.stderr, "another passphrase: status 78", p.stderr)
    fresh = home("fresh", lambda w: (os.unlink(w + "/office.pub"), os.unlink(w + "/store")))
    p = run(h.kite_binary, "list", "--home", fresh, "--desk", h.path("run/desk.sock"), "--passphrase-file", h.passfile, env=env(h, "anna"))
    key = open(h.path("office/host/office.pub")).read().split("\n")[1]
    r.ok(b"first contact" in p.stderr and key.encode() in p.stderr and open(fresh + "/office.pub").read().split("\n")[1] == key,
         "first contact shows the key and pins it", p.stderr)
    p = run(h.kite_binary, "list", "--home", fresh, "--desk", h.path("run/desk.sock"), "--passphrase-file", h.passfile, env=env(h, "anna"))
    r.ok(b"first contact" not in p.stderr, "once")


def terminals(h):
    cmd = [h.kite_binary, "list", "--desk", h.path("run/desk.sock")]
    status, shown = on_terminal(cmd, [(rb"identity: *$", PASSPHRASE.encode())], env=env(h, "anna", PAGER="cat"), columns=100)
    lines = [l for l in shown.decode().split("\r\n") if re.match(r"[ *] (K-|CASE)", l)]
    r.ok(status == 0 and len(lines) == len(LETTERS) + 1 and all(len(l) <= 100 for l in lines) and b"\x1b" not in shown,
         "on a terminal the passphrase is asked for and lines fit", (status, len(lines), max(map(len, lines), default=0)))
    r.ok(PASSPHRASE.encode() not in shown, "and what is typed does not show")
    status, shown = on_terminal(cmd, [(rb"identity: *$", PASSPHRASE.encode()), (rb"K-", b"q")], env=env(h, "anna", TERM="vt100"), columns=100)
    r.ok(status == 0 and b"CASE" in shown, "a pager shows it, and may be left", (status, shown[-200:]))


with House(build=os.environ["KB_BUILD"]) as h:
    docs = shapes()
    shape_controls()
    wrong = same_shape(docs["setup"], json.loads(run(h.kite_binary, "setup", "--json", "--out", h.path("sample"), "--supervisor", "s:S", "--destination",
                       "o:o@oia.example", "--work-factor", "10", "--passphrase-file", h.passfile).stdout))
    r.ok(not wrong, "kite setup --json has the shape of docs/JSON.md", wrong)
    h.start()
    sent = send(h)
    reading(h, sent, docs)
    restricted(h)
    pulling(h, sent, docs)
    mutt(h, sent)
    exporting(h, sent, docs)
    strangers(h)
    terminals(h)
    h.stop()
    p = h.kite("list", ok=None)
    r.ok(p.returncode == 71 and b"is kiteboxd running" in p.stderr, "without a daemon it is said that there is none", p.stderr)
r.done()
