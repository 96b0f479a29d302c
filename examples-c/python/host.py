#!/usr/bin/env python3
"""psc in an interpreter: loaded with ctypes, its records logged by the interpreter's own thread.

    host.py LIBRARY CONFIG      LIBRARY: libpsc.so.0, CONFIG: the JSON object of docs/configuration.md

Runs until its standard input ends, in the place of a program's own loop.

Two things matter in every interpreter with threads of its own. One that is ending lets no other thread in: CPython before 3.14
ends a thread that calls back then, in the middle of psc, and the process aborts. So no thread of psc's calls into it at all
(psc_log_fd: records wait until psc_log_drain takes them), and psc_free comes before the end (atexit).
"""
import atexit
import ctypes
import select
import sys

PSC_OK = 0
LOG_FN = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)


@LOG_FN  # a global: what ctypes makes of the function must live as long as the handle
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
    records = psc.psc_log_fd(checker)
    if records < 0 or psc.psc_start(checker) != PSC_OK:
        sys.exit(psc.psc_last_error(checker).decode())
    while True:
        readable, _, _ = select.select([records, sys.stdin], [], [])
        if records in readable:
            psc.psc_log_drain(checker)
        if sys.stdin in readable and not sys.stdin.readline():
            break


main()
