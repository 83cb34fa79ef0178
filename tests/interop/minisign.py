#!/usr/bin/python3
"""Stock minisign verifies what we sign and reads our keys, and the reverse. usage: minisign.py SEAL-TOOL"""
import base64
import hashlib
import struct

from stock import check, finish, folder, need, ours, read, stock, write

WORD = b"correct horse"


def encrypted(plain_key):
    """A secret key file without passphrase, put under WORD with little work, by Python's own scrypt: what neither side wrote."""
    comment, line = plain_key.decode().split("\n")[:2]
    k = bytearray(base64.b64decode(line))
    k[126:] = hashlib.blake2b(bytes(k[:2] + k[54:126]), digest_size=32).digest()
    k[2:4] = b"Sc"
    k[6:54] = bytes(range(32)) + struct.pack("<QQ", 32768, 1 << 24)
    stream = hashlib.scrypt(WORD, salt=bytes(k[6:38]), n=1024, r=8, p=1, dklen=104)
    k[54:] = bytes(a ^ b for a, b in zip(k[54:], stream))
    return f"{comment}\n{base64.b64encode(k).decode()}\n".encode()


def theirs_to_us(d, text):
    stock("minisign", "-G", "-W", "-p", f"{d}/their.pub", "-s", f"{d}/their.key")
    stock("minisign", "-S", "-s", f"{d}/their.key", "-m", text, "-x", f"{d}/their.sig", "-t", "from minisign")
    with check("we verify a signature of minisign"):
        assert ours("verify", f"{d}/their.pub", f"{d}/their.sig", stdin=read(text)) == b"from minisign"
    with check("we refuse it for another text, and its older form for any"):
        ours("verify", f"{d}/their.pub", f"{d}/their.sig", stdin=read(text) + b"x", fails="KB_FORGED")
        stock("minisign", "-S", "-l", "-s", f"{d}/their.key", "-m", text, "-x", f"{d}/older.sig")
        ours("verify", f"{d}/their.pub", f"{d}/older.sig", stdin=read(text), fails="KB_UNSUPPORTED")
    with check("we sign with a key of minisign, and minisign verifies"):
        assert ours("public", f"{d}/their.key", "-").split(b"\n")[1] == read(f"{d}/their.pub").split(b"\n")[1]
        write(f"{d}/by-us.sig", ours("sign", f"{d}/their.key", "-", "time\t1", stdin=read(text)))
        assert stock("minisign", "-V", "-Q", "-p", f"{d}/their.pub", "-m", text, "-x", f"{d}/by-us.sig") == b"time\t1\n"
    with check("a key under a passphrase opens with it on both sides"):
        key, word = write(f"{d}/hidden.key", encrypted(read(f"{d}/their.key"))), write(f"{d}/word", WORD)
        stock("minisign", "-S", "-s", key, "-m", text, "-x", f"{d}/hidden.sig", stdin=WORD + b"\n")
        ours("verify", f"{d}/their.pub", f"{d}/hidden.sig", stdin=read(text))
        assert ours("public", key, word) == ours("public", f"{d}/their.key", "-")
        ours("public", key, "-", fails="KB_NOKEY")


def ours_to_them(d, text):
    key, sig = write(f"{d}/our.key", ours("key", "-")), f"{d}/our.sig"
    pub = write(f"{d}/our.pub", ours("public", key, "-"))
    with check("minisign verifies our signature with our public key, as a file and as a line"):
        write(sig, ours("sign", key, "-", "from kitebox", stdin=read(text)))
        for form in (("-p", pub), ("-P", read(pub).split(b"\n")[1].decode())):
            assert stock("minisign", "-V", "-Q", *form, "-m", text, "-x", sig) == b"from kitebox\n"
    with check("minisign signs with our secret key"):
        stock("minisign", "-S", "-s", key, "-m", text, "-x", sig, "-t", "with our key")
        assert ours("verify", pub, sig, stdin=read(text)) == b"with our key"
    with check("minisign refuses ours once text or comment was altered"):
        stock("minisign", "-V", "-p", pub, "-m", write(f"{d}/other", read(text) + b"x"), "-x", sig, fails=True)
        write(sig, read(sig).replace(b"with our key", b"with any key"))
        stock("minisign", "-V", "-p", pub, "-m", text, "-x", sig, fails=True)
        ours("verify", pub, sig, stdin=read(text), fails="KB_FORGED")
    with check("a key that we put under a passphrase opens with it on both sides"):
        key = write(f"{d}/our-hidden.key", ours("key", f"{d}/word"))
        write(pub, ours("public", key, f"{d}/word"))
        stock("minisign", "-S", "-s", key, "-m", text, "-x", sig, stdin=WORD + b"\n")
        ours("verify", pub, sig, stdin=read(text))
        ours("public", key, "-", fails="KB_NOKEY")


def main():
    need("minisign")
    with folder() as d:
        text = write(f"{d}/text", b"a\nb\n" * 20000)
        theirs_to_us(d, text)
        ours_to_them(d, text)
    finish()


main()
