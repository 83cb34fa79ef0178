"""sessions: sends texts over LMTP or SMTP on several connections at once, and remembers what each was answered.

One thread: a message's commands go out together (RFC 2920), its octets when DATA is allowed; the time of a message with the other side
is nobody else's."""
import re
import selectors
import socket
import time

from house import Failed

SILENCE_S = 60


class Session:
    def __init__(self, port, lmtp):
        self.hello = b"LHLO" if lmtp else b"EHLO"
        self.sock = socket.create_connection(("127.0.0.1", port), SILENCE_S)
        self.got = b""
        self.text = None
        self.step = self.greeted

    def say(self, octets, replies, step):
        self.wanted, self.step = replies, step
        self.sock.sendall(octets)

    def replies(self):
        """The replies that are waited for, once the last of them is whole; else None."""
        self.got += self.sock.recv(65536)
        if not self.got.endswith(b"\n"):
            return None
        ends = [l for l in self.got.split(b"\r\n") if l[3:4] == b" "]
        if len(ends) < self.wanted:
            return None
        self.got = b""
        return ends

    # each step gives True when the session is free for the next text

    wanted = 1

    def greeted(self, replies):
        self.say(self.hello + b" client.example\r\n", 1, self.known)
        return False

    def known(self, replies):
        return True

    def begin(self, text):
        self.text = text
        self.say(f"MAIL FROM:<{text.sender}> BODY=8BITMIME\r\nRCPT TO:<{text.to}>\r\nDATA\r\n".encode(), 3, self.data)

    def data(self, replies):
        if [r[:1] for r in replies] != [b"2", b"2", b"3"]:
            raise Failed(f"a message was not wanted: {b' | '.join(replies).decode('utf-8', 'replace')}")
        self.say(re.sub(rb"(?m)^\.", b"..", self.text.raw) + b".\r\n", 1, self.done)
        return False

    def done(self, replies):
        self.answer = replies[-1].decode("utf-8", "replace")
        return True


def send_all(port, texts, sessions, lmtp=True):
    """Seconds it took, and [(text, final reply)]."""
    left, answers = list(reversed(texts)), []
    sel = selectors.DefaultSelector()
    start = time.monotonic()
    for _ in range(min(sessions, len(texts))):
        s = Session(port, lmtp)
        sel.register(s.sock, selectors.EVENT_READ, s)
    while sel.get_map():
        ready = sel.select(SILENCE_S)
        if not ready:
            raise Failed(f"silence for {SILENCE_S} s, {len(left)} messages still to send")
        for key, _ in ready:
            s = key.data
            replies = s.replies()
            if replies is None or not s.step(replies):
                continue
            if s.text:
                answers.append((s.text, s.answer))
            if left:
                s.begin(left.pop())
            else:
                sel.unregister(s.sock)
                s.sock.sendall(b"QUIT\r\n")
                s.sock.close()
    return time.monotonic() - start, answers
