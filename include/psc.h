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

#ifndef PSC_H
#define PSC_H

#include <stddef.h>
/* The version of this header; psc_version() is that of the library that runs. */
#define PSC_VERSION "0.1.0"
/* 0xMMmmpp */
#define PSC_VERSION_NUMBER 0x000100u

/*
 Done; for a check: authentic answer, no update.
 */
#define PSC_OK 0

/*
 Authentic answer: a security update exists.
 */
#define PSC_UPDATE_AVAILABLE 1

/*
 Checking is switched off; nothing was looked up, opened or sent.
 */
#define PSC_DISABLED 2

/*
 NULL where it may not be, or not UTF-8.
 */
#define PSC_ERR_INVALID_ARGUMENT (-1)

/*
 Configuration rejected; nothing of it was applied.
 */
#define PSC_ERR_CONFIG (-2)

/*
 Wrong moment: not configured, already started, a check is in flight.
 */
#define PSC_ERR_STATE (-3)

/*
 Called from inside this handle's log callback where that cannot work.
 */
#define PSC_ERR_REENTRANT (-4)

/*
 The handle was started in another process, before a fork.
 */
#define PSC_ERR_FORKED (-5)

/*
 psc_stop, psc_free or a configuration that disables ended the check.
 */
#define PSC_ERR_CANCELLED (-6)

/*
 Key, certificate, CA or license file missing, unreadable, malformed, or too weak.
 */
#define PSC_ERR_FILE (-7)

/*
 Name, connect, proxy, timeout, broken transfer.
 */
#define PSC_ERR_NETWORK (-8)

/*
 Handshake or certificate verification.
 */
#define PSC_ERR_TLS (-9)

/*
 An HTTP status other than 200.
 */
#define PSC_ERR_HTTP (-10)

/*
 Too large, not the agreed JSON, not base64, fields missing or of the wrong kind.
 */
#define PSC_ERR_RESPONSE (-11)

/*
 Not signed by a pinned key.
 */
#define PSC_ERR_SIGNATURE (-12)

/*
 Authentic, but not the answer to this request: replay.
 */
#define PSC_ERR_NONCE (-13)

/*
 Thread, random numbers, memory, descriptors, a libcurl that does not fit.
 */
#define PSC_ERR_SYSTEM (-14)

/*
 A bug in psc, contained.
 */
#define PSC_ERR_INTERNAL (-15)

/*
 psc_stop gave up waiting, because the host's own callback did not return.
 */
#define PSC_ERR_TIMEOUT (-16)

/*
 A handle: one configuration, one log callback, at most one thread. Handles are independent of each other.
 */
typedef struct psc_checker psc_checker;

/*
 What one check came to. Immutable, so it may be read from several threads; freed with psc_result_free.
 */
typedef struct psc_result psc_result;

/*
 Receives log lines. `level`: 0 critical, 1 error, 2 warning, 3 notice, 4 info, 5 to 7 debug. `message`: one line of
 printable UTF-8, NUL-terminated, without a newline, at most 1900 bytes, valid during the call only. It is data, not a
 format: print it with "%s".

 It is called from the background thread, or from the thread that is in a psc function; with psc_log_fd only from
 psc_log_drain. Never two calls at once for one handle, no lock of psc is held meanwhile, and none comes after psc_stop
 or psc_free returned, but for what later calls of the host's own have to say. It must return, and not by longjmp or an
 exception. A child that is forked in it and returns from it leaves psc at once: the call that it is in gives
 PSC_ERR_FORKED there; in psc's own thread the child ends, without running handlers of atexit.

 psc_run_once, psc_start, psc_stop and psc_log_drain on the same handle give PSC_ERR_REENTRANT inside it.
 */
typedef void (*psc_log_fn)(void *user_data, int level, const char *message);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 One sentence for any `code`, known or not.

 Returns a static string, never NULL. Any thread.
 */
const char *psc_strerror(int code);

/*
 The version of the library that runs, such as "1.2.3"; PSC_VERSION is that of the header.

 Returns a static string, never NULL. Any thread.
 */
const char *psc_version(void);

/*
 The version of the library that runs as 0xMMmmpp; PSC_VERSION_NUMBER is that of the header. Any thread.
 */
unsigned int psc_version_number(void);

/*
 1 when libcurl is part of the very binary that psc is part of, 0 when it is a shared library of its own.

 Asked of the running process: a host that links libpsc.a and a static libcurl gets 1. Any thread.
 */
int psc_curl_is_static(void);

/*
 For event loops: from now on lines are queued, at most 512 of them (the least important go first when there
 are more), and the descriptor that is returned turns readable when some wait. Call psc_log_drain then.

 Returns the descriptor (>= 0), which belongs to psc until psc_free: do not read, write or close it. The same one each
 time in a process. PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_SYSTEM (no descriptors left). Call it in the
 process that will drain: a child has one of its own. Any thread.
 */
int psc_log_fd(struct psc_checker *checker);

/*
 Delivers the queued lines to the callback, in the calling thread; also after psc_stop, what was said before it.

 Returns PSC_OK, also when there was nothing; PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_REENTRANT. Any thread.
 */
