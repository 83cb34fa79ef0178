"""house: a whole office on loopback in a temporary folder: kite setup, kiteboxd, an investigators' mail server, and clients.

Everything a test needs of a running kitebox is here; a test file holds only what it shows. No fixed port, no fixed path; what was
started is ended by its own process id. Every wait has a deadline and says what it waited for."""
import contextlib
import json
import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time

PASSPHRASE = "correct horse battery staple"
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("KB_BUILD", os.path.join(ROOT, "build")))


class Failed(Exception):
    pass


def run(*cmd, ok=(0,), stdin=None, env=None, timeout=120):
    p = subprocess.run(cmd, stdin=subprocess.DEVNULL if stdin is None else None, input=stdin, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, env=env, timeout=timeout)
    if ok is not None and p.returncode not in ok:
        raise Failed(f"{' '.join(cmd[:3])} ...: status {p.returncode}: {p.stderr.decode('utf-8', 'replace')[-2000:]}")
    return p


def wait_for(what, seconds, probe, step=0.02):
    end = time.monotonic() + seconds
    while True:
        got = probe()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s in vain for {what}")
        time.sleep(step)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_certificates(folder):
    """A CA and a certificate for localhost."""
    p = lambda n: os.path.join(folder, n)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
        "-subj", "/CN=kitebox test CA", "-keyout", p("ca.key"), "-out", p("ca.pem"))
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
        "-keyout", p("tls.key"), "-out", p("tls.csr"))
    with open(p("ext"), "w") as f:
        f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    run("openssl", "x509", "-req", "-in", p("tls.csr"), "-CA", p("ca.pem"), "-CAkey", p("ca.key"), "-days", "30", "-extfile",
        p("ext"), "-out", p("tls.pem"))


