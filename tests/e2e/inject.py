"""Plays code in a running process: each call below is made by one of its threads, as if its code had been replaced.

inject.py TID RESULTS OUTSIDE: prints a line a call, its name and what the kernel answered. x86-64 only."""

import ctypes
import os
import sys

# Calls by number: arch/x86/entry/syscalls/syscall_64.tbl.
TID, RESULTS, OUTSIDE = int(sys.argv[1]), sys.argv[2], sys.argv[3]
# ptrace(2), sys/ptrace.h; waitpid(2) needs __WALL for threads.
SINGLESTEP, GETREGS, SETREGS, ATTACH, DETACH, WALL = 9, 12, 13, 16, 17, 0x40000000
# Places in struct user_regs_struct (sys/user.h), in words.
RAX, RIP, ORIG_RAX, RSP = 10, 16, 15, 19
ARGUMENTS = [14, 13, 12, 7, 9, 8]  # rdi rsi rdx r10 r8 r9
AT_FDCWD, WRITE, CREATE, DIRECTORY = -100, 1, 0o100, 0o200000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, data=None):
    if libc.ptrace(request, TID, None, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")


def registers():
    regs = (ctypes.c_ulong * 27)()
    ptrace(GETREGS, ctypes.byref(regs))
    return regs


def a_syscall_instruction():
    """Its address in the program's own text."""
    for line in open(f"/proc/{TID}/maps"):
        span, rights, _, _, inode = line.split()[:5]
        first, last = (int(part, 16) for part in span.split("-"))
        if rights == "r-xp" and inode != "0":
            memory.seek(first)
            at = memory.read(last - first).find(b"\x0f\x05")
            if at >= 0:
                return first + at
    sys.exit("no syscall instruction")


def call(number, *arguments):
    regs = (ctypes.c_ulong * 27)(*saved)
    below = (saved[RSP] - 8192) & ~15
    for register, argument in zip(ARGUMENTS, arguments):
        if isinstance(argument, (str, bytes)):
            data = (argument.encode() if isinstance(argument, str) else argument) + b"\0"
            memory.seek(below)
            memory.write(data)
            argument, below = below, below - 512
        regs[register] = argument & 0xFFFFFFFFFFFFFFFF
    regs[RAX], regs[RIP], regs[ORIG_RAX] = number, instruction, 0xFFFFFFFFFFFFFFFF
    ptrace(SETREGS, ctypes.byref(regs))
    ptrace(SINGLESTEP)
    _, status = os.waitpid(TID, WALL)
    if not os.WIFSTOPPED(status):
        sys.exit(f"it died: {status}")
    return ctypes.c_long(registers()[RAX]).value


def attempt(name, number, *arguments):
    print(name.replace(" ", "_"), call(number, *arguments), flush=True)


ptrace(ATTACH)
os.waitpid(TID, WALL)
saved = registers()
memory = open(f"/proc/{TID}/mem", "r+b", buffering=0)
instruction = a_syscall_instruction()
parent = next(line.split()[1] for line in open(f"/proc/{TID}/status") if line.startswith("PPid"))
descriptors = sorted(int(fd) for fd in os.listdir(f"/proc/{TID}/fd"))

attempt("own file", 257, AT_FDCWD, f"{RESULTS}/injected", CREATE | WRITE, 0o600)
attempt("a job for cron", 257, AT_FDCWD, "/etc/cron.d/netcap-test-injected", CREATE | WRITE, 0o644)
attempt("a file outside", 257, AT_FDCWD, f"{OUTSIDE}/injected", CREATE | WRITE, 0o644)
attempt("a file that is there", 257, AT_FDCWD, f"{OUTSIDE}/victim", WRITE)
for path in ["/etc/shadow", "/proc/1/root/etc/shadow", f"/proc/{parent}/root/etc/shadow", f"/proc/{parent}/mem",
             f"{OUTSIDE}/victim", f"{RESULTS}/../../../../../../etc/shadow"]:
    attempt(f"reading {path}", 257, AT_FDCWD, path, 0)
for fd in descriptors:
    attempt(f"reading from {fd}", 257, fd, "../../../../../../../../etc/shadow", 0)
    attempt(f"through {fd}", 257, AT_FDCWD, f"/proc/self/fd/{fd}/../../../../../../etc/shadow", 0)
attempt("removing", 263, AT_FDCWD, f"{OUTSIDE}/victim", 0)
attempt("cutting", 76, f"{OUTSIDE}/victim", 0)
attempt("a directory", 258, AT_FDCWD, f"{OUTSIDE}/injected", 0o755)
attempt("a second name", 265, AT_FDCWD, "/etc/shadow", AT_FDCWD, f"{RESULTS}/shadow", 0)
attempt("a rename out", 264, AT_FDCWD, f"{RESULTS}/injected", AT_FDCWD, f"{OUTSIDE}/injected")
attempt("a device", 259, AT_FDCWD, f"{RESULTS}/device", 0o060600, 0x800)
attempt("a packet socket", 41, 17, 3, 0x0300)
attempt("a raw socket", 41, 2, 3, 1)
attempt("a netlink socket", 41, 16, 3, 12)
attempt("root again", 105, 0)
attempt("root's group", 106, 0)
attempt("a mount", 165, "none", RESULTS, "tmpfs", 0, 0)
attempt("a bind mount", 428, AT_FDCWD, "/", 1)
attempt("another root", 161, RESULTS)
attempt("an old root", 155, RESULTS, RESULTS)
attempt("a namespace", 272, 0x10000000)
attempt("another's namespace", 308, descriptors[0], 0)
attempt("its parent's memory", 310, int(parent), 0, 0, 0, 0, 0)
attempt("tracing its parent", 101, 16, int(parent), 0, 0)
attempt("its parent's end", 62, int(parent), 15)
attempt("everybody's end", 62, -1, 18)
attempt("a handle", 304, AT_FDCWD, b"\x08\0\0\0\x01\0\0\0", 0)
attempt("a module", 175, 0, 0, "")
attempt("a program for the kernel", 321, 0, 0, 0)
attempt("a ring of requests", 425, 1, 0)
attempt("counters of the processor", 298, 0, 0, -1, -1, 0)
attempt("keys", 250, 0, -3, 0)
attempt("the kernel's log", 103, 3, 0, 0)
attempt("the host's name", 170, "injected", 8)
attempt("the clock", 227, 0, "0" * 16)
attempt("another program", 59, "/bin/true", 0, 0)

ptrace(SETREGS, ctypes.byref(saved))
ptrace(DETACH)
