#!/usr/bin/python3
"""kills: what was acknowledged survives kill -9 of any room and of the whole house, a stop and a reload, all under load.

Proved by the real daemon, real clients and the real kite; and by a vault that promises before it has stored, which must be found out."""
import os
import random
import signal
import time

import storefile
from house import Failed, House, Report, wait_for
from load import Arrivals, Load, Outcome, faulty_rooms

DUPLICATE = 3  # an act of the journal (docs/FORMATS.md)

# Who is killed, and in how many of a hundred turns. "kiteboxd" is the supervisor alone: its rooms must not outlive it.
TURNS = {"door": 15, "sorter": 13, "sealer": 15, "vault": 19, "desk": 7, "courier": 9, "kiteboxd": 6, "house": 16}


class Campaign:
    """Kills at random moments while clients send. One house, one load."""

    def __init__(self, house, load, seed):
        self.house, self.load, self.rng = house, load, random.Random(seed)
        self.killed = dict.fromkeys(TURNS, 0)
        self.under_way = 0
        self.turns = []

    def total(self):
        return sum(self.killed.values())

    def next_turn(self):
        """Everybody's turn comes: a shuffled round in the proportions of TURNS."""
        if not self.turns:
            self.turns = [t for t, share in TURNS.items() for _ in range(max(1, round(share / 6)))]
            self.rng.shuffle(self.turns)
        return self.turns.pop()

    def mail_goes_on(self):
        before = self.load.acks
        wait_for(f"mail to go on after kill {self.total()}", 30, lambda: self.load.acks > before or self.load.faults, step=0.005)
        if self.load.faults:
            raise Failed(self.load.faults[0])

    def kill_one(self, room):
        pids = wait_for(f"a {room}", 20, lambda: self.house.rooms().get(room))
        self.under_way += self.load.under_way() > 0
        os.kill(self.rng.choice(pids), signal.SIGKILL)

    def kill_supervisor(self):
        orphans = [p for pids in self.house.rooms().values() for p in pids]
        self.under_way += self.load.under_way() > 0
        self.house.daemon.kill()
        self.house.daemon.wait()
        wait_for("the rooms to end with their supervisor", 5, lambda: not any(os.path.exists(f"/proc/{p}") for p in orphans))
        self.start_again()

    def kill_house(self):
        self.under_way += self.load.under_way() > 0
        self.house.kill()
        self.start_again()

    def start_again(self):
        self.house.start(wait=False)
        wait_for("the listeners", 30, self.house.answers)

    def turn(self, who=None):
        self.mail_goes_on()
        time.sleep(self.rng.uniform(0, 0.25))
        who = who or self.next_turn()
        {"house": self.kill_house, "kiteboxd": self.kill_supervisor}.get(who, lambda: self.kill_one(who))()
        self.killed[who] += 1

    def run(self, kills, seconds=10 ** 9, say=None):
        end = time.monotonic() + seconds
        while self.total() < kills and time.monotonic() < end:
            self.turn()
            if say:
                say(self)

    def __str__(self):
        return (f"{self.total()} kills ({', '.join(f'{w} {n}' for w, n in self.killed.items())}), {self.under_way} of them with a message "
                f"just then between its end and its answer")


def counts(load):
    unsure = sum(l.unsure > 0 for l in load.letters)
    return (f"{load.acks} acknowledged of {len(load.letters)} letters, {sum(l.refused for l in load.letters)} temporary refusals, "
            f"{unsure} sent again without knowing; the longest wait for a 250 was {load.longest:.1f} s")


def judge(r, outcome, what):
    """The four things that must hold of whatever was acknowledged."""
    r.ok(not outcome.lost, f"every acknowledged message is there after {what}", f"{len(outcome.lost)} lost, e.g. letter "
         f"{outcome.lost[0].number if outcome.lost else None}")
    r.ok(not outcome.altered and not outcome.strange, "each opens to the octets that were sent",
         f"{len(outcome.altered)} altered, {len(outcome.strange)} that nobody sent")
    r.ok(not outcome.twice and outcome.cases == outcome.letters, "each stands once, also where a client sent again",
         f"{len(outcome.twice)} twice, {outcome.cases} cases of {outcome.letters} letters")


def judge_referrals(r, house, load, outcome):
    wanted = {l.digest: l for l in load.letters if l.kind == "allegation"}
    listed = {c["message"]: c for c in house.kite_json("list")["cases"]}
    wrong = [l for d, l in wanted.items() if listed.get(outcome.case_of.get(d), {}).get("class") != "allegation"]
    r.ok(wanted and not wrong, f"each of {len(wanted)} allegations is one in the list", f"{len(wrong)} are not")
    arrivals = Arrivals(house)
    wait_for("the referrals to arrive", 120, lambda: arrivals.look().keys() >= wanted.keys(), step=1)
    came = arrivals.look()
    many = [d for d, ids in came.items() if len(ids) != 1]
    r.ok(not many, f"each was referred under one Message-ID ({arrivals.mails} mails for {len(came)} referrals)", f"{len(many)} under several")
    r.ok(came.keys() == wanted.keys(), "and no other letter was", f"{len(came.keys() - wanted.keys())} others")


