#!/usr/bin/python3
"""sink: the investigators' mail server of tests and demonstration: Debian's aiosmtpd, STARTTLS required, into a Maildir.

usage: sink.py PORT MAILDIR CERTIFICATE KEY

Each mail is a file of new/, exactly as it came, below three lines of this server's own: X-MailFrom, X-RcptTo, X-TLS."""
import asyncio
import os
import ssl
import sys

from aiosmtpd.controller import Controller


class Keep:
    def __init__(self, maildir):
        self.maildir = maildir
        for d in ("", "tmp", "new", "cur"):
            os.makedirs(os.path.join(maildir, d), exist_ok=True)
        self.n = sum(len(os.listdir(os.path.join(maildir, d))) for d in ("new", "cur"))

    async def handle_DATA(self, server, session, envelope):
        self.n += 1
        name = f"{self.n:06d}.sink"
        head = f"X-MailFrom: {envelope.mail_from}\r\nX-RcptTo: {', '.join(envelope.rcpt_tos)}\r\nX-TLS: {'yes' if session.ssl else 'no'}\r\n"
        with open(os.path.join(self.maildir, "tmp", name), "wb") as f:
            f.write(head.encode() + envelope.content)
        os.rename(os.path.join(self.maildir, "tmp", name), os.path.join(self.maildir, "new", name))
        return "250 2.0.0 taken"


def main():
    port, maildir, cert, key = int(sys.argv[1]), *sys.argv[2:5]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    c = Controller(Keep(maildir), hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True, data_size_limit=200 << 20)
    c.start()
    asyncio.new_event_loop().run_forever()


main()
