"""hostkeys: every key that somebody holds who has all files of a stopped daemon, tried on what the store holds.

A secret may lie in a file as it is or in base64; what is derived from one is derived by the labels that the sources use. Each
candidate becomes an age identity, and stock age tries them all."""
import base64
import binascii
import ctypes
import ctypes.util
import glob
import hashlib
import os
import re

from house import ROOT, run

KEY, NONCE, MAC = 32, 24, 16
ITEM = KEY + NONCE + MAC + 368  # docs/FORMATS.md, "Outbox item"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
SMALL = 64 * 1024


def checksum_step(c, v):
    top, c = c >> 25, (c & 0x1ffffff) << 5 ^ v
    for i, g in enumerate((0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3)):
        c ^= g if top >> i & 1 else 0
    return c


def bech32(prefix, octets):
    """BIP 173, as age writes its keys."""
    bits = "".join(f"{b:08b}" for b in octets)
    data = [int(bits[i:i + 5].ljust(5, "0"), 2) for i in range(0, len(bits), 5)]
    c = 1
    for v in [ord(x) >> 5 for x in prefix] + [0] + [ord(x) & 31 for x in prefix] + data + [0] * 6:
        c = checksum_step(c, v)
    return prefix + "1" + "".join(BECH32[v] for v in data + [(c ^ 1) >> 5 * (5 - i) & 31 for i in range(6)])


def identity(key):
    return bech32("age-secret-key-", key).upper()


def contents(path):
    """The octets of a file, or, if it is a text, what its lines are in base64."""
    with open(path, "rb") as f:
        raw = f.read()
    if not raw.isascii():
        yield raw
        return
    text = b"".join(l for l in raw.split(b"\n") if not l.startswith(b"-----"))
    for line in [text, *raw.split(b"\n")]:
        try:
            yield base64.b64decode(line, validate=True)
        except (binascii.Error, ValueError):
            continue


def labels():
    """What the sources derive keys by: "kitebox ... v1" in them."""
    found = set()
    for path in glob.glob(os.path.join(ROOT, "lib/**/*.c"), recursive=True) + glob.glob(os.path.join(ROOT, "daemon/*.c")):
        with open(path, encoding="utf-8") as f:
            found.update(re.findall(r'"(kitebox [^"]* v\d+)"', f.read()))
    return sorted(found)


def derived(key):
    """What a program may make of one secret: an X25519 secret of an Ed25519 seed, and keyed hashes by label."""
    yield hashlib.sha512(key).digest()[:KEY]
    yield hashlib.sha256(key).digest()
    yield hashlib.blake2b(key, digest_size=KEY).digest()
    for label in labels():
        for text in (label.encode(), label.encode() + b"\0"):
            yield hashlib.blake2b(text, key=key, digest_size=KEY).digest()


def candidates(paths):
    """Every window of 32 octets of every small file there or below, and what is derived from a file that is one key."""
    keys = set()
    for path in sorted(p for f in paths for p in [f, *glob.glob(os.path.join(f, "**"), recursive=True)]):
        if not os.path.isfile(path) or os.path.getsize(path) > SMALL:
            continue
        for octets in contents(path):
            keys.update(octets[i:i + KEY] for i in range(len(octets) - KEY + 1))
            if len(octets) == KEY:
                keys.update(derived(octets))
    # A minisign key file holds an Ed25519 seed somewhere; which window it is, is not this test's to know.
    keys.update(hashlib.sha512(k).digest()[:KEY] for k in list(keys))
    return sorted(keys)


def write_identities(path, keys):
    with open(path, "w") as f:
        f.writelines(identity(k) + "\n" for k in keys)


def opens(identities, sealed):
    """What stock age makes of it with this file of identities; None when none of them fits."""
    p = run("age", "-d", "-i", identities, stdin=sealed, ok=(0, 1))
    return p.stdout if p.returncode == 0 else None


class Boxes:
    """libsodium's boxes behind a share and a nonce, which what waits in the outbox is sealed with."""

    def __init__(self):
        self.lib = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
        self.lib.sodium_init()

    def public(self, key):
        out = ctypes.create_string_buffer(KEY)
        self.lib.crypto_scalarmult_base(out, key)
        return out.raw

    def seal(self, public, text):
        out, secret, nonce = ctypes.create_string_buffer(len(text) + MAC), os.urandom(KEY), os.urandom(NONCE)
        self.lib.crypto_box_easy(out, text, ctypes.c_ulonglong(len(text)), nonce, public, secret)
        return self.public(secret) + nonce + out.raw

    def opens(self, keys, box):
        """The first of the keys' openings; None when none fits."""
        out = ctypes.create_string_buffer(len(box))
        for k in keys:
            share, nonce, sealed = box[:KEY], box[KEY:KEY + NONCE], box[KEY + NONCE:]
            if self.lib.crypto_box_open_easy(out, sealed, ctypes.c_ulonglong(len(sealed)), nonce, share, k) == 0:
                return out.raw[:len(sealed) - MAC]
        return None