def said(house, words):
    """How often it stands in the log."""
    with open(house.log, errors="replace") as f:
        return f.read().count(words)


def all_there(house):
    here = house.rooms()
    return all(len(here.get(room, ())) == (2 if room in ("sorter", "sealer") else 1) for room in
               ("door", "sorter", "sealer", "vault", "desk", "courier"))


def stops_and_reloads(r, house, load):
    """SIGHUP, then SIGTERM, with clients at work. Letters that were begun before every room was back do not count."""
    wait_for("every room to be back", 30, lambda: all_there(house))
    first = len(load.letters)
    for n in range(4):
        acks = load.acks
        house.daemon.send_signal(signal.SIGHUP)
        wait_for("the reload", 20, lambda: said(house, "the new configuration is in force") > n)
        wait_for("mail to go on after a reload", 20, lambda: load.acks > acks + 5)
    noticed = sum(l.unsure + l.refused for l in load.letters[first:])
    r.ok(not noticed, "kiteboxd takes its configuration anew under load, and no client notices", f"{noticed} refused or cut off")
    ends = []
    for n in range(2):
        acks = load.acks
        wait_for("mail to go on", 20, lambda: load.acks > acks + 5)
        ends.append(house.stop())
        house.start(wait=False)
        wait_for("the listeners", 30, house.answers)
    r.ok(ends == [0, 0] and not said(house, "not every room stopped in time"), "SIGTERM ends it with status 0 under load, every room in its time",
         f"statuses {ends}")
    cut = sum(l.unsure for l in load.letters[first:])
    r.ok(not cut, "and what was under way is answered first", f"{cut} were cut off")


def controls(r, seed):
    """Broken on purpose, so that the same campaign must find it out, or it would prove nothing."""
    with House() as h:
        h.libexec = faulty_rooms(h, vault="vault-early")
        outcome = short_campaign(h, f"{seed}e", ("vault", "house"), 4)
        r.ok(outcome.lost, "control: a vault that answers before its commit is found to lose mail", str(outcome))
        h.stop()
        h.libexec = faulty_rooms(h, vault="vault-forgetful")
        outcome = short_campaign(h, f"{seed}f", ("door", "house"), 4)
        r.ok(outcome.twice, "control: a vault that recognises nothing is found to store twice", str(outcome))


def short_campaign(house, seed, turns, rounds):
    house.start()
    load = Load(house, seed=seed).start()
    c = Campaign(house, load, seed)
    for who in turns * rounds:
        c.turn(who)
    load.finish()
    outcome = Outcome(house, load)
    print(f"# control: {c.total()} kills; {outcome}", flush=True)
    return outcome


def main():
    r = Report()
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"# seed {seed}", flush=True)
    with House() as h:
        h.start()
        load = Load(h, seed=seed).start()
        c = Campaign(h, load, seed)
        c.run(52)
        print(f"# {c}", flush=True)
        r.ok(c.total() >= 50 and all(c.killed.values()), "each room and the whole house was killed, and mail went on each time", str(c))
        stops_and_reloads(r, h, load)
        load.finish()
        print(f"# {counts(load)}", flush=True)
        pulled = h.pull_all()
        outcome = Outcome(h, load, pulled=pulled)
        print(f"# {outcome}", flush=True)
        judge(r, outcome, f"{c.total()} kills, 4 reloads and 2 stops")
        r.ok(not outcome.unnamed, "each 250 named the message that is there, also that of a second sending", str(outcome))
        case = next(iter(pulled))
        changed = Outcome(h, load, pulled={**pulled, case: pulled[case][:-3] + b"?" + pulled[case][-2:]})
        r.ok(changed.lost and changed.strange, "control: one octet that differs in one case is found out", str(changed))
        judge_referrals(r, h, load, outcome)
        r.ok(h.stop() == 0, "it stops with status 0")
        again = storefile.acts(storefile.read(h.path("state"))).count(DUPLICATE)
        r.ok(again, "some were stored, their 250 was lost, and the second sending was recognised", f"{again} in the journal")
    controls(r, seed)
    r.done()


if __name__ == "__main__":
    try:
        main()
    except Failed as e:
        print(f"Bail out! {e}", flush=True)
        raise SystemExit(1)
