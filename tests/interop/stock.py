"""What the tests against stock programs share: running them, answering their prompts, and counting what held."""
import os
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import time

TOOL = sys.argv[1]
SECONDS = 60


class Case:
    """`with check("a sentence"):` a failed assertion within is one test that failed, and the next still runs."""

    n = failed = 0

    def __init__(self, sentence):
        self.sentence = sentence

    def __enter__(self):
        Case.n += 1

    def __exit__(self, kind, error, trace):
        if kind is None:
            print(f"ok {Case.n} - {self.sentence}", flush=True)
            return True
        if not issubclass(kind, (AssertionError, OSError, subprocess.SubprocessError)):
            return False
        Case.failed += 1
        print(f"not ok {Case.n} - {self.sentence}\n# {str(error) or kind.__name__} (line {trace.tb_lineno})", flush=True)
        return True


check = Case


def finish():
    print(f"1..{Case.n}")
    sys.exit(1 if Case.failed or not Case.n else 0)


def need(*programs):
    for p in programs:
        if not shutil.which(p):
            sys.exit(f"{p} is missing; tests/packages demo installs it")


def ours(*args, stdin=b"", fails=None):
    """Standard output of seal-tool. With fails, the name of the status that must come back instead."""
    p = subprocess.run([TOOL, *map(str, args)], input=stdin, capture_output=True, timeout=SECONDS)
    said = p.stderr.decode(errors="replace")
    if fails is None:
        assert p.returncode == 0, f"seal-tool {args[0]}: {said}"
    else:
        assert p.returncode and said.startswith(fails + ":"), f"seal-tool {args[0]}: {fails} was expected, not: {p.returncode} {said}"
        assert not p.stdout, "something was given out all the same"
    return p.stdout


def person(name, passphrase, factor):
    """A new key file and its recipient."""
    p = subprocess.run([TOOL, "person", name, passphrase, str(factor)], input=b"", capture_output=True, timeout=SECONDS, check=True)
    return p.stdout, p.stderr.decode().strip()


def stock(*args, stdin=b"", fails=False):
    """Standard output of a stock program; it must succeed, or with fails must not."""
    p = subprocess.run([str(a) for a in args], input=stdin, capture_output=True, timeout=SECONDS)
    assert (p.returncode != 0) == fails, f"{args[0]}: status {p.returncode}: {p.stderr.decode(errors='replace')[:300]}"
    return p.stdout


def prompted(answers, *args, fails=False):
    """Runs a program on a terminal of its own, and answers each prompt that ends in a colon."""
    pid, fd = pty.fork()
    if pid == 0:
        try:
            os.execvp(args[0], [str(a) for a in args])
        finally:
            os._exit(127)
    said, answers, end = b"", list(answers), time.monotonic() + SECONDS
    while time.monotonic() < end:
        if not select.select([fd], [], [], 1)[0]:
            continue
        try:
            some = os.read(fd, 4096)
        except OSError:
            break
        if not some:
            break
        said += some
        if answers and said.rstrip().endswith(b":"):
            os.write(fd, answers.pop(0).encode() + b"\n")
            said = b""
    else:
        os.kill(pid, 9)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    assert (status != 0) == fails, f"{args[0]}: status {status}: {said.decode(errors='replace')[:300]}"


def folder():
    return tempfile.TemporaryDirectory(prefix="kb-interop-")


def write(path, octets):
    with open(path, "wb") as f:
        f.write(octets)
    return path


def read(path):
    with open(path, "rb") as f:
        return f.read()
