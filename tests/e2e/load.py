"""load: clients that send until they hear 250, what they sent, and what came of it.

A client that lost its connection, or heard a temporary refusal, sends the same octets in the same envelope again, as mail servers do.
Whoever kills rooms meanwhile asks afterwards for what was acknowledged: is it there, is it the same, is it there once?"""
import collections
import contextlib
import email
import email.policy
import hashlib
import os
import random
import re
import smtplib
import threading
import time

from house import Failed, run
from letters import INDICATOR, eml

ID = re.compile(r"\b[0-9a-f]{32}\b")
TEXT = "text/plain; charset=utf-8"
KIB = 1024

ALLEGATIONS = (
    "On Nov 3 after the 4pm count Officer Kraxler slammed me into the wall while I was cuffed and kicked me in the ribs.\n"
    "Lt. Zorn saw it and laughed. I want the camera looked at.",
    "Officer Xavi punched my brother in the face while he was handcuffed, and then he was put in the hole because he complained.",
    "El sábado un oficial golpeó a mi hijo en la cara estando esposado y el teniente lo amenazó. Tiene la costilla rota.",
)
INQUIRIES = (
    "How do I add my aunt to my visiting list? My counselor gave me the form and she mailed it in October.\nThank you.",
    "I sent a deposit to my brother for the commissary on the 2nd and it is not there yet. How do I find out where it is?",
    "¿Cómo puedo apuntarme para la visita del domingo con mi niña? Quisiera saber qué papeles llevo. Gracias.",
)
# Out of a hundred letters: what triage should make of it, and octets of attachment (0: none). One that nobody can read goes to people.
MIX = ((62, "inquiry", 0), (16, "allegation", 0), (8, "review", 0), (6, "review", 40 * KIB), (4, "review", 320 * KIB),
       (2, "allegation", 420 * KIB), (2, "review", 3072 * KIB))


