"""terminal: runs a command on a terminal of its own, and answers what it asks."""
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time


def on_terminal(cmd, answers=(), env=None, columns=80, stdout=None, seconds=60):
    """Gives (status, what the terminal showed). answers: (pattern that ends a question, reply); each is waited for in turn.
    stdout: a file that gets the command's standard output instead of the terminal."""
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        if stdout:
            os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
        os.execvpe(cmd[0], list(cmd), env or dict(os.environ))
    shown, asked, end, waiting = b"", 0, time.monotonic() + seconds, list(answers)
    while time.monotonic() < end:
        if not select.select([fd], [], [], 0.5)[0]:
            continue
        try:
            got = os.read(fd, 65536)
        except OSError:
            break
        if not got:
            break
        shown += got
        if waiting and re.search(waiting[0][0], shown[asked:]):
            asked = len(shown)
            time.sleep(0.05)  # whoever asks turns echo off first, and drops what came before
            os.write(fd, waiting.pop(0)[1] + b"\n")
    else:
        os.kill(pid, 9)
    os.close(fd)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, shown
