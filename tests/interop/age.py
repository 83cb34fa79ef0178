#!/usr/bin/python3
"""Files sealed by us are opened by stock age, and the reverse. usage: age.py SEAL-TOOL"""
import os

from stock import check, finish, folder, need, ours, read, stock, write

SIZES = (0, 1, 65535, 65536, 65537, 131072)


def keygen(d, name):
    path = f"{d}/{name}"
    stock("age-keygen", "-o", path)
    return path, stock("age-keygen", "-y", path).decode().strip()


def spoiled(octets, at):
    return octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1:]


def both_ways(d, me):
    identity, recipient = me
    for n in SIZES:
        plain = os.urandom(n)
        with check(f"age opens what we seal: {n} octets"):
            assert stock("age", "-d", "-i", identity, stdin=ours("seal", recipient, stdin=plain)) == plain
        with check(f"we open what age seals: {n} octets"):
            assert ours("open", identity, "-", stdin=stock("age", "-r", recipient, stdin=plain)) == plain
    plain = os.urandom(70000)
    with check("age opens our armor"):
        assert stock("age", "-d", "-i", identity, stdin=ours("armor", stdin=ours("seal", recipient, stdin=plain))) == plain
    with check("we open the armor of age"):
        assert ours("open", identity, "-", stdin=stock("age", "-a", "-r", recipient, stdin=plain)) == plain


def many(d, me):
    people = [keygen(d, f"p{i}") for i in range(20)]
    recipients = [r for _, r in people]
    plain = b"for all of you"
    mine = ours("seal", *recipients, stdin=plain)
    theirs = stock("age", *[a for r in recipients for a in ("-r", r)], stdin=plain)
    with check("each of 20 recipients opens ours with age"):
        for i in (0, 7, 19):
            assert stock("age", "-d", "-i", people[i][0], stdin=mine) == plain
    with check("each of 20 recipients opens with us what age sealed"):
        for i in (0, 7, 19):
            assert ours("open", people[i][0], "-", stdin=theirs) == plain
    with check("a stranger opens neither"):
        stock("age", "-d", "-i", me[0], stdin=mine, fails=True)
        ours("open", me[0], "-", stdin=theirs, fails="KB_NOKEY")


def damaged(me):
    identity, recipient = me
    plain = os.urandom(65537)
    mine, theirs = ours("seal", recipient, stdin=plain), stock("age", "-r", recipient, stdin=plain)
    with check("what was altered, cut or added to is refused by both"):
        for octets in (spoiled(mine, 40), spoiled(mine, 300), mine[:-1], mine[:-17], mine + b"x"):
            stock("age", "-d", "-i", identity, stdin=octets, fails=True)
        for octets in (spoiled(theirs, len(theirs) - 1), theirs[:-1], theirs[:-17], theirs + b"x"):
            ours("open", identity, "-", stdin=octets, fails="KB_PAYLOAD")
        ours("open", identity, "-", stdin=theirs[:40], fails="KB_MALFORMED")


def main():
    need("age", "age-keygen")
    with folder() as d:
        me = keygen(d, "me")
        both_ways(d, me)
        many(d, me)
        damaged(me)
        with check("a key file of age-keygen is written as it was read"):
            line = [x for x in read(me[0]).split(b"\n") if x.startswith(b"AGE-SECRET-KEY-1")][0]
            assert ours("open", write(f"{d}/bare", line), "-", stdin=ours("seal", me[1], stdin=b"x")) == b"x"
    finish()


main()
