"""postfix: Debian's Postfix unpacked into a folder and run there as an instance of its own, and its two test programs.

The package is downloaded and unpacked, never installed; what runs is its `master`, by us, ended by its process id. Before it says
250, a message is on the disk as Postfix always puts it there; then it goes nowhere, in one of two ways:

    deferred   it goes through the queue manager, as mail does in Debian's configuration, and waits in the deferred queue
    held       it is put into the hold queue at once, and no other part of Postfix ever looks at it: the least that Postfix can do"""
import glob
import os
import pwd
import grp
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from house import Failed, free_port, run, wait_for  # noqa: E402

# Parameters that decide what a message costs; printed, so that a reader sees that none of them was turned down.
TELLING = ("mail_version", "default_process_limit", "in_flow_delay", "hash_queue_names", "hash_queue_depth", "message_size_limit",
           "smtpd_client_connection_count_limit", "smtpd_tls_security_level", "content_filter", "smtpd_milters", "cleanup_service_name",
           "header_checks", "smtpd_recipient_restrictions", "smtpd_relay_restrictions", "maillog_file", "syslog_facility")
STARTS_S, QUEUE_SETTLES_S = 20, 120
WAYS = {
    "deferred": {"defer_transports": "local, relay, smtp, virtual"},
    "held": {"smtpd_client_restrictions": "check_client_access static:HOLD"},
}


def existing(known, *names):
    """The first of these users or groups that this host has."""
    return next(n for n in names if n in known)


