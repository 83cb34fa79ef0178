#!/usr/bin/python3
"""delivery: what leaves the house, at a stock mail server (aiosmtpd), at one that is away, one that nobody should believe, and one
that accepts and then says nothing; and what the courier's death and a stop do to what is on its way."""
import contextlib
import email
import email.policy
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time

from house import Failed, House, Report, make_certificates, wait_for
from letters import eml

ALLEGATION = "Officer Zorn slammed my son face first into the wall at KBA while he was cuffed and kicked him in the ribs. The nurse wrote that he fell.\n"
INQUIRY = "What are the visiting hours on Sunday, and how many people can come?\n"


class DeafServer:
    """Accepts, and says nothing until it is closed."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.clients = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                self.clients.append(self.listener.accept()[0])

    def close(self):
        # SHUT_RDWR wakes the thread that sits in accept(): closing alone leaves the port taken.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for c in self.clients:
            c.close()


def faults(h):
    return {c["code"] for c in h.status()["health"] if c["on"] and c["level"] == "fault"}


def relay(port, ca="tls/ca.pem", host="localhost"):
    return lambda h: f'( {{ host = "{host}"; port = {port}; ca_file = "{h.path(ca)}"; }} )'


def reload(h, relays):
    said = lambda: len(re.findall(r"is in force|stays in force", open(h.log, errors="replace").read()))
    before = said()
    h.configure(relays=relays(h))
    os.kill(h.supervisor_pid(), signal.SIGHUP)
    wait_for("the reload", 20, lambda: said() > before)


def refer(h, text=ALLEGATION):
    return h.send(eml({"Subject": "my son"}, f"{text}\n{os.urandom(8).hex()}\n"))


def referrals(h):
    return [(e, email.message_from_bytes(raw, policy=email.policy.default)) for e, raw in h.arrived() if e["from"] != "<>"]


def runners(h):
    return h.rooms().get("runner", [])


def show_nobody(r, h):
    """The house starts with nobody at the investigators' port."""
    refer(h)
    wait_for("the fault", 20, lambda: "delivery-failing" in faults(h))
    r.ok(not h.arrived(), "while the server is away a referral waits, and health says so")
    h.start_sink()
    wait_for("the referral", 20, lambda: referrals(h))
    envelope, mail = referrals(h)[0]
    r.ok(envelope["from"] == "desk@kitebox.example" and envelope["to"] == ["intake@oia.example"] and envelope["tls"],
         "it arrives when the server is back, under TLS", str(envelope))
    r.ok(str(mail["Message-ID"]).startswith("<referral.") and [p.get_filename()[-8:] for p in mail.iter_attachments()] == [".eml.age", ".minisig"],
         "it holds a sealed file and its signature", str(mail["Message-ID"]))
    wait_for("the end of the fault", 20, lambda: not faults(h))
    r.ok(True, "and health is clear again")


def show_acknowledgements(r, h):
    for sender, text in (("accuser@family.example", ALLEGATION), ("visitor@family.example", INQUIRY)):
        h.send(eml({"Subject": "a question"}, text), sender=sender)
    acks = lambda: {e["to"][0]: (e, raw) for e, raw in h.arrived() if e["from"] == "<>"}
    wait_for("two acknowledgements", 20, lambda: {"accuser@family.example", "visitor@family.example"} <= set(acks()))
    # Less what each has of its own: whom it is for, its number, its id and its second.
    words = [re.sub(rb"K-[0-9A-Z]{4}-[0-9A-Z]{4}|(?m:^(To|Message-ID|Date): .*$)", b"", acks()[a][1])
             for a in ("accuser@family.example", "visitor@family.example")]
    r.ok(words[0] == words[1] and len(words[0]) > 500, "an allegation and an inquiry are acknowledged with the same words, from the null sender")


def show_unbelieved(r, h):
    os.makedirs(h.path("other"), exist_ok=True)
    make_certificates(h.path("other"))
    before = len(h.arrived())
    reload(h, relay(h.sink_port, ca="other/ca.pem"))
    refer(h)
    wait_for("the fault", 20, lambda: {"relay-tls", "delivery-failing"} <= faults(h))
    r.ok(len(h.arrived()) == before, "a server whose certificate does not verify is given nothing, and health says why")
    reload(h, relay(h.sink_port))
    wait_for("the referral", 20, lambda: len(h.arrived()) > before)
    wait_for("the end of the faults", 20, lambda: not faults(h))
    r.ok(True, "control: with the right certificate configured it arrives, and health is clear")


def show_death(r, h):
    deaf = DeafServer()
    before = len(referrals(h))
    reload(h, relay(deaf.port))
    refer(h)
    old = wait_for("a runner", 20, lambda: runners(h))
    os.kill(h.rooms()["courier"][0], signal.SIGKILL)
    wait_for("another runner", 20, lambda: [p for p in runners(h) if p not in old])
    r.ok(not set(old) & set(runners(h)), "a courier that dies takes its runners along, and the next one is given the referral again", str(old))
    deaf.close()
    reload(h, relay(h.sink_port))
    wait_for("the referral", 20, lambda: len(referrals(h)) > before)
    ids = [str(m["Message-ID"]) for _, m in referrals(h)]
    r.ok(len(ids) == len(set(ids)) == before + 1, "and it arrives, once", str(ids))


def show_stop(r, h):
    deaf = DeafServer()
    before = len(referrals(h))
    reload(h, relay(deaf.port))
    refer(h)
    wait_for("a runner", 20, lambda: runners(h))
    start = time.monotonic()
    status = h.stop()
    r.ok(status == 0 and time.monotonic() - start < 15, "a delivery that hangs does not hold up a stop", f"{status}, {time.monotonic() - start:.1f} s")
    said = open(h.log, errors="replace").read().rsplit("kiteboxd: stopping", 1)[1]
    r.ok("courier: ended" not in said, "nor is it the courier's end by a signal", said[-500:])
    deaf.close()
    h.configure(relays=relay(h.sink_port)(h))
    h.start()
    wait_for("the referral", 20, lambda: len(referrals(h)) > before)
    r.ok(len(referrals(h)) == before + 1, "and what was on its way arrives after the next start")


def main():
    r = Report()
    with House(relay=False, rooms="{ sorters = 1; sealers = 1; }") as h:
        h.start()
        show_nobody(r, h)
        show_acknowledgements(r, h)
        show_unbelieved(r, h)
        show_death(r, h)
        show_stop(r, h)
    r.done()


try:
    main()
except (Failed, subprocess.TimeoutExpired, OSError, smtplib.SMTPException) as e:
    print(f"not ok - {type(e).__name__}: {e}", flush=True)
    sys.exit(1)