int psc_log_drain(struct psc_checker *checker);

/*
 Makes a handle. Starts no thread, opens no file that stays open, sends nothing.

 `log` receives the log lines and may be NULL; `user_data` is passed to it and not looked at. Both must stay valid
 until psc_free has returned.

 Returns the handle, to be freed with psc_free; NULL only when out of resources. Any thread. The handle may cross a fork
 until psc_start, except while another thread is in a call on it: the child's copy gives PSC_ERR_FORKED then.
 */
struct psc_checker *psc_init(psc_log_fn log, void *user_data);

/*
 Merges the keys of a JSON object into the configuration; null puts a key back to its default. All or nothing. Files
 that it names are read before the call returns, so that privileges may be dropped, a chroot entered and a fork made
 afterwards; files that other calls named are not read again. A running thread takes the new configuration at once.

 What time or environment changes is no reason to refuse it (a default file that is missing, an expired client certificate,
 a system without certificate authorities, an OpenSSL that does not work): that is one warning in the log, from this call, and
 each check fails until it is cured.

 `json` is copied: UTF-8, NUL-terminated. docs/configuration.md lists the keys.

 Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_CONFIG (psc_last_error names every wrong key) or
 PSC_ERR_FILE (a file that a key names will not do); nothing was applied then. Any thread, also inside the log callback.
 */
int psc_configure(struct psc_checker *checker,
                  const char *json);

/*
 Makes one check in the calling thread, whatever the schedule says, and logs what it came to. Blocks for at most the
 configured timeout. In the calling thread SIGPIPE and SIGXFSZ are blocked meanwhile, and every signal while libcurl works,
 so that no thread of its own takes one; while psc waits, the host's handlers run as ever.

 Needs 32 KiB of the calling thread's stack, thread-local storage and what the log callback takes not counted.

 `result` may be NULL. It is set to a complete result, to be freed with psc_result_free, also for failures; to NULL when
 no check was made.

 Returns PSC_OK (no update), PSC_UPDATE_AVAILABLE, PSC_DISABLED, or why the check failed: PSC_ERR_CANCELLED, PSC_ERR_FILE,
 PSC_ERR_NETWORK, PSC_ERR_TLS, PSC_ERR_HTTP, PSC_ERR_RESPONSE, PSC_ERR_SIGNATURE, PSC_ERR_NONCE, PSC_ERR_SYSTEM,
 PSC_ERR_INTERNAL. No check was made: PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE (not configured, or a check of this handle is
 in flight), PSC_ERR_REENTRANT, PSC_ERR_FORKED. Any thread, not inside the log callback.
 */
int psc_run_once(struct psc_checker *checker,
                 struct psc_result **result);

/*
 The verdict on an answer that came some other way, for machines without a connection: same rules, same result.

 `response`: the body of the answer, `length` bytes, not kept. `nonce`: of the request that it answers. The request is
 taken to be the one that this configuration makes with that nonce (psc_preview_request's `body`), without a license.
 `result` and the stack as with psc_run_once. Nothing is sent, logged or remembered.

 Returns as psc_run_once does, of the answer's content: PSC_OK, PSC_UPDATE_AVAILABLE, PSC_ERR_RESPONSE,
 PSC_ERR_SIGNATURE, PSC_ERR_NONCE; or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE (not configured), PSC_ERR_FORKED. Works
 while checks are disabled. Any thread, also inside the log callback.
 */
int psc_verify(struct psc_checker *checker,
               const char *response,
               size_t length,
               const char *nonce,
               struct psc_result **result);

/*
 Starts the background thread: the first check after start_delay and start_jitter, then by the schedule. With state_dir
 it first looks whether another process makes this host's checks, and when the next is due. While checking is disabled
 the thread does nothing.

 Call it in the process that is to make the checks, after the last fork.

 Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE (not configured, already started), PSC_ERR_REENTRANT,
 PSC_ERR_FORKED, PSC_ERR_SYSTEM (no thread, no descriptors). Any thread, not inside the log callback.
 */
int psc_start(struct psc_checker *checker);

/*
 Ends the thread and a check in flight, and waits for them: some milliseconds, at most a second. No callback comes after
 it has returned. Idempotent; the handle can be started again.

 Returns PSC_OK, also when nothing ran; PSC_ERR_INVALID_ARGUMENT, PSC_ERR_REENTRANT, PSC_ERR_FORKED; PSC_ERR_TIMEOUT when
 the host's own callback, a libcurl older than 7.87 that hangs in a name look-up, or a state_dir that does not answer, did
 not return in time. No new callback comes then either, but the thread lives on until that returns: do not unload psc, and
 what `user_data` points to may still be in use. Call it again to wait again. Any thread, not inside the log callback.
 */
int psc_stop(struct psc_checker *checker);

/*
 The wish to stop, without waiting: the thread and a check in flight end soon. psc_stop or psc_free still has to follow.

 Async-signal-safe, `errno` is preserved. NULL is a no-op. Any thread, also inside the log callback and in signal
 handlers, as long as the handle is not being freed.
 */