class House:
    """One office. Keyword arguments become lines of kitebox.conf that override the defaults below."""

    def __init__(self, folder=None, build=BUILD, libexec=None, coordinators=("anna:Anna Quillfeather", "ben:Ben Xiomara"),
                 relay=True, sinks=("oia",), **settings):
        self.own = folder is None
        self.dir = folder or tempfile.mkdtemp(prefix="kitebox-")
        os.chmod(self.dir, 0o711)
        self.build = build
        self.libexec = libexec or os.path.join(build, "daemon")
        self.settings = settings
        self.coordinators = coordinators
        self.with_relay = relay
        self.daemon = self.sink = None
        self.log = os.path.join(self.dir, "kiteboxd.log")
        self.user = "nobody" if os.getuid() == 0 else ""
        self.passfile = self.path("passphrase")
        self.sinks = sinks

    def path(self, *p):
        return os.path.join(self.dir, *p)

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *exc):
        with contextlib.suppress(Exception):
            self.stop()
        if self.sink:
            self.sink.terminate()
            self.sink.wait()
        if exc and exc[0] and os.path.exists(self.log):
            with open(self.log, errors="replace") as f:
                print("  kiteboxd said:\n    " + "    ".join(f.readlines()[-25:]), flush=True)
        if self.own and not os.environ.get("KB_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    # -- making the office

    def make(self):
        with open(os.open(self.passfile, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(PASSPHRASE + "\n")
        os.makedirs(self.path("tls"), exist_ok=True)
        make_certificates(self.path("tls"))
        # One destination's investigators made their key themselves, with the stock tool; the other's is made by kite setup.
        run("age-keygen", "-o", self.investigator_identity)
        key = run("age-keygen", "-y", self.investigator_identity).stdout.decode().strip()
        cmd = [self.kite_binary, "setup", "--out", self.path("office"), "--store-host", "kitebox.example",
               "--supervisor", "sue:Sue Zephyrine", "--passphrase-file", self.passfile, "--work-factor", "10",
               "--destination", f"oia:intake@oia.example:key={key}", "--destination", "prea:prea@oia.example:flags=sexual-abuse"]
        for c in self.coordinators:
            cmd += ["--coordinator", c]
        self.setup_said = run(*cmd).stdout.decode()
        self.sink_port = free_port()
        if self.with_relay:
            self.start_sink()
        self.configure()

    @property
    def investigator_identity(self):
        return self.path("oia.identity")

    @property
    def kite_binary(self):
        return os.path.join(self.build, "cli", "kite")

    def configure(self, **more):
        self.settings.update(more)
        s = {
            "hostname": '"kitebox.example"',
            "user": f'"{self.user}"',
            "state_dir": f'"{self.path("state")}"',
            "run_dir": f'"{self.path("run")}"',
            "office": f'{{ public_key = "{self.path("office/host/office.pub")}"; bundle = "{self.path("office/host/office.bundle")}"; }}',
            "credentials_dir": f'"{self.path("office/host/credentials")}"',
            "rules": f'"{os.path.join(ROOT, "conf/triage.rules")}"',
            "model": f'"{os.path.join(ROOT, "conf/triage.model")}"',
            "templates": f'"{os.path.join(ROOT, "conf/templates")}"',
            "tls": f'{{ certificate = "{self.path("tls/tls.pem")}"; key = "{self.path("tls/tls.key")}"; }}',
            "mail_from": '"desk@kitebox.example"',
            "listen": f'( {{ kind = "smtp"; address = "127.0.0.1:0"; }}, {{ kind = "lmtp"; address = "127.0.0.1:0"; }}, '
                      f'{{ kind = "lmtp"; address = "{self.path("run/lmtp.sock")}"; }}, {{ kind = "desk"; address = "{self.path("run/desk.sock")}"; }} )',
            "mailboxes": '( { address = "desk@kitebox.example"; channel = "email"; language = "en"; }, '
                         '{ address = "familia@kitebox.example"; channel = "email"; language = "es"; }, '
                         '{ address = "relay@kitebox.example"; channel = "inmate-relay"; language = "en"; trusted = true; } )',
            "relays": f'( {{ host = "localhost"; port = {self.sink_port}; tls = "starttls"; ca_file = "{self.path("tls/ca.pem")}"; }} )',
            "store": "{ map_octets = 4294967296L; }",
            "rooms": "{ sorters = 2; sealers = 2; }",
            "acknowledgement": "{ tick_s = 1; }",
            "referral": "{ held_s = 86400; retry_first_s = 1; retry_most_s = 4; }",
        }
        s.update(self.settings)
        with open(self.path("kitebox.conf"), "w") as f:
            f.write("".join(f"{k} = {v};\n" for k, v in s.items() if v is not None))

    # -- the daemon

    def start(self, wait=True, wrap=()):
        self.logfile = open(self.log, "ab")
        self.daemon = subprocess.Popen([*wrap, os.path.join(self.build, "daemon", "kiteboxd"), "--config", self.path("kitebox.conf"),
                                        "--libexec", self.libexec], stdin=subprocess.DEVNULL, stdout=self.logfile, stderr=self.logfile,
                                       cwd="/", start_new_session=True)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=30):
        wait_for("the listeners", seconds, self.listeners_ready)

    def listeners_ready(self):
        return self.answers() and self.intake_open()

    def answers(self):
        """The listeners are there, and mail is taken; a fault elsewhere does not matter."""
        if self.daemon.poll() is not None:
            raise Failed(f"kiteboxd ended with status {self.daemon.returncode}")
        try:
            with open(self.path("run/listeners")) as f:
                lines = [l.split(None, 1) for l in f.read().splitlines()]
        except FileNotFoundError:
            return False
        self.tcp = {}
        for kind, address in lines:
            if not address.startswith("/"):
                host, port = address.rsplit(":", 1)
                self.tcp[kind] = (host.strip("[]"), int(port))
        try:
            with smtplib.SMTP(*self.tcp["smtp"], timeout=5) as s:
                s.ehlo("client.example")
                code, _ = s.mail("probe@client.example")
                s.rset()
                return code == 250
        except (OSError, smtplib.SMTPException, KeyError):
            return False

    def intake_open(self):
        """Every room is up: status says so without a fault."""
        p = self.kite("status", "--json", ok=None, home=False)
        return p.returncode == 0

    def stop(self, seconds=40):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
            try:
                self.daemon.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self.daemon.pid, signal.SIGKILL)
                self.daemon.wait()
                raise Failed("kiteboxd did not stop on SIGTERM")
        if self.daemon:
            return self.daemon.returncode
        return None

    def kill(self):
        """Power cut: every process of the house at once; nobody of it is left when this returns."""
        os.killpg(self.daemon.pid, signal.SIGKILL)
        self.daemon.wait()
        wait_for("the rooms to be gone", 10, self.nobody_left)

    def nobody_left(self):
        try:
            os.killpg(self.daemon.pid, 0)
            return False
        except ProcessLookupError:
            return True

    def rooms(self):
        """{room name: [pid, ...]} of the running daemon, from /proc."""
        found, parent = {}, self.supervisor_pid()
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            try:
                with open(f"/proc/{pid}/stat") as f:
                    stat = f.read()
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    argv0 = f.read().split(b"\0")[0].decode()
            except OSError:
                continue
            fields = stat.rsplit(")", 1)[1].split()
            if fields[0] != "Z" and int(fields[1]) == parent:
                found.setdefault(os.path.basename(argv0).replace("kiteboxd-", ""), []).append(int(pid))
        return found

    def supervisor_pid(self):
        """The supervisor itself, also when it runs under a tracer."""
        for pid in [self.daemon.pid] + [int(p) for p in run("pgrep", "-P", str(self.daemon.pid), ok=None).stdout.split()]:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as f:
                if os.path.basename(f.read().split(b"\0")[0].decode()) == "kiteboxd":
                    return pid
        return self.daemon.pid

    # -- the investigators' server

    def start_sink(self, port=None):
        self.sink = subprocess.Popen(["/usr/bin/python3", os.path.join(HERE, "sink.py"), str(port or self.sink_port), self.path("arrived"),
                                      self.path("tls/tls.pem"), self.path("tls/tls.key")], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=open(self.path("sink.log"), "ab"))
        wait_for("the investigators' server", 10, lambda: self.port_open(port or self.sink_port))

    @staticmethod
    def port_open(port):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def arrived(self):
        """Mails at the investigators' server: [(envelope dict, octets as they came)] in order of arrival."""
        out = []
        folder = self.path("arrived", "new")
        for n in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            with open(os.path.join(folder, n), "rb") as f:
                sender, to, tls, mail = f.read().split(b"\r\n", 3)
            said = [l.split(b": ", 1)[1].decode() for l in (sender, to, tls)]
            out.append(({"from": said[0], "to": said[1].split(", "), "tls": said[2] == "yes"}, mail))
        return out

    # -- clients

    def smtp(self, timeout=60):
        return smtplib.SMTP(*self.tcp["smtp"], local_hostname="client.example", timeout=timeout)

    def client_tls(self):
        return ssl.create_default_context(cafile=self.path("tls/ca.pem"))

    def send(self, raw, to=("desk@kitebox.example",), sender="mother@family.example", starttls=False):
        """Delivers octets exactly (CRLF line ends are the caller's); gives the reply text of the final 250."""
        with self.smtp() as s:
            if starttls:
                s.starttls(context=self.client_tls())
                s.ehlo("client.example")
            return deliver(s, raw, to, sender)

    def lmtp(self, timeout=60):
        return smtplib.LMTP(*self.tcp["lmtp"], local_hostname="client.example")

    def kite(self, *args, who="anna", ok=(0,), home=True, stdin=None, timeout=120):
        env = {"PATH": "/usr/bin:/bin", "KITE_HOME": self.path("office/people", who) if home else self.path("nobody-home"),
               "KITE_LIBEXEC": self.libexec, "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        for k in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if k in os.environ:
                env[k] = os.environ[k]
        cmd = [self.kite_binary, args[0], "--desk", self.path("run/desk.sock"), *args[1:]]
        if home:
            cmd[2:2] = ["--passphrase-file", self.passfile]
        return run(*cmd, ok=ok, env=env, stdin=stdin, timeout=timeout)

    def kite_json(self, *args, **kw):
        return json.loads(self.kite(args[0], "--json", *args[1:], **kw).stdout)

    def status(self):
        p = self.kite("status", "--json", ok=None, home=False)
        return json.loads(p.stdout)

    def pull_all(self, who="anna"):
        """{message id: octets} of every case, through the real client."""
        out = self.path(f"pulled-{who}-{time.monotonic_ns()}")
        self.kite("pull", "--all", "--eml", "--out", out, who=who, timeout=600)
        found = {}
        for n in os.listdir(out):
            m = re.search(r"([0-9a-f]{32})\.eml$", n)
            if m:
                with open(os.path.join(out, n), "rb") as f:
                    found[m.group(1)] = f.read()
        shutil.rmtree(out)
        return found


def deliver(s, raw, to, sender):
    s.ehlo_or_helo_if_needed()
    code, said = s.mail(sender)
    if code != 250:
        raise smtplib.SMTPResponseException(code, said)
    for t in to:
        code, said = s.rcpt(t)
        if code != 250:
            raise smtplib.SMTPResponseException(code, said)
    code, said = s.docmd("DATA")
    if code != 354:
        raise smtplib.SMTPResponseException(code, said)
    s.send(re.sub(rb"(?m)^\.", b"..", raw) + b".\r\n")
    code, said = s.getreply()
    if code != 250:
        raise smtplib.SMTPResponseException(code, said)
    return said.decode()


# -- reporting: one TAP line for each thing shown

class Report:
    def __init__(self):
        self.n = self.bad = 0

    def ok(self, condition, name, detail=""):
        self.n += 1
        if not condition:
            self.bad += 1
        print(f"{'ok' if condition else 'not ok'} {self.n} - {name}" + (f" # {detail}" if detail and not condition else ""), flush=True)
        return bool(condition)

    def done(self):
        sys.exit(1 if self.bad or not self.n else 0)
