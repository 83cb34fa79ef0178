"""checks: what must hold after the load, asked of the house's own clients, and what shows that a fault would be noticed."""
import copy
import re
import time

from house import wait_for

LEAVING = ("queued", "sent", "delivered", "acknowledged", "closed")
DELIVERED_WITHIN_S, RESTS_WITHIN_S = 300, 60
CLEARLY = 0.9  # this share of the allegations is so plain that a person need not decide


class Found:
    """answers: [(text, final reply)]; pulled: {id: octets}; cases: {id: row of kite list}; referrals: {case: [row]}."""


def gather(house, answers):
    f = Found()
    f.answers = answers
    f.cases = {c["message"]: c for c in house.kite_json("list", "--all", timeout=600)["cases"]}
    f.referrals = {}
    for r in house.kite_json("referrals", "--all", timeout=600)["referrals"]:
        f.referrals.setdefault(r["case"], []).append(r)
    f.arrived = sum(1 for _ in house.arrived())
    f.pulled = house.pull_all()
    f.status = house.status()
    f.counts = count(f)
    return f


def at_rest(house):
    """Waits until what leaves has left, so that nobody else is measured meanwhile."""
    wait_for("all referrals that nobody holds to be delivered", DELIVERED_WITHIN_S,
             lambda: house.status()["referrals"]["queued"] == 0, step=0.2)


def id_of(reply):
    m = re.search(r"^250 .*\b([0-9a-f]{32})\b", reply)
    return m and m.group(1)


def count(f):
    mine = [(t, f.cases.get(id_of(said))) for t, said in f.answers]
    out = {f"classed_{c}": sum(1 for _, k in mine if k and k["class"] == c) for c in ("allegation", "review", "inquiry", "machine")}
    states = [r["state"] for k in f.referrals.values() for r in k]
    return {**out, "referrals_delivered": states.count("delivered"), "referrals_held": states.count("held"), "arrived": f.arrived}


def states(f, case):
    """States of a case's referrals to the investigators that take all allegations."""
    return [r["state"] for r in f.referrals.get(case["case"], ()) if r["destination"] == "oia"]


def fits(f, case):
    """An allegation is on its way, what might be one is held, everything else stays at the desk."""
    got = states(f, case)
    if case["class"] == "allegation":
        return len(got) == 1 and got[0] in LEAVING
    if case["class"] == "review":
        return got == ["held"]
    return got == []


def verdicts(f):
    """(holds, name, detail) of everything that can be told from what was found."""
    ids = [id_of(said) for _, said in f.answers]
    yield all(ids), "every text was taken", next((s for _, s in f.answers if not id_of(s)), "")
    yield len(set(ids)) == len(ids), "every text has an id of its own", f"{len(set(ids))} ids of {len(ids)} texts"
    differ = [i for i, (t, _) in zip(ids, f.answers) if f.pulled.get(i) != t.raw]
    yield not differ, "every text opens to the octets that were sent", f"{len(differ)} do not, the first is {differ[:1]}"
    raws = {t.raw for t, _ in f.answers}
    yield sum(v in raws for v in f.pulled.values()) == len(raws), "no text is stored twice", ""
    known = [(t, f.cases[i]) for i, (t, _) in zip(ids, f.answers) if i in f.cases]
    yield len(known) == len(ids), "every text is a case on the list", f"{len(known)} of {len(ids)}"
    alone = [c["case"] for t, c in known if t.allegation and not states(f, c)]
    yield not alone, "every allegation has a referral", f"{len(alone)} have none"
    plain = sum(c["class"] == "allegation" for t, c in known if t.allegation)
    written = sum(t.allegation for t, _ in f.answers)
    yield plain >= CLEARLY * written, "allegations as plain as these wait for nobody", f"{plain} of {written} are classed so"
    unfit = [c for _, c in known if not fits(f, c)]
    yield not unfit, "an allegation's referral leaves, a doubtful one is held, an inquiry has none", f"{len(unfit)} do not fit: {unfit[:1]}"
    leaving = sum(r["state"] in LEAVING for k in f.referrals.values() for r in k)
    yield leaving == f.arrived, "every referral that left arrived", f"{f.arrived} of {leaving}"


def broken(f):
    """(what, the same findings with that fault): every one must be noticed."""
    first = id_of(f.answers[0][1])
    case = next(c for t, said in f.answers if t.allegation for c in [f.cases[id_of(said)]] if c["class"] == "allegation")["case"]

    def fault(change):
        g = copy.copy(f)
        g.pulled, g.referrals, g.answers = dict(f.pulled), dict(f.referrals), list(f.answers)
        change(g)
        return g

    def alter(g):
        octets = bytearray(g.pulled[first])
        octets[len(octets) // 2] ^= 1
        g.pulled[first] = bytes(octets)

    def refuse(g):
        g.answers[0] = (g.answers[0][0], "451 4.3.0 not now")

    yield "one altered octet", fault(alter)
    yield "one message that is not there", fault(lambda g: g.pulled.pop(first))
    yield "one message that was not taken", fault(refuse)
    yield "one message that is there twice", fault(lambda g: g.pulled.update({"0" * 32: g.pulled[first]}))
    yield "one referral that is not there", fault(lambda g: g.referrals.pop(case))
    yield "one referral that is held and should not be", fault(
        lambda g: g.referrals.update({case: [dict(r, state="held") for r in g.referrals[case]]}))


def filler(octets):
    """What smtp-source sends as a body: lines of 80 octets."""
    b = bytearray(b"X" * octets)
    for i in range(80, octets, 80):
        b[i - 80] = b"0123456789"[i // 80 % 10]
        b[i - 2:i] = b"\r\n"
    return bytes(b)


def filler_whole(f, octets):
    """How many different messages of smtp-source's came out whole."""
    body, ids = filler(octets), set()
    for raw in f.pulled.values():
        head, _, rest = raw.partition(b"\r\n\r\n")
        m = re.search(rb"^Message-Id: (\S+)\r\nSubject: (round \d+ \w+)$|^Subject: (round \d+ \w+)\r\n(?:.*\r\n)*?Message-Id: (\S+)$", head, re.M)
        if m and rest in (body, body + b"\r\n"):
            ids.add(m.groups())
    return len(ids)


def settle(house, most_mib):
    """[(room, MiB of proportional set size)] of every process of the house, once it rests; waits a while for it to fall."""
    end = time.monotonic() + RESTS_WITHIN_S
    while True:
        held = []
        for room, pids in {"kiteboxd": [house.supervisor_pid()], **house.rooms()}.items():
            for pid in pids:
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    held.append((room, int(re.search(r"^Pss:\s+(\d+) kB", f.read(), re.M).group(1)) / 1024))
        if sum(m for _, m in held) <= most_mib or time.monotonic() > end:
            return sorted(held)
        time.sleep(1)
