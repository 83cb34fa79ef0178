#!/usr/bin/python3
"""reload: each fault of kitebox.conf is said with its file and line, by --check-config and on SIGHUP; a house at work goes on with
what was right, and takes in what has become right."""
import os
import re
import signal
import smtplib
import subprocess
import sys

from house import ROOT, Failed, House, Report, run, wait_for
from letters import LETTERS

# A line of the file, and what must be said of it. None: that line is right.
ALONE = [  # what one line alone shows
    ('hostname = "kitebox.example";', None),
    ('mail_from = "desk";', "mail_from: must be a mail address"),
    ('', None),
    ('rules = "triage.rules";', "rules: must be an absolute path"),
    ('colour = "green";', "colour: is not a setting"),
    ('limits = {', None),
    ('  idle_s = 1;', "limits.idle_s: is out of range (5 to 86400)"),
    ('  patience = 1;', "limits.patience: is not a setting"),
    ('};', None),
    ('listen = ( { kind = "smtp"; address = "127.0.0.1:0"; },', None),
    ('  { kind = "http"; address = "127.0.0.1:0"; },', "listen.kind: is none of the words that may stand here; see kitebox.conf(5)"),
    ('  { kind = "desk"; }', "listen.address: is missing"),
    (');', None),
    ('mailboxes = ( { address = "desk@kitebox.example"; trusted = 1; } );', "mailboxes.trusted: must be true or false"),
]
TOGETHER = [  # what lines show only together
    ('hostname = "kitebox.example"; mail_from = "desk@kitebox.example";', None),
    ('tls = { certificate = "/cert"; };', "tls: certificate and key belong together: give both, or neither"),
    ('limits = { message_octets = 1000000;', None),
    ('  flight_octets = 999999; };', "limits.flight_octets: must hold at least one message of limits.message_octets"),
    ('referral = {', None),
    ('  retry_most_s = 1;', None),
    ('  retry_first_s = 9; };', "referral.retry_first_s: cannot be more than referral.retry_most_s"),
    ('listen = (', None),
    ('  { kind = "smtp"; address = "127.0.0.1:2525"; },', None),
    ('  { kind = "desk"; address = "127.0.0.1:2526"; },', "listen.address: the desk is reached by a Unix socket only"),
    ('  { kind = "lmtp"; address = "127.0.0.1:2525"; } );', "listen.address: stands twice"),
    ('mailboxes = ( { address = "desk@kitebox.example"; },', None),
    ('  { address = "DESK@kitebox.example"; } );', "mailboxes.address: stands twice"),
    ('relays = ( { host = "mail.oia.example";', None),
    ('  user = "kite"; } );', "relays.password_file: a user needs a password file"),
]


def check(h, path):
    return run(os.path.join(h.build, "daemon", "kiteboxd"), "--config", path, "--check-config", ok=None)


def show_check(r, h):
    for name, lines in {"each line that is wrong": ALONE, "lines that do not go together": TOGETHER}.items():
        path = h.path("wrong.conf")
        with open(path, "w") as f:
            f.write("".join(line + "\n" for line, _ in lines))
        p = check(h, path)
        # An entry that lacks something is named by the line that it begins in.
        want = sorted(f"{path}:{n - (1 if 'password_file' in (said or '') else 0)}: {said}" for n, (_, said) in enumerate(lines, 1) if said)
        got = sorted(p.stderr.decode().splitlines())
        r.ok(got == want and p.returncode == 65, f"--check-config names {name}, by file, line and key", str(sorted(set(got) ^ set(want))))
    for what, text, line in (("a brace that is missing", 'a = {\n\n', 3), ("a setting that stands twice", 'user = "a";\nuser = "b";\n', 2),
                             ("an include", '\n@include "/etc/passwd"\n', 2)):
        with open(path, "w") as f:
            f.write(text)
        p = check(h, path)
        r.ok(p.returncode == 65 and p.stderr.decode().startswith(f"{path}:{line}:"), f"--check-config names the line of {what}", p.stderr.decode())
    for what, path in (("the house's own file", h.path("kitebox.conf")), ("the sample", os.path.join(ROOT, "conf/kitebox.conf"))):
        p = check(h, path)
        r.ok(p.returncode == 0 and not p.stderr, f"control: {what} is without a fault", p.stderr.decode())
    r.ok(check(h, h.path("kitebox.conf")).stdout.decode() == f"{h.path('kitebox.conf')}: no fault\n", "and every file that the house's own names is there")
    with open(h.path("kitebox.conf")) as f, open(h.path("away.conf"), "w") as g:
        g.write(re.sub(r"(?m)^credentials_dir = .*\n", "", f.read()).replace("tls.key", "nowhere.key"))
    for env, folder in ((None, "/etc/kitebox/credentials"), (h.path("unit"), h.path("unit"))):
        said = run(os.path.join(h.build, "daemon", "kiteboxd"), "--config", h.path("away.conf"), "--check-config",
                   env={"CREDENTIALS_DIRECTORY": env} if env else {}).stdout.decode()
        want = [f"tls.key: {h.path('tls/nowhere.key')}", f"credentials_dir: {folder}/referral.key", f"credentials_dir: {folder}/vault.key"]
        r.ok(all(f"{h.path('away.conf')}: {w}: No such file or directory\n" in said for w in want) and said.count("No such file") == len(want),
             f"what is not there is listed, keys in {os.path.basename(folder)} too", said)


def said(h, pattern):
    with open(h.log, errors="replace") as f:
        return re.findall(pattern, f.read())


def reload(h):
    count = len(said(h, "is in force|stays in force"))
    os.kill(h.supervisor_pid(), signal.SIGHUP)
    wait_for("the reload", 20, lambda: len(said(h, "is in force|stays in force")) > count)


def code(h, to):
    """What a recipient is answered."""
    with h.smtp() as s:
        s.ehlo()
        s.mail("rosa@family.example")
        return s.rcpt(to)[0]


def show_reload(r, h):
    new = "ombud@kitebox.example"
    before = h.rooms()
    r.ok(code(h, new) == 550, "control: an address that is not in the configuration is refused")
    right = h.settings.get("mailboxes")
    h.configure(mailboxes=f'( {{ address = "desk@kitebox.example"; }},\n{{ address = "{new}"; }} )', colour="1")
    reload(h)
    with open(h.path("kitebox.conf")) as f:
        line = next(n for n, l in enumerate(f, 1) if l.startswith("colour"))
    r.ok(said(h, re.escape(f"{h.path('kitebox.conf')}:{line}: colour: is not a setting")), "a reload names file and line of what is wrong")
    r.ok(code(h, new) == 550 and code(h, "familia@kitebox.example") == 250 and h.send(LETTERS[2][3]), "and the house goes on with what was right")
    h.configure(colour=None)
    reload(h)
    wait_for("the new address", 10, lambda: code(h, new) == 250)
    r.ok(code(h, "familia@kitebox.example") == 550 and h.send(LETTERS[3][3], to=[new]), "a reload takes in what has become right, and takes away what was taken away")
    r.ok(h.rooms() == before and h.status()["messages"] == 2, "and no room was started again for it", f"{before} {h.rooms()}")
    h.configure(mailboxes=right)


def main():
    r = Report()
    with House(relay=False, rooms="{ sorters = 1; sealers = 1; }") as h:
        show_check(r, h)
        h.start()
        show_reload(r, h)
    r.done()


try:
    main()
except (Failed, subprocess.TimeoutExpired, OSError, smtplib.SMTPException) as e:
    print(f"not ok - {type(e).__name__}: {e}", flush=True)
    sys.exit(1)