class Package:
    """Where the programs lie, and how to run one of them."""

    def __init__(self, folder, cache):
        self.root = os.path.join(folder, "unpacked")
        run("dpkg-deb", "-x", self.fetch(cache), self.root)
        self.lib = os.path.join(self.root, "usr/lib/postfix")
        self.users = {u.pw_name for u in pwd.getpwall()}
        self.groups = {g.gr_name for g in grp.getgrall()}
        # A configuration that lets the test programs start: they read one, and use nothing of it.
        self.bare = os.path.join(folder, "bare")
        os.makedirs(self.bare)
        with open(os.path.join(self.bare, "main.cf"), "w") as f:
            f.write(f"compatibility_level = 3.6\nmail_owner = {self.owner}\nsetgid_group = {self.setgid}\nmyhostname = client.example\n")

    @staticmethod
    def fetch(cache):
        """The .deb, downloaded once a cache folder by apt, which checks its signature."""
        os.makedirs(cache, exist_ok=True)
        have = lambda: sorted(glob.glob(os.path.join(cache, "postfix_*.deb")))
        for attempt in ("download", "update", "download"):
            if have():
                break
            if attempt == "update":
                subprocess.run(["apt-get", "update"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            else:
                subprocess.run(["apt-get", "download", "postfix"], cwd=cache, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        if not have():
            raise Failed("apt-get could not download Debian's package postfix: is the network there?")
        return have()[-1]

    @property
    def owner(self):
        return existing(self.users, "postfix", "mail")

    @property
    def setgid(self):
        return existing(self.groups, "postdrop", "uucp")

    def env(self, config=None):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH": self.lib, "MAIL_CONFIG": config or self.bare, "LANG": "C"}

    def program(self, name):
        return os.path.join(self.root, "usr/sbin", name)

    def source(self, port, messages, sessions, octets, to, lmtp=False, reconnect=False, subject="bench"):
        """Postfix's own smtp-source sends; gives the seconds it took. It gives up, loudly, on any reply that it does not expect."""
        cmd = [self.program("smtp-source"), "-s", str(sessions), "-l", str(octets), "-m", str(messages), "-S", subject,
               "-f", "mother@family.example", "-t", to]
        cmd += (["-L"] if lmtp else []) + ([] if reconnect else ["-d"])
        start = time.monotonic()
        p = subprocess.run(cmd + [f"inet:127.0.0.1:{port}"], env=self.env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=900)
        took = time.monotonic() - start
        if p.returncode:
            raise Failed(f"smtp-source: {p.stdout.decode('utf-8', 'replace').strip()[-300:]}")
        return took


class Running:
    """One program of the package, started by us and ended by its process id."""

    def __init__(self, cmd, env, log):
        self.log = log
        with open(log, "ab") as f:
            self.p = subprocess.Popen(cmd, env=env, stdin=subprocess.DEVNULL, stdout=f, stderr=f, start_new_session=True)
        self.what = os.path.basename(cmd[0])

    def wait(self, port, seconds):
        """Until it greets; what does not is ended."""
        try:
            wait_for(self.what, seconds, lambda: self.answers(port))
        except BaseException:
            self.end()
            raise

    def answers(self, port):
        if self.p.poll() is not None:
            with open(self.log, errors="replace") as f:
                raise Failed(f"{self.what} ended by itself: {f.read()[-500:].strip()}")
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                return s.recv(3) == b"220"
        except OSError:
            return False

    def end(self):
        self.p.send_signal(signal.SIGTERM)
        try:
            self.p.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.p.pid, signal.SIGKILL)  # its own session, hence its own group
            self.p.wait()


class Sink:
    """smtp-sink takes mail and forgets it: how fast anything at all could be on this machine with this client."""

    def __init__(self, package, folder, lmtp=True):
        self.package, self.lmtp = package, lmtp
        self.log = os.path.join(folder, "smtp-sink.log")
        self.port = free_port()

    def __enter__(self):
        cmd = [self.package.program("smtp-sink")] + (["-L"] if self.lmtp else [])
        if os.getuid() == 0:
            cmd += ["-u", self.package.owner]
        self.run = Running(cmd + [f"127.0.0.1:{self.port}", "256"], self.package.env(), self.log)
        self.run.wait(self.port, STARTS_S)
        return self

    def __exit__(self, *exc):
        self.run.end()


class Postfix:
    def __init__(self, package, folder, way):
        self.package, self.way = package, way
        self.dir = os.path.join(folder, "postfix-" + way)
        self.etc, self.queue = os.path.join(self.dir, "etc"), os.path.join(self.dir, "queue")
        self.port = free_port()
        self.there = 0

    def __enter__(self):
        self.configure()
        self.run = Running([os.path.join(self.package.lib, "sbin/master"), "-d", "-c", self.etc], self.package.env(self.etc),
                           os.path.join(self.dir, "master.log"))
        self.run.wait(self.port, STARTS_S)
        return self

    def __exit__(self, *exc):
        self.run.end()
        shutil.rmtree(self.queue, ignore_errors=True)

    def configure(self):
        """Debian's own main.cf and master.cf, and below them only what another place needs, and where mail goes."""
        share = os.path.join(self.package.root, "usr/share/postfix")
        os.makedirs(self.etc)
        with open(os.path.join(share, "main.cf.debian")) as f:
            main = f.read()
        with open(os.path.join(self.etc, "main.cf"), "w") as f:
            f.write(main + "".join(f"{k} = {v}\n" for k, v in self.settings().items()))
        with open(os.path.join(share, "master.cf.dist")) as f:
            master = f.read()
        # Another port; and outside of a jail, since a jail of Debian's is filled by its start script, which is not run here.
        master = re.sub(r"(?m)^smtp(\s+)inet", rf"127.0.0.1:{self.port}\1inet", master)
        master = re.sub(r"(?m)^(\S+\s+(?:inet|unix|unix-dgram)\s+\S+\s+\S+\s+)y\b", r"\1n", master)
        with open(os.path.join(self.etc, "master.cf"), "w") as f:
            f.write(master)
        self.make_queue()

    def settings(self):
        p = self.package
        return {
            "queue_directory": self.queue, "data_directory": os.path.join(self.dir, "data"),
            "command_directory": os.path.join(p.root, "usr/sbin"), "daemon_directory": os.path.join(p.lib, "sbin"),
            "shlib_directory": p.lib, "meta_directory": os.path.join(p.root, "etc/postfix"),
            "import_environment": f"MAIL_CONFIG={self.etc} LD_LIBRARY_PATH={p.lib}",
            "mail_owner": p.owner, "setgid_group": p.setgid,
            "myhostname": "kitebox.example", "mydestination": "kitebox.example", "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "alias_maps": "", "local_recipient_maps": "",
            "syslog_name": "postfix-" + self.way, **WAYS[self.way],
        }

    def make_queue(self):
        owner, group = pwd.getpwnam(self.package.owner), grp.getgrnam(self.package.setgid)
        private = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")
        os.makedirs(os.path.join(self.dir, "data"))
        os.makedirs(os.path.join(self.queue, "pid"))
        os.chown(os.path.join(self.dir, "data"), owner.pw_uid, owner.pw_gid)
        for name in private:
            os.makedirs(os.path.join(self.queue, name), 0o700)
            os.chown(os.path.join(self.queue, name), owner.pw_uid, -1)
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            os.makedirs(os.path.join(self.queue, name))
            os.chmod(os.path.join(self.queue, name), mode)
            os.chown(os.path.join(self.queue, name), owner.pw_uid, group.gr_gid)

    def queued(self):
        """Messages in the queue: {folder: how many}."""
        return {q: sum(len(files) for _, _, files in os.walk(os.path.join(self.queue, q))) for q in ("incoming", "active", "deferred", "hold")}

    def settle(self):
        """Waits until every message is where it stays, so that nobody else is measured while Postfix still works; gives how many
        are new. They stay until the end: to delete them would keep the disk busy in the next turn."""
        moving = lambda: {k: v for k, v in self.queued().items() if k in ("incoming", "active") and v}
        wait_for("Postfix's queue to come to rest", QUEUE_SETTLES_S, lambda: not moving(), step=0.05)
        before, self.there = self.there, self.queued()["hold" if self.way == "held" else "deferred"]
        return self.there - before

    def facts(self):
        """What was set, and Debian's defaults for what matters here, as postconf says them."""
        conf = lambda *a: run(self.package.program("postconf"), *a, env=self.package.env(self.etc)).stdout.decode()
        return conf("-n"), "".join(l + "\n" for l in conf("-d").splitlines() if l.split(" =")[0] in TELLING)
