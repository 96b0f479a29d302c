#!/usr/bin/env python3
"""psc in an interpreter: loaded with ctypes; the interpreter's own thread writes the log.

    host.py LIBRARY CONFIG      LIBRARY: libpsc.so.0, CONFIG: the JSON object of docs/configuration.md

Runs until its standard input ends; a real program has a loop of its own there.

An interpreter that is ending lets no other thread in: CPython before 3.14 then ends a thread that calls back, in the middle of
psc, and the process aborts. Therefore psc's thread never calls into the interpreter (with psc_log_fd log lines wait until
psc_log_drain delivers them), and psc_free comes before the end (atexit).
"""
import atexit
import ctypes
import select
import sys

PSC_OK = 0
LOG_FN = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)


@LOG_FN  # global, because the C function that ctypes makes must live as long as the handle
def log_line(_user_data, level, message):
    print(f"[psc {level}] {message.decode()}", file=sys.stderr, flush=True)


def load(path):
    psc = ctypes.CDLL(path)  # CDLL lets other threads run during a call, PyDLL does not
    handle, number = ctypes.c_void_p, ctypes.c_int
    for name, result, *arguments in [
        ("psc_init", handle, LOG_FN, ctypes.c_void_p),
        ("psc_configure", number, handle, ctypes.c_char_p),
        ("psc_last_error", ctypes.c_char_p, handle),
        ("psc_log_fd", number, handle),
        ("psc_log_drain", number, handle),
        ("psc_start", number, handle),
        ("psc_stop", number, handle),
        ("psc_free", None, handle),
    ]:
        function = getattr(psc, name)
        function.restype, function.argtypes = result, arguments
    return psc


def close(psc, checker):
    psc.psc_stop(checker)
    psc.psc_log_drain(checker)
    psc.psc_free(checker)


def main():
    psc = load(sys.argv[1])
    checker = psc.psc_init(log_line, None)
    atexit.register(close, psc, checker)
    if psc.psc_configure(checker, sys.argv[2].encode()) != PSC_OK:
        sys.exit(psc.psc_last_error(checker).decode())
    log_fd = psc.psc_log_fd(checker)
    if log_fd < 0 or psc.psc_start(checker) != PSC_OK:
        sys.exit(psc.psc_last_error(checker).decode())
    while True:
        readable, _, _ = select.select([log_fd, sys.stdin], [], [])
        if log_fd in readable:
            psc.psc_log_drain(checker)
        if sys.stdin in readable and not sys.stdin.readline():
            break


main()
