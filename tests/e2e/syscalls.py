"""syscalls: everything that a process and its children hand to the kernel, by strace: octets to files, names, arguments.

Each process has a file of its own, so that no call is torn. A call that moves no octets of ours outwards (read, poll, mmap
without a file, ...) is left out by name; whatever is not named there is seen. What goes into memory (memfd) or to somebody else's
end of a socket is told apart from what goes to files by the descriptor's own name (-yy)."""
import os
import re

# Calls that take octets in, or none at all. Everything else is traced.
QUIET = """read readv pread64 preadv preadv2 recvfrom recvmsg recvmmsg close fstat lseek poll ppoll select pselect6 epoll_wait epoll_pwait
epoll_pwait2 epoll_ctl brk munmap madvise mremap futex getrandom clock_gettime gettimeofday clock_nanosleep getpid gettid getppid getuid
geteuid getgid getegid getrusage timerfd_settime rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack rseq set_robust_list
set_tid_address fsync fdatasync fcntl getdents64 fstatfs getsockname getpeername mlock munlock wait4 waitid sched_yield restart_syscall
arch_prctl prlimit64 getsockopt""".split()
# Octets that would pass by unseen: none of these may occur.
UNSEEN = {"splice", "vmsplice", "tee", "sendfile", "copy_file_range", "io_uring_setup", "io_uring_enter", "process_vm_writev", "pidfd_getfd",
          "mmap2", "remap_file_pages", "userfaultfd", "open_by_handle_at"}
SENT = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg"}

LINE = re.compile(rb"^(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+|\?)(<.*>)?", re.S)
TEXT = re.compile(rb'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
BASE = re.compile(rb'iov_base="((?:\\x[0-9a-f]{2})*)"')
DESCRIPTOR = re.compile(rb"^(-?\d+|AT_FDCWD)(?:<(.*?)>(\(deleted\))?)?(?=, |$)")


def wrap(folder):
    """What to put before a command so that it is traced into folder/trace.PID."""
    return ("strace", "-ff", "-yy", "-xx", "-v", "-s", str(1 << 24), "-e", "signal=all", "-e", "trace=!" + ",".join("?" + q for q in QUIET),
            "-o", os.path.join(folder, "trace"))


def octets(hexes):
    return bytes.fromhex(hexes.replace(rb"\x", b"").decode())


def file_name(name):
    """A path, "memory", "socket", or what the kernel calls it."""
    if name.startswith(rb"\x"):
        name = octets(re.match(rb"(?:\\x[0-9a-f]{2})*", name).group())
    name = name.decode("utf-8", "replace")
    if name.startswith("/memfd:"):
        return "memory"
    # A pair of the supervisor's, a connection that was taken, or one of the courier's. Not a datagram to a logger.
    if re.match(r"UNIX(-STREAM|-SEQPACKET)?:\[\d+->\d+|TCP(v6)?:\[", name):
        return "socket"
    return name


class Call:
    def __init__(self, process, name, args, result, file):
        self.process, self.name, self.args, self.file = process, name, args, file
        self.result = None if result == b"?" else int(result, 8 if result[:1] == b"0" and result[:2] != b"0x" else 0)

    def descriptor(self):
        """What its first argument stands for."""
        m = DESCRIPTOR.match(self.args)
        return file_name(m.group(2)) if m and m.group(2) is not None else "-"

    def made(self):
        """What the descriptor that it returned stands for."""
        return file_name(self.file[1:-1]) if self.file else "-"

    def strings(self):
        """All octets in its arguments, those of an iovec joined."""
        if self.name in ("writev", "pwritev", "pwritev2", "sendmsg", "sendmmsg"):
            yield b"".join(octets(m) for m in BASE.findall(self.args))
            return
        for m in TEXT.finditer(self.args):
            yield octets(m.group(1))


class Trace:
    """streams: {name of a file: all octets written to it, in order}, and for calls with other arguments "(NAME)"."""

    def __init__(self, folder):
        self.streams, self.memory = {}, []
        self.opened, self.shared, self.faults, self.ends, self.calls, self.processes = set(), set(), [], [], 0, {}
        self.maps = {}
        for name in sorted(os.listdir(folder)):
            if name.startswith("trace."):
                with open(os.path.join(folder, name), "rb") as f:
                    self.process(int(name.split(".")[1]), f)

    def process(self, pid, lines):
        for line in lines:
            m = LINE.match(line)
            if m:
                self.calls += 1
                self.take(Call(pid, m.group(1).decode(), *m.group(2, 3, 4)))
            elif line.startswith((b"+++", b"---")):
                self.ends.append((pid, line.decode().strip()))
            elif line.strip() and b"<unfinished ...>" not in line and b"resumed>" not in line:
                self.faults.append(f"a line that this test does not understand: {line[:100]!r}")

    def take(self, c):
        if c.name in UNSEEN:
            self.faults.append(f"{c.name} moves octets that a trace does not show")
        if b'"...' in c.args:
            self.faults.append(f"{c.name} was cut short in the trace")
        if c.name in ("execve", "execveat") and c.result == 0:
            self.processes[c.process] = [s.decode("utf-8", "replace") for s in c.strings()]
        if c.name in ("mmap", "mprotect"):
            return self.take_mapping(c)
        if c.file and c.name.startswith(("open", "creat")) and re.search(rb"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|creat", c.name.encode() + c.args):
            self.opened.add(c.made())
        where = c.descriptor() if c.name in SENT else f"({c.name})"
        data = list(c.strings())
        if c.name in SENT and c.result is not None and c.result > sum(map(len, data)):
            self.faults.append(f"{c.name} to {where} took {c.result} octets, and the trace shows fewer")
        if where in ("memory", "socket"):
            self.memory += data
        else:
            self.streams.setdefault(where, []).extend(data)

    def take_mapping(self, c):
        """A file that is mapped to be written is written without a call."""
        a = c.args.split(b", ")
        if c.name == "mprotect":
            at, n = int(a[0], 0), int(a[1], 0)
            for path, start, length in self.maps.get(c.process, ()):
                if b"PROT_WRITE" in a[2] and at < start + length and start < at + n:
                    self.shared.add(path)
            return
        if b"MAP_SHARED" not in a[3] or b"MAP_ANONYMOUS" in a[3]:
            return
        c.args = b", ".join(a[4:])
        path = c.descriptor()
        if path == "memory":
            return
        self.maps.setdefault(c.process, []).append((path, c.result, int(a[1], 0)))
        if b"PROT_WRITE" in a[2]:
            self.shared.add(path)

    def joined(self):
        return {name: b"".join(parts) for name, parts in self.streams.items()}
