#!/usr/bin/python3
"""serve: an office in a folder of the caller's, kept running on loopback in the foreground until interrupted.

usage: serve.py DIR

When everything is ready, DIR/demo.json appears whole, and says where everything is. Newcomers, tests and benchmarks start an office
this way. What systemd would do on a server is done here: a kiteboxd that dies is started again, on the same ports, and demo.json is
brought up to date when a process changes. The folder stays when the office ends; the next start needs a new or empty one."""
import json
import os
import signal
import subprocess
import sys
import time

from house import Failed, House, free_port


def facts(h):
    """What stands in demo.json."""
    return {
        "smtp": h.tcp["smtp"][1], "lmtp": h.tcp["lmtp"][1],
        "mailbox": "desk@kitebox.example", "mailbox2": "familia@kitebox.example",
        "relay_mailbox": "relay@kitebox.example",
        "config": h.path("kitebox.conf"), "store": h.path("state"), "log": h.log, "desk": h.path("run/desk.sock"),
        "pids": {"kiteboxd": [h.supervisor_pid()], **h.rooms()}, "rooms": h.path("run/rooms"),
        "kite": h.kite_binary, "kiteboxd": os.path.join(h.build, "daemon", "kiteboxd"), "libexec": h.libexec,
        "kite_home": h.path("office/people", "anna"), "supervisor_home": h.path("office/people", "sue"),
        "passphrase_file": h.passfile, "office_key": h.path("office/host/office.pub"),
        "investigator_identity": h.investigator_identity, "investigations_maildir": h.path("arrived"),
        "tls_ca": h.path("tls/ca.pem"), "setup_sheet": h.path("office/setup-sheet.txt"),
    }


def settle(h):
    """Everybody's folder knows the desk and the programs of this build, so that KITE_HOME is all that kite needs to be told."""
    for who in os.listdir(h.path("office/people")):
        with open(h.path("office/people", who, "settings"), "w") as f:
            f.write(f"desk {h.path('run/desk.sock')}\nlibexec {h.libexec}\non-host yes\n")


def write_facts(h, said):
    path = h.path("demo.json")
    with open(path + ".new", "w") as f:
        json.dump(said, f, indent=1)
        f.write("\n")
        f.flush()
        os.fsync(f.fileno())
    os.rename(path + ".new", path)


def say(h):
    f = facts(h)
    print(f"""An office is at work in {h.dir}; end it with Ctrl-C. Everything about it: {h.path('demo.json')}

  send      swaks --server localhost:{f['smtp']} --tls --from you@family.example --to {f['mailbox']}
  or        curl smtp://localhost:{f['smtp']} --ssl-reqd --cacert {f['tls_ca']} --mail-from you@family.example --mail-rcpt {f['mailbox']} --crlf -T FILE
  read      KITE_HOME={f['kite_home']} {f['kite']} list --passphrase-file {f['passphrase_file']}
  health    {f['kite']} status --desk {f['desk']}
  arrived   {f['investigations_maildir']}/new has what left: referrals (open one with age -d -i {f['investigator_identity']}), and the
            acknowledgements to senders, since one server plays everybody here""", flush=True)


def empty(path):
    os.makedirs(path, exist_ok=True)
    if os.listdir(path):
        raise Failed(f"{path} is not empty: give a new folder, or remove what is in it")
    return os.path.realpath(path)


def keep(h, stop):
    """Until stop: what runs is what demo.json says, and kiteboxd runs."""
    said = None
    while not stop:
        if h.daemon.poll() is not None:
            print(f"kiteboxd ended with status {h.daemon.returncode} and is started again; its log is {h.log}", flush=True)
            h.start()
        now = facts(h)
        if now != said:
            write_facts(h, now)
            said = now
        time.sleep(0.25)


def main():
    if len(sys.argv) != 2:
        print("usage: demo --serve DIR", file=sys.stderr)
        return 64
    stop = []
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda *_: stop.append(1))
    ports = free_port(), free_port()
    folder = empty(sys.argv[1])
    listen = (f'( {{ kind = "smtp"; address = "127.0.0.1:{ports[0]}"; }}, {{ kind = "lmtp"; address = "127.0.0.1:{ports[1]}"; }}, '
              f'{{ kind = "lmtp"; address = "{folder}/run/lmtp.sock"; }}, {{ kind = "desk"; address = "{folder}/run/desk.sock"; }} )')
    with House(folder=folder, listen=listen) as h:
        settle(h)
        h.start()
        write_facts(h, facts(h))
        say(h)
        keep(h, stop)
        os.unlink(h.path("demo.json"))
        return h.stop()


try:
    sys.exit(main())
except (Failed, OSError, subprocess.TimeoutExpired) as e:
    print(f"demo: {e}", file=sys.stderr)
    sys.exit(1)
