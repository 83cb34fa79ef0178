#!/usr/bin/python3
"""The demonstration: real messages by stock clients over STARTTLS, cases, a sealed referral and its arrival, opened by stock tools."""
import email
import email.policy
import hashlib
import os
import re
import subprocess
import sys
import time

from house import Failed, House, run, wait_for
from letters import LETTERS

BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else ("", "")


def title(text):
    print(f"\n{BOLD}{text}{PLAIN}", flush=True)


def show(text, indent="  "):
    for line in text.rstrip("\n").split("\n"):
        print(indent + line)


def send_curl(h, to, sender, path):
    host, port = h.tcp["smtp"]
    p = run("curl", "-sS", "-v", "--ssl-reqd", "--cacert", h.path("tls/ca.pem"), "--mail-from", sender, "--mail-rcpt", to, "-T", path,
            "--resolve", f"localhost:{port}:{host}", f"smtp://localhost:{port}/client.example")
    said = re.findall(r"^< (250 2\.0\.0 .*)$", p.stderr.decode(), re.M)
    return said[-1] if said else "?"


def send_swaks(h, to, sender, path):
    host, port = h.tcp["smtp"]
    p = run("swaks", "--server", "localhost", "--port", str(port), "--tls", "--from", sender or "<>", "--to", to, "--data", "@" + path)
    said = re.findall(r"^<~\s+(250 2\.0\.0 .*)$", p.stdout.decode(), re.M)
    return said[-1] if said else "?"


def send_all(h):
    os.makedirs(h.path("letters"))
    sent = {}
    for i, (name, to, sender, raw, _) in enumerate(LETTERS):
        path = h.path("letters", f"{i:02d}.eml")
        # swaks must have a body, and no long one: curl takes the rest.
        client = send_swaks if (i % 2 or not sender) and len(raw) < 100000 and not raw.endswith(b"\r\n\r\n") else send_curl
        with open(path, "wb") as f:
            f.write(raw.removesuffix(b"\r\n") if client is send_swaks else raw)  # swaks ends the last line itself
        said = client(h, to, sender, path)
        print(f"  {name:34} {len(raw):>9,} octets  {'swaks' if client is send_swaks else 'curl ':5}  {said}", flush=True)
        m = re.search(r"[0-9a-f]{32}", said)
        sent[m.group() if m else name] = raw
    return sent


def open_referral(h, raw):
    """With stock tools alone: python's email to take the mail apart, age to open, minisign to verify."""
    m = email.message_from_bytes(raw, policy=email.policy.default)
    parts = {p.get_filename(): p.get_payload(decode=True) for p in m.iter_attachments()}
    name = next(n for n in parts if n.endswith(".age"))
    with open(h.path(name), "wb") as f:
        f.write(parts[name])
    with open(h.path(name + ".minisig"), "wb") as f:
        f.write(parts[name + ".minisig"])
    opened = run("age", "-d", "-i", h.investigator_identity, h.path(name)).stdout
    referral_key = re.search(r"RW\S{54}", open(h.path("office/setup-sheet.txt")).read().split("referral", 1)[1]).group()
    verified = run("minisign", "-V", "-P", referral_key, "-m", h.path(name)).stdout.decode()
    return m, name, opened, verified


def original_of(sealed_eml):
    """Cuts the original out by the length that Kitebox-End names."""
    head, _, rest = sealed_eml.partition(b"\r\n\r\n")
    end = re.search(rb"^Kitebox-End: (\d+) ([0-9a-f]{64})", head, re.M)
    original = rest[:int(end.group(1))]
    if hashlib.blake2b(original, digest_size=32).hexdigest() != end.group(2).decode():
        raise Failed("the original's hash does not match")
    return head, original


def main():
    start = time.monotonic()
    title("1. A new office: kite setup makes keys for everybody, and kiteboxd gets only public halves")
    with House() as h:
        show(h.setup_said)
        h.start()
        title("2. The daemon's rooms, each a process of its own, none of which can open what is stored")
        for room, pids in sorted(h.rooms().items()):
            with open(f"/proc/{pids[0]}/status") as f:
                st = dict(l.split(":", 1) for l in f if ":" in l)
            print(f"  {room:9} x{len(pids)}  seccomp mode {st['Seccomp'].strip()}, no new privileges {st['NoNewPrivs'].strip()}")
        title(f"3. {len(LETTERS)} messages come in over STARTTLS by stock clients; 250 is said only when a message is sealed and on disk")
        sent = send_all(h)
        title("4. What a coordinator sees: kite list")
        show(h.kite("list").stdout.decode())
        cases = h.kite_json("list")["cases"]
        first = next(c for c in cases if c["class"] == "allegation" and "Kraxler" not in c["subject"] and c["channel"] == "inmate-relay")
        title(f"5. One case, opened on the coordinator's side: kite show {first['case']}")
        show(h.kite("show", first["case"]).stdout.decode())
        title("6. Allegations are at the investigators' server already, sealed to them alone")
        allegations = [c for c in cases if c["class"] == "allegation"]
        wait_for("the referrals' arrival", 60, lambda: sum("intake@oia.example" in e["to"] for e, _ in h.arrived()) >= len(allegations))
        for e, raw in h.arrived():
            m = email.message_from_bytes(raw, policy=email.policy.default)
            print(f"  to {e['to'][0]:24} TLS {'yes' if e['tls'] else 'NO '}  {str(m['Subject'])[:70]}")
        show(h.kite("referrals").stdout.decode())
        title("7. An investigator, without any of this software: stock age and stock minisign")
        pairs = 0
        for e, raw in h.arrived():
            if "intake@oia.example" not in e["to"]:
                continue
            m, name, opened, verified = open_referral(h, raw)
            head, original = original_of(opened)
            if original not in sent.values():
                raise Failed("a referral's original is not what was sent")
            pairs += 1
        print(f"  {pairs} referrals opened with `age -d`, verified with `minisign -V`; each original is octet for octet what was sent")
        show(verified)
        show(head.decode("utf-8", "replace"), "  | ")
        title("8. Every case pulled with kite pull and compared with what was sent")
        pulled = h.pull_all()
        same = sum(pulled.get(k) == v for k, v in sent.items())
        print(f"  {same} of {len(sent)} identical, {len(pulled)} cases in all")
        title("9. What the host itself holds: nothing to read")
        leaks = subprocess.run(["grep", "-rlaE", "Kraxler|rosa@family|golpe|UXBRIDGE", h.path("state"), h.log], stdout=subprocess.PIPE).stdout
        print(f"  files of store and log in which a name, address or word of the messages stands: {len(leaks.split())}")
        show(h.kite("status", home=False, ok=None).stdout.decode())
        h.stop()
    ok = same == len(sent) == len(pulled) == len(LETTERS) and not leaks and pairs >= len(allegations) > 3
    print(f"\n{'All of it held' if ok else 'SOMETHING DID NOT HOLD'}; {time.monotonic() - start:.1f} s")
    return 0 if ok else 1


try:
    sys.exit(main())
except (Failed, subprocess.TimeoutExpired) as e:
    print(f"demo: {e}", file=sys.stderr)
    sys.exit(1)
