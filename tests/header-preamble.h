/*
 * psc: the security update check that web servers can embed.
 *
 * The shortest host: psc_init with a log callback, psc_configure with passenger_version and server_identifier,
 * psc_start after the last fork, psc_free before the end. See README.md, docs/configuration.md and
 * docs/host-events.md.
 *
 * Ownership. What a function gives through a psc_result ** or char ** is the caller's: psc_result_free and
 * psc_string_free. A returned const char * is borrowed; each function says for how long. Out-parameters are set on
 * every path, to NULL when there is nothing. Everything that is passed in is copied before the call returns.
 *
 * Threads. Every function may be called from any thread; psc_free is the last call on a handle. psc_init and
 * psc_configure start no thread and open no socket. The one thread that psc_start makes has every signal blocked, a
 * small stack and the name "psc". Every call makes do with 32 KiB of stack, thread-local storage and what the log
 * callback takes not counted. psc installs no signal handler, writes no environment variable, prints nothing and
 * registers nothing with atexit. The one exception: when a bug of psc's own is contained (PSC_ERR_INTERNAL), Rust's
 * standard library reports it on stderr.
 *
 * The end. Call psc_free, or psc_stop, before the process exits or psc is unloaded: OpenSSL cleans up at exit, which a
 * handshake in another thread does not survive. Once OPENSSL_cleanup has run, psc leaves OpenSSL alone: psc_stop and psc_free work
 * as ever, and a check is PSC_ERR_SYSTEM.
 *
 * Forks. A handle may cross a fork until psc_start; the child then uses it as its own. A handle that was started, or on which
 * another thread was in a call at the fork, is inert in a child: every call gives PSC_ERR_FORKED, psc_free releases it; the parent
 * goes on. psc_free, psc_stop, psc_request_stop and psc_last_error wait for nothing in a child. Configuring, checking, verifying
 * and psc_status use OpenSSL: in a child they hang when a thread of the parent, the host's or psc's, was inside OpenSSL at the fork
 * (POSIX allows such a child little more than exec). So fork before other threads begin, or start another program.
 *
 * Codes. >= 0 is an answer, < 0 a failure. Numbers never change meaning; new ones may be added.
 *
 * Memory. A small allocation that fails ends the process, as in every Rust program; for what arrives from outside memory
 * is asked for first, and PSC_ERR_SYSTEM comes back when there is none.
 *
 * This file is generated from src/ffi and tests/header-preamble.h: change it there.
 */