class Letter:
    """One message of one sender. `said` holds the ids of every 250 that was heard; `unsure` counts the times it may have been stored
    and its sender did not hear so."""

    def __init__(self, number, seed):
        r = random.Random(f"{seed}/{number}")
        at = r.randrange(100)
        for share, self.kind, size in MIX:
            at -= share
            if at < 0:
                break
        self.number, self.seed = number, seed
        self.to = "familia@kitebox.example" if r.random() < 0.2 else "desk@kitebox.example"
        self.sender = f"sender{number}@family.example"
        self.raw = self.write(r, size)
        self.digest = hashlib.sha256(self.raw).digest()
        self.said, self.unsure, self.refused, self.asked_at = [], 0, 0, None

    def write(self, r, size):
        words = {"allegation": ALLEGATIONS, "inquiry": INQUIRIES, "review": ("Please call me back about what we spoke of, it is about him.",)}
        text = f"{r.choice(words[self.kind])}\n\nThis is letter {self.number} of {self.seed}.\n"
        text += "".join(f"{r.choice(('Greetings', 'Regards', 'Saludos'))} {r.randrange(10 ** 9)}\n" for _ in range(r.randrange(1, 60)))
        headers = {"From": f"Rosa Quillon <{self.sender}>", "To": self.to, "Subject": f"letter {self.number}",
                   "Message-ID": f"<{self.number}.{self.seed}.{INDICATOR[:8]}@family.example>", "Content-Type": TEXT}
        if not size:
            return eml(headers, text)
        lines = b"".join(r.randbytes(38).hex().encode() + b"\r\n" for _ in range(size // 78))
        headers["Content-Type"] = 'multipart/mixed; boundary="=_b"'
        return eml(headers, f"--=_b\nContent-Type: {TEXT}\n\n{text}\n--=_b\nContent-Type: application/octet-stream\n"
                            "Content-Disposition: attachment; filename=\"log.bin\"\n\n") + lines + b"--=_b--\r\n"


class Load:
    """Clients over SMTP and LMTP, by TCP and Unix socket, each with one letter at a time under way."""

    def __init__(self, house, clients=6, seed=1, most=10 ** 9, patience=40):
        self.house, self.seed, self.most, self.patience = house, seed, most, patience
        self.letters, self.lock, self.ending = [], threading.Lock(), False
        self.acks = self.longest = 0
        self.faults = []
        self.threads = [threading.Thread(target=self.client, args=(i,), daemon=True) for i in range(clients)]

    def start(self):
        for t in self.threads:
            t.start()
        return self

    def finish(self, seconds=60):
        """Every client ends once its letter is acknowledged."""
        self.ending = True
        self.join(seconds)

    def join(self, seconds):
        end = time.monotonic() + seconds
        for t in self.threads:
            t.join(max(0, end - time.monotonic()))
        if any(t.is_alive() for t in self.threads):
            raise Failed(f"a client was not told 250 within {seconds} s")
        if self.faults:
            raise Failed("; ".join(self.faults[:3]))

    def under_way(self):
        """Letters of which the whole is out and no answer is in."""
        return sum(l.asked_at is not None for l in self.letters[-4 * len(self.threads):])

    # -- one client

    def next(self):
        with self.lock:
            if self.ending or len(self.letters) >= self.most:
                return None
            letter = Letter(len(self.letters), self.seed)
            self.letters.append(letter)
            return letter

    def client(self, i):
        session = None
        letter = self.next()
        began = time.monotonic()
        while letter and not self.faults:
            try:
                session = session or self.connect(i)
                self.deliver(session, letter)
            except (OSError, smtplib.SMTPException) as e:
                if not 400 <= getattr(e, "smtp_code", 0) < 600 or e.smtp_code == 421:
                    session = self.hang_up(session)
                letter.unsure += letter.asked_at is not None
                letter.asked_at = None
                if getattr(e, "smtp_code", 0) >= 500:
                    self.faults.append(f"a good message was refused for good: {e}")
                if time.monotonic() - began > self.patience:
                    self.faults.append(f"letter {letter.number} was not taken for {self.patience} s: {type(e).__name__} {e}")
                time.sleep(0.03)
                continue
            self.longest = max(self.longest, time.monotonic() - began)
            if letter.number % 7 == 0:
                session = self.hang_up(session)
            letter = self.next()
            began = time.monotonic()
        self.hang_up(session)

    def connect(self, i):
        if i % 3 == 0:
            return smtplib.SMTP(*self.house.tcp["smtp"], local_hostname="client.example", timeout=self.patience)
        if i % 3 == 1:
            return smtplib.LMTP(*self.house.tcp["lmtp"], local_hostname="client.example", timeout=self.patience)
        return smtplib.LMTP(self.house.path("run/lmtp.sock"), local_hostname="client.example", timeout=self.patience)

    @staticmethod
    def hang_up(session):
        if session:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                session.close()
        return None

    def deliver(self, s, letter):
        s.sock.settimeout(self.patience)
        s.ehlo_or_helo_if_needed()
        for command, want in ((f"MAIL FROM:<{letter.sender}>", 250), (f"RCPT TO:<{letter.to}>", 250), ("DATA", 354)):
            said = s.docmd(command)
            if said[0] != want:
                raise smtplib.SMTPResponseException(*said)
        s.send(re.sub(rb"(?m)^\.", b"..", letter.raw))
        letter.asked_at = time.monotonic()
        s.send(b".\r\n")
        code, said = s.getreply()
        if code != 250:
            letter.refused += 1
            letter.asked_at = None
            raise smtplib.SMTPResponseException(code, said)
        letter.asked_at = None
        letter.said += ID.findall(said.decode())[:1] or ["?"]
        with self.lock:
            self.acks += 1


# -- what came of it

class Outcome:
    """Every case, pulled by a coordinator with the real client, against every letter that was acknowledged."""

    def __init__(self, house, *loads, pulled=None):
        letters = [l for load in loads for l in load.letters if l.said]
        pulled = house.pull_all() if pulled is None else pulled
        digest = {i: hashlib.sha256(octets).digest() for i, octets in pulled.items()}
        times = collections.Counter(digest.values())
        known = {l.digest for l in letters}
        self.letters, self.cases = len(letters), len(pulled)
        self.lost = [l for l in letters if not times[l.digest]]
        self.twice = [l for l in letters if times[l.digest] > 1]
        self.altered = [l for l in letters if any(i in digest and digest[i] != l.digest for i in l.said)]
        self.strange = [i for i, d in digest.items() if d not in known]
        # Also the 250 of a message that stood already names it: by its first id.
        self.unnamed = [l for l in letters if times[l.digest] and any(i not in digest for i in l.said)]
        self.case_of = {d: i for i, d in digest.items()}

    def __str__(self):
        return (f"{self.letters} acknowledged, {self.cases} cases; {len(self.lost)} lost, {len(self.twice)} twice, "
                f"{len(self.altered)} altered, {len(self.strange)} strange; {len(self.unnamed)} told of an id that nothing has")


def faulty_rooms(house, **rooms):
    """A folder of rooms, some of them broken on purpose: faulty_rooms(h, vault="vault-early")."""
    folder = house.path("rooms-" + "-".join(sorted(rooms.values())))
    os.makedirs(folder, exist_ok=True)
    sound = os.path.join(house.build, "daemon")
    for name in os.listdir(sound):
        if name.startswith("kiteboxd-") and os.path.isfile(os.path.join(sound, name)):
            fault = rooms.get(name[len("kiteboxd-"):])
            path = os.path.join(house.build, "tests/e2e", fault) if fault else os.path.join(sound, name)
            if not os.path.exists(path):
                raise Failed(f"{path} is not built")
            with contextlib.suppress(FileExistsError):
                os.symlink(path, os.path.join(folder, name))
    return folder


# -- referrals, at the investigators' own server, opened with the stock tool

def referral_of(house, raw):
    """(Message-ID, digest of the original enclosed) of one mail."""
    m = email.message_from_bytes(raw, policy=email.policy.default)
    sealed = next(p.get_payload(decode=True) for p in m.iter_attachments() if (p.get_filename() or "").endswith(".age"))
    opened = run("age", "-d", "-i", house.investigator_identity, stdin=sealed).stdout
    head, _, rest = opened.partition(b"\r\n\r\n")
    end = re.search(rb"^Kitebox-End: (\d+) [0-9a-f]{64}", head, re.M)
    return str(m["Message-ID"]), hashlib.sha256(rest[:int(end.group(1))]).digest()


class Arrivals:
    """What came to the investigators' server so far; each mail is opened once."""

    def __init__(self, house, address="intake@oia.example"):
        self.house, self.address = house, address
        self.opened = {}  # digest of the mail: (Message-ID, digest of the original)
        self.mails = 0

    def look(self):
        """{digest of the original: set of Message-IDs it came under}"""
        came = collections.defaultdict(set)
        mails = [raw for envelope, raw in self.house.arrived() if self.address in envelope["to"]]
        for raw in mails:
            key = hashlib.sha256(raw).digest()
            if key not in self.opened:
                self.opened[key] = referral_of(self.house, raw)
            message_id, original = self.opened[key]
            came[original].add(message_id)
        self.mails = len(mails)
        return came
