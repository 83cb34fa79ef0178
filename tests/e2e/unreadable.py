#!/usr/bin/python3
"""unreadable: a message that a sorter dies of or hangs over becomes a sealed case in review, held for the investigators, and disturbs
no other.

Real flaws are rare, so a sorter is built with four: words at which it aborts, writes astray, hangs, and hangs where its own deadline
cannot reach it. Two messages that kill libetpan itself go to the sound sorter as well as to that one."""
import subprocess
import threading

from house import Failed, House, Report, wait_for
from letters import eml
from load import Arrivals, Load, Outcome, faulty_rooms

QUOTE = b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed;boundary="\\""\r\n\r\n\r\n'
NESTED = b"Subject: onion\r\nMIME-Version: 1.0\r\n" + 30000 * b"Content-Type: message/rfc822\r\n\r\n" + b"core\r\n"
FLAWS = ("abort", "stray", "hang", "deaf")
WORD = "kitebox-flaw-"
QUESTION = ("I sent a deposit to my brother for the commissary on the 2nd and it is not there yet. How do I find out where it is?\n"
            "I have the receipt. Thank you for your help.\n")


def flawed(flaw, sender):
    return eml({"From": f"Rosa Quillon <{sender}>", "Subject": "money order", "Content-Type": "text/plain; charset=utf-8",
                "Message-ID": f"<{flaw}.{sender}>"}, f"{QUESTION}\nRef. {WORD}{flaw}\n")


class Cases:
    """What a coordinator and health see now."""

    def __init__(self, house):
        self.house = house
        self.pulled = house.pull_all()
        self.rows = {c["message"]: c for c in house.kite_json("list")["cases"]}
        self.referrals = house.kite_json("referrals")["referrals"]

    def of(self, raw):
        found = [self.rows[i] for i, octets in self.pulled.items() if octets == raw]
        return found[0] if len(found) == 1 else None

    def states(self, case):
        return {(r["destination"], r["state"]) for r in self.referrals if r["case"] == case["case"]}



def count(house, code):
    """What health says of it now, over all rooms."""
    return sum(c["count"] for c in house.status()["health"] if c["on"] and c["code"] == code)


def is_unreadable(cases, raw):
    c = cases.of(raw)
    return bool(c and c["class"] == "review" and "unreadable" in c["flags"] and cases.states(c) == {("oia", "held")})


def send_all(house, mails):
    """Each by a client of its own; gives what each was told."""
    said = {}

    def one(name, raw):
        try:
            said[name] = house.send(raw, sender=f"{name}@family.example")
        except OSError as e:  # smtplib's errors too
            said[name] = f"{type(e).__name__} {e}"

    threads = [threading.Thread(target=one, args=m) for m in mails.items()]
    for t in threads:
        t.start()
    for t in threads:
        t.join(90)
    return said


def with_a_flawed_sorter(r, house):
    house.libexec = faulty_rooms(house, sorter="sorter-flawed")
    house.start()
    before = set(house.rooms()["sorter"])
    mails = {flaw: flawed(flaw, f"{flaw}@family.example") for flaw in FLAWS}
    mails.update({"quote": QUOTE, "nested": NESTED})
    load = Load(house, clients=3, seed=7, most=60, patience=60).start()
    said = send_all(house, mails)
    load.join(90)
    r.ok(all(t.startswith("2.0.0") for t in said.values()), "each of six messages that no sorter survives or parses is taken", str(said))
    wait_for("both sorters to be back", 20, lambda: len(house.rooms().get("sorter", ())) == 2)
    cases = Cases(house)
    for name, raw in mails.items():
        r.ok(is_unreadable(cases, raw), f"{name}: it is a case in review, unreadable, octet for octet, and held for the investigators",
             str(cases.of(raw)))
    judge_beside(r, house, load, cases)
    r.ok(not before & set(house.rooms()["sorter"]), "the sorters that died or hung were started anew")
    for code, least in (("sorter-died", 2), ("sorter-hung", 1), ("unreadable", 4), ("room-restarted", 5)):
        wait_for(f"health to say {code}", 10, lambda: count(house, code) >= least)
    r.ok(True, "health says that sorters died and hung and were started anew, and what is unreadable for it")
    word = subprocess.run(["grep", "-rlaE", f"{WORD}|{QUESTION[:20]}", house.path("state"), house.log], stdout=subprocess.PIPE).stdout
    r.ok(not word, "nothing of them stands in the store or the log", word.decode())
    house.stop()


def judge_beside(r, house, load, cases):
    """The sixty letters that came meanwhile."""
    outcome = Outcome(house, load)
    r.ok(not outcome.lost and not outcome.twice and not outcome.altered, "the sixty letters sent meanwhile are there", str(outcome))
    wrong = [l.number for l in load.letters if (cases.of(l.raw) or {}).get("class") != l.kind or "unreadable" in cases.of(l.raw)["flags"]]
    r.ok(not wrong, "and each has the verdict that is its own", f"letters {wrong}")
    allegations = {l.digest for l in load.letters if l.kind == "allegation"}
    arrivals = Arrivals(house)
    wait_for("their referrals", 30, lambda: arrivals.look().keys() >= allegations, step=0.5)
    r.ok(arrivals.look().keys() == allegations, "what is held has not left, and what was alleged has")


def with_a_sound_sorter(r, house, sound):
    """The same words mean nothing to it; what it must not be given is still unreadable."""
    house.libexec = sound
    house.start()
    mails = {flaw: flawed(flaw, f"again-{flaw}@family.example") for flaw in FLAWS}
    onion = NESTED + b"again\r\n"
    said = send_all(house, {**mails, "onion": onion})
    r.ok(all(t.startswith("2.0.0") for t in said.values()), "control: the sound sorter's house takes the same messages", str(said))
    cases = Cases(house)
    verdicts = {n: (cases.of(raw) or {}).get("class") for n, raw in mails.items()}
    r.ok(set(verdicts.values()) == {"inquiry"}, "control: to a sound sorter they are the inquiries that they are", str(verdicts))
    r.ok(is_unreadable(cases, onion), "30,000 messages within each other are unreadable to it as well", str(cases.of(onion)))
    r.ok(not count(house, "sorter-died") and not count(house, "sorter-hung"), "and no sorter died or hung")


def with_a_blind_sealer(r, house):
    """One that calls such a message an inquiry must be found out."""
    house.libexec = faulty_rooms(house, sorter="sorter-flawed", sealer="sealer-blind")
    house.start()
    raw = flawed("abort", "blind@family.example")
    send_all(house, {"blind": raw})
    cases = Cases(house)
    r.ok(cases.of(raw) and not is_unreadable(cases, raw), "control: a sealer that overlooks what happened is found out", str(cases.of(raw)))


def main():
    r = Report()
    with House(limits="{ sort_s = 1; }") as h:
        sound = h.libexec
        with_a_flawed_sorter(r, h)
        with_a_sound_sorter(r, h, sound)
        r.ok(h.stop() == 0, "it stops with status 0")
        with_a_blind_sealer(r, h)
    r.done()


try:
    main()
except Failed as e:
    print(f"Bail out! {e}", flush=True)
    raise SystemExit(1)
