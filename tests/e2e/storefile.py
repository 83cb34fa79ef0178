"""storefile: the store of a stopped daemon as somebody sees it who took the disk: with stock lmdb-utils, and no code of ours.

read(state) gives every table; write(state, tables) makes a store of them, in which the checksum of each row that was changed with
row() is right, as a thief who has read docs/FORMATS.md would make it. Blobs come out as the age files that they are."""
import hashlib
import os
import re
import shutil
import struct
import tempfile

from house import Failed, run

CHECK = 16
ENTRY_HEAD = 32  # octets of an ENTRY before its body: the hash of the one before
VERSION = b"\x01"


def read(state):
    """{table: {key: value}}, in octets."""
    tables, table, key = {}, None, None
    for line in run("mdb_dump", "-a", state, timeout=60).stdout.split(b"\n"):
        if line.startswith(b"database="):
            table = tables.setdefault(line[9:].decode(), {})
        elif line.startswith(b" ") and key is None:
            key = bytes.fromhex(line.decode())
        elif line.startswith(b" "):
            table[key] = bytes.fromhex(line.decode())
            key = None
    return tables


def write(state, tables):
    """Replaces the store: what is no longer in tables is gone."""
    head = re.search(rb"mapsize=\d+", run("mdb_dump", "-n", "-s", "office", state, ok=None).stdout + run("mdb_dump", "-a", state).stdout).group().decode()
    owner = os.stat(os.path.join(state, "data.mdb"))
    with tempfile.TemporaryDirectory(prefix="kitebox-store") as new:
        dump = os.path.join(new, "dump")
        with open(dump, "w") as f:
            for name, rows in tables.items():
                f.write(f"VERSION=3\nformat=bytevalue\ndatabase={name}\ntype=btree\n{head}\nmaxreaders=126\ndb_pagesize=4096\nHEADER=END\n")
                for k, v in sorted(rows.items()):
                    f.write(f" {k.hex()}\n {v.hex()}\n")
                f.write("DATA=END\n")
        run("mdb_load", "-f", dump, new, timeout=60)
        shutil.copy(os.path.join(new, "data.mdb"), os.path.join(state, "data.mdb"))
    os.chown(os.path.join(state, "data.mdb"), owner.st_uid, owner.st_gid)


def checksum(table, key, body):
    head = table.encode() + b"\0" + struct.pack("<H", len(key)) + key
    return hashlib.blake2b(head + body, digest_size=CHECK).digest()


def row(table, key, fields):
    """A whole row around these octets."""
    return VERSION + fields + checksum(table, key, VERSION + fields)


def fields(table, key, value):
    """The octets between version and checksum. Also the control of checksum(): the daemon's own rows must agree with it."""
    if value[:1] != VERSION or checksum(table, key, value[:-CHECK]) != value[-CHECK:]:
        raise Failed(f"a row of {table} has a checksum that is not the documented one")
    return value[1:-CHECK]


# -- rosters

def roster_key(version):
    return struct.pack(">Q", version)


def roster(tables, version=1):
    """(text, minisig) as stored."""
    f = fields("roster", roster_key(version), tables["roster"][roster_key(version)])
    n, = struct.unpack("<Q", f[:8])
    return f[8:8 + n], f[8 + n:]


def put_roster(tables, text, minisig, version=1):
    key = roster_key(version)
    tables["roster"][key] = row("roster", key, struct.pack("<Q", len(text)) + text + minisig)


# -- sealed files

def blobs(tables):
    """{number: octets} of every sealed message and referral."""
    found = {}
    for key, value in sorted(tables["blob"].items()):
        number, _ = struct.unpack(">QI", key)
        found[number] = found.get(number, b"") + fields("blob", key, value)
    return found


def acts(tables):
    """The number of the act of each entry of the journal, in no order."""
    return [fields("journal", k, v)[ENTRY_HEAD + 24] for k, v in tables["journal"].items()]
