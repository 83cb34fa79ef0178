#!/usr/bin/python3
"""Key files under a passphrase: stock age opens ours and uses them, and we open those of age. usage: passphrase.py SEAL-TOOL"""
from stock import check, finish, folder, need, ours, person, prompted, read, stock, write

WORD = "correct horse battery staple"
FACTOR = 12  # age itself always asks for 18


def main():
    need("age", "age-keygen")
    with folder() as d:
        word, wrong = write(f"{d}/word", WORD.encode()), write(f"{d}/wrong", b"wrong horse")
        sealed, recipient = person("Ada Supervisor", word, FACTOR)
        identity = write(f"{d}/identity", sealed)
        letter = write(f"{d}/letter", stock("age", "-r", recipient, stdin=b"to Ada"))
        with check("age opens our key file with its passphrase, and what is inside is an identity file"):
            prompted([WORD], "age", "-d", "-o", f"{d}/plain", identity)
            assert read(f"{d}/plain").startswith(b"# kitebox person: Ada Supervisor\n")
            assert stock("age-keygen", "-y", f"{d}/plain").decode().strip() == recipient
            assert stock("age", "-d", "-i", f"{d}/plain", stdin=read(letter)) == b"to Ada"
        with check("age takes our key file as it is, and asks for the passphrase"):
            prompted([WORD], "age", "-d", "-i", identity, "-o", f"{d}/opened", letter)
            assert read(f"{d}/opened") == b"to Ada"
        with check("we open the same letter with the same key file"):
            assert ours("open", identity, word, stdin=read(letter)) == b"to Ada"
        with check("another passphrase opens it neither there nor here"):
            prompted(["wrong horse"], "age", "-d", "-i", identity, "-o", f"{d}/no", letter, fails=True)
            ours("open", identity, wrong, stdin=read(letter), fails="KB_NOKEY")
        with check("we open what age sealed under a passphrase"):
            prompted([WORD, WORD], "age", "-p", "-o", f"{d}/by-age", letter)
            assert ours("open-passphrase", word, stdin=read(f"{d}/by-age")) == read(letter)
        with check("age opens what we sealed under a passphrase"):
            prompted([WORD], "age", "-d", "-o", f"{d}/again", write(f"{d}/by-us", ours("seal-passphrase", word, FACTOR, stdin=b"secret")))
            assert read(f"{d}/again") == b"secret"
    finish()


main()