void psc_request_stop(struct psc_checker *checker);

/*
 psc_stop, then releases the handle: its last call. NULL is a no-op.

 A callback of the handle that is running may go on using it until it returns: psc_free waits for that, at most a second,
 and after that the memory stays for the callback and goes when it returns. Only psc_free may no longer be called then.

 Inside the handle's own log callback it cannot wait: it ends the handle, no further callback comes, and thread and
 memory go when the callback has returned; where it was called from psc_run_once or psc_log_drain, before those return.

 In a process that was forked after psc_init it closes what is psc's and gives up the handle's memory without giving it
 back; it waits for no lock of another process's threads.
 */
void psc_free(struct psc_checker *checker);

/*
 What a check would send and where, as a JSON object in `*json`, to be freed with psc_string_free. Sends nothing. The
 nonce is a fresh one; proxy credentials are masked, license data shows as "encrypted, N bytes". Works while checks are
 disabled, for answers that are to be verified with psc_verify; the member `disabled` is true then.

 Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_STATE (not configured), PSC_ERR_SYSTEM;
 `*json` is NULL then. Any thread, also inside the log callback.
 */
int psc_preview_request(struct psc_checker *checker, char **json);

/*
 The effective configuration, defaults included, as a JSON object in `*json`, to be freed with psc_string_free. Proxy
 credentials are masked. Beside the keys: `trust_store`, `server_public_keys` (fingerprints).

 Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED; `*json` is NULL then. Any thread, also inside the log
 callback.
 */
int psc_inspect_config(struct psc_checker *checker, char **json);

/*
 Whether the thread runs, what is known and how old that is, as a JSON object in `*json`, to be freed with
 psc_string_free; docs/status.md describes it. With state_dir the verdict is the host's, whichever process asks.

 Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED; `*json` is NULL then. Reads one small file when there is a
 state_dir, no network. Any thread, also inside the log callback.
 */
int psc_status(struct psc_checker *checker, char **json);

/*
 Why this thread's last call on `checker` failed, in words, with every problem of a configuration; "no error" when
 it did not fail.

 Returns a string that is never NULL and stays valid until this thread's next call on the handle. For a NULL
 handle: a static sentence. Any thread, also inside the log callback.
 */
const char *psc_last_error(const struct psc_checker *checker);

/*
 What psc_run_once (or psc_verify) returned with it. PSC_ERR_INVALID_ARGUMENT for NULL.
 */
int psc_result_code(const struct psc_result *result);

/*
 The main line that was logged; of psc_verify, which logs nothing, the line that would be, without a time. Borrowed
 from the result; NULL only for NULL.
 */
const char *psc_result_message(const struct psc_result *result);

/*
 The recommended version. Borrowed from the result; NULL unless there is an update, and for NULL.
 */
const char *psc_result_version(const struct psc_result *result);

/*
 The server's own text in full, authentic but as it came: several lines, perhaps unprintable characters (a NUL shows as
 U+FFFD).
 Borrowed from the result; NULL if there is none, and for NULL.
 */
const char *psc_result_notice(const struct psc_result *result);

/*
 Seconds until the next check is due, from when the result was made; 0 when none is planned, and for NULL.
 */
long long psc_result_next_check(const struct psc_result *result);

/*
 The HTTP status of the answer; 0 when there was no HTTP answer, and for NULL.
 */
int psc_result_http_status(const struct psc_result *result);

/*
 The whole result as one JSON object in `*json`, to be freed with psc_string_free; docs/result.schema.json describes
 it. It includes the advisories that the server's text lists.

 Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT for NULL, PSC_ERR_SYSTEM (out of memory); `*json` is NULL then. Any thread.
 */
int psc_result_json(const struct psc_result *result, char **json);

/*
 Frees a result and the strings borrowed from it. NULL is a no-op. Any thread.
 */
void psc_result_free(struct psc_result *result);

/*
 Makes the configured state_dir fit for the user that the server will run as, or says why it is not: for root, before the
 host becomes that user, at every start and reload. A process that is not root can do so for its own user only.

 `uid` and `gid`: of that user. A missing directory is made in a parent that exists, and is theirs alone (0700). One that is
 there has to belong to `uid` and be writable by nobody else; one of psc's own, with nothing in it but its files, is handed
 over from the user that the server ran as before, and what is known is kept. Nothing else is changed: not what is shared,
 and nothing that a user other than root could have put in its place. Below a directory of that user's own nothing is done:
 the process that runs as that user makes what is missing.

 Returns PSC_OK, also when no state_dir is configured: nothing was done then. PSC_ERR_FILE: it is not fit, psc_last_error
 says why and what to do; psc would go on without it. PSC_ERR_SYSTEM (no descriptors or memory),
 PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED. Works while checks are disabled. Any thread, also inside the log callback;
 waits for the file system, and at most half a second for a process that is writing there.
 */
int psc_make_state_dir(struct psc_checker *checker,
                       unsigned int uid,
                       unsigned int gid);

/*
 Frees a string that psc gave in a `char **`. NULL is a no-op. Any thread.
 */
void psc_string_free(char *string);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PSC_H */
