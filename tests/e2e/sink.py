#!/usr/bin/python3
"""sink: the investigators' mail server of the tests: Debian's aiosmtpd with STARTTLS required, one file a mail.

usage: sink.py PORT FOLDER CERTIFICATE KEY"""
import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.controller import Controller


class Keep:
    def __init__(self, folder):
        self.folder, self.n = folder, 0
        os.makedirs(folder, exist_ok=True)
        self.n = sum(1 for x in os.listdir(folder) if x.endswith(".json"))

    async def handle_DATA(self, server, session, envelope):
        self.n += 1
        name = os.path.join(self.folder, f"{self.n:06d}")
        with open(name + ".eml", "wb") as f:
            f.write(envelope.content)
        with open(name + ".tmp", "w") as f:
            json.dump({"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": bool(session.ssl)}, f)
        os.rename(name + ".tmp", name + ".json")
        return "250 2.0.0 taken"


def main():
    port, folder, cert, key = int(sys.argv[1]), *sys.argv[2:5]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    c = Controller(Keep(folder), hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True, data_size_limit=200 << 20)
    c.start()
    asyncio.new_event_loop().run_forever()


main()
