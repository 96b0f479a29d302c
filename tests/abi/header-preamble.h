/*
 * psc: the security update check that web servers can embed.
 *
 * The shortest host: psc_init with a log callback, psc_configure with passenger_version and server_identifier, psc_start
 * after the last fork, psc_free before the process ends. README.md has an example, docs/contract.md the rules that hold for
 * all functions, docs/configuration.md the keys, docs/host-events.md which call belongs to which event of a server.
 *
 * Ownership. What a function returns through a psc_result **, psc_config ** or char ** is freed by the caller, with
 * psc_result_free, psc_config_free (or psc_commit, which takes it) or psc_string_free. A returned const char * is borrowed; each function says for how long. Out-parameters are always set, to
 * NULL when there is nothing. Arguments are copied before a call returns.
 *
 * Threads. Every function may be called from any thread, and psc_free is the last call on a handle. psc_init and psc_configure
 * start no thread and open no socket. psc_start makes one thread: named "psc", with every signal blocked and a small stack.
 *
 * Forks. A handle may be inherited through a fork until psc_start. After that, and when another thread was in a call on it during
 * the fork, every call in the child returns PSC_ERR_FORKED; psc_free releases the handle, and the parent is not affected.
 * psc_free, psc_stop, psc_request_stop and psc_last_error wait for nothing in a child. The other functions use OpenSSL, whose locks
 * may be held in the child forever, when a thread of the parent was inside OpenSSL during the fork.
 *
 * The end. Call psc_free, or psc_stop, before the process exits or psc is unloaded: OpenSSL cleans up at exit, which a TLS
 * handshake in another thread does not survive. Once OPENSSL_cleanup has run, checks fail with PSC_ERR_SYSTEM.
 *
 * Codes. A code >= 0 is an answer, a code < 0 is a failure. Numbers never change meaning; new ones may be added. Besides the codes
 * that a function lists, every function that takes a handle may return PSC_ERR_INTERNAL; and, except for psc_stop, PSC_ERR_SYSTEM
 * when memory runs out.
 *
 * psc installs no signal handlers, changes no environment variables, prints nothing and registers nothing with atexit. There is
 * one exception: after a bug in psc itself (PSC_ERR_INTERNAL) Rust's standard library writes a report to stderr.
 *
 * This file is generated from src/ffi and tests/abi/header-preamble.h: change it there, then run `make header`.
 */
